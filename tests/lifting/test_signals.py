"""Signals of lifters against slow truths, what leaves them unchanged, and what they say of good and
of bad lifters."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tips_ray.columns import DISAGREEMENTS, SIGNAL_SHARES, SIGNALS
from tips_ray.config import Config, Network, override
from tips_ray.data.dataset import prepare
from tips_ray.data.synthetic import synthesise
from tips_ray.data.synthetic.body import SEGMENTS
from tips_ray.data.views import Views
from tips_ray.lifting import signals as module
from tips_ray.lifting.evaluate import lift_views
from tips_ray.lifting.networks import Lifter, initialise
from tips_ray.lifting.signals import (
    anisotropy,
    asymmetry,
    bone_lengths,
    finished,
    flipped_vote_share,
    frechet,
    joint_limit_violations,
    proportions,
    seen_elsewhere,
    signals,
    variation,
)
from tips_ray.poses.anatomy import sign_votes
from tips_ray.poses.geometry import View, lift, max_normalise, mirror_depth, reproject, rotate
from tips_ray.poses.skeleton import BONES, JOINTS, LEGS_TORSO, LIFTED, mirrored
from tips_ray.seeding import stream

laws = settings(deadline=None, derandomize=True, max_examples=25)
seeds = st.integers(0, 10_000)
angles = st.floats(-math.pi, math.pi)
factors = st.floats(0.1, 10.0)
CHILDREN = [JOINTS[child] for _, child in BONES]


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_poses(seed: int, count: int = 9) -> Tensor:
    return 300 * torch.randn(count, 16, 3, generator=rng(seed), dtype=torch.float64)


def random_lengths(seed: int, count: int = 9) -> Tensor:
    return 50 + 400 * torch.rand(count, len(BONES), generator=rng(seed), dtype=torch.float64)


def posed(lengths: Tensor, seed: int) -> Tensor:
    """Poses (views, 16, 3) with bones of these lengths (views, bones), each of which points
    anywhere."""
    direction = nn.functional.normalize(torch.randn(*lengths.shape, 3, generator=rng(seed), dtype=lengths.dtype), dim=-1)
    joints = lengths.new_zeros(len(lengths), len(JOINTS), 3)
    for place, (parent, child) in enumerate(BONES):
        joints[:, child] = joints[:, parent] + lengths[:, place, None] * direction[:, place]
    return joints[:, 1:]


def about_y(pose: Tensor, azimuth: float | Tensor) -> Tensor:
    turn = torch.as_tensor(azimuth, dtype=pose.dtype)
    return rotate(pose, View(turn, torch.zeros_like(turn)))


def views_of(pose: Tensor, clip: Tensor | None = None) -> Views:
    keypoints, scale = max_normalise(reproject(pose))
    nothing = torch.zeros(len(pose), dtype=torch.int64)
    return Views(keypoints, pose, scale, nothing, ["standing"], nothing, ["somebody"], nothing if clip is None else clip)


class Knowing(nn.Module):
    """Knows the body (16, 3) in each view, and finds from where it sees it: right from everywhere,
    but for the body itself."""

    def __init__(self, bodies: Tensor, sign: float = 1.0) -> None:
        super().__init__()
        self.bodies, self.sign = bodies.double(), sign

    def forward(self, keypoints: Tensor) -> Tensor:
        right, up = torch.linalg.lstsq(self.bodies, keypoints.double()).solution.unbind(-1)
        towards = torch.linalg.cross(right, up) / torch.linalg.vector_norm(right, dim=-1, keepdim=True)
        return (self.sign * (self.bodies @ towards.unsqueeze(-1)).squeeze(-1)).to(keypoints)


class Pairs(nn.Module):
    """z = A x with A = [[0, 1], [-1, 0]] on pairs of joints: consistent for all azimuths, and for
    no elevation."""

    def forward(self, keypoints: Tensor) -> Tensor:
        first, second = keypoints[:, 0::2, 0], keypoints[:, 1::2, 0]
        return torch.stack([second, -first], dim=-1).flatten(1)


class Waves(nn.Module):
    """Some depths, right from nowhere."""

    def forward(self, keypoints: Tensor) -> Tensor:
        return torch.sin(3 * keypoints[..., 0] + 2 * keypoints[..., 1])


class Minus(nn.Module):
    """Another lifter's depths, inside out."""

    def __init__(self, lifter: nn.Module) -> None:
        super().__init__()
        self.lifter = lifter

    def forward(self, keypoints: Tensor) -> Tensor:
        return -self.lifter(keypoints)


@pytest.fixture(scope="module")
def views() -> Views:
    config = override(Config(), {"optimiser": {"batch_size": 64}, "data": {"num_views": 3}})
    return prepare(synthesise(num_poses=1200), config.data).train.spread(900)


@given(seed=seeds, azimuth=angles, elevation=angles)
@laws
def test_bone_lengths_are_what_a_pose_is_made_with_from_wherever_it_is_seen(seed, azimuth, elevation):
    lengths = random_lengths(seed)
    pose = posed(lengths, seed)
    torch.testing.assert_close(bone_lengths(pose), lengths)
    view = View(*torch.tensor([azimuth, elevation], dtype=torch.float64))
    torch.testing.assert_close(bone_lengths(rotate(pose, view)), lengths)
    torch.testing.assert_close(bone_lengths(mirror_depth(pose)), lengths)


@given(seed=seeds, factor=factors)
@laws
def test_signals_of_lengths_are_shares_and_do_not_depend_on_the_order_of_views(seed, factor):
    lengths, clip = random_lengths(seed, 30), torch.randint(0, 9, (30,), generator=rng(seed))
    order = torch.randperm(30, generator=rng(seed + 1))
    for found in (asymmetry, proportions, lambda some: variation(some, clip)):
        torch.testing.assert_close(found(factor * lengths), found(lengths))
    torch.testing.assert_close(asymmetry(lengths[order]), asymmetry(lengths))
    torch.testing.assert_close(proportions(lengths[order]), proportions(lengths))
    torch.testing.assert_close(variation(lengths[order], 7 * clip[order] + 3), variation(lengths, clip))


@given(seed=seeds, factor=factors, azimuth=angles)
@laws
def test_signals_of_the_sign_see_neither_azimuth_nor_scale(seed, factor, azimuth):
    pose = random_poses(seed)
    for found in (flipped_vote_share, joint_limit_violations):
        torch.testing.assert_close(found(about_y(factor * pose, azimuth)), found(pose))


@given(seed=seeds)
@laws
def test_asymmetry_is_the_mean_difference_of_the_sides(seed):
    lengths = random_lengths(seed)
    shares = []
    for name in CHILDREN:
        if name.startswith("l_"):
            left, right = (lengths[:, CHILDREN.index(joint)].tolist() for joint in (name, mirrored(name)))
            apart = np.mean([abs(one - other) for one, other in zip(left, right, strict=True)])
            shares.append(apart / np.mean([left, right]))
    assert len(shares) == 6
    assert float(asymmetry(lengths)) == pytest.approx(np.mean(shares))
    both_sides = torch.stack([lengths[:, CHILDREN.index(mirrored(name))] for name in CHILDREN], dim=1) + lengths
    assert float(asymmetry(both_sides)) == 0.0
    assert float(asymmetry(bone_lengths(posed(both_sides, seed)))) == pytest.approx(0.0, abs=1e-12)


@given(clip=st.lists(st.integers(0, 5), min_size=2, max_size=20), seed=seeds)
@laws
def test_variation_is_the_pooled_standard_deviation_within_clips(clip, seed):
    assume(len(set(clip)) < len(clip))
    lengths = random_lengths(seed, len(clip)).numpy()
    shares = []
    for bone in range(len(BONES)):
        squares, freedom = 0.0, 0
        for one in set(clip):
            own = [lengths[view, bone] for view in range(len(clip)) if clip[view] == one]
            squares += sum((value - np.mean(own)) ** 2 for value in own)
            freedom += len(own) - 1
        shares.append(math.sqrt(squares / freedom) / lengths[:, bone].mean())
    assert float(variation(torch.from_numpy(lengths), torch.tensor(clip))) == pytest.approx(np.mean(shares))


@given(seed=seeds)
@laws
def test_rigid_bones_do_not_vary_whichever_camera_sees_them(seed):
    bodies, clip = random_lengths(seed, 4), torch.arange(4).repeat(5)
    view = View(*(6 * torch.rand(2, 20, generator=rng(seed), dtype=torch.float64) - 3))
    seen = rotate(posed(bodies[clip], seed), view)
    assert float(variation(bone_lengths(seen), clip)) == pytest.approx(0.0, abs=1e-12)
    assert float(variation(bone_lengths(seen * torch.tensor([1.0, 1.0, 0.5])), clip)) > 0.01
    assert float(variation(bone_lengths(seen), torch.zeros(20, dtype=torch.int64))) > 0.01  # four bodies are not one


@given(stature=st.floats(1000, 2500), seed=seeds)
@laws
def test_proportions_are_those_of_the_table(stature, seed):
    table = [np.linalg.norm(SEGMENTS[name.removeprefix("l_").removeprefix("r_")]) for name in CHILDREN]
    lengths = stature * torch.tensor(table, dtype=torch.float64)
    assert float(proportions(bone_lengths(posed(lengths.expand(5, -1), seed)))) == pytest.approx(0.0, abs=1e-12)
    other = random_lengths(seed)
    limbs = ("knee", "ankle", "elbow", "wrist")
    own = [np.mean([other[:, CHILDREN.index(f"{side}_{joint}")].numpy() for side in "lr"]) for joint in limbs]
    adult = [abs(SEGMENTS[joint][1]) for joint in limbs]
    gaps = [math.log(one / sum(own)) - math.log(known / sum(adult)) for one, known in zip(own, adult, strict=True)]
    assert float(proportions(other)) == pytest.approx(math.sqrt(np.mean(np.square(gaps))))


@given(seed=seeds)
@laws
def test_dissent_is_the_share_of_votes_against(seed):
    pose = random_poses(seed)
    shares = []
    for part in LEGS_TORSO:
        votes = [float(sign_votes(one, part)) for one in pose]
        shares.append(-sum(vote for vote in votes if vote < 0) / sum(map(abs, votes)))
    assert float(flipped_vote_share(pose)) == pytest.approx(np.mean(shares))
    assert float(flipped_vote_share(pose) + flipped_vote_share(mirror_depth(pose))) == pytest.approx(1.0)


def test_who_says_nothing_dissents_by_half():
    pose = random_poses(0)
    legs, torso = (list(part.indices) for part in LEGS_TORSO)
    silent = pose.clone()
    silent[:, legs] = 0.0
    torso_alone = float(flipped_vote_share(silent))
    silent[:, torso] = 0.0
    assert float(flipped_vote_share(silent)) == 0.5
    votes = sign_votes(pose, LEGS_TORSO[1])
    assert torso_alone == pytest.approx(0.25 + 0.5 * float(-votes[votes < 0].sum() / votes.abs().sum()))


def bent(knees: tuple[float, float], elbows: tuple[float, float]) -> Tensor:
    """A person (16, 3) who faces the viewer, with the left and the right limb flexed by these many
    degrees."""
    joints = {name: (0.0, height, 0.0) for name, height in {"spine": 200, "thorax": 450, "neck": 520, "head": 650}.items()}
    for side, across, knee, elbow in zip("lr", (1, -1), knees, elbows, strict=True):
        for (root, hinge, end), (x, y), flexion, size in (
            (("hip", "knee", "ankle"), (128 * across, 0), -knee, 400),  # shins swing backwards
            (("shoulder", "elbow", "wrist"), (200 * across, 450), elbow, 250),
        ):
            swing = math.radians(flexion)
            joints |= {f"{side}_{root}": (x, y, 0.0), f"{side}_{hinge}": (x, y - size, 0.0)}
            joints[f"{side}_{end}"] = (x, y - size - size * math.cos(swing), size * math.sin(swing))
    return torch.tensor([joints[name] for name in LIFTED], dtype=torch.float64)


flexions = st.floats(-179.0, 179.0).filter(lambda degrees: min(abs(degrees - edge) for edge in (155, -155, -10)) > 0.1)


@given(limbs=st.lists(st.tuples(*[flexions] * 4), min_size=1, max_size=5), azimuth=angles)
@laws
def test_limits_count_knees_and_elbows_that_no_body_can_bend_so(limbs, azimuth):
    pose = about_y(torch.stack([bent(flexed[:2], flexed[2:]) for flexed in limbs]), azimuth)
    broken = sum(abs(flexion) > 155 for flexed in limbs for flexion in flexed)
    broken += sum(-155 < knee < -10 for flexed in limbs for knee in flexed[:2])
    assert float(joint_limit_violations(pose)) == pytest.approx(broken / (4 * len(limbs)))


@pytest.mark.parametrize(
    ("knees", "elbows", "share"),
    [
        ((0, 0), (0, 0), 0.0),
        ((150, 90), (150, 20), 0.0),
        ((-5, 160), (0, 0), 0.25),
        ((-9, -11), (154, -156), 0.5),
        ((-30, 160), (-30, 0), 0.5),
        ((-30, -170), (170, -170), 1.0),
    ],
)
def test_limits_of_some_postures(knees, elbows, share):
    assert float(joint_limit_violations(bent(knees, elbows)[None])) == share


@given(seed=seeds, factor=factors, cameras=st.integers(3, 12))
@laws
def test_a_ring_of_cameras_sees_as_much_depth_as_breadth(seed, factor, cameras):
    azimuth = torch.arange(cameras, dtype=torch.float64) * 2 * math.pi / cameras
    seen = about_y(random_poses(seed).repeat_interleave(cameras, dim=0), azimuth.repeat(9))
    assert float(anisotropy(seen)) == pytest.approx(0.0, abs=1e-9)
    stretched = seen * seen.new_tensor([1.0, 1.0, factor])
    assert float(anisotropy(stretched)) == pytest.approx(abs(math.log(factor)), abs=1e-9)
    assert float(anisotropy(seen * seen.new_tensor([1.0, 1.0, 0.0]))) > 5


@given(seed=seeds, factor=factors)
@laws
def test_anisotropy_compares_each_joint_s_depth_with_its_breadth(seed, factor):
    pose = random_poses(seed)
    found = float(anisotropy(pose))
    gaps = [math.log(np.sqrt(np.mean(one[:, 2] ** 2)) / np.sqrt(np.mean(one[:, 0] ** 2))) for one in pose.numpy().swapaxes(0, 1)]
    assert found == pytest.approx(np.mean(np.abs(gaps)))
    for same in (factor * pose, mirror_depth(pose), about_y(pose, math.pi / 2)):
        assert float(anisotropy(same)) == pytest.approx(found)


def random_keypoints(seed: int, count: int = 200) -> Tensor:
    """Correlated keypoints about a mean, normally distributed."""
    mix, mean = torch.randn(2, 32, 32, generator=rng(seed), dtype=torch.float64) / 8
    return (torch.randn(count, 32, generator=rng(seed + 1), dtype=torch.float64) @ mix + mean[0]).view(count, 16, 2)


@given(seed=seeds)
@laws
def test_frechet_is_the_distance_of_normal_distributions(seed):
    one, other = random_keypoints(seed), random_keypoints(seed + 5)
    flat, others = one.flatten(1).numpy(), other.flatten(1).numpy()
    spread, other_spread = np.cov(flat.T), np.cov(others.T)
    root = scipy.linalg.sqrtm(spread @ other_spread).real
    slow = np.sum((flat.mean(0) - others.mean(0)) ** 2) + np.trace(spread + other_spread - 2 * root)
    assert float(frechet(one, other)) == pytest.approx(slow, rel=1e-6)
    assert float(frechet(other, one)) == pytest.approx(slow, rel=1e-6)
    assert slow > 1


@given(seed=seeds, factor=factors, count=st.integers(2, 100))
@laws
def test_frechet_of_keypoints_and_the_same_ones_scaled_or_moved(seed, factor, count):
    one = random_keypoints(seed, count)  # below 33 of them their covariance is singular
    assert float(frechet(one, one)) == pytest.approx(0.0, abs=1e-5)  # the root of what rounding leaves
    size = float(one.mean(0).square().sum() + one.flatten(1).var(0).sum())
    assert float(frechet(one, factor * one)) == pytest.approx((1 - factor) ** 2 * size, rel=1e-5, abs=1e-5)
    move = torch.randn(16, 2, generator=rng(seed), dtype=torch.float64)
    assert float(frechet(one, one + move)) == pytest.approx(float(move.square().sum()), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_how_a_pose_looks_from_elsewhere_written_out(sign):
    views = views_of(random_poses(0, 50))
    pose = lift(views.keypoints, sign * Waves()(views.keypoints)) * views.scale[:, None, None]
    azimuth, elevation = (2 * torch.rand(2, 50, generator=stream(0, "signals")).double().numpy() - 1) * [[math.pi], [np.pi / 18]]
    apart, made = [], []
    for number, scale in enumerate(views.scale.tolist()):
        c, s = math.cos(azimuth[number]), math.sin(azimuth[number])
        turn = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
        c, s = math.cos(elevation[number]), math.sin(elevation[number])
        turned = pose[number].numpy() / scale @ (np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ turn).T
        depth = [sign * math.sin(3 * x + 2 * y) for x, y, _ in turned]
        apart += [scale * abs(one - other) for one, other in zip(turned[:, 2], depth, strict=True)]
        made.append(turned[:, :2] / np.abs(turned[:, :2]).max())
    found = finished(seen_elsewhere(Waves(), views, pose, sign))
    assert float(found["view_inconsistency_mm"]) == pytest.approx(np.mean(apart), rel=1e-5)
    assert float(found["frechet_2d"]) == pytest.approx(float(frechet(views.keypoints, torch.tensor(np.stack(made)))), rel=1e-5)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_who_knows_the_body_is_consistent_from_everywhere(views, sign):
    found = seen_elsewhere(Knowing(views.pose, sign), views, views.pose, sign)
    assert float(found["view_inconsistency_mm"]) < 0.1
    assert float(seen_elsewhere(Knowing(views.pose, -sign), views, views.pose, sign)["view_inconsistency_mm"]) > 50


def test_a_lifter_that_is_consistent_for_azimuths_alone_is_found_out_by_elevations(monkeypatch):
    views = views_of(random_poses(0, 100))
    pose = lift_views(Pairs(), views)
    assert float(seen_elsewhere(Pairs(), views, pose, 1.0)["view_inconsistency_mm"]) > 10
    monkeypatch.setattr(module, "ELEVATION_DEGREES", 0.0)
    assert float(seen_elsewhere(Pairs(), views, pose, 1.0)["view_inconsistency_mm"]) < 1e-3
    assert float(seen_elsewhere(Waves(), views, lift_views(Waves(), views), 1.0)["view_inconsistency_mm"]) > 10


def network() -> Lifter:
    lifter = Lifter(LEGS_TORSO, Network(width=16, generator_blocks=1, generator_dropout=0.5))
    initialise(lifter, stream(0, "initialise"))
    return lifter.eval()


LENGTHS = {"bone_asymmetry", "bone_variation", "bone_proportions"}
INCONSISTENCY = {"view_inconsistency_mm"}
"""Who is wrong about a body may well be consistent."""


@pytest.mark.parametrize(
    ("depth", "noise", "unseen"),
    [
        (0.0, 0.0, set()),
        (0.5, 0.0, INCONSISTENCY | {"flipped_vote_share", "joint_limits"}),
        (1.5, 0.0, INCONSISTENCY | {"flipped_vote_share", "joint_limits"}),
        (1.0, 100.0, INCONSISTENCY),
    ],
    ids=["flat", "too flat", "too deep", "noisy"],
)
def test_the_truth_scores_lower_than_what_is_wrong(views, depth, noise, unseen):
    truth = signals(Knowing(views.pose), views, views.pose, 1.0)
    assert max(truth["bone_asymmetry"], truth["bone_variation"]) < 1e-4
    assert truth["view_inconsistency_mm"] < 0.1
    chances = noise * torch.randn(views.pose.shape[:2], generator=rng(0))
    wrong = lift(reproject(views.pose), depth * views.pose[..., 2] + chances)
    found = signals(Knowing(wrong), views, wrong, 1.0)
    assert {name for name in truth if not truth[name] < found[name]} <= unseen
    assert {name for name in truth if truth[name] < 0.8 * found[name]} >= LENGTHS


def test_signals_are_those_that_stop_rules_know_and_each_function_s_own(views):
    pose = lift_views(Waves(), views)
    found = signals(Waves(), views, pose, 1.0)
    assert found.keys() == set(SIGNALS) - {"churn_mm", "average_distance_mm", *DISAGREEMENTS}
    assert found == {
        "bone_asymmetry": float(asymmetry(bone_lengths(pose))),
        "bone_variation": float(variation(bone_lengths(pose), views.clip)),
        "bone_proportions": float(proportions(bone_lengths(pose))),
        "flipped_vote_share": float(flipped_vote_share(pose)),
        "joint_limits": float(joint_limit_violations(pose)),
        "depth_anisotropy": float(anisotropy(pose)),
        **{name: float(value) for name, value in finished(seen_elsewhere(Waves(), views, pose, 1.0)).items()},
    }


def test_signals_use_no_chance_and_no_label(views):
    lifter = network()
    pose = lift_views(lifter, views)
    torch.manual_seed(1)
    found = signals(lifter, views, pose, 1.0)
    torch.manual_seed(2)
    assert signals(lifter, views, pose, 1.0) == found
    blind = replace(views, pose=torch.full_like(views.pose, math.nan), action=torch.zeros_like(views.action), actions=[])
    assert signals(lifter, blind, pose, 1.0) == found
    assert all(parameter.grad is None for parameter in lifter.parameters())


def test_a_lifter_and_its_inside_out_twin_have_the_same_signals(views):
    lifter = network()
    pose = lift_views(lifter, views)
    twin = mirror_depth(lift_views(Minus(lifter), views))
    assert signals(Minus(lifter), views, twin, -1.0) == signals(lifter, views, pose, 1.0)


@pytest.mark.parametrize(
    "few",
    [
        views_of(torch.zeros(20, 16, 3)),
        views_of(torch.cat([torch.zeros(1, 16, 3), random_poses(0, 19).float()]), clip=torch.arange(20)),
        views_of(random_poses(0, 1).float()),
        views_of(torch.zeros(1, 16, 3)),
    ],
    ids=["all at the root", "one view a clip", "one view", "one view at the root"],
)
@pytest.mark.parametrize("make", [network, Waves, Pairs])
def test_signals_of_degenerate_views_are_numbers(few, make):
    lifter = make()
    for pose in (lift_views(lifter, few), few.pose, torch.zeros_like(few.pose)):
        found = signals(lifter, few, pose, 1.0)
        if len(few.clip.unique()) == len(few):  # no clip with two views
            assert math.isnan(found.pop("bone_variation"))
        assert all(map(math.isfinite, found.values())), found
        assert min(found.values()) > -1e-6


def test_the_score_of_a_search_by_signals_is_about_1_for_flat_poses() -> None:
    class Flat(nn.Module):
        def forward(self, keypoints: Tensor) -> Tensor:
            return keypoints.new_zeros(keypoints.shape[:-1])

    views = prepare(synthesise(num_poses=4000), Config().data).train.spread(2048)
    flat = signals(Flat(), views, views.pose * torch.tensor([1.0, 1.0, 0.0]), 1.0)
    assert sum(flat[name] * share for name, share in SIGNAL_SHARES.items()) == pytest.approx(1.0, abs=0.15)
