"""Random streams depend on the seed and on every name, and on nothing else."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from tips_ray.seeding import derived_seed, is_of_another_device, stream

names = st.text("abcdefgh0123_-", min_size=1)


@given(seed=st.integers(), first=names, second=names)
def test_a_seed_depends_on_the_seed_and_each_name_in_order(seed, first, second):
    here = derived_seed(seed, first, second)
    assert 0 <= here < 2**63
    assert here == derived_seed(seed, first, second)
    assert here != derived_seed(seed + 1, first, second)
    assert here != derived_seed(seed, first)
    assert here != derived_seed(seed, first + second)
    assert (here == derived_seed(seed, second, first)) == (first == second)


def test_seeds_are_the_same_on_every_machine_and_day():
    assert derived_seed(0, "azimuth") == 4750968342940258056
    assert torch.rand(3, generator=stream(0, "azimuth")).tolist() == torch.rand(3, generator=stream(0, "azimuth")).tolist()


def test_streams_do_not_disturb_each_other():
    separate = torch.rand(5, generator=stream(7, "azimuth"))
    azimuth, other = stream(7, "azimuth"), stream(7, "elevation")
    mixed = []
    for _ in range(5):
        mixed.append(torch.rand(1, generator=azimuth))
        torch.rand(3, generator=other)
        torch.rand(2)
    assert torch.equal(torch.cat(mixed), separate)
    assert not torch.equal(torch.rand(5, generator=stream(7, "elevation")), separate)


def test_a_state_of_a_cpu_and_one_of_a_gpu_are_told_apart_by_their_size():
    cpu, gpu, garbage = stream(0, "azimuth").get_state(), torch.zeros(16, dtype=torch.uint8), torch.zeros(17, dtype=torch.uint8)
    assert is_of_another_device(gpu, cpu)
    assert is_of_another_device(cpu, gpu)
    for saved, own in ((cpu, cpu), (gpu, gpu), (garbage, cpu), (garbage, gpu)):
        assert not is_of_another_device(saved, own)
