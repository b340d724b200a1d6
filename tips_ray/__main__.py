"""`python -m tips_ray`."""

from tips_ray.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
