"""What is left of a study, and how long it takes."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from helpers import CONFIG, refusal
from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.estimate import ArmPlan, plan_study, wall_seconds
from tips_ray.campaign.plan import Campaign, agree
from tips_ray.campaign.run import survey
from tips_ray.campaign.session import Session
from tips_ray.config import Config, Placement, Teacher
from tips_ray.data.dataset import Dataset, Sources
from tips_ray.data.synthetic import synthesise
from tips_ray.errors import UserError
from tips_ray.lifting.run import Run
from tips_ray.store.records import write_manifest
from tips_ray.store.storage import Storage
from tips_ray.studies.arm_study import print_plan

STUDENT = replace(CONFIG, objective="distilled", teacher=Teacher(arm="solo"))


def study(folder: Path, arms: dict[str, Config]) -> tuple[Campaign, Session]:
    session = Session(Sources(synthesise(num_poses=400)), "synthetic", Placement(), Console(file=StringIO(), width=200))
    return Campaign("c", Storage(str(folder)), arms, 2, 3), session


@pytest.mark.parametrize(
    ("seconds", "at_once", "expected"),
    [([3.0, 2.0, 2.0], 2, 4.0), ([3.0, 2.0, 2.0], 1, 7.0), ([1.0], 4, 1.0), ([], 2, 0.0), ([4.0, 1.0, 1.0, 1.0], 2, 4.0)],
)
def test_pieces_of_work_are_begun_as_soon_as_they_can(seconds, at_once, expected):
    assert wall_seconds(seconds, at_once) == expected


def test_what_is_left_is_dealt_to_the_workers():
    arm = ArmPlan("solo", 3, 10, 6, 2.0, student=False)
    assert arm.epochs_left == 24
    assert arm.seconds_left(Placement()) == 48
    assert arm.seconds_left(Placement(num_workers=2)) == 24
    assert arm.seconds_left(Placement(num_workers=8)) == 16


def test_a_new_study_is_measured_and_nothing_is_written(tmp_path: Path) -> None:
    campaign, session = study(tmp_path / "reports", {"solo": CONFIG, "tips": STUDENT})
    plan = plan_study(campaign, session)
    assert [(arm.arm, arm.stored_epochs, arm.student) for arm in plan.arms] == [("solo", 0, False), ("tips", 0, True)]
    assert all(arm.epoch_seconds > 0 for arm in plan.arms)
    assert plan.seconds >= sum(arm.seconds_left(session.placement) for arm in plan.arms)  # students wait for their teachers
    assert not (tmp_path / "reports").exists()


def test_what_is_stored_is_counted(tmp_path: Path, dataset: Dataset) -> None:
    campaign, session = study(tmp_path, {"solo": CONFIG})
    data, references = survey(session.sources, "synthetic", [CONFIG], campaign.evaluation)
    write_manifest(campaign.folder, agree(campaign, data, references))
    for seed, epochs in ((0, 3), (1, 2)):
        run = StoredRun(campaign.folder, "solo", Run(CONFIG, dataset, seed))
        for _ in range(epochs):
            run.advance()
    (arm,) = plan_study(campaign, session).arms
    assert (arm.stored_epochs, arm.epochs_left) == (5, 1)
    shorter = replace(campaign, num_epochs=2)
    assert plan_study(shorter, session).seconds == 0
    print_plan(shorter, session)
    assert "All runs are trained" in session.console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    other = replace(campaign, arms={"solo": replace(CONFIG, network=replace(CONFIG.network, width=16))})
    with pytest.raises(UserError, match=r"network.width was 8 and is 16"):
        plan_study(other, session)


def test_a_plan_of_a_cluster_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("cluster_name: c\n")
    assert "give it without --cluster" in refusal(capsys, "stability", "--plan", "--cluster", str(file))
