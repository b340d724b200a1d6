"""What a config accepts, how it is changed, and when two are the same."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips_ray.config import (
    Adversary,
    Augmentation,
    Config,
    Data,
    Evaluation,
    KeepWeights,
    Network,
    Numerics,
    Observation,
    Optimiser,
    Placement,
    Teacher,
    Weights,
    departures,
    fingerprint,
    override,
    parts_of,
)
from tips_ray.ingredients import INGREDIENTS, SINGLE, base_of, pairs_to_compare
from tips_ray.lifting.networks import Lifter
from tips_ray.poses.skeleton import FIVE, LEGS, LEGS_TORSO, LIFTED, SOLO, TORSO
from tips_ray.presets import ARMS, LEARNERS, PRESETS, SCALED, arm_config, knowledge, laptop, variants


def test_defaults_are_the_paper_s():
    config = Config()
    weights = dataclasses.asdict(config.weights)
    assert {name: value for name, value in weights.items() if value} == {
        "legs": 0.05,
        "torso": 0.08,
        "reprojection": 10.0,
        "ninety_degree": 3.0,
    }
    assert (config.network.width, config.network.generator_blocks, config.network.discriminator_blocks) == (1024, 4, 3)
    assert (config.optimiser.learning_rate, config.optimiser.batch_size) == (2e-4, 8192)
    assert parts_of(config) == LEGS_TORSO


def test_override_changes_only_what_it_names():
    config = Config()
    changed = override(config, {"weights": {"reprojection": 5.0}, "partition": "solo"})
    assert changed == dataclasses.replace(config, partition="solo", weights=Weights(reprojection=5.0))
    assert config == Config()
    assert override(config, {}) == config
    assert override(config, {"weights": Weights(legs=1.0)}).weights.legs == 1.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weight": {}}, "Unknown field 'weight' of Config; it has objective, partition, data, weights"),
        ({"weights": {"leg": 1.0}}, "Unknown field 'leg' of Weights; it has legs, torso, reprojection, ninety_degree"),
        ({"weights": 5}, "--weights is 5; give a Weights"),
        ({"data": None}, "--data is None; give a Data"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_override_of_what_is_not_there_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        override(Config(), changes)


@pytest.mark.parametrize(
    ("section", "field", "value", "accepted"),
    [
        (Data, "num_views", 0, r"a whole number, at least 1 and at most \d+"),
        (Data, "num_views", 2.0, r"a whole number, at least 1 and at most \d+"),
        (Data, "epoch_views", 0, r"a whole number, at least 1 and at most 1000000000, or None"),
        (Data, "max_train_poses", -1, r"a whole number, at least 1 and at most 1000000000, or None"),
        (Data, "test_subjects", "S1", "a list of texts"),
        (Data, "test_subjects", (6, 8), "a list of texts"),
        (Data, "new_views_each_epoch", 1, "True or False"),
        (Observation, "noise_mm", -1.0, r"a number, at least 0 and at most \d+"),
        (Observation, "missing", 1.0, r"a number, at least 0 and below 1"),
        (Observation, "distance_m", 1.0, r"a number, at least 2 and at most \d+, or None"),
        (Network, "width", 0, r"a whole number, at least 1 and at most \d+"),
        (Network, "width", 10**9, r"a whole number, at least 1 and at most 16384"),
        (Data, "num_views", 10**26, r"a whole number, at least 1 and at most 1000"),
        (Placement, "cpus_per_worker", float("nan"), r"a number, at least 0\.01 and at most 10000"),
        (Network, "width", True, r"a whole number, at least 1 and at most \d+"),
        (Network, "generator_blocks", -1, r"a whole number, at least 0 and at most \d+"),
        (Network, "discriminator_blocks", -1, r"a whole number, at least 0 and at most \d+"),
        (Network, "generator_dropout", 1.0, r"a number, at least 0 and below 1"),
        (Network, "discriminator_dropout", -0.1, r"a number, at least 0 and below 1"),
        (Network, "generator_norm", "instance", "one of batch, layer, affine, none"),
        (Network, "discriminator_norm", None, "one of batch, layer, affine, none"),
        (Network, "start_depth", 0.0, r"a number, above 0 and at most 1"),
        (Network, "mirror_mean", 1, "True or False"),
        (Network, "negative_slope", -0.01, r"a number, at least 0 and at most \d+"),
        (Adversary, "loss", "wasserstein", "one of non_saturating, least_squares, relativistic"),
        (Adversary, "features", "chain", "one of keypoints, bones"),
        (Adversary, "sees", "clip", "one of pose, pair"),
        (Adversary, "gap", 0, r"a whole number, at least 1 and at most \d+, or None"),
        (Adversary, "elevation", "undone", "one of ignored, learnt"),
        (Adversary, "r1", -1.0, r"a number, at least 0 and at most \d+"),
        (Adversary, "r2", float("nan"), r"a number, at least 0 and at most \d+"),
        (Augmentation, "mirror", "half", "True or False"),
        (Augmentation, "turned", 1.5, r"a number, at least 0 and at most 1"),
        (Augmentation, "stretched", -0.1, r"a number, at least 0 and at most 1"),
        (Augmentation, "noise", -0.1, r"a number, at least 0 and at most 1"),
        (Augmentation, "bent", 1.1, r"a number, at least 0 and at most 1"),
        (Adversary, "rotation", "clip", "one of pose, batch"),
        (Adversary, "real_label", 0.0, r"a number, above 0 and at most 1"),
        (Adversary, "real_label", 1.1, r"a number, above 0 and at most 1"),
        (Adversary, "swap_labels", 1.5, r"a number, at least 0 and at most 1"),
        (Optimiser, "learning_rate", 0.0, r"a number, above 0 and at most 1e30"),
        (Optimiser, "learning_rate", float("inf"), r"a number, above 0 and at most 1e30"),
        (Optimiser, "learning_rate", "fast", r"a number, above 0 and at most 1e30"),
        (Optimiser, "discriminator_learning_rate", 0.0, r"a number, above 0 and at most 1e30, or None"),
        (Optimiser, "decay", 1.01, r"a number, above 0 and at most 1"),
        (Optimiser, "cosine_epochs", 0, r"a whole number, at least 1 and at most \d+, or None"),
        (Optimiser, "averaging", 1.0, r"a number, at least 0 and below 1"),
        (Optimiser, "beta1", 1.0, r"a number, at least 0 and below 1"),
        (Optimiser, "beta2", float("nan"), r"a number, at least 0 and below 1"),
        (Optimiser, "batch_size", 1, r"a whole number, at least 2 and at most 10000000"),
        (Weights, "legs", -0.05, r"a number, at least 0 and at most \d+"),
        (Weights, "torso", float("inf"), r"a number, at least 0 and at most \d+"),
        (Weights, "reprojection", float("nan"), r"a number, at least 0 and at most \d+"),
        (Weights, "rigidity", -1.0, r"a number, at least 0 and at most \d+"),
        (Weights, "ninety_degree", "3", r"a number, at least 0 and at most \d+"),
        (Config, "objective", "reinforcement", "one of adversarial, distilled, supervised"),
        (Numerics, "bf16", "yes", "True or False"),
        (Config, "teacher", "parts", "a Teacher, or None"),
        (Evaluation, "num_views", 0, r"a whole number, at least 1 and at most \d+"),
        (KeepWeights, "precision", "float64", "one of float32, float16"),
        (KeepWeights, "every", 0, r"a whole number, at least 1 and at most \d+"),
        (Placement, "num_workers", -1, r"a whole number, at least 0 and at most \d+"),
        (Placement, "cpus_per_worker", 1e-9, r"a number, at least 0\.01 and at most 10000"),
        (Placement, "gpus_per_worker", -0.5, r"a number, at least 0 and at most \d+"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_a_value_outside_its_field_is_refused(section, field, value, accepted):
    group = {Config: "", Placement: "", KeepWeights: "keep-weights.", Observation: "data.observation."}.get(
        section, f"{section.__name__.lower()}."
    )
    option = f"--{group}{field.replace('_', '-')}"
    with pytest.raises(ValueError, match=rf"^{re.escape(option)} is .*; give {accepted}\.$"):
        section(**{field: value})


@pytest.mark.parametrize(
    "config",
    [
        Network(generator_blocks=0, discriminator_blocks=0, generator_dropout=0.0),
        Adversary(real_label=1.0, swap_labels=1.0),
        Optimiser(decay=1.0, beta1=0.0, batch_size=2),
        Weights(legs=0.0, torso=0.0, reprojection=0.0, ninety_degree=0.0),
        Data(num_views=1, epoch_views=1, max_train_poses=1),
    ],
)
def test_the_ends_of_intervals_are_accepted(config):
    assert dataclasses.replace(config) == config


def test_the_fingerprint_is_the_same_in_another_process():
    program = "from tips_ray.config import Config, fingerprint; print(fingerprint(Config()))"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert other == fingerprint(Config())
    assert len(other) == 12


def test_every_field_is_in_the_fingerprint():
    changes = [
        {"objective": "supervised"},
        {"partition": "solo"},
        {"data": {"seed": 1}},
        {"data": {"epoch_views": 64}},
        {"weights": {"legs": 0.06}},
        {"network": {"generator_norm": "layer"}},
        {"adversary": {"renormalise": True}},
        {"optimiser": {"discriminator_learning_rate": 2e-4}},
        {"numerics": {"bf16": True}},
        {"augmentation": {"mirror": True}},
        {"weights": {"symmetry": 5.0}},
        {"adversary": {"gap": None}},
        {"objective": "distilled", "teacher": {}},
        {"objective": "distilled", "teacher": {"rule": "last epoch"}},
    ]
    prints = {fingerprint(override(Config(), change)) for change in [{}, *changes]}
    assert len(prints) == len(changes) + 1


def test_only_students_have_a_teacher():
    teacher = Teacher(rule="last epoch", runs="all")
    assert arm_config(Config(), "solo", teacher).teacher is None
    assert arm_config(Config(), "tips", teacher).teacher == Teacher("parts", "last epoch", "all")
    assert arm_config(Config(), "tips_solo", teacher).teacher == Teacher("solo", "last epoch", "all")
    for changes in ({"objective": "distilled"}, {"teacher": {"arm": "solo"}}):
        with pytest.raises(ValueError, match=r"a distilled config needs a Teacher, .* and no other takes one"):
            override(Config(), changes)


def test_a_fingerprint_is_of_what_departs_from_the_defaults():
    """So that a field that a later version adds, at its default, changes no fingerprint."""
    changes = {"partition": "solo", "weights": {"legs": 0.06}, "data": {"test_subjects": ("6",)}}
    config = override(Config(), changes)
    assert departures(config, Config()) == changes
    assert departures(Config(), Config()) == {}
    student = arm_config(Config(), "tips")
    for each in (config, student, arm_config(Config(), "tips_solo")):
        assert override(Config(), departures(each, Config())) == each
        assert override(Config(), json.loads(json.dumps(dataclasses.asdict(each)))) == each


@given(reprojection=st.integers(0, 100), legs=st.floats(0, 1e3))
def test_equal_configs_have_equal_fingerprints_and_survive_json(reprojection, legs):
    config = override(Config(), {"weights": {"reprojection": reprojection, "legs": legs}, "data": {"test_subjects": ["6", "8"]}})
    same = override(
        Config(), {"weights": {"reprojection": float(reprojection), "legs": legs}, "data": {"test_subjects": ("6", "8")}}
    )
    read = override(Config(), json.loads(json.dumps(dataclasses.asdict(config))))
    assert config == same == read
    assert fingerprint(config) == fingerprint(same) == fingerprint(read)
    assert isinstance(config.weights.reprojection, float)
    assert hash(config) == hash(read)


def test_a_partition_is_named_or_spelt_out():
    assert parts_of(Config(partition="five")) == FIVE
    spelt = parts_of(Config(partition=json.dumps({"lower": LEGS, "upper": TORSO})))
    assert [(part.name, part.joints) for part in spelt] == [("lower", LEGS), ("upper", TORSO)]


@pytest.mark.parametrize(
    ("given_partition", "said"),
    [
        ("legs", "Unknown partition 'legs'; give one of solo, legs_torso, left_right, five, or JSON such as"),
        ('["l_hip"]', "Unknown partition"),
        ("[" * 100_000, "Unknown partition"),
        ('{"body": "l_hip"}', "Unknown partition"),
        (json.dumps({"lower": LEGS}), "joints left out: .*head"),
        (json.dumps({"body": [*LIFTED, "tail"]}), "Unknown joint 'tail'"),
    ],
)
def test_an_unknown_partition_is_refused(given_partition, said):
    with pytest.raises(ValueError, match=said):
        parts_of(Config(partition=given_partition))


def test_arms_change_what_they_are_named_for():
    base = override(Config(), {"partition": "five", "network": {"width": 64}})
    assert arm_config(base, "parts") == base
    assert parts_of(arm_config(base, "solo")) == SOLO
    assert arm_config(base, "supervised").objective == "supervised"
    learners = {arm for arm, scaled in SCALED.items() if scaled is LEARNERS}
    sizes = {arm: (config.network.width, config.optimiser.batch_size) for arm in ARMS for config in (arm_config(base, arm),)}
    assert sizes == {arm: (128, 4096) if arm in learners else (64, 8192) for arm in ARMS}
    with pytest.raises(
        ValueError, match="Unknown arm 'duo'; there are solo, solo_deep, parts, left_right, five, tips, tips_last"
    ):
        arm_config(base, "duo")


def test_what_an_arm_is_told_beyond_single_2d_poses():
    told = {arm: knowledge(arm_config(Config(), arm)) for arm in ARMS}
    assert {told[arm] for arm in ("solo", "solo_deep", "parts", "left_right", "five", "tips", "tips_solo")} == {()}
    assert told["single"] == told["single_solo"] == ("anatomy", "anthropometry")
    assert told["clips"] == told["clips_solo"] == ("anatomy", "time")
    assert told["parts_new_views"] == ("true views",)
    assert told["supervised"] == ("anatomy", "true depths")
    assert told["supervised_plain"] == ("true depths",)
    for student in ("tips_single", "tips_clips"):
        teacher = arm_config(Config(), student.removeprefix("tips_"))
        for taught in (student, f"{student}_ensemble"):
            assert set(knowledge(arm_config(Config(), taught), teacher)) == set(knowledge(teacher))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        *(({"weights": {name: 1.0}}, ("anatomy",)) for name in ("symmetry", "knees", "facing")),
        ({"weights": {"proportions": 1.0}}, ("anthropometry",)),
        ({"weights": {"rigidity": 1.0}}, ("time",)),
        ({"adversary": {"sees": "pair"}}, ("time",)),
        ({"network": {"mirror_mean": True}}, ("anatomy",)),
        ({"augmentation": {"mirror": True}}, ("anatomy",)),
        ({"weights": {"augmented": 1.0}, "augmentation": {"stretched": 0.1}}, ("anatomy",)),
        ({"weights": {"augmented": 1.0}, "augmentation": {"bent": 0.1}}, ()),
        ({"adversary": {"features": "bones"}, "network": {"start_depth": 0.1}, "optimiser": {"averaging": 0.9}}, ()),
        ({"objective": "supervised", "weights": {"proportions": 1.0, "rigidity": 1.0}}, ("true depths",)),
    ],
    ids=str,
)
def test_each_ingredient_says_what_it_is_told(changes, told):
    assert knowledge(override(Config(), changes)) == told


ADVERSARIAL = ("solo", "parts", "single", "clips_solo")


CHANGED = [
    (arm, name) for arm in ADVERSARIAL for name in INGREDIENTS if name != "noise" or arm_config(Config(), arm).share_augmented
]


@pytest.mark.parametrize(("arm", "ingredient"), CHANGED)
def test_an_ingredient_changes_its_own_fields_alone_and_back_again(arm, ingredient):
    base = laptop().config
    whole = arm_config(base, arm)
    (name,) = variants(base, arm, [ingredient])
    changed = arm_config(base, name)
    assert base_of(name, ADVERSARIAL) == arm
    touched = {(group, field) for group, fields in INGREDIENTS[ingredient].on.items() for field in fields}
    touched |= {("weights", "legs"), ("weights", "torso")} if ingredient == "adversary" else set()
    differing = {(group, field) for group, fields in departures(changed, whole).items() for field in fields}
    assert differing
    assert differing <= touched
    if ingredient not in (
        "adversary",
        "all_angles",
        "rates",
        "weights",
        "label_free_weights",
        "pair",
    ):  # these have fields that stay, or the study's own
        back = f"{name}_{'without' if '_with_' in name else 'with'}_{ingredient}"
        assert arm_config(base, back) == whole


def test_the_recipe_without_all_of_its_ingredients_is_the_papers_arm():
    stripped = "single" + "".join(f"_without_{ingredient}" for ingredient in SINGLE)
    assert arm_config(Config(), stripped) == arm_config(Config(), "parts")
    rebuilt = "parts" + "".join(f"_with_{ingredient}" for ingredient in SINGLE)
    assert arm_config(Config(), rebuilt) == arm_config(Config(), "single")


def test_rates_and_weights_that_are_left_out_are_the_studys_own():
    base = override(laptop().config, {"optimiser": {"learning_rate": 7e-4}, "weights": {"legs": 0.5, "symmetry": 2.0}})
    assert arm_config(base, "single_without_rates").optimiser.learning_rate == 7e-4
    assert arm_config(base, "single_without_weights").weights.legs == 0.5
    assert arm_config(base, "parts_without_symmetry").weights.symmetry == 0.0


def test_the_horizon_of_a_cosine_is_the_studys_length():
    assert arm_config(Config(), "parts_with_cosine", num_epochs=17).optimiser.cosine_epochs == 17


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ("parts_with_magic", "Unknown ingredient 'magic' of the arm 'parts'; there are start, rates, weights"),
        ("duo_without_symmetry", "Unknown arm 'duo'"),
        ("parts_without_symmetry", "'symmetry' is off in the arm 'parts' already"),
        ("single_with_symmetry", "'symmetry' is on in the arm 'single' already"),
        ("parts_with_noise", "'noise' is on in the arm 'parts' already, or does nothing there"),
        ("parts_with_adversary", "'adversary' is on in the arm 'parts' already"),
        ("supervised_with_symmetry", "'symmetry' is on in the arm 'supervised' already, or does nothing there"),
    ],
)
def test_an_ingredient_that_is_unknown_or_changes_nothing_is_refused(arm, said):
    with pytest.raises(ValueError, match=said):
        arm_config(Config(), arm)


def test_variants_know_what_their_ingredients_tell_them():
    arms = ("single_without_proportions", "parts_with_symmetry", "parts_with_augmented")
    assert {knowledge(arm_config(Config(), arm)) for arm in arms} == {("anatomy",)}
    assert knowledge(arm_config(Config(), "parts_with_rigidity")) == ("time",)
    assert knowledge(arm_config(Config(), "clips_without_rigidity_without_pair")) == ("anatomy",)
    told = ("symmetry", "proportions", "anatomy", "mirror", "mirror_mean", "augmented")
    stripped = "single" + "".join(f"_without_{name}" for name in told)
    assert knowledge(arm_config(Config(), stripped)) == ()
    for unknowing in (
        "start",
        "rates",
        "weights",
        "label_free_weights",
        "averaging",
        "bones",
        "elevation",
        "r1",
        "relativistic",
        "cosine",
        "adversary",
    ):
        (name,) = variants(Config(), "parts", [unknowing])
        assert knowledge(arm_config(Config(), name)) == ()


def test_variants_are_compared_with_their_bases_alone():
    arms = ["solo", "solo_with_r1", "parts", "solo_with_r1_with_r2", "single_without_r1"]
    assert pairs_to_compare(arms) == [
        *[("solo", "parts"), ("solo", "single_without_r1"), ("parts", "single_without_r1")],
        *[("solo_with_r1", "solo"), ("solo_with_r1_with_r2", "solo_with_r1")],
    ]


def test_arms_that_are_compared_share_their_data():
    assert len({arm_config(laptop().config, arm).data.shared for arm in ARMS}) == 1


def test_the_ceiling_is_trained_as_the_students_are():
    student, ceiling = (arm_config(laptop().config, arm) for arm in ("tips_single", "supervised"))
    assert override(student, {"objective": "adversarial", "teacher": None}) == override(ceiling, {"objective": "adversarial"})
    assert student.network.width == 2 * arm_config(laptop().config, "single").network.width


def test_students_see_the_whole_pose_and_name_their_teacher():
    base = override(Config(), {"partition": "five"})
    tips = arm_config(base, "tips")
    assert (tips.objective, parts_of(tips), tips.teacher) == ("distilled", SOLO, Teacher())
    assert arm_config(base, "tips_solo").teacher == Teacher(arm="solo")
    assert arm_config(base, "tips_ensemble").teacher == Teacher(runs="all")
    assert arm_config(base, "tips_single_ensemble").teacher == Teacher(arm="single", runs="all")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_can_be_made(name):
    preset = PRESETS[name]()
    assert preset.num_seeds >= 3
    assert preset.num_epochs >= 1
    assert preset.config.optimiser.batch_size <= (preset.config.data.epoch_views or preset.config.optimiser.batch_size)


@pytest.mark.parametrize("base", [Config(), laptop().config], ids=["paper", "laptop"])
def test_a_deep_solo_has_about_as_many_parameters_as_two_parts(base):
    counts = {}
    for arm in ("solo", "solo_deep", "parts"):
        config = arm_config(base, arm)
        lifter = Lifter(parts_of(config), config.network)
        counts[arm] = sum(parameter.numel() for parameter in lifter.parameters())
    assert counts["solo_deep"] == pytest.approx(counts["parts"], rel=0.15)
    assert counts["solo"] < 0.6 * counts["parts"]
