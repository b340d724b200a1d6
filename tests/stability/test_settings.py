"""Settings that differ between configs."""

from dataclasses import asdict

from tips_ray.config import Config, Teacher, override
from tips_ray.stability.settings import beside_paper, complete, differences


def test_only_what_differs_is_a_row_with_every_value_as_text() -> None:
    one = {"a": 1.0, "b": (1, 2), "c": None}
    other = {"a": 1.0, "b": (), "c": True, "d": "x"}
    rows = {row.name: row.values for row in differences({"one": one, "other": other})}
    assert rows == {
        "b": {"one": "1, 2", "other": "none"},
        "c": {"one": "none", "other": "yes"},
        "d": {"one": "–", "other": "x"},
    }


def test_arms_stand_beside_the_paper() -> None:
    wide = override(Config(), {"network": {"width": 64}})
    student = Config(objective="distilled", teacher=Teacher(arm="wide"))
    rows = {row.name: row.values for row in beside_paper({"wide": asdict(wide), "tips": asdict(student)})}
    assert rows["network.width"] == {"the paper": "1024", "wide": "64", "tips": "1024"}
    assert rows["objective"]["tips"] == "distilled"
    assert rows["teacher.arm"] == {"the paper": "–", "wide": "–", "tips": "wide"}
    assert beside_paper({"paper": {}}) == []


def test_an_old_config_that_lacks_a_field_has_its_default() -> None:
    assert complete({}) == complete(asdict(Config()))
