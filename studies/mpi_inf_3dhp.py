"""Alias of `tips-ray mpi-inf-3dhp`."""

from tips_ray.studies.mpi_inf_3dhp import main

if __name__ == "__main__":
    raise SystemExit(main())
