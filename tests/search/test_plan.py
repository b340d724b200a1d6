"""What a search may be, and what its name may come to mean."""

from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from tips_ray.campaign.plan import Campaign, agree
from tips_ray.config import Config, Data, WeightRanges, Weights
from tips_ray.search.plan import FRESH_SEED, Budget, Search, agree_search
from tips_ray.search.run import total
from tips_ray.search.space import log_uniform, weight_space
from tips_ray.store.records import SEARCH, Record, read_manifest, write_manifest, write_record
from tips_ray.store.storage import Storage

DATA: dict[str, Any] = {"fingerprint": "abc"}


def search_of(folder: Path, **settings: Any) -> Search:
    given = {"base": Config(), "space": weight_space(WeightRanges()), "num_seeds": 2, "num_epochs": 4, **settings}
    return Search("s", Storage(str(folder)), **given)


def claim(search: Search, data: dict[str, Any] = DATA) -> None:
    write_manifest(search.folder, agree_search(search, data, {}), SEARCH)


def test_a_search_may_be_continued_and_extended(tmp_path: Path) -> None:
    claim(search_of(tmp_path))
    first = read_manifest(Storage(str(tmp_path / "s")), SEARCH)
    first["executions"].append({"seconds": 1.0})
    write_manifest(Storage(str(tmp_path / "s")), first, SEARCH)
    claim(search_of(tmp_path, num_seeds=5, num_epochs=9, objective="label_free", pruner="median", seed=7))
    now = read_manifest(Storage(str(tmp_path / "s")), SEARCH)
    assert (now["num_seeds"], now["num_epochs"], now["objective"], now["pruner"]) == (5, 9, "label_free", "median")
    assert (now["id"], [each["seconds"] for each in now["executions"]]) == (first["id"], [1.0])


def test_two_searches_have_different_ids(tmp_path: Path) -> None:
    ids = {agree_search(search_of(tmp_path / str(i)), DATA, {})["id"] for i in range(2)}
    assert len(ids) == 2


def test_a_search_of_before_a_field_was_added_may_be_continued(tmp_path: Path) -> None:
    claim(search_of(tmp_path))
    folder = Storage(str(tmp_path / "s"))
    manifest = read_manifest(folder, SEARCH)
    del manifest["config"]["numerics"], manifest["config"]["data"]["left_out_subjects"]
    write_manifest(folder, manifest, SEARCH)
    claim(search_of(tmp_path))
    assert read_manifest(folder, SEARCH)["config"]["numerics"]["bf16"] is False


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"space": weight_space(WeightRanges(legs=(0.02, 0.5)))}, "space.weights.legs.low was 0.01 and is 0.02"),
        ({"space": {"weights.legs": log_uniform("weights.legs", 0.01, 1.0)}}, "space.weights.torso was .* and is None"),
        ({"base": Config(weights=Weights(legs=0.1))}, "config.weights.legs was 0.05 and is 0.1"),
        ({"base": Config(data=Data(test_subjects=("S1",)))}, "config.data.test_subjects was"),
    ],
)
def test_another_space_or_config_is_refused_and_changes_nothing(tmp_path: Path, changed: dict, said: str) -> None:
    claim(search_of(tmp_path))
    before = (tmp_path / "s" / SEARCH).read_bytes()
    with pytest.raises(ValueError, match=f"made with another space, config or data: .*{said}"):
        claim(search_of(tmp_path, **changed))
    assert (tmp_path / "s" / SEARCH).read_bytes() == before


def test_other_data_and_another_version_are_refused(tmp_path: Path) -> None:
    claim(search_of(tmp_path))
    with pytest.raises(ValueError, match="data fingerprint was 'abc' and is 'xyz'"):
        claim(search_of(tmp_path), {"fingerprint": "xyz"})
    folder = Storage(str(tmp_path / "s"))
    write_manifest(folder, read_manifest(folder, SEARCH) | {"version": 1}, SEARCH)
    with pytest.raises(ValueError, match=r"stored runs otherwise \(version 1, now \d+\), and cannot be continued"):
        claim(search_of(tmp_path))


def test_the_name_of_a_study_is_refused(tmp_path: Path) -> None:
    study = Campaign("s", Storage(str(tmp_path)), {"solo": Config()}, 1, 1)
    write_manifest(study.folder, agree(study, DATA, {}))
    with pytest.raises(ValueError, match="is a study, not a search; give another --campaign name"):
        claim(search_of(tmp_path))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"objective": "mpjpe"}, "There is no objective 'mpjpe'; there are error, instability, pareto, label_free"),
        ({"pruner": "hyperband"}, "There is no pruner 'hyperband'; there are none, asha, median"),
        ({"pruner": "asha", "objective": "instability"}, "'instability' cannot be pruned"),
        ({"pruner": "median", "objective": "pareto"}, "'pareto' cannot be pruned"),
        ({"num_seeds": 0}, "num_seeds = 0"),
        ({"num_seeds": FRESH_SEED}, "give 1 to 999 seeds"),
        ({"num_epochs": 0}, "num_epochs = 0"),
        ({"num_epochs": 10**26}, "give 1 to 999 seeds and 1 to 1,000,000 epochs"),
        ({"space": {}}, "The search space is empty"),
        ({"objective": "label_free", "base": Config(objective="supervised")}, "which a supervised config has none of"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_a_search_that_cannot_be_is_refused(tmp_path: Path, changed: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        search_of(tmp_path, **changed)


@pytest.mark.parametrize(
    "given",
    [(0, None, None), (1, 0, None), (1, -5, None), (10**26, None, None), *((1, None, hours) for hours in (0.0, nan, inf))],
)
def test_a_budget_of_nothing_or_without_end_is_refused(given: tuple) -> None:
    with pytest.raises(ValueError, match=r"give (1 to 1,000,000|more than 0, or leave it out for no limit)"):
        Budget(*given)


def test_seeds_of_a_search_and_of_its_confirmation_are_apart(tmp_path: Path) -> None:
    most = search_of(tmp_path, num_seeds=FRESH_SEED - 1)
    assert max(most.seeds) < FRESH_SEED
    assert most.baseline == {
        "weights.legs": 0.05,
        "weights.reprojection": 10.0,
        "weights.ninety_degree": 3.0,
        "weights.torso": 0.08,
    }


def test_20_more_trials_are_20_more_than_there_are_or_the_rest_of_them(tmp_path: Path) -> None:
    search = search_of(tmp_path)
    folder = search.folder
    assert total("30", folder) == total("+30", folder) == 30
    write_manifest(folder, {**agree_search(search, DATA, {}), "asked": {"as": "+20", "num_trials": 50}}, SEARCH)
    for number in range(37):
        write_record(folder, Record(number))
    assert total("+20", folder) == 50  # it was interrupted
    assert total("+5", folder) == 42
    assert total("+0", folder) == 37
    for number in range(37, 50):
        write_record(folder, Record(number))
    assert total("+20", folder) == 70
    with pytest.raises(ValueError, match="--num-trials is 'many'; give a number such as 30, or"):
        total("many", folder)
