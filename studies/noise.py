"""Alias of `tips-ray noise`."""

from tips_ray.studies.noise import main

if __name__ == "__main__":
    raise SystemExit(main())
