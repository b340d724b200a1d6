"""Alias of `tips-ray distil`."""

from tips_ray.studies.distil import main

if __name__ == "__main__":
    raise SystemExit(main())
