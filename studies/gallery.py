"""Keep a study's or a search's result in the gallery, as `reports/README.md` says."""

from tips_ray.report.gallery import main

if __name__ == "__main__":
    raise SystemExit(main())
