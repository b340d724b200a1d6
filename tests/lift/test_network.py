"""Plain layers answer as the network that they were made of."""

import numpy as np
import pytest
import torch

from made_lifter import made_network
from tips_ray.config import Config, Network
from tips_ray.errors import UserError
from tips_ray.lift.network import network_of
from tips_ray.lift.trained import folded

SEEN = torch.rand(40, 16, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("mirror_mean", [False, True])
@pytest.mark.parametrize("norm", ["batch", "affine", "none"])
def test_plain_layers_answer_as_the_network_does(norm, mirror_mean, sign):
    config = Config(network=Network(width=16, generator_blocks=2, generator_norm=norm, mirror_mean=mirror_mean))
    lifter = made_network(config.network)
    with torch.no_grad():
        expected = sign * lifter(SEEN).numpy()
    network = folded(lifter, config, sign)
    answered = network.depths(SEEN.numpy(), mirror_mean)
    assert answered.dtype == np.float32
    np.testing.assert_allclose(answered, expected, atol=2e-6)
    again = network_of({each.part.name: each.part.joints for each in network.parts}, 0.01, network.arrays())
    assert (again.depths(SEEN.numpy(), mirror_mean) == answered).all()


def test_layer_norm_is_refused():
    config = Config(network=Network(width=16, generator_blocks=1, generator_norm="layer"))
    with pytest.raises(UserError, match="layer norm"):
        folded(made_network(config.network), config, 1.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda arrays: arrays.pop("legs.1.bias"), "fit its joints|no array"),
        (lambda arrays: arrays.update({"torso.0.weight": arrays["torso.0.weight"][:-1]}), "do not fit"),
        (lambda arrays: [arrays.pop(name) for name in list(arrays) if name.startswith("legs")], "do not fit"),
    ],
)
def test_layers_that_do_not_fit_are_refused(change, said):
    config = Config(network=Network(width=16, generator_blocks=1))
    network = folded(made_network(config.network), config, 1.0)
    arrays = network.arrays()
    change(arrays)
    with pytest.raises(UserError, match=said):
        network_of({each.part.name: each.part.joints for each in network.parts}, 0.01, arrays)
