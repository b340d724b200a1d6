"""Numbered names come in the order of their numbers."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tips_ray.natural import natural_key, natural_sorted

texts = st.text("aS_- 0", max_size=4).map(lambda text: text.strip("0123456789"))


def test_the_subjects_of_human36m():
    names = ["S1", "S11", "S5", "S6", "S7", "S8", "S9"]
    assert natural_sorted(names) == ["S1", "S5", "S6", "S7", "S8", "S9", "S11"]


def test_pure_numbers_come_before_names_and_takes_after_their_action():
    assert natural_sorted(["S1", "100", "9", "10", "walk 10", "walk", "walk 2"]) == [
        "9",
        "10",
        "100",
        "S1",
        "walk",
        "walk 2",
        "walk 10",
    ]


@given(texts, texts, st.integers(0, 10**30), st.integers(0, 10**30))
def test_numbers_are_compared_by_value_wherever_they_stand(before, after, first, second):
    names = [f"{before}{number}{after}" for number in (first, second)]
    assert natural_sorted(names) == ([names[0]] if first == second else [names[first > second], names[first < second]])


@given(st.lists(st.text("ab019 ", max_size=6), unique=True), st.integers(0, 99))
def test_the_order_is_total(names, seed):
    shuffled = random.Random(seed).sample(names, len(names))
    assert natural_sorted(shuffled) == natural_sorted(names)
    assert len({natural_key(name) for name in names}) == len(names)


def test_a_number_of_ten_thousand_digits_has_a_place():
    assert natural_sorted(["S" + "9" * 10_000, "S1"])[0] == "S1"
