"""What a search varies: from the words of a command line to Optuna's distributions, and what cannot
be searched."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tips_ray.config import Config, Network, Optimiser, WeightRanges, Weights, override
from tips_ray.search.space import (
    changes,
    check_space,
    contains,
    described,
    ends,
    log_uniform,
    parse_field,
    value_at,
    weight_space,
)

BASE = Config(network=Network(width=128), optimiser=Optimiser(learning_rate=5e-4))


def test_by_default_the_four_weights_are_searched_a_decade_around_the_papers_values() -> None:
    space = weight_space(WeightRanges())
    assert weight_space(WeightRanges(symmetry=(1.0, 9.0))).keys() - space.keys() == {"weights.symmetry"}
    assert list(space) == ["weights.legs", "weights.reprojection", "weights.ninety_degree", "weights.torso"]
    check_space(space, BASE)
    for path, values in space.items():
        assert isinstance(values, FloatDistribution)
        assert values.log
        paper = value_at(Config(), path)
        assert values.low <= paper / 5
        assert values.high >= paper * 5


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("optimiser.learning_rate=1e-4..2e-3", "optimiser.learning_rate", FloatDistribution(1e-4, 2e-3, log=True)),
        ("optimiser.learning_rate=1e-4..2e-3:log", "optimiser.learning_rate", FloatDistribution(1e-4, 2e-3, log=True)),
        ("optimiser.beta1=0..0.95", "optimiser.beta1", FloatDistribution(0.0, 0.95)),
        ("adversary.real_label=0.7..1:linear", "adversary.real_label", FloatDistribution(0.7, 1.0)),
        ("network.width=64..256", "network.width", IntDistribution(64, 256, log=True)),
        ("network.generator_blocks=0..4", "network.generator_blocks", IntDistribution(0, 4)),
        ("network.generator_norm=batch,layer", "network.generator_norm", CategoricalDistribution(["batch", "layer"])),
        ("network.width=64,128", "network.width", CategoricalDistribution([64, 128])),
        ("adversary.renormalise=true,False", "adversary.renormalise", CategoricalDistribution([True, False])),
        ("partition=solo,legs_torso", "partition", CategoricalDistribution(["solo", "legs_torso"])),
        ("network.discriminator_dropout=0.1,0.3", "network.discriminator_dropout", CategoricalDistribution([0.1, 0.3])),
    ],
)
def test_fields_are_read_as_the_type_that_they_have(text: str, path: str, values: Any) -> None:
    assert parse_field(text, BASE) == (path, values)
    check_space({path: values}, BASE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("network.width", "is no field to search; give FIELD=LOW..HIGH"),
        ("network.width=", "is no field to search"),
        ("=1..2", "Unknown field ''"),
        ("wights.legs=0.1..1", "Unknown field 'wights.legs' to search: 'wights' is none of Config; it has objective, partition"),
        ("weights.leg=0.1..1", "'leg' is none of Weights; it has legs, torso, reprojection, ninety_degree"),
        ("network.width.more=1..2", "'more' is none of int; int values have no fields"),
        ("network.width=256..64", "The range of network.width is 256 to 64; give two numbers above 0, the smaller one first"),
        ("network.width=64..64", "the smaller one first"),
        ("optimiser.beta1=0.9..0.1:linear", "give two numbers, the smaller one first"),
        ("network.width=0..64:log", "give two numbers above 0"),
        ("optimiser.learning_rate=-1..1:log", "give two numbers above 0"),
        ("optimiser.beta1=nan..0.9", "the smaller one first"),
        ("optimiser.learning_rate=1e-4..inf", "the smaller one first"),
        ("network.width=64..1e3", "network.width cannot be '1e3'; it is 128 now"),
        ("network.width=..64", "network.width cannot be ''"),
        ("optimiser.learning_rate=1e-4-1e-3", "as optimiser.learning_rate=LOW..HIGH or optimiser.learning_rate=VALUE,VALUE"),
        ("optimiser.learning_rate=1e-4..1e-3..1e-2", "cannot be '1e-3..1e-2'"),
        ("optimiser.learning_rate=1e-4..1e-3:cubic", "give numbers as LOW..HIGH, with :linear or :log after it"),
        ("network.generator_norm=batch..layer", "is no range"),
        ("adversary.renormalise=false..true", "is no range"),
        ("adversary.renormalise=yes,no", "adversary.renormalise cannot be 'yes'; it is False now"),
        ("network.generator_norm=batch", "is no choice; give at least two values, each once"),
        ("network.generator_norm=batch,layer,batch", "is no choice"),
    ],
)
def test_words_that_are_no_field_or_no_values_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^.+$") as error:
        parse_field(text, BASE)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data.num_views=1..4", "data.num_views cannot be searched: trials can be compared if"),
        ("objective=adversarial,supervised", "objective cannot be searched"),
        ("network.width=200..400", "The values of network.width, 200 to 400, leave out 128, with which the search starts"),
        ("network.generator_norm=layer,none", "layer, none, leave out 'batch', with which the search starts; include it"),
        (
            "optimiser.discriminator_learning_rate=1e-4..1e-3",
            "leave out None, with which the search starts; include it, or start",
        ),
        ("network.generator_dropout=0..1.5", "--network.generator-dropout is 1.5; give a number, at least 0 and below 1"),
        ("network.generator_norm=batch,group", "--network.generator-norm is 'group'; give one of batch, layer, affine, none"),
        ("partition=legs_torso,halves", "Unknown partition 'halves'"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_spaces_that_cannot_be_searched_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^.+$") as error:
        check_space(dict([parse_field(text, BASE)]), BASE)
    assert said in str(error.value)


def test_a_group_of_fields_and_an_empty_space_are_refused() -> None:
    with pytest.raises(ValueError, match=r"weights is a group of fields; search weights\.legs or another of it"):
        check_space({"weights": FloatDistribution(0.1, 1.0)}, BASE)
    with pytest.raises(ValueError, match="The search space is empty"):
        check_space({}, BASE)


@pytest.mark.parametrize("ends_", [(1.0, 0.1), (0.0, 1.0), (-1.0, 1.0), (0.5, 0.5), (0.1, float("inf")), (float("nan"), 1.0)])
def test_weights_in_a_range_upside_down_or_not_above_0_are_refused(ends_: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"The range of weights\.torso is .+; give two numbers above 0, the smaller one first"):
        weight_space(WeightRanges(torso=ends_))


def test_a_weight_that_is_off_cannot_be_in_a_logarithmic_range() -> None:
    off = Config(weights=Weights(legs=0.0))
    with pytest.raises(ValueError, match=r"weights\.legs is 0 .* linearly \(--fix legs and --vary weights\.legs=0\.\.1\)"):
        check_space(weight_space(WeightRanges()), off)
    check_space(dict([parse_field("weights.legs=0..1", off)]), off)  # what it says to do


@given(st.floats(1e-6, 1e6), st.floats(1.0, 1e6, exclude_min=True), st.floats(0, 1))
def test_a_range_contains_its_ends_and_nothing_beyond(low: float, factor: float, share: float) -> None:
    high = low * factor
    if not low < high:
        return
    values = log_uniform("weights.legs", low, high)
    assert all(contains(values, end) for end in ends(values))
    assert contains(values, min(high, max(low, low + share * (high - low))))
    assert not contains(values, low * (1 - 1e-9))
    assert not contains(values, high * (1 + 1e-9))


@given(st.dictionaries(st.sampled_from(["weights.legs", "weights.torso", "network.width", "partition"]), st.integers(1, 99)))
def test_params_become_changes_of_those_fields_alone(params: dict[str, int]) -> None:
    params = {path: "solo" if path == "partition" else value for path, value in params.items()}
    changed = override(Config(), changes(params))
    assert {path: value_at(changed, path) for path in params} == params
    assert override(changed, changes({path: value_at(Config(), path) for path in params})) == Config()


def test_a_described_space_survives_json() -> None:
    fields = [
        "network.width=64..256",
        "optimiser.beta1=0..0.95",
        "network.generator_norm=batch,layer",
        "numerics.bf16=true,false",
    ]
    plain = [described(parse_field(text, BASE)[1]) for text in fields]
    assert json.loads(json.dumps(plain)) == plain
    assert [entry["kind"] for entry in plain] == ["integer", "linear", "choice", "choice"]
    assert described(log_uniform("x", 0.1, 1.0)) == {"kind": "log", "low": 0.1, "high": 1.0}
