from pathlib import Path

import pandas as pd
import pytest

from tips_ray.campaign.plan import Campaign, agree, differences, unfinished
from tips_ray.config import Config, Data, Evaluation, KeepWeights, Optimiser, override
from tips_ray.stability.campaign import LoadedCampaign
from tips_ray.store.curves import CURVE, RUNS, read_curves
from tips_ray.store.records import MANIFEST, SEARCH, read_manifest, write_manifest
from tips_ray.store.storage import Storage

DATA = {"fingerprint": "abc"}


def campaign(folder: Path, config: Config | None = None, **changes) -> Campaign:
    settings = {"arms": {"solo": config or Config()}, "num_seeds": 2, "num_epochs": 3, **changes}
    return Campaign("study", Storage(str(folder)), **settings)


def claim(plan: Campaign, data: dict, references: dict) -> None:
    write_manifest(plan.folder, agree(plan, data, references))


def test_a_campaign_may_be_continued_and_extended(tmp_path: Path) -> None:
    claim(campaign(tmp_path), DATA, {})
    claim(campaign(tmp_path, num_seeds=5, num_epochs=9), DATA, {})
    claim(campaign(tmp_path, arms={"parts": Config()}), DATA, {})
    assert list(read_manifest(Storage(str(tmp_path / "study")))["arms"]) == ["solo", "parts"]


def test_a_search_is_not_continued_as_a_study(tmp_path: Path) -> None:
    plan = campaign(tmp_path)
    plan.folder.write(SEARCH, b"{}")
    with pytest.raises(ValueError, match="is a search, not a study; give another --campaign name"):
        claim(plan, DATA, {})


def test_a_campaign_of_before_a_field_was_added_may_be_continued(tmp_path: Path) -> None:
    plan = campaign(tmp_path)
    claim(plan, DATA, {})
    manifest = read_manifest(plan.folder)
    del manifest["arms"]["solo"]["numerics"], manifest["arms"]["solo"]["network"]["negative_slope"]
    write_manifest(plan.folder, manifest)
    claim(plan, DATA, {})
    claim(campaign(tmp_path, arms={"parts": Config()}), DATA, {})
    assert read_manifest(plan.folder)["arms"]["solo"]["network"]["negative_slope"] == 0.01


def test_a_campaign_that_was_stored_otherwise_is_not_continued(tmp_path: Path) -> None:
    plan = campaign(tmp_path)
    claim(plan, DATA, {})
    write_manifest(plan.folder, read_manifest(plan.folder) | {"version": 1})
    with pytest.raises(ValueError, match=r"stored runs otherwise \(version 1, now 4\), and cannot be continued"):
        claim(plan, DATA, {})


def train(plan: Campaign, arm: str) -> None:
    rows = [{"arm": arm, "run": f"{arm}-seed0", "seed": 0, "epoch": 1, "status": "ok"}]
    (plan.folder / RUNS / f"{arm}-seed0").write_table(CURVE, pd.DataFrame(rows))


def test_an_arm_that_has_no_runs_yet_takes_another_config(tmp_path: Path) -> None:
    """As after a mistake in an option that only a later arm minds."""
    distilled = {"objective": "distilled", "teacher": {"rule": "last epoch"}}
    plan = campaign(tmp_path, arms={"parts": Config(), "tips": override(Config(), distilled)})
    claim(plan, DATA, {})
    train(plan, "parts")
    other = override(Config(), distilled | {"teacher": {"rule": "epoch at 50 %"}})
    claim(campaign(tmp_path, arms={"parts": Config(), "tips": other}), DATA, {})
    assert read_manifest(plan.folder)["arms"]["tips"]["teacher"]["rule"] == "epoch at 50 %"
    train(plan, "tips")
    with pytest.raises(ValueError, match=r"teacher\.rule was 'epoch at 50 %' and is 'last epoch' \(in tips\)"):
        claim(plan, DATA, {})


def test_which_weights_are_kept_may_change(tmp_path: Path) -> None:
    plan = campaign(tmp_path)
    claim(plan, DATA, {})
    train(plan, "solo")
    claim(campaign(tmp_path, keep_weights=KeepWeights(5, "float16")), DATA, {})
    assert read_manifest(plan.folder)["keep_weights"] == {"every": 5, "precision": "float16"}


FEWER_VIEWS = override(Config(), {"data": {"num_views": 1}})


@pytest.mark.parametrize(
    ("changes", "data", "said"),
    [
        ({"evaluation": Evaluation(num_views=3)}, DATA, r"evaluation\.num_views was 1 and is 3"),
        ({"arms": {"parts": FEWER_VIEWS}}, DATA, r"data.num_views was 4 and is 1"),
        ({}, {"fingerprint": "xyz"}, "data fingerprint was 'abc' and is 'xyz'"),
    ],
)
def test_other_data_and_another_evaluation_are_refused(tmp_path: Path, changes: dict, data: dict, said: str) -> None:
    claim(campaign(tmp_path), DATA, {})
    with pytest.raises(ValueError, match=said):
        claim(campaign(tmp_path, **changes), data, {})


def test_another_config_is_refused_with_what_differs(tmp_path: Path) -> None:
    claim(campaign(tmp_path), DATA, {})
    train(campaign(tmp_path), "solo")
    before = (tmp_path / "study" / MANIFEST).read_bytes()
    changed = override(Config(), {"optimiser": {"learning_rate": 0.1}, "network": {"width": 7}})
    with pytest.raises(
        ValueError,
        match=r"network.width was 1024 and is 7 \(in solo\); optimiser.learning_rate was 0.0002 and is 0.1 \(in solo\)",
    ):
        claim(campaign(tmp_path, changed), DATA, {})
    assert (tmp_path / "study" / MANIFEST).read_bytes() == before


def test_differences_treats_tuples_as_the_lists_that_json_makes_of_them() -> None:
    assert differences({"subjects": ["6"]}, {"subjects": ("6",)}) == []
    assert differences({"a": {"b": 1}}, {"a": {}}) == ["a.b was 1 and is None"]


def test_an_arm_of_new_views_joins_arms_that_see_the_same_ones_in_every_epoch(tmp_path: Path) -> None:
    claim(campaign(tmp_path), DATA, {})
    weak = {"parts_new_views": Config(data=Data(new_views_each_epoch=True))}
    claim(campaign(tmp_path, arms=weak), DATA, {})
    assert list(read_manifest(Storage(str(tmp_path / "study")))["arms"]) == ["solo", "parts_new_views"]
    assert campaign(tmp_path, arms={"solo": Config(), **weak}).arms


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_seeds": 0}, "num_seeds = 0"),
        ({"num_epochs": 0}, "num_epochs = 0"),
        ({"num_seeds": 10**9}, "give 1 to 10,000 seeds"),
        ({"arms": {}}, "no arms"),
        ({"arms": {"solo": Config(), "parts": FEWER_VIEWS}}, "differ in their data"),
    ],
)
def test_a_campaign_of_nothing_or_of_different_data_is_refused(tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        campaign(tmp_path, **changes)


def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="campaign name 'a/b'"):
        Campaign("a/b", Storage(str(tmp_path)), {"solo": Config()}, 1, 1)


def test_a_run_is_finished_by_its_epochs_or_by_diverging(tmp_path: Path) -> None:
    plan = campaign(tmp_path, arms={"solo": Config(), "parts": Config(optimiser=Optimiser(learning_rate=1.0))})

    def state() -> LoadedCampaign:
        return LoadedCampaign({}, read_curves(plan.folder, plan.name))

    assert unfinished(plan, None, plan.arms) == unfinished(plan, state(), plan.arms) == ["solo", "parts"]

    def store(arm: str, seed: int, statuses: list[str]) -> None:
        rows = [
            {"arm": arm, "run": f"{arm}-seed{seed}", "seed": seed, "epoch": i + 1, "status": s} for i, s in enumerate(statuses)
        ]
        (plan.folder / RUNS / f"{arm}-seed{seed}").write_table(CURVE, pd.DataFrame(rows))

    store("solo", 0, ["ok"] * 3)
    store("solo", 1, ["ok"] * 2)
    store("parts", 0, ["ok"] * 4)
    store("parts", 1, ["ok", "diverged"])
    assert unfinished(plan, state(), plan.arms) == ["solo"]


def test_seeds_count_from_the_first(tmp_path: Path) -> None:
    assert campaign(tmp_path).seeds == [0, 1]
    assert campaign(tmp_path, first_seed=1000).seeds == [1000, 1001]
