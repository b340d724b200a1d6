"""Alias of `tips-ray claims`."""

from tips_ray.studies.claims import main

if __name__ == "__main__":
    raise SystemExit(main())
