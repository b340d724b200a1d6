"""The synthetic poses obey anatomy, and are what the seed says."""

import numpy as np
import pytest

from tips_ray.data.synthetic import ACTIONS, synthesise
from tips_ray.data.synthetic.body import ANKLE_HEIGHT, make_subject
from tips_ray.data.synthetic.gait import RUN_KNEE, WALK_HIP, WALK_KNEE, fourier
from tips_ray.data.synthetic.kinematics import LIMITS, MAX_ELEVATION, forward_kinematics, limited
from tips_ray.poses.skeleton import BONES, JOINTS, LEFT, RIGHT, mirrored

UP = np.array([0.0, 1.0, 0.0])


@pytest.fixture(scope="module")
def poses():
    return synthesise(num_poses=6000, num_subjects=4, seed=1)


def joint(positions, name):
    return positions[..., JOINTS.index(name), :].astype(np.float64)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def bend(positions, start, middle, end):
    """Angle in degrees by which a limb deviates from straight at its middle joint."""
    first, second = joint(positions, middle) - joint(positions, start), joint(positions, end) - joint(positions, middle)
    return np.degrees(np.arccos(np.clip((unit(first) * unit(second)).sum(-1), -1, 1)))


def facing(positions):
    return unit(np.cross(joint(positions, "l_hip") - joint(positions, "r_hip"), UP))


def ahead_of_line(positions, start, middle, end):
    """How far a middle joint is in front (mm) of the line between its neighbours."""
    line = unit(joint(positions, end) - joint(positions, start))
    offset = joint(positions, middle) - joint(positions, start)
    across = offset - (offset * line).sum(-1, keepdims=True) * line
    return (across * facing(positions)).sum(-1)


def ahead_of_pelvis(positions, name):
    return ((joint(positions, name) - joint(positions, "pelvis")) * facing(positions)).sum(-1)


def of_action(poses, action):
    return poses.positions[poses.action == action]


def angles_of(**given):
    return {name: np.array([float(given.get(name, 0.0))]) for name in LIMITS}


def posed(**given):
    """One pose of one subject with these angles, the others zero: (17, 3)."""
    return forward_kinematics(angles_of(**given), make_subject(np.random.default_rng(0)).offsets)[0]


def bone_lengths(positions):
    return np.stack([np.linalg.norm(positions[:, child] - positions[:, parent], axis=-1) for parent, child in BONES], axis=-1)


def test_every_subject_does_every_action(poses):
    assert len(poses) == 6000
    assert len(ACTIONS) >= 12
    assert set(zip(poses.subject.tolist(), poses.action.tolist(), strict=True)) == {
        (subject, action) for subject in ("S1", "S2", "S3", "S4") for action in ACTIONS
    }
    assert (poses.name, poses.synthetic) == ("synthetic", True)


def test_least_number_of_poses_covers_all():
    poses = synthesise(num_poses=2 * len(ACTIONS), num_subjects=2)
    assert len(set(zip(poses.subject.tolist(), poses.action.tolist(), strict=True))) == 2 * len(ACTIONS)


def test_clips_stand_together_and_move_smoothly(poses):
    changes = np.flatnonzero(poses.clip[1:] != poses.clip[:-1])
    assert len(changes) + 1 == len(set(poses.clip.tolist()))
    steps = np.linalg.norm(np.diff(poses.positions - poses.positions[:, :1], axis=0), axis=-1).max(axis=-1)
    within = np.delete(steps, changes)
    assert np.percentile(within, 99) < 250  # mm a frame: the hand of a thrower moves at some 6 m/s
    assert np.median(within) > 2


def test_bones_are_constant_for_a_subject_and_symmetric(poses):
    for subject in poses.subjects:
        lengths = bone_lengths(poses.positions[poses.subject == subject])
        np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=0.02)
    offsets = make_subject(np.random.default_rng(3)).offsets
    sides = [[JOINTS.index(name) for name in names] for names in (LEFT, RIGHT)]
    np.testing.assert_array_equal(offsets[sides[0]] * [-1, 1, 1], offsets[sides[1]])


def test_subjects_differ_but_not_beyond_people(poses):
    thighs = [bone_lengths(poses.positions[poses.subject == subject])[0, 1] for subject in poses.subjects]
    assert len({round(length) for length in thighs}) == len(thighs)
    assert 300 < min(thighs) < max(thighs) < 560


def test_hinges_stay_in_their_range(poses):
    for side in "lr":
        for name, limb in (("knee_flexion", ("hip", "knee", "ankle")), ("elbow_flexion", ("shoulder", "elbow", "wrist"))):
            angles = bend(poses.positions, *(f"{side}_{part}" for part in limb))
            low, high = LIMITS[f"{side}_{name}"]
            assert low - 0.1 <= angles.min() < angles.max() <= high + 0.1


@pytest.mark.parametrize("side", ["l", "r"])
def test_knees_bend_forward_and_hanging_elbows_backward(poses, side):
    knee = (f"{side}_hip", f"{side}_knee", f"{side}_ankle")
    bent = poses.positions[bend(poses.positions, *knee) > 30]
    assert len(bent) > 1000
    assert (ahead_of_line(bent, *knee) > 0).mean() > 0.95
    elbow = (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
    walkers = of_action(poses, "walking")
    assert (ahead_of_line(walkers[bend(walkers, *elbow) > 15], *elbow) < 0).mean() > 0.95


def test_people_move_where_they_face(poses):
    for action in ("walking", "running"):
        clips = poses.clip[poses.action == action]
        positions = of_action(poses, action)
        same = clips[1:] == clips[:-1]
        step = np.diff(joint(positions, "pelvis"), axis=0)[same]
        assert ((step * facing(positions)[:-1][same]).sum(-1) > 0).mean() > 0.99
    ahead = (joint(poses.positions, "head") - joint(poses.positions, "thorax")) * facing(poses.positions)
    assert ahead.sum(-1).mean() > 0


def test_feet_are_on_the_ground_unless_they_jump(poses):
    lowest = np.minimum(joint(poses.positions, "l_ankle")[:, 1], joint(poses.positions, "r_ankle")[:, 1])
    assert poses.positions[..., 1].min() > 0
    assert lowest.min() > 0.9 * ANKLE_HEIGHT * 1450
    feet_first = ~np.isin(poses.action, ["jumping", "running", "kneeling", "floor_sitting"])
    assert np.percentile(lowest[feet_first], 99) < 1.1 * ANKLE_HEIGHT * 1900
    assert lowest[poses.action == "jumping"].max() > 200


def limb_correlation(poses, action):
    """Mean over clips of the correlation of each wrist with the ankle of the other side, both ahead
    of the pelvis."""
    found = []
    for clip in sorted(set(poses.clip[poses.action == action].tolist())):
        positions = poses.positions[poses.clip == clip]
        for arm, leg in (("l_wrist", "r_ankle"), ("r_wrist", "l_ankle")):
            found.append(np.corrcoef(ahead_of_pelvis(positions, arm), ahead_of_pelvis(positions, leg))[0, 1])
    return np.mean(found)


def test_arms_swing_with_the_other_leg_only_where_they_do_in_life(poses):
    assert limb_correlation(poses, "walking") > 0.6
    assert abs(limb_correlation(poses, "phoning")) < 0.3


def test_sitting_thighs_are_level_and_standing_ones_upright(poses):
    def thigh(positions, side):
        return np.degrees(np.arccos(-unit(joint(positions, f"{side}_knee") - joint(positions, f"{side}_hip"))[:, 1]))

    sitting, stretching = of_action(poses, "sitting"), of_action(poses, "stretching")
    assert np.median(thigh(sitting, "l")) > 65
    assert np.median(thigh(stretching, "l")) < 25


def test_same_seed_same_poses_and_another_seed_others(poses):
    again = synthesise(num_poses=6000, num_subjects=4, seed=1)
    assert again.fingerprint == poses.fingerprint
    assert synthesise(num_poses=6000, num_subjects=4, seed=2).fingerprint != poses.fingerprint


def test_another_subject_moves_no_other(poses):
    fewer = synthesise(num_poses=3000, num_subjects=2, seed=1)
    for name in sorted(set(fewer.clip.tolist())):
        ours, theirs = fewer.positions[fewer.clip == name], poses.positions[poses.clip == name]
        shared = min(len(ours), len(theirs))
        np.testing.assert_array_equal(ours[:shared], theirs[:shared])


def test_spread_is_that_of_people():
    """Loose ranges about those of motion capture of everyday actions, in the body's own frame."""
    positions = synthesise(num_poses=8000).positions.astype(np.float64)
    left = unit((joint(positions, "l_hip") - joint(positions, "r_hip")) * [1, 0, 1])
    frame = np.stack([left, np.broadcast_to(UP, left.shape), np.cross(left, UP)], axis=1)
    body = np.einsum("fij,fkj->fki", frame, positions - positions[:, :1]).reshape(len(positions), -1)
    values = np.linalg.eigvalsh(np.cov(body.T))[::-1]
    components = int((np.cumsum(values) / values.sum() < 0.95).sum()) + 1
    assert 10 <= components <= 18
    assert 170 < np.sqrt(values.sum() / len(JOINTS)) < 280  # mm, root mean square over joints


def test_angles_mean_what_they_say():
    front, left = 2, 0
    assert posed()[JOINTS.index("l_hip"), left] > 0 > posed()[JOINTS.index("r_hip"), left]
    assert posed(r_hip_flexion=90)[JOINTS.index("r_knee"), front] > 300
    assert posed(l_knee_flexion=90)[JOINTS.index("l_ankle"), front] < -300
    assert posed(r_elbow_flexion=90)[JOINTS.index("r_wrist"), front] > 200
    assert posed(l_shoulder_abduction=90)[JOINTS.index("l_wrist"), left] > 600
    assert posed(r_shoulder_abduction=90)[JOINTS.index("r_wrist"), left] < -600
    assert posed(spine_flexion=60)[JOINTS.index("head"), front] > 300
    assert posed(spine_bend=30)[JOINTS.index("head"), left] > 100
    assert posed(pelvis_twist=60)[JOINTS.index("l_hip"), front] < 0  # turned to the left, the left hip goes back
    assert (
        posed(l_shoulder_rotation=60, l_elbow_flexion=90)[JOINTS.index("l_wrist"), left] > posed()[JOINTS.index("l_wrist"), left]
    )


def test_a_mirrored_posture_gives_the_mirrored_pose():
    rng = np.random.default_rng(0)
    given = {name: rng.uniform(low, high) for name, (low, high) in LIMITS.items()}
    sideways = ("pelvis_bend", "pelvis_twist", "spine_bend", "spine_twist", "neck_bend", "neck_twist")
    swapped = {mirrored(name): -value if name in sideways else value for name, value in given.items()}
    other_side = [JOINTS.index(mirrored(name)) for name in JOINTS]
    np.testing.assert_allclose(posed(**swapped)[other_side] * [-1, 1, 1], posed(**given), atol=1e-9)


def test_limits_hold_angles_and_the_elevation_of_an_arm():
    held = limited(angles_of(l_knee_flexion=-40, r_elbow_flexion=400, l_shoulder_flexion=170, l_shoulder_abduction=170))
    assert held["l_knee_flexion"] == LIMITS["l_knee_flexion"][0]
    assert held["r_elbow_flexion"] == LIMITS["r_elbow_flexion"][1]
    assert np.hypot(held["l_shoulder_flexion"], held["l_shoulder_abduction"]) == pytest.approx(MAX_ELEVATION)


@pytest.mark.parametrize("points", [WALK_HIP, WALK_KNEE, RUN_KNEE])
def test_gait_series_go_through_their_points(points):
    percent, coefficients = np.array([*points]), fourier(points)
    degrees = np.real(np.exp(2j * np.pi * np.outer(percent, np.arange(len(coefficients))) / 100) @ coefficients)
    np.testing.assert_allclose(degrees, [*points.values()], atol=2.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"num_poses": 0}, "num_poses is 0"),
        ({"num_poses": len(ACTIONS)}, "at least"),
        ({"num_subjects": 1}, "num_subjects is 1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_requests_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        synthesise(**arguments)
