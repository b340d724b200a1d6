"""What the legs and trunk do: standing, sitting, walking, ... Actions put arms on top."""

import numpy as np

from tips_ray.data.synthetic.clip import Clip
from tips_ray.data.synthetic.gait import gait_angle

GRAVITY = 9810.0


def arms_hang(clip: Clip) -> None:
    """Arms at the sides, slightly bent and free to sway; the base that other arm postures blend from."""
    clip.add(shoulder_abduction=clip.pick(6, 18), shoulder_rotation=clip.pick(-30, 5), elbow_flexion=clip.pick(12, 35))
    for side in "lr":
        clip.add(**{f"{side}_shoulder_flexion": clip.pick(-6, 10) + clip.wander(5), f"{side}_elbow_flexion": clip.wander(6)})


def stand(clip: Clip) -> None:
    """On both feet: weight moves from leg to leg, the relieved knee bends, one foot may be ahead."""
    arms_hang(clip)
    shift = clip.pick(-0.7, 0.7) + clip.wander(0.5)  # positive: on the left leg
    crouch = np.abs(clip.pick(0, 12) + clip.wander(4))
    stagger = clip.pick(-12, 12)
    clip.add(pelvis_bend=-4 * shift, spine_bend=4 * shift)
    for side, sign in (("l", 1), ("r", -1)):
        bend = crouch + 22 * np.maximum(-sign * shift, 0)
        clip.add(**{f"{side}_knee_flexion": bend, f"{side}_hip_flexion": bend / 2 + sign * stagger})
    clip.add(hip_abduction=clip.pick(0, 12), hip_rotation=clip.pick(0, 20))
    bow(clip, clip.pick(-2, 6) + clip.wander(3))


def bow(clip: Clip, degrees: np.ndarray | float) -> None:
    """Lean the trunk forward: half in the hips, half in the spine."""
    clip.add(pelvis_flexion=np.multiply(degrees, 0.5), spine_flexion=np.multiply(degrees, 0.5))


def sit(clip: Clip) -> None:
    """On a chair: upright, slumped or leaning forward; feet under, before, apart or one leg stretched out."""
    arms_hang(clip)
    thigh, knee = clip.pick(72, 96), clip.pick(70, 105)
    clip.add(hip_flexion=thigh, hip_abduction=clip.pick(0, 16), hip_rotation=clip.pick(-8, 12))
    stretched = clip.chance(0.35)
    for side in "lr":
        straighter = clip.pick(0, 55) if stretched else clip.pick(-8, 8)
        clip.add(**{f"{side}_knee_flexion": knee - straighter + clip.wander(6), f"{side}_hip_abduction": clip.wander(4)})
    recline = clip.pick(-18, 18) + clip.wander(5)
    clip.add(pelvis_flexion=-8 + 0.6 * recline, spine_flexion=clip.pick(5, 28) + 0.4 * recline)


def on_floor(clip: Clip) -> None:
    """On the floor: legs stretched, crossed, or knees drawn up."""
    arms_hang(clip)
    way = clip.rng.integers(3)
    hip, knee, apart, turned = ((84, 12, 10, 5), (80, 125, 36, 38), (118, 105, 8, 0))[way]
    clip.blend({"hip_flexion": hip, "knee_flexion": knee, "hip_abduction": apart, "hip_rotation": turned}, "l", spread=6)
    clip.blend({"hip_flexion": hip, "knee_flexion": knee, "hip_abduction": apart, "hip_rotation": turned}, "r", spread=6)
    if clip.chance(0.35):  # one leg otherwise than the other
        clip.blend({"hip_flexion": 112, "knee_flexion": 110, "hip_abduction": 8, "hip_rotation": 0}, clip.hand, spread=6)
    clip.add(pelvis_flexion=clip.pick(-25, 5), spine_flexion=clip.pick(10, 40) + clip.wander(5))


def walk(clip: Clip, swing_arms: bool = True) -> None:
    """Walking at 0.8 to 1.6 m/s; each arm swings with the leg of the other side.

    Arms and pelvis: Perry & Burnfield (2010), Gait Analysis: shoulder 24 degrees of extension to 8 of flexion, pelvis turning by 5.
    """
    size = clip.vigour(0.7, 1.25)
    left = clip.phase(1.35 - 0.3 * size)
    arms_hang(clip)
    bow(clip, clip.pick(-3, 7) + clip.wander(2))
    arm_size = clip.vigour(0.4, 1.7)
    for side, phase in (("l", left), ("r", left + 0.5)):
        clip.add(**{
            f"{side}_hip_flexion": gait_angle("walk_hip", phase, size) - 5,
            f"{side}_knee_flexion": gait_angle("walk_knee", phase, size),
        })  # fmt: skip
        if swing_arms:
            back = np.cos(2 * np.pi * phase)
            clip.add(**{f"{side}_shoulder_flexion": -6 - 17 * arm_size * back, f"{side}_elbow_flexion": 8 - 10 * arm_size * back})
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
        clip.add(**{
            f"{side}_hip_flexion": gait_angle("run_hip", phase, size) - 6,
            f"{side}_knee_flexion": gait_angle("run_knee", phase, size),
            f"{side}_shoulder_flexion": -12 - 32 * size * back,
            f"{side}_elbow_flexion": 65 - 12 * back,
        })  # fmt: skip
    turn = np.cos(2 * np.pi * left)
    clip.add(pelvis_twist=-8 * turn, spine_twist=18 * turn, shoulder_abduction=6, shoulder_rotation=-10)
    clip.speed += 3200.0 * size
    clip.lift += 35.0 * size * np.maximum(-np.cos(4 * np.pi * (left - 0.18)), 0)  # off the ground after each toe-off, at 40 % of the cycle


def squat(clip: Clip, depth: np.ndarray) -> None:
    """Bend the legs by `depth` (0 standing, 1 thighs level), trunk forward to keep the balance, heels near the ground."""
    clip.add(hip_flexion=80 * depth, knee_flexion=112 * depth, hip_abduction=8 * depth, hip_rotation=10 * depth)
    bow(clip, clip.pick(35, 60) * depth)


def jump(clip: Clip, effort: np.ndarray) -> None:
    """Leave the ground by 25 cm times `effort` (0 to 1)."""
    clip.lift += 250.0 * np.maximum(effort, 0)
