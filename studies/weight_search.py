"""Alias of `tips-ray search`."""

from tips_ray.studies.search import main

if __name__ == "__main__":
    raise SystemExit(main())
