"""Alias of `tips-ray recipe`."""

from tips_ray.studies.recipe import main

if __name__ == "__main__":
    raise SystemExit(main())
