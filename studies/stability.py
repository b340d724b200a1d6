"""Alias of `tips-ray stability`."""

from tips_ray.studies.stability import main

if __name__ == "__main__":
    raise SystemExit(main())
