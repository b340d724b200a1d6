"""Alias of `tips-ray screen`."""

from tips_ray.studies.screen import main

if __name__ == "__main__":
    raise SystemExit(main())
