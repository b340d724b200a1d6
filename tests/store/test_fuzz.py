"""Files of a study or a search that are damaged, or made to do harm: all that a command does with
them before it trains succeeds, or ends in one sentence."""

import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import helpers
from stored_search import store_run
from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.campaign.evaluate import evaluate_saved
from tips_ray.campaign.measure import measure_rows, unmeasured
from tips_ray.campaign.plan import Campaign, agree, unfinished
from tips_ray.campaign.run import describe, load
from tips_ray.campaign.teachers import pick_teachers, teachers_of
from tips_ray.columns import CONSISTENCY, METRICS, TRAIN_METRIC
from tips_ray.config import Teacher, override
from tips_ray.data.dataset import Sources, prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.errors import UserError, sentence
from tips_ray.lifting.evaluate import flat_errors
from tips_ray.lifting.run import Run
from tips_ray.report.publish import is_search, publish, publish_search
from tips_ray.search.confirmation import BASELINE, CONFIRMATION
from tips_ray.search.plan import Budget, Search, agree_search
from tips_ray.search.queue import TrialQueue
from tips_ray.search.space import log_uniform
from tips_ray.search.summary import summarise_search
from tips_ray.search.trials import read_tables
from tips_ray.stability.campaign import load_campaign
from tips_ray.store.curves import CURVE, FIRST_COLUMNS, RUNS, arm_of
from tips_ray.store.measurements import forget
from tips_ray.store.records import PREVIOUS, SEARCH, Record, trial_name, write_manifest, write_record
from tips_ray.store.storage import Storage

CONFIG = override(helpers.CONFIG, {"data": {"epoch_views": 64}, "optimiser": {"batch_size": 32}})
ARMS = {"solo": CONFIG, "tips": replace(CONFIG, objective="distilled", teacher=Teacher("solo", "last epoch"))}
POSES = synthesise(num_poses=200)
FEW_POSES = POSES.select(np.arange(20))
DATASET = prepare(POSES, CONFIG.data)
DATA = describe(Sources(POSES), DATASET, "synthetic", CONFIG.data)
REFERENCES = {"flat": flat_errors(DATASET.test)}
NUM_EPOCHS = 3
COLUMNS = [*FIRST_COLUMNS[1:], *METRICS, TRAIN_METRIC, "depth_sign", "loss_adversarial", "bone_asymmetry", "churn_mm"]
"""Of the curves: each further column takes its time in reports."""
DRAWN = 0.02
"""The share of cases in which the report is drawn too, which takes most of the time."""
EXECUTION = {"command": "tips-ray stability", "started": "2026-01-01T00:00:00+00:00", "seconds": 1.0}


def study_in(storage: Path) -> Campaign:
    return Campaign("study", Storage(str(storage)), ARMS, 2, NUM_EPOCHS)


def run_of(campaign: Campaign, arm: str, seed: int) -> StoredRun:
    teachers = teachers_of(campaign.folder, arm, seed, "cpu") if arm == "tips" else None
    return StoredRun(campaign.folder, arm, Run(ARMS[arm], DATASET, seed, teachers))


def search_in(storage: Path) -> Search:
    space = {"weights.legs": log_uniform("weights.legs", 0.01, 1.0)}
    return Search("search", Storage(str(storage)), CONFIG, space, 2, NUM_EPOCHS, pruner="asha")


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose four runs have three epochs, and a search of three trials with its
    confirmation."""
    storage = tmp_path_factory.mktemp("sound")
    campaign = study_in(storage)
    write_manifest(campaign.folder, {**agree(campaign, DATA, REFERENCES), "executions": [EXECUTION]})
    for arm in ARMS:
        for seed in campaign.seeds if arm == "solo" or not pick_teachers(campaign, [arm], load(campaign)) else ():
            run = run_of(campaign, arm, seed)
            while run.num_epochs < NUM_EPOCHS:
                run.advance()
            run.folder.write_table(CURVE, pd.DataFrame(run.rows).reindex(columns=COLUMNS).dropna(axis=1, how="all"))
    rows: dict[str, list[dict[str, Any]]] = {}
    for task in unmeasured(campaign, load_campaign(campaign.folder), ARMS):
        rows.setdefault(task.table, []).extend(measure_rows(task, DATASET))
    for table, new in rows.items():
        campaign.folder.write_table(table, pd.DataFrame(new))

    search = search_in(storage)
    confirmed = {"arms": [BASELINE, trial_name(1)], "seeds": [1000, 1001], "num_epochs": NUM_EPOCHS, "num_trials": 3}
    manifest = {**agree_search(search, DATA, REFERENCES), "executions": [EXECUTION]}
    write_manifest(search.folder, {**manifest, "confirmed_at": {**confirmed, "start_led": False}}, SEARCH)
    columns = dict.fromkeys([*CONSISTENCY, "train_seconds", "evaluate_seconds", "p_mpjpe_mm"], 0.5)
    for number in range(3):
        write_record(search.folder, Record(number, {"weights.legs": 0.05 * (number + 1)}, 1 if number == 2 else None))
        for seed in range(2):
            store_run(search.folder, trial_name(number), seed, [60.0 - number] * (1 if number == 2 else NUM_EPOCHS), **columns)
    arms = {BASELINE: CONFIG, trial_name(1): CONFIG}
    confirmation = Campaign(CONFIRMATION, search.folder, arms, 2, NUM_EPOCHS, 1000)
    write_manifest(confirmation.folder, agree(confirmation, DATA, REFERENCES))
    for arm in arms:
        for seed in confirmation.seeds:
            store_run(confirmation.folder, arm, seed, [60.0, 58.0, 57.0], **columns)
    return storage


VALUES = [None, True, [], {}, -1, 0, 1e308, 10**30, float("nan"), float("inf"), "", "text", "\x1b[2J\n", [[]], {"a": None}]
DEEP = "[" * 3000 + "]" * 3000


def places(value: Any, at: tuple = ()) -> Iterator[tuple]:
    """The path of each part of a JSON value."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(part, (*at, key))


def mutated_json(content: bytes, rng: random.Random) -> bytes:
    """The value with one part replaced, dropped, added, or called otherwise."""
    value = json.loads(content)
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(
            [b"null", b"[]", b'"text"', b"NaN", b"1e400", b"{}", DEEP.encode(), b'{"a":' * 3000 + b"1" + b"}" * 3000]
        )
    *path, last = rng.choice(list(places(value)))
    parent = value
    for key in path:
        parent = parent[key]
    if kind == 1 and isinstance(parent, dict):
        parent[rng.choice(["extra", "", "solo/..", "a\nb"])] = rng.choice(VALUES)
    elif kind == 2 and isinstance(parent, dict):
        parent[f"{last}x"] = parent.pop(last)
    elif kind == 3:
        parent[last] = "DEEP"
    elif kind == 4:
        del parent[last]
    else:
        parent[last] = rng.choice(VALUES)
    return json.dumps(value).replace('"DEEP"', DEEP).encode()


def mutated_table(content: bytes, rng: random.Random) -> bytes:
    """The table with a column or some rows changed."""
    table = pd.read_parquet(io.BytesIO(content))
    name = rng.choice(list(table.columns))
    changes: list[Callable[[], pd.DataFrame]] = [
        lambda: table.drop(columns=name),
        lambda: table.rename(columns={name: "other"}),
        lambda: table.iloc[:0],
        lambda: table.iloc[:, :0],
        lambda: table.iloc[::-1],
        lambda: table.iloc[1:],
        lambda: pd.concat([table, table]),
        lambda: table.assign(**{name: table[name].astype(str)}),
        lambda: table.assign(**{name: [rng.choice([None, "text", "/../x", "\x1b[2J"])] * len(table)}),
        lambda: table.assign(**{name: rng.choice([1e308, -1e308, np.nan, np.inf, 0, -1, 10**18, True, 1.5])}),
        lambda: table.assign(**{name: [[1.0, 2.0]] * len(table)}),
        lambda: table.assign(**{name: [{"a": 1}] * len(table)}),
        lambda: table.assign(**{name: pd.Timestamp("2026-01-01")}),
        lambda: table.assign(**{name: pd.Categorical(table[name].astype(str))}),
        lambda: table.assign(**{name: table[rng.choice(list(table.columns))].to_numpy()}),
        lambda: table.assign(**{rng.choice(["extra", "campaign", "p_mpjpe_signed_mm/", "loss_"]): rng.choice(["text", 1.0])}),
    ]
    sink = io.BytesIO()
    rng.choice(changes)().to_parquet(sink, index=False)
    return sink.getvalue()


def mutated_weights(content: bytes, rng: random.Random) -> bytes:
    """What `torch.save` wrote, with one entry dropped, replaced, or of another shape."""
    value = torch.load(io.BytesIO(content), weights_only=True)
    name = rng.choice(list(value))
    kind = rng.randrange(5)
    if kind == 0:
        del value[name]
    elif kind == 1:
        value[name] = rng.choice(VALUES)
    elif kind == 2:
        value[name] = torch.zeros(3)
    elif kind == 3:
        value["other"] = value.pop(name)
    else:
        value = rng.choice([[], {}, None, torch.zeros(2), {"epoch": 2}, "text", {1: 2}])
    sink = io.BytesIO()
    torch.save(value, sink)
    return sink.getvalue()


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """The content cut, with other bytes, or none of it."""
    kind = rng.randrange(5)
    if kind == 0:
        return content[: rng.randrange(len(content))]
    if kind == 1:
        place = rng.randrange(len(content))
        return content[:place] + rng.randbytes(rng.choice([1, 8, 40])) + content[place + 8 :]
    if kind == 2:
        nothing = io.BytesIO()
        zipfile.ZipFile(nothing, "w").close()
        return nothing.getvalue()
    return b"" if kind == 3 else rng.randbytes(200)


MUTATIONS = {".json": mutated_json, PREVIOUS: mutated_json, ".parquet": mutated_table, ".pt": mutated_weights}


def mutate(file: Path, rng: random.Random) -> str:
    """Damage a file, or what lies beside it; returns how."""
    kind = rng.randrange(12)
    if kind == 0:
        file.unlink()
        return "deleted"
    if kind == 1:
        file.unlink()
        file.mkdir()
        (file / "inside").write_bytes(b"")
        return "a folder"
    if kind == 2:
        file.unlink()
        os.mkfifo(file)
        return "a pipe"
    if kind == 3:
        name = rng.choice(
            [
                "x",
                "epoch-1.pt",
                "epoch-x.pt",
                "epoch-99999.pt",
                "epoch-x.npy",
                "x.json",
                "solo-seed7",
                "trial-x-seed0",
                "-seed",
                "a\nb",
            ]
        )
        (file.parent / name).write_bytes(b"")
        return f"with {name!r} beside it"
    content = file.read_bytes()
    change = MUTATIONS.get(file.suffix, mutated_bytes) if kind > 5 else mutated_bytes
    changed = change(content, rng)
    file.write_bytes(changed)
    copy = file.with_name(file.name + PREVIOUS)
    if copy.exists() and rng.random() < 0.6:
        copy.write_bytes(changed) if rng.random() < 0.8 else copy.unlink()
    return f"{change.__name__}: {changed[:3000]!r}" if file.suffix in (".json", PREVIOUS) else change.__name__


def attempt(step: Callable[[], Any]) -> None:
    """Take a step that may be refused, in one sentence."""
    try:
        step()
    except (UserError, OSError) as error:
        text = sentence(error)
        assert text.isprintable(), text
        assert 20 < len(text) < 2000, text


def use_study(storage: Path, target: Path, draw: bool) -> None:
    """What `tips-ray stability`, `report` and `evaluate` do with a study before, and without,
    training."""
    campaign = study_in(storage)

    def resume() -> None:
        agree(campaign, DATA, REFERENCES)
        state = load(campaign)
        missing = unfinished(campaign, state, ARMS)
        if state:
            unmeasured(campaign, state, ARMS)
        pick_teachers(campaign, ["tips"], state)
        forget(campaign.folder, set(missing) - set(ARMS))

    def continue_run() -> None:
        run = target.relative_to(campaign.folder.location).parts[1]
        if arm_of(run) in ARMS:
            run_of(campaign, arm_of(run), int(run[-1]))

    attempt(lambda: publish(campaign.folder) if draw else load_campaign(campaign.folder))
    attempt(lambda: evaluate_saved(campaign.folder, FEW_POSES, "average of the last 50 %"))
    attempt(lambda: teachers_of(campaign.folder, "tips", 1, "cpu"))
    attempt(resume)
    if target.is_relative_to(Path(campaign.folder.location) / RUNS):
        attempt(continue_run)


def use_search(storage: Path, draw: bool) -> None:
    """What `tips-ray search` and `report` do with a search before, and without, training."""
    search = search_in(storage)

    def resume() -> None:
        write_manifest(search.folder, agree_search(search, DATA, REFERENCES), SEARCH)
        TrialQueue(search, Budget(6)).has_more()

    def report() -> None:
        if draw and is_search(search.folder):
            publish_search(search.folder)
        else:
            summarise_search(read_tables(search.folder), search.folder)

    attempt(report)
    attempt(resume)


def fuzz(sound: Path, folder: Path, seeds: range) -> None:
    files = sorted(path.relative_to(sound) for path in sound.rglob("*") if path.is_file())
    kinds = sorted({(file.parts[0], file.suffix, file.parent.name.split("-")[0]) for file in files})
    for seed in seeds:
        rng = random.Random(seed)
        kind = rng.choice(kinds)
        target = rng.choice([file for file in files if (file.parts[0], file.suffix, file.parent.name.split("-")[0]) == kind])
        storage = folder / str(seed)
        shutil.copytree(sound / target.parts[0], storage / target.parts[0])
        how = mutate(storage / target, rng)
        draw = rng.random() < DRAWN
        try:
            use_study(storage, storage / target, draw) if target.parts[0] == "study" else use_search(storage, draw)
        except BaseException as error:
            error.add_note(f"seed {seed}, {target} {how}")
            raise
        shutil.rmtree(storage)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in range(15, 210, 15))])
def test_damaged_files_are_used_or_refused(sound: Path, tmp_path: Path, start: int) -> None:
    fuzz(sound, tmp_path, range(start, start + 15))


@pytest.mark.nightly
@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("start", range(1000, 5000, 200))
def test_many_damaged_files_are_used_or_refused(sound: Path, tmp_path: Path, start: int) -> None:
    fuzz(sound, tmp_path, range(start, start + 200))
