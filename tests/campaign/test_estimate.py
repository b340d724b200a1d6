"""What is left of a study, and how long it takes."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from helpers import CONFIG, refusal
from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.estimate import (
    EVALUATIONS,
    STARTS,
    STARTS_A_PHASE,
    ArmPlan,
    expected_epochs,
    is_foreseen,
    plan_study,
    training_seconds,
    wall_seconds,
)
from tips_ray.campaign.plan import Campaign, agree
from tips_ray.campaign.probe import Probe
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
    arm = ArmPlan("solo", (4, 2, 0), 10, 2.0, 0.0, student=False)
    assert arm.epochs_left == 24
    assert arm.seconds_left(Placement()) == 48
    assert arm.seconds_left(Placement(num_workers=2)) == 32  # seeds 0 and 2 are one worker's
    assert arm.seconds_left(Placement(num_workers=8)) == 20


def test_students_wait_and_processes_that_share_a_core_do_too():
    teacher = ArmPlan("solo", (0, 0), 10, 1.0, 0.5, student=False)
    student = replace(teacher, arm="tips", student=True)
    measuring = 2 * EVALUATIONS * 0.5 / 4
    assert training_seconds([teacher, student], Placement(), 2, 4) == (40 + 2 * measuring, 2)
    assert training_seconds([teacher, replace(teacher, arm="parts")], Placement(), 2, 4) == (20 + 2 * measuring, 1)
    assert training_seconds([teacher] * 4, Placement(cpus_per_worker=0.25), 4, 1)[0] == 80 + 4 * 4 * measuring
    assert training_seconds([replace(teacher, stored=(10, 10))], Placement(), 1, 1) == (0, 0)


def test_a_new_study_is_measured_and_nothing_is_written(tmp_path: Path) -> None:
    campaign, session = study(tmp_path / "reports", {"solo": CONFIG, "tips": STUDENT})
    plan = plan_study(campaign, session, start_seconds=5.0)
    assert [(arm.arm, arm.stored, arm.student) for arm in plan.arms] == [("solo", (0, 0), False), ("tips", (0, 0), True)]
    assert all(arm.epoch_seconds > 0 < arm.evaluate_seconds for arm in plan.arms)
    starts = 5.0 * (STARTS + 2 * STARTS_A_PHASE)
    assert plan.seconds >= sum(arm.seconds_left(session.placement) for arm in plan.arms) + starts
    assert not plan.at_most
    assert not (tmp_path / "reports").exists()


def test_seeds_that_train_as_one_model_are_measured_so(dataset: Dataset) -> None:
    config = replace(CONFIG, objective="distilled", teacher=Teacher(arm="solo", runs="all"))
    probe = Probe(dataset, Placement(seeds_per_process=2), {"solo": CONFIG, "tips": config})
    epoch_seconds, evaluate_seconds = probe.seconds(config, 3)
    assert epoch_seconds > evaluate_seconds > 0
    teachers = probe.teachers(config, 3)
    assert teachers is not None
    assert len(teachers.signs) == 3


@pytest.mark.parametrize(("stop", "ends", "foreseen"), [("epoch at 50 %", 2, True), ("churn levels off", 4, False)])
def test_a_rule_that_looks_at_no_signal_shortens_the_plan(tmp_path: Path, stop: str, ends: int, foreseen: bool) -> None:
    campaign, _ = study(tmp_path, {"solo": CONFIG, "supervised": replace(CONFIG, objective="supervised")})
    campaign = replace(campaign, stop=stop, num_epochs=4)
    assert [expected_epochs(campaign, arm) for arm in campaign.arms] == [ends, 4]
    assert [is_foreseen(campaign, arm) for arm in campaign.arms] == [foreseen, True]


def test_what_is_stored_is_counted(tmp_path: Path, dataset: Dataset) -> None:
    campaign, session = study(tmp_path, {"solo": CONFIG})
    data, references = survey(session.sources, "synthetic", [CONFIG], campaign.evaluation)
    write_manifest(campaign.folder, agree(campaign, data, references))
    for seed, epochs in ((0, 3), (1, 2)):
        run = StoredRun(campaign.folder, "solo", Run(CONFIG, dataset, seed))
        for _ in range(epochs):
            run.advance()
    (arm,) = plan_study(campaign, session, 0.0).arms
    assert (arm.stored, arm.epochs_left) == ((3, 2), 1)
    shorter = replace(campaign, num_epochs=4, stop="epoch at 50 %")  # before its record names the rule
    assert plan_study(shorter, session, 5.0).seconds == 0
    print_plan(shorter, session)
    assert "All runs are trained" in session.console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    other = replace(campaign, arms={"solo": replace(CONFIG, network=replace(CONFIG.network, width=16))})
    with pytest.raises(UserError, match=r"network.width was 8 and is 16"):
        plan_study(other, session, 0.0)


@pytest.mark.parametrize(
    ("arms", "placement", "sentence"),
    [
        ({"tips": STUDENT}, Placement(), "has no arm that can teach"),
        ({"solo": CONFIG}, Placement(cpus_per_worker=9999), "needs 1 x 9999 CPUs"),
        ({"solo": CONFIG}, Placement(gpus_per_worker=99), "needs 1 x 99 GPUs"),
    ],
)
def test_what_the_study_would_refuse_is_refused(tmp_path: Path, arms: dict[str, Config], placement: Placement, sentence: str):
    campaign, session = study(tmp_path / "reports", arms)
    with pytest.raises(UserError, match=sentence):
        plan_study(campaign, replace(session, placement=placement), 0.0)


def test_a_plan_of_a_cluster_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("cluster_name: c\n")
    assert "give it without --cluster" in refusal(capsys, "stability", "--plan", "--cluster", str(file))
