"""What the legs and trunk do: standing, sitting, walking, ... Actions put arms on top."""

import numpy as np

from tips_ray.data.synthetic.clip import Clip
from tips_ray.data.synthetic.gait import gait_angle
from tips_ray.data.synthetic.postures import arms_hang, rest_on_thighs

LEGS_STRETCHED = {"hip_flexion": 88.0, "knee_flexion": 8.0, "hip_abduction": 10.0, "hip_rotation": 5.0}
LEGS_CROSSED = {"hip_flexion": 114.0, "knee_flexion": 136.0, "hip_abduction": 42.0, "hip_rotation": 42.0}
KNEES_UP = {"hip_flexion": 134.0, "knee_flexion": 104.0, "hip_abduction": 8.0, "hip_rotation": 0.0}


def stand(clip: Clip) -> None:
    """On both feet: weight moves from leg to leg, the relieved knee bends, one foot may be
    ahead."""
    arms_hang(clip)
    shift = clip.pick(-0.7, 0.7) + clip.wander(0.5)  # positive: on the left leg
    crouch = np.abs(clip.pick(4, 22) + clip.wander(4))
    stagger = clip.pick(-12, 12)
    clip.add(pelvis_bend=-4 * shift, spine_bend=4 * shift)
    for side, sign in (("l", 1), ("r", -1)):
        bend = crouch + 22 * np.maximum(-sign * shift, 0)
        clip.add(side, knee_flexion=bend, hip_flexion=bend / 2 + sign * stagger)
    clip.add(hip_abduction=clip.pick(0, 12), hip_rotation=clip.pick(0, 20))
    bow(clip, clip.pick(-5, 14) + clip.wander(3))


def bow(clip: Clip, degrees: np.ndarray | float) -> None:
    """Lean the trunk forward, half in the hips and half in the spine; the arms go on hanging,
    nearly."""
    clip.add(pelvis_flexion=np.multiply(degrees, 0.5), spine_flexion=np.multiply(degrees, 0.5))
    clip.add(shoulder_flexion=0.7 * np.maximum(degrees, 0))


def sit(clip: Clip) -> None:
    """On a chair: upright, slumped or leaning forward; feet under, before, apart or one leg
    stretched out."""
    arms_hang(clip)
    thigh, knee = clip.pick(72, 96), clip.pick(70, 105)
    clip.add(hip_flexion=thigh, hip_abduction=clip.pick(0, 16), hip_rotation=clip.pick(-8, 12))
    stretched = clip.happens(0.35)
    for side in "lr":
        straighter = clip.pick(0, 55) if stretched else clip.pick(-8, 8)
        clip.add(side, knee_flexion=knee - straighter + clip.wander(6), hip_abduction=clip.wander(4))
    recline = clip.pick(-18, 18) + clip.wander(5)
    clip.add(pelvis_flexion=-8 + 0.6 * recline, spine_flexion=clip.pick(5, 28) + 0.4 * recline)


def on_floor(clip: Clip) -> None:
    """On the floor: legs stretched, crossed, or knees drawn up."""
    arms_hang(clip)
    posture = (LEGS_STRETCHED, LEGS_CROSSED, KNEES_UP)[clip.rng.integers(3)]
    for side in "lr":
        clip.blend(posture, side, spread=4)
    if clip.happens(0.35):
        clip.blend(KNEES_UP, clip.hand, spread=4)
    clip.add(pelvis_flexion=clip.pick(-25, -5), spine_flexion=clip.pick(15, 45) + clip.wander(5))


def walk(clip: Clip, swing_arms: bool = True) -> None:
    """Walking at 0.8 to 1.6 m/s; each arm swings with the leg of the other side.

    Perry & Burnfield (2010), Gait Analysis: shoulders from 24 degrees of extension to 8 of flexion,
    pelvis turning by 5.
    """
    size = clip.vigour(0.7, 1.25)
    left = clip.phase(1.35 - 0.3 * size)
    arms_hang(clip)
    bow(clip, clip.pick(-4, 9) + clip.wander(2))
    arm_size = clip.vigour(0.4, 1.7)
    for side, phase in (("l", left), ("r", left + 0.5)):
        clip.add(side, hip_flexion=gait_angle("walk_hip", phase, size) - 2, knee_flexion=gait_angle("walk_knee", phase, size) + 6)
        if swing_arms:
            back = np.cos(2 * np.pi * phase)
            clip.add(side, shoulder_flexion=-6 - 17 * arm_size * back, elbow_flexion=8 - 10 * arm_size * back)
    turn = np.cos(2 * np.pi * left)
    clip.add(pelvis_twist=-5 * size * turn, spine_twist=10 * size * turn, pelvis_bend=-4 * size * np.sin(2 * np.pi * left))
    clip.add(hip_abduction=clip.pick(-2, 4), hip_rotation=clip.pick(0, 10))
    clip.speed += 1250.0 * size


def run(clip: Clip) -> None:
    """Running at 2.3 to 4 m/s with bent arms, and a flight in each step."""
    size = clip.vigour(0.7, 1.2)
    left = clip.phase(0.72)
    arms_hang(clip)
    bow(clip, clip.pick(4, 14))
    for side, phase in (("l", left), ("r", left + 0.5)):
        back = np.cos(2 * np.pi * (phase + 0.05))
        clip.add(
            side,
            hip_flexion=gait_angle("run_hip", phase, size) - 6,
            knee_flexion=gait_angle("run_knee", phase, size),
            shoulder_flexion=-12 - 32 * size * back,
            elbow_flexion=65 - 12 * back,
        )
    turn = np.cos(2 * np.pi * left)
    clip.add(pelvis_twist=-8 * turn, spine_twist=18 * turn, shoulder_abduction=6, shoulder_rotation=-10)
    clip.speed += 3200.0 * size
    flight = 0.45  # both feet are off the ground between toe-off at 40 % and the other side's heel strike at 50 %
    clip.lift += 35.0 * size * np.maximum(np.cos(4 * np.pi * (left - flight)), 0)


def squat(clip: Clip, depth: np.ndarray) -> None:
    """Bend the legs by `depth` (0 standing, 1 thighs level), trunk forward to keep the balance,
    heels near the ground."""
    clip.add(hip_flexion=80 * depth, knee_flexion=112 * depth, hip_abduction=8 * depth, hip_rotation=10 * depth)
    bow(clip, clip.pick(35, 60) * depth)


def stand_walk_or_sit(clip: Clip) -> None:
    """Stand, walk or sit: for what the hands do in any of these."""
    choice = clip.rng.random()
    if choice < 0.5:
        stand(clip)
    elif choice < 0.75:
        walk(clip, swing_arms=False)
    else:
        sit(clip)
        rest_on_thighs(clip)
