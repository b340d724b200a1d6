"""Alias of `tips-ray partitions`."""

from tips_ray.studies.partitions import main

if __name__ == "__main__":
    raise SystemExit(main())
