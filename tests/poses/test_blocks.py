"""Walking over poses in blocks changes no answer, and keeps what a metric needs in memory small."""

from collections.abc import Iterator

import pytest
import torch

from tests.lifting.test_train import NoWaiting
from tips_ray.poses import blocks
from tips_ray.poses.blocks import by_blocks
from tips_ray.poses.metrics import auc, mpjpe, n_mpjpe, p_mpjpe, p_mpjpe_by_sign, pck

METRICS = (mpjpe, n_mpjpe, p_mpjpe, lambda *poses: torch.stack(p_mpjpe_by_sign(*poses)), pck, auc)
BLOCK = 7


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 7 poses of 16 joints."""
    monkeypatch.setitem(blocks.VALUES_AT_ONCE, "cpu", BLOCK * 16 * 3 + 1)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def poses(*leading: int, seed: int = 0) -> torch.Tensor:
    return 300 * torch.randn(*leading, 16, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 3])
@pytest.mark.parametrize("metric", METRICS)
def test_the_size_of_blocks_does_not_change_errors(metric, count, request):
    predicted, target = poses(count), poses(count, seed=1)
    predicted[::3, :, 2] = 0.0
    predicted[::5, :, :2] = 0.0  # collinear or a point: these take the other way through a block
    whole = metric(predicted, target)
    request.getfixturevalue("small_blocks")
    torch.testing.assert_close(metric(predicted, target), whole, rtol=1e-12, atol=1e-9)


@pytest.mark.usefixtures("small_blocks", "two_threads")
@pytest.mark.parametrize("metric", METRICS)
def test_threads_share_the_blocks_and_leave_their_number_as_it_was(metric):
    predicted, target = poses(5 * BLOCK + 3), poses(5 * BLOCK + 3, seed=1)
    predicted[::5] = 0.0
    shared = metric(predicted, target)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert torch.equal(metric(predicted, target), shared)


@pytest.mark.usefixtures("small_blocks", "two_threads")
def test_what_a_thread_refuses_is_refused():
    predicted = poses(20)
    predicted[19] = float("inf")
    with pytest.raises(ValueError, match="predicted poses hold NaN or infinity"):
        mpjpe(predicted, poses(20))
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("metric", METRICS)
def test_the_poses_themselves_are_left_as_they_are(metric):
    pair = poses(20), poses(20, seed=1)
    before = [pose.clone() for pose in pair]
    metric(*pair)
    assert all(torch.equal(pose, copy) for pose, copy in zip(pair, before, strict=True))


@pytest.mark.usefixtures("small_blocks")
def test_a_metric_sees_blocks_of_bounded_size_with_coordinates_first():
    seen = []

    def first_joint(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        seen.append(predicted.shape)
        assert target.shape == predicted.shape
        return predicted[:, 0].clone()

    predicted = poses(4, 5)
    torch.testing.assert_close(by_blocks(first_joint, predicted, poses(4, 5, seed=1)), predicted[:, :, 0].permute(2, 0, 1))
    assert seen == [(3, 16, BLOCK), (3, 16, BLOCK), (3, 16, 20 - 2 * BLOCK)]


@pytest.mark.usefixtures("small_blocks")
def test_poses_of_which_a_metric_says_nan_are_given_to_the_other():
    predicted, target = poses(20), poses(20, seed=1)
    odd = torch.arange(20) % 2 == 1
    predicted[odd] = 0.0

    def metric(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (target / predicted).sum((0, 1)) * 0  # NaN for zeros

    def otherwise(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        assert bool((predicted == 0).all())
        return target[:, 0, 0]

    found = by_blocks(metric, predicted, target, otherwise)
    torch.testing.assert_close(found, torch.where(odd, target[:, 0, 0], 0.0))


@pytest.mark.usefixtures("small_blocks", "two_threads")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_vmap_gives_the_same_errors_and_leaves_nan_to_the_poses_that_hold_it(metric, dtype):
    predicted, target = poses(3, 20).to(dtype), poses(20, seed=1).to(dtype)
    predicted[0, ::3, :, 2] = 0.0
    predicted[1, ::5, :, :2] = 0.0  # collinear or a point: the closed form cannot tell
    predicted[2, ::4] = target[::4]
    predicted[2, 1] = target[1] * torch.tensor([1, 1, -1])
    expected = metric(predicted, target.expand(3, 20, 16, 3))
    rows = expected.ndim - 2
    with NoWaiting():
        found = torch.vmap(lambda each: metric(each, target), out_dims=rows)(predicted)
    torch.testing.assert_close(found, expected, rtol=1e-5 if dtype == torch.float32 else 1e-9, atol=1e-4)
    predicted[1, 2, 3] = torch.nan
    lost = torch.vmap(lambda each: metric(each, target), out_dims=rows)(predicted)
    if metric not in (pck, auc):  # no joint of these poses is near
        assert lost[..., 1, 2].isnan().all()
    lost[..., 1, 2] = found[..., 1, 2]
    assert torch.equal(lost, found)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("where", [0, 8, 19])
def test_one_bad_value_in_any_block_is_refused(where):
    predicted, target = poses(20), poses(20, seed=1)
    predicted[where, 15, 2] = float("nan")
    with pytest.raises(ValueError, match="predicted poses hold NaN"):
        p_mpjpe(predicted, target)


def test_a_sum_that_overflows_is_no_reason_to_refuse():
    huge = torch.full((2, 16, 3), 3e38)
    assert mpjpe(huge, huge).tolist() == [0.0, 0.0]
