"""Alias of `tips-ray tips`."""

from tips_ray.studies.tips import main

if __name__ == "__main__":
    raise SystemExit(main())
