"""Arms on a real Ray: what the cluster must offer, seeds dealt to workers, an arm that fails."""

import signal
from pathlib import Path

import pandas as pd
import pytest
import ray

from helpers import CONFIG, TIMES
from tips_ray.campaign.plan import Campaign, unfinished
from tips_ray.campaign.tune import check_capacity, execute
from tips_ray.config import Config, Placement, override
from tips_ray.data.dataset import Sources
from tips_ray.data.poseset import PoseSet
from tips_ray.data.synthetic import synthesise
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.store.curves import read_curves
from tips_ray.store.storage import Storage

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own, of which there are many

NUM_EPOCHS = 12
TWO_WORKERS = Placement(num_workers=2, cpus_per_worker=1.0)


@pytest.fixture(scope="module")
def poses() -> PoseSet:
    return synthesise(num_poses=400)


def campaign(folder: Path, num_epochs: int = NUM_EPOCHS, **arms: Config) -> Campaign:
    return Campaign("c", Storage(str(folder)), arms or {"solo": CONFIG}, num_seeds=3, num_epochs=num_epochs)


def rows(of: Campaign) -> pd.DataFrame:
    """All rows that a campaign has stored, without what a clock measured."""
    return read_curves(of.folder, of.name).drop(columns=TIMES, errors="ignore")


@pytest.fixture(scope="module")
def undisturbed(ray_folder: Path, poses: PoseSet, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Rows of one arm, three seeds, trained in the trial itself."""
    plain = campaign(tmp_path_factory.mktemp("undisturbed"))
    assert execute(plain, ["solo"], Placement(), Sources(poses), []) == {}
    found = rows(plain)
    assert found.groupby("seed")["epoch"].agg(list).tolist() == [list(range(1, NUM_EPOCHS + 1))] * 3
    return found


@pytest.mark.usefixtures("ray_folder")
def test_a_cluster_too_small_for_one_arm_is_refused_with_what_is_missing() -> None:
    cpus = ray.cluster_resources()["CPU"]
    with pytest.raises(ValueError, match=rf"needs 1 x {cpus + 1:g} CPUs at once, and this Ray cluster has {cpus:g};"):
        check_capacity(Placement(cpus_per_worker=cpus + 1), num_seeds=3)
    with pytest.raises(ValueError, match=rf"needs 3 x {cpus:g} CPUs at once"):  # no more workers than seeds
        check_capacity(Placement(num_workers=9, cpus_per_worker=cpus), num_seeds=3)
    with pytest.raises(ValueError, match=r"needs 1 x 0\.5 GPUs at once.*smaller --gpus-per-worker"):
        check_capacity(Placement(gpus_per_worker=0.5 + ray.cluster_resources().get("GPU", 0)), num_seeds=3)
    assert check_capacity(Placement(cpus_per_worker=cpus / 2), num_seeds=3) == 2


def test_seeds_dealt_to_workers_give_the_rows_of_seeds_that_take_turns(
    undisturbed: pd.DataFrame, poses: PoseSet, tmp_path: Path
) -> None:
    dealt = campaign(tmp_path, num_epochs=4)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert execute(dealt, ["solo"], TWO_WORKERS, Sources(poses), []) == {}
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers  # not Tune's
    expected = undisturbed[undisturbed["epoch"] <= 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows(dealt), expected, check_exact=True)


def test_an_arm_that_fails_is_reported_while_the_others_finish(undisturbed: pd.DataFrame, poses: PoseSet, tmp_path: Path) -> None:
    broken = override(CONFIG, {"optimiser": {"batch_size": 256}})
    mixed = campaign(tmp_path, num_epochs=4, broken=broken, solo=CONFIG)
    failures = execute(mixed, ["broken", "solo"], Placement(cpus_per_worker=0.5), Sources(poses), [])
    assert list(failures) == ["broken"]
    assert failures["broken"].startswith("The batch size 256 is larger than an epoch of 128 views")
    assert unfinished(mixed, LoadedCampaign({}, read_curves(mixed.folder, mixed.name)), mixed.arms) == ["broken"]
    expected = undisturbed[undisturbed["epoch"] <= 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows(mixed), expected, check_exact=True)
