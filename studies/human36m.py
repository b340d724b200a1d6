"""Alias of `tips-ray human36m`."""

from tips_ray.studies.human36m import main

if __name__ == "__main__":
    raise SystemExit(main())
