import io
import itertools
import json
import os
import re
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import CONFIG, TIMES, refusal
from tips_ray.campaign.checkpoints import StoredRun, packed, state_name, unpacked, weights_name
from tips_ray.campaign.evaluate import choose_window, evaluate_saved, kept_epochs, load_lifter
from tips_ray.campaign.plan import Campaign, agree
from tips_ray.config import Config, KeepWeights, Network, Teacher, override, parts_of
from tips_ray.data.dataset import Dataset, prepare
from tips_ray.data.load import load_keypoints
from tips_ray.data.poseset import PoseSet
from tips_ray.data.synthetic import synthesise
from tips_ray.errors import UserError
from tips_ray.lifting.evaluate import evaluate
from tips_ray.lifting.networks import Lifter
from tips_ray.lifting.run import Run
from tips_ray.poses.skeleton import JOINTS
from tips_ray.stability.stopping import Window
from tips_ray.stability.teachers import NOT_MEASURED, TeacherCard
from tips_ray.store.curves import CURVE, RUNS, DamagedCurveError, read_curves
from tips_ray.store.lifted import lifted_name
from tips_ray.store.records import write_manifest
from tips_ray.store.storage import Storage


def stored_run(folder: Path, dataset: Dataset, config: Config = CONFIG, **keep: Any) -> StoredRun:
    return StoredRun(Storage(str(folder)), "solo", Run(config, dataset, 0), KeepWeights(**keep))


def curve_of(folder: Path) -> pd.DataFrame:
    return read_curves(Storage(str(folder)), "c").drop(columns=TIMES, errors="ignore")


@pytest.mark.parametrize("lost", [(), (state_name(3),), (state_name(3), CURVE)], ids=["nothing", "state", "state and curve"])
def test_a_run_cut_off_at_any_point_of_storing_gives_the_undisturbed_curve(tmp_path: Path, dataset: Dataset, lost: tuple) -> None:
    whole = stored_run(tmp_path / "whole", dataset)
    for _ in range(4):
        whole.advance()

    cut = stored_run(tmp_path / "cut", dataset)
    cut.advance()
    cut.advance()
    files = {name: cut.folder.read(name) for name in (state_name(3), CURVE)}
    cut.advance()
    for name in lost:  # as if the process had died before the file was replaced
        cut.folder.write(name, files[name])

    again = stored_run(tmp_path / "cut", dataset)
    assert again.num_epochs == (2 if lost else 3)
    assert again.notices == []
    while again.num_epochs < 4:
        again.advance()
    pd.testing.assert_frame_equal(curve_of(tmp_path / "cut"), curve_of(tmp_path / "whole"), check_exact=True)
    for epoch in range(1, 5):
        assert again.folder.exists(weights_name(epoch))
    last = [load_lifter(run.folder, 4, CONFIG).state_dict() for run in (whole, again)]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[0])


def test_the_average_is_what_is_kept_and_lifts_as_it_was_evaluated(tmp_path: Path, dataset: Dataset) -> None:
    config = override(CONFIG, {"optimiser": {"averaging": 0.9}, "network": {"mirror_mean": True}})
    run = Run(config, dataset, 0)
    stored = StoredRun(Storage(str(tmp_path)), "solo", run, KeepWeights())
    row = stored.advance()
    kept = load_lifter(stored.folder, 1, config)
    assert evaluate(kept, dataset)["p_mpjpe_signed_mm"] == pytest.approx(row["p_mpjpe_signed_mm"], rel=1e-6)
    average, trained = run.lifter.state_dict(), run.trained.state_dict()
    assert all(torch.equal(value, average[name]) for name, value in kept.state_dict().items())
    assert any(not torch.equal(value, trained[name]) for name, value in kept.state_dict().items())
    Path(stored.folder.path(weights_name(1))).unlink()
    again = stored_run(tmp_path, dataset, config)
    assert "was missing or damaged, and was made anew" in " ".join(again.notices)
    assert all(torch.equal(value, average[name]) for name, value in load_lifter(again.folder, 1, config).state_dict().items())


def cut_in_half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


@pytest.mark.parametrize(
    ("damaged", "continued_after", "said"),
    [
        ([state_name(3)], 2, r"state-1.pt was damaged, and the run continues after epoch 2\."),
        ([state_name(2)], 3, r"state-0.pt was damaged, and the run continues after epoch 3\."),
        ([state_name(3), CURVE], 2, r"curve.parquet was missing or damaged, and was made anew"),
        ([CURVE], 3, r"curve.parquet was missing or damaged, and was made anew"),
        ([weights_name(3)], 3, r"epoch-00003.pt was missing or damaged, and was made anew"),
        ([weights_name(2), state_name(3)], 2, r"epoch-00002.pt was missing or damaged, and was made anew"),
        ([state_name(2), state_name(3)], 0, r"state-1.pt was damaged, and the run starts again\."),
        ([state_name(2), state_name(3), CURVE, weights_name(3)], 0, r"starts again\."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_files_cut_in_half_on_disk_are_made_anew_and_change_no_row(
    tmp_path: Path, dataset: Dataset, damaged: list[str], continued_after: int, said: str
) -> None:
    whole = stored_run(tmp_path / "whole", dataset)
    cut = stored_run(tmp_path / "cut", dataset)
    for run in (whole, cut, whole, cut, whole, cut, whole):
        run.advance()
    for name in damaged:
        cut_in_half(Path(cut.folder.path(name)))

    again = stored_run(tmp_path / "cut", dataset)
    assert again.num_epochs == continued_after
    assert re.search(said, " ".join(again.notices))
    while again.num_epochs < 4:
        again.advance()
    pd.testing.assert_frame_equal(curve_of(tmp_path / "cut"), curve_of(tmp_path / "whole"), check_exact=True)
    for epoch in range(1, 5):
        kept = [load_lifter(run.folder, epoch, CONFIG).state_dict() for run in (whole, again)]
        assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
    assert stored_run(tmp_path / "cut", dataset).notices == []


def with_a_bit_flipped(state: dict[str, Any]) -> bytes:
    """A state as a file, in one of whose weights a bit has flipped."""
    content = bytearray(packed(state))
    weights = max(state["lifter"].values(), key=torch.numel)
    content[content.index(weights.numpy().tobytes())] ^= 1
    return bytes(content)


def zipped(entries: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return sink.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda state: b"", id="empty"),
        pytest.param(lambda state: zipped({}), id="a zip of nothing"),
        pytest.param(lambda state: zipped({"archive/data.pkl": b"no pickle", "archive/version": b"3"}), id="no pickle"),
        pytest.param(lambda state: packed([1, 2]), id="a list"),
        pytest.param(with_a_bit_flipped, id="a bit"),
        pytest.param(lambda state: packed({name: state[name] for name in state if name != "rows"}), id="no rows"),
        pytest.param(lambda state: packed({**state, "rows": state["rows"][:1]}), id="too few rows"),
        pytest.param(lambda state: packed({**state, "epoch": "2"}), id="epoch"),
        pytest.param(lambda state: packed({**state, "lifter": {"weight": "heavy"}}), id="texts"),
        pytest.param(lambda state: packed({**state, "lifter": {n: w[:1] for n, w in state["lifter"].items()}}), id="shapes"),
        pytest.param(lambda state: packed({**state, "discriminator_optimiser": {}}), id="Adam"),
        pytest.param(lambda state: packed({**state, "rng": dict.fromkeys(state["rng"], torch.arange(17).byte())}), id="rng"),
    ],
)
def test_a_run_continues_from_the_state_before_one_that_is_no_state(tmp_path: Path, dataset: Dataset, damage: Any) -> None:
    run = stored_run(tmp_path, dataset)
    rows = [run.advance() for _ in range(2)]
    run.folder.write(state_name(2), damage(unpacked(run.folder.read(state_name(2)))))
    again = stored_run(tmp_path, dataset)
    assert [notice.partition(" was ")[2] for notice in again.notices] == ["damaged, and the run continues after epoch 1."]
    assert again.advance()["p_mpjpe_signed_mm"] == rows[1]["p_mpjpe_signed_mm"]


def test_a_run_whose_states_are_both_damaged_inside_starts_again(tmp_path: Path, dataset: Dataset) -> None:
    run = stored_run(tmp_path, dataset)
    rows = [run.advance() for _ in range(2)]
    for epoch in (1, 2):
        state = unpacked(run.folder.read(state_name(epoch)))
        run.folder.write(state_name(epoch), packed({**state, "discriminator_optimiser": {}}))
    again = stored_run(tmp_path, dataset)
    assert again.num_epochs == 0
    assert all("starts again" in notice for notice in again.notices)
    assert again.advance()["p_mpjpe_signed_mm"] == rows[0]["p_mpjpe_signed_mm"]


def test_a_run_of_another_kind_of_device_is_continued_and_its_curve_says_where(tmp_path: Path, dataset: Dataset) -> None:
    def moved(folder: Path) -> StoredRun:
        run = stored_run(folder, dataset)
        for _ in range(2):
            run.advance()
        state = unpacked(run.folder.read(state_name(2)))
        streams = {name: torch.zeros(16, dtype=torch.uint8) for name in state["rng"]}
        run.folder.write(state_name(2), packed({**state, "rng": streams}))
        return stored_run(folder, dataset)

    run, same = moved(tmp_path / "one"), moved(tmp_path / "other")
    assert len(run.notices) == 1
    assert "Runs of solo were trained on another kind of device" in run.notices[0]
    run.advance()
    run = stored_run(tmp_path / "one", dataset)
    assert run.notices == []
    run.advance()
    for _ in range(2):
        same.advance()
    curve = curve_of(tmp_path / "one")
    pd.testing.assert_frame_equal(curve, curve_of(tmp_path / "other"), check_exact=True)
    assert curve.loc[curve["streams_renewed"] == 1, "epoch"].tolist() == [3]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (zipped({}), "is damaged; restore it, or delete it"),
        (packed({"weight": "heavy"}), "is damaged; restore it, or delete it"),
        (packed({"weight": torch.ones(2, dtype=torch.complex64)}), "is damaged; restore it, or delete it"),
        (packed({}), "has the weights of other networks; restore it, or delete it"),
        (packed({"weight": torch.ones(2)}), "has the weights of other networks; restore it, or delete it"),
        (packed(Lifter(parts_of(CONFIG), Network(width=7)).state_dict()), "has the weights of other networks"),
        (packed(Lifter(parts_of(CONFIG), CONFIG.network).state_dict())[:-99], "is damaged; restore it"),
    ],
    ids=["a zip of nothing", "texts", "complex numbers", "no weights", "one weight", "another width", "cut"],
)
def test_weights_of_another_form_are_refused_and_made_anew(
    tmp_path: Path, dataset: Dataset, content: bytes, sentence: str
) -> None:
    run = stored_run(tmp_path, dataset)
    run.advance()
    whole = load_lifter(run.folder, 1, CONFIG).state_dict()
    run.folder.write(weights_name(1), content)
    with pytest.raises(UserError, match=rf"epoch-00001\.pt' {sentence}"):
        load_lifter(run.folder, 1, CONFIG)
    assert "epoch-00001.pt was missing or damaged" in stored_run(tmp_path, dataset).notices[0]
    again = load_lifter(run.folder, 1, CONFIG).state_dict()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_files_of_other_names_beside_weights_are_no_epochs(tmp_path: Path, dataset: Dataset) -> None:
    run = stored_run(tmp_path, dataset)
    run.advance()
    for name in ("notes.txt", "epoch-1.pt", "epoch-00000.pt", "epoch-00002.pt.copy", "epoch-best.pt"):
        run.folder.write(f"weights/{name}", b"")
    assert kept_epochs(run.folder) == {1}


def test_a_damaged_curve_of_a_run_that_has_ended_is_made_anew_without_training(tmp_path: Path, dataset: Dataset) -> None:
    run = stored_run(tmp_path, dataset)
    for _ in range(3):
        run.advance()
    before = curve_of(tmp_path)
    cut_in_half(Path(run.folder.path(CURVE)))
    with pytest.raises(DamagedCurveError, match=r"solo-seed0/curve\.parquet' is damaged .*Run the study's command again"):
        curve_of(tmp_path)
    stored_run(tmp_path, dataset)
    pd.testing.assert_frame_equal(curve_of(tmp_path), before, check_exact=True)


def test_what_killed_writers_left_is_swept_when_the_run_continues(tmp_path: Path, dataset: Dataset) -> None:
    run = stored_run(tmp_path, dataset)
    run.advance()
    left = [Path(run.folder.path(name)) for name in (".tips-ray-99.new", "weights/.tips-ray-99.new")]
    for file in left:
        file.write_bytes(b"half")
    assert run.folder.names("weights") == ["epoch-00001.pt"]
    stored_run(tmp_path, dataset)
    assert not any(file.exists() for file in left)


def test_only_chosen_epochs_keep_their_weights(tmp_path: Path, dataset: Dataset) -> None:
    run = stored_run(tmp_path, dataset, every=2)
    for _ in range(5):
        run.advance()
    for folder, name in (("weights", weights_name), ("lifted", lifted_name)):
        assert run.folder.names(folder) == [name(epoch).split("/")[1] for epoch in (2, 4, 5)]


@pytest.mark.parametrize("crash", range(6))
def test_which_weights_are_kept_is_the_same_after_a_crash(tmp_path: Path, dataset: Dataset, crash: int, monkeypatch: Any) -> None:
    """The process dies at each write or deletion of the last epoch."""
    run = stored_run(tmp_path, dataset, every=10)
    run.advance()
    steps = iter(range(100))

    def dying(name: str) -> Any:
        whole = getattr(Storage, name)

        def operation(storage: Storage, *arguments: Any) -> Any:
            if next(steps) == crash:
                raise KeyboardInterrupt
            return whole(storage, *arguments)

        return operation

    with monkeypatch.context() as patch:
        for name in ("write", "delete"):
            patch.setattr(Storage, name, dying(name))
        with pytest.raises(KeyboardInterrupt):
            run.advance()
    again = stored_run(tmp_path, dataset, every=10)
    if len(curve_of(tmp_path)) < 2:
        assert again.notices == []
        again.advance()
    assert again.folder.names("weights") == ["epoch-00002.pt"]
    assert again.folder.names("lifted") == ["epoch-00002.npy"]


def test_weights_that_teach_are_kept_when_their_run_goes_on(tmp_path: Path, dataset: Dataset) -> None:
    run = stored_run(tmp_path, dataset, every=10)
    for _ in range(3):
        run.advance()
    window = {"seed": 0, "first": 3, "last": 3, "half_life": None, "depth_sign": 1.0, "churn_mm": None}
    checkpoints = {str(run.keys["run"]): {"3": "ab"}, "another-seed0": {"4": "cd"}}
    lessons = [{"run": name, "checkpoints": hashes, **window} for name, hashes in checkpoints.items()]
    card = asdict(TeacherCard("tips", Teacher("solo"), False, 3, (), NOT_MEASURED)) | {"lessons": lessons}
    Storage(str(tmp_path)).write("teachers/tips.json", json.dumps(card).encode())
    again = stored_run(tmp_path, dataset, every=10)
    for _ in range(2):
        again.advance()
    assert again.folder.names("weights") == [weights_name(epoch).split("/")[1] for epoch in (3, 5)]


def test_a_diverged_run_stays_ended_and_keeps_its_row(tmp_path: Path, dataset: Dataset) -> None:
    wild = override(CONFIG, {"optimiser": {"learning_rate": 1e12}, "network": {"generator_norm": "none"}})
    run = stored_run(tmp_path, dataset, wild)
    for _ in itertools.takewhile(lambda _: not run.diverged, range(20)):
        run.advance()
    assert run.diverged
    again = stored_run(tmp_path, dataset, wild)
    assert again.diverged
    assert curve_of(tmp_path)["status"].iloc[-1] == "diverged"


def keypoint_file(folder: Path, poses: PoseSet, **more: np.ndarray) -> str:
    """Poses as a camera at the front saw them, with more beside."""
    labels = {"subject": poses.subject, "action": poses.action, "clip": poses.clip, "joint_names": np.array(JOINTS)}
    np.savez(folder / "keypoints.npz", keypoints=poses.positions[..., :2], up="y", **labels, **more)
    return str(folder / "keypoints.npz")


def test_saved_lifters_score_on_the_campaigns_own_poses_what_their_curve_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poses = synthesise(num_poses=400)
    dataset = prepare(poses, CONFIG.data)
    campaign = Campaign("c", Storage(str(tmp_path)), {"solo": CONFIG}, 1, 3)
    write_manifest(campaign.folder, agree(campaign, {"fingerprint": poses.fingerprint}, {}))
    run = StoredRun(campaign.folder, "solo", Run(CONFIG, dataset, 0))
    rows = [run.advance() for _ in range(3)]
    for epoch in ("1", "3", "last"):
        found = evaluate_saved(campaign.folder, dataset.test_poses, epoch)
        expected = rows[-1 if epoch == "last" else int(epoch) - 1]
        assert found["p_mpjpe_signed_mm"].iloc[0] == pytest.approx(expected["p_mpjpe_signed_mm"], rel=1e-6)
    curve = read_curves(campaign.folder, "c")
    best = int(curve["p_mpjpe_signed_mm"].idxmin()) + 1
    assert choose_window(curve, "best", [1, 2, 3]) == Window(best, best)
    averaged = evaluate_saved(campaign.folder, dataset.test_poses, "average of the last 50 %")
    assert averaged["window"].tolist() == ["3"]  # half of three epochs is one
    assert choose_window(curve, "epoch at 75 %", [1, 3]) == Window(1, 1)  # the newest that was kept up to there
    paired = load_keypoints(keypoint_file(tmp_path, poses, positions=poses.positions))
    seen = evaluate_saved(campaign.folder, paired)["p_mpjpe_signed_mm"].iloc[0]
    scaled = evaluate_saved(campaign.folder, replace(paired, keypoints=3 * paired.keypoints))["p_mpjpe_signed_mm"].iloc[0]
    assert scaled == pytest.approx(seen, rel=1e-4)
    words = ("evaluate", str(tmp_path / "c"), "--data", keypoint_file(tmp_path, poses))
    assert "keypoints without 3D poses, so no error can be measured" in refusal(capsys, *words)
    with pytest.raises(ValueError, match=r"weights of epoch 'by eye'; give last, best .*rules: last epoch, "):
        evaluate_saved(campaign.folder, poses, "by eye")
    with pytest.raises(ValueError, match=r"no weights of epoch '7'.*kept: 1 to 3"):
        evaluate_saved(campaign.folder, poses, "7")


def test_weights_may_be_kept_in_half_precision_while_the_run_goes_on_in_full(tmp_path: Path) -> None:
    poses = synthesise(num_poses=400)
    dataset = prepare(poses, CONFIG.data)
    campaign = Campaign("c", Storage(str(tmp_path)), {"solo": CONFIG}, 1, 2, keep_weights=KeepWeights(precision="float16"))
    write_manifest(campaign.folder, agree(campaign, {"fingerprint": poses.fingerprint}, {}))
    stored_run(tmp_path / "c", dataset, precision="float16").advance()
    second = stored_run(tmp_path / "c", dataset, precision="float16").advance()
    full = stored_run(tmp_path / "full", dataset)
    expected = [full.advance() for _ in range(2)][1]
    assert second["p_mpjpe_signed_mm"] == expected["p_mpjpe_signed_mm"]
    found = evaluate_saved(campaign.folder, dataset.test_poses)["p_mpjpe_signed_mm"].iloc[0]
    assert found == pytest.approx(expected["p_mpjpe_signed_mm"], abs=0.1)
    assert found != expected["p_mpjpe_signed_mm"]
    kept = torch.load(io.BytesIO((campaign.folder / RUNS / "solo-seed0").read(weights_name(2))), weights_only=True)
    assert {value.dtype for value in kept.values()} == {torch.float16}
