"""While tests run, every function checks the shapes and types it is annotated with, and chance is
fixed."""

import signal
from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from hypothesis import settings

jaxtyping.install_import_hook("tips_ray", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

settings.register_profile("tips_ray", deadline=None, derandomize=True)
settings.load_profile("tips_ray")
torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # started in the background, all programs of the tests would ignore it


@pytest.fixture
def without_shape_checks() -> Iterator[None]:
    """As for users, who have no run-time checks of annotations: what the package itself says of
    wrong shapes and types."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
