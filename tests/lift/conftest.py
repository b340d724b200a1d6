"""A small lifter, trained on nothing."""

import numpy as np
import pytest

from made_lifter import made_network
from tips_ray.config import Config, Network
from tips_ray.data.completion import Prior
from tips_ray.data.synthetic import synthesise
from tips_ray.data.views import render_views
from tips_ray.lift.card import Card
from tips_ray.lift.lifter import Lifter
from tips_ray.lift.trained import folded
from tips_ray.lifting.evaluate import keypoint_moments


@pytest.fixture(scope="session")
def views():
    """Views of synthetic poses."""
    return render_views(synthesise(num_poses=600, num_subjects=2), 1, seed=0).spread(600)


@pytest.fixture(scope="session")
def lifter(views) -> Lifter:
    """A small one, with the prior of the views."""
    config = Config(network=Network(width=16, generator_blocks=1, mirror_mean=True))
    network = folded(made_network(config.network), config, 1.0)
    mean, covariance = (values.numpy() for values in keypoint_moments(views))
    card = Card("small", {each.part.name: list(each.part.joints) for each in network.parts}, network.negative_slope, True)
    return Lifter(network, Prior(mean, covariance), card)


@pytest.fixture
def pixels(views) -> np.ndarray:
    """Keypoints (600, 17, 2) of an image, y down."""
    whole = np.insert(views.keypoints.numpy().astype(float), 0, 0.0, axis=1)
    return whole * [200, -200] + [640, 360]
