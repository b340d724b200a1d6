"""Join the Ray cluster at hand, or start Ray on this machine."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune's tables would cover the progress of the campaign
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the curves are kept by the runs themselves
}


@contextmanager
def running_ray(temp_dir: str | None = None) -> Iterator[None]:
    """Ray for the length of a block: the cluster that RAY_ADDRESS names, or one started here and stopped at the end.

    A local Ray is started with its API server, on 127.0.0.1: without it, workers of a trial that is stopped keep their CPUs.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    settings = {"logging_level": logging.ERROR, "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**settings)
    else:
        ray.init(address="local", include_dashboard=True, dashboard_host="127.0.0.1", _temp_dir=temp_dir, **settings)
    try:
        yield
    finally:
        ray.shutdown()
