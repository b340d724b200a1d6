"""The named actions: each writes what a person does into a `Clip`."""

from collections.abc import Callable

import numpy as np

from tips_ray.data.synthetic.clip import Clip
from tips_ray.data.synthetic.postures import (
    BEFORE_CHEST,
    BEHIND_HEAD,
    COCKED,
    FORWARD,
    ON_HIP,
    ON_THIGH,
    OVERHEAD,
    PROPPED_BEHIND,
    RAISED_HAND,
    SIDEWAYS,
    TO_EAR,
    TO_MOUTH,
    arm,
    arms_hang,
    gesture,
    idle_arm,
    rest_on_thighs,
)
from tips_ray.data.synthetic.stances import bow, on_floor, run, sit, squat, stand, stand_walk_or_sit, walk


def walking(clip: Clip) -> None:
    """Walk, arms swinging."""
    walk(clip)


def running(clip: Clip) -> None:
    """Run or jog."""
    run(clip)


def sitting(clip: Clip) -> None:
    """Sit on a chair and shift about."""
    sit(clip)
    rest_on_thighs(clip)
    idle_arm(clip, clip.other)
    clip.add(spine_twist=clip.wander(8), spine_bend=clip.wander(5), neck_twist=clip.wander(18))


def sitting_down(clip: Clip) -> None:
    """Sit down on a chair and rise again; the trunk comes forward on the way."""
    stand(clip)
    down = clip.repeat(6.0)
    clip.blend({"hip_flexion": clip.pick(78, 92), "knee_flexion": clip.pick(75, 100)}, "l", down, spread=4)
    clip.blend({"hip_flexion": clip.pick(78, 92), "knee_flexion": clip.pick(75, 100)}, "r", down, spread=4)
    bow(clip, clip.pick(20, 50) * 4 * down * (1 - down) + clip.pick(-10, 15) * down)
    for side in "lr":
        clip.blend(ON_THIGH, side, weight=down * clip.pick(0.3, 1))


def floor_sitting(clip: Clip) -> None:
    """Sit on the floor, propped on a hand or with the hands on the knees."""
    on_floor(clip)
    for side in "lr":
        clip.blend(PROPPED_BEHIND if clip.happens(0.4) else arm(45, 5, -10, 30), side)


def kneeling(clip: Clip) -> None:
    """On one or both knees."""
    arms_hang(clip)
    for side, up in ((clip.hand, clip.happens(0.6)), (clip.other, False)):
        clip.blend({"hip_flexion": 94 if up else 4, "knee_flexion": 97 if up else 96, "hip_abduction": 8.0}, side, spread=5)
    bow(clip, clip.pick(0, 30) + clip.wander(8))
    clip.blend(BEFORE_CHEST if clip.happens(0.5) else ON_THIGH, clip.hand, clip.repeat(4.0), spread=18)
    idle_arm(clip, clip.other)


def squatting(clip: Clip) -> None:
    """Squat and come up, arms forward as a counterweight."""
    stand(clip)
    depth = clip.repeat(4.0) * clip.pick(0.7, 1.15)
    squat(clip, depth)
    both = clip.pick(0.3, 1) * np.minimum(depth, 1)
    for side in "lr":
        clip.blend(FORWARD, side, weight=both)


def stooping(clip: Clip) -> None:
    """Pick something up from the floor: bend over with more or less bent knees, arms down to it."""
    stand(clip)
    down = clip.repeat(4.5)
    squat(clip, down * clip.pick(0.0, 0.6))
    bend = clip.pick(55, 105)
    bow(clip, bend * down)
    clip.blend(arm(bend + 10, 5, -10, 15), clip.hand, down)
    clip.blend(arm(bend, 5, -10, 15) if clip.happens(0.6) else ON_HIP, clip.other, down)
    clip.add(spine_twist=clip.pick(-20, 20) * down, neck_flexion=-15 * down)


def reaching(clip: Clip) -> None:
    """Reach out to somewhere within or just beyond arm's length, high, low or across, and come
    back."""
    stand(clip) if clip.happens(0.75) else sit(clip)
    out = clip.repeat(3.0)
    target = arm(clip.pick(35, 140), clip.pick(-25, 60), clip.pick(-30, 20), clip.pick(8, 45))
    clip.blend(target, clip.hand, out, spread=12)
    across = clip.pick(-25, 25) * (1 if clip.hand == "l" else -1)
    clip.add(spine_twist=across * out, spine_bend=0.5 * across * out)
    clip.add(clip.hand, girdle_protraction=18 * out)
    bow(clip, clip.pick(-5, 45) * out)
    if clip.happens(0.35):
        clip.blend(target, clip.other, out, spread=12)
    else:
        idle_arm(clip, clip.other)


def waving(clip: Clip) -> None:
    """Greet: a raised hand swings from side to side, or a whole arm overhead."""
    stand_walk_or_sit(clip)
    up = np.maximum(clip.repeat(5.0, hold=0.5), 0.15)
    clip.blend(RAISED_HAND if clip.happens(0.7) else OVERHEAD, clip.hand, up)
    swing = up * clip.wave(0.9) * clip.vigour()
    clip.add(clip.hand, shoulder_rotation=22 * swing, shoulder_abduction=12 * swing)
    idle_arm(clip, clip.other)


def phoning(clip: Clip) -> None:
    """A phone at the ear, standing, walking about or sitting; the other hand is free."""
    stand_walk_or_sit(clip)
    clip.blend(TO_EAR, clip.hand)
    clip.add(neck_bend=clip.pick(0, 18) * (1 if clip.hand == "l" else -1), neck_twist=clip.wander(15))
    gesture(clip, clip.other) if clip.happens(0.4) else idle_arm(clip, clip.other)


def discussing(clip: Clip) -> None:
    """Talk with both hands, each on its own."""
    stand_walk_or_sit(clip)
    for side in "lr":
        gesture(clip, side)
    clip.add(spine_twist=clip.wander(9), neck_twist=clip.wander(15))


def eating(clip: Clip) -> None:
    """Bring food from a table to the mouth; the other hand lies on the table or holds something."""
    sit(clip) if clip.happens(0.6) else stand(clip)
    clip.blend(BEFORE_CHEST, clip.hand)
    bite = clip.repeat(3.2)
    clip.blend(TO_MOUTH, clip.hand, bite, spread=6)
    clip.blend(BEFORE_CHEST if clip.happens(0.6) else ON_THIGH, clip.other)
    clip.add(neck_flexion=clip.pick(5, 20) - 8 * bite)


def pointing(clip: Clip) -> None:
    """Show the way: an outstretched arm goes to one place after another, the head follows."""
    stand_walk_or_sit(clip)
    where = clip.pick(-20, 70) + clip.wander(25)
    out = clip.repeat(4.0, hold=0.5)
    clip.blend(arm(80, 0, 0, 14), clip.hand, out, spread=12)
    clip.add(clip.hand, shoulder_abduction=where * out)
    outwards = 1 if clip.hand == "l" else -1
    clip.add(spine_twist=0.25 * outwards * where * out, neck_twist=0.5 * outwards * where * out)
    idle_arm(clip, clip.other)


def stretching(clip: Clip) -> None:
    """Arms up, out or behind the head; lean back and to the sides."""
    stand(clip)
    up = clip.repeat(5.0)
    target = (OVERHEAD, SIDEWAYS, BEHIND_HEAD)[clip.rng.integers(3)]
    for side in "lr":
        clip.blend(target, side, up, spread=12)
    bow(clip, -clip.pick(0, 22) * up)
    clip.add(spine_bend=clip.wander(16) * up, neck_flexion=-15 * up)


def kicking(clip: Clip) -> None:
    """Swing a leg back and kick, arms out for balance."""
    stand(clip)
    size = clip.vigour(0.7, 1.3)
    phase = 2 * np.pi * clip.phase(2.4)
    swing = np.sin(phase) ** 3
    clip.add(clip.hand, hip_flexion=size * np.where(swing > 0, 45, 25) * swing, shoulder_flexion=-25 * size * swing)
    clip.add(clip.hand, knee_flexion=65 * size * np.maximum(-np.sin(phase - 0.5), 0) ** 2)
    clip.add(clip.other, shoulder_flexion=35 * size * swing)
    clip.add(shoulder_abduction=clip.pick(5, 40) * np.abs(swing), elbow_flexion=15)
    bow(clip, -12 * size * swing)


def throwing(clip: Clip) -> None:
    """Throw overarm: the arm is cocked with the trunk turned away, then whips to the front."""
    stand(clip)
    outwards = 1 if clip.hand == "l" else -1
    phase = 2 * np.pi * clip.phase(2.8)
    cock, release = np.maximum(np.sin(phase), 0) ** 2, np.maximum(np.sin(phase - 1.6), 0) ** 2
    clip.blend(COCKED, clip.hand, cock)
    clip.blend(arm(95, 15, 10, 25), clip.hand, release)
    clip.blend(FORWARD, clip.other, 0.8 * cock)
    clip.add(spine_twist=outwards * (28 * cock - 25 * release))
    bow(clip, 25 * release - 8 * cock)
    clip.add(clip.other, hip_flexion=20 * release + 15 * cock)
    clip.add(clip.hand, hip_flexion=-12 * release - 5 * cock)


def turning(clip: Clip) -> None:
    """Turn on the spot and look around."""
    stand(clip)
    clip.turning = clip.turning + clip.wander(70, period=5.0)
    step = clip.phase(1.2)
    for side, at in (("l", step), ("r", step + 0.5)):
        bend = 28 * np.maximum(np.sin(2 * np.pi * at), 0)
        clip.add(side, knee_flexion=bend, hip_flexion=bend / 2)
    look = clip.wander(28)
    clip.add(neck_twist=look, spine_twist=0.4 * look, neck_flexion=clip.wander(8))
    for side in "lr":
        idle_arm(clip, side)


def climbing(clip: Clip) -> None:
    """Climb a ladder: hands and feet reach up in turn."""
    arms_hang(clip)
    step, together = clip.phase(2.2), clip.happens(0.5)
    bow(clip, clip.pick(0, 15))
    for side, shift in (("l", 0.0), ("r", 0.5)):
        up = 0.5 + 0.5 * np.sin(2 * np.pi * (step + shift))
        high = up if together else 1 - up
        clip.add(side, hip_flexion=8 + 55 * up, knee_flexion=12 + 75 * up)
        clip.blend(arm(130, 10, 0, 40), side, high, spread=10)
        clip.blend(arm(65, 12, 0, 95), side, 1 - high, spread=10)
    clip.add(hip_abduction=clip.pick(4, 14), neck_flexion=-clip.pick(5, 25))


def jumping(clip: Clip) -> None:
    """Jump: jumping jacks, or squat jumps with the arms thrown up."""
    stand(clip)
    if clip.happens(0.5):
        phase = 2 * np.pi * clip.phase(1.3)
        arms, out = arm(20, 145, 10, 20), 0.5 - 0.5 * np.cos(phase)
        clip.add(hip_abduction=22 * out)
        clip.lift += 90 * np.sin(phase) ** 2
    else:
        phase = 2 * np.pi * clip.phase(1.8)
        arms, out = OVERHEAD if clip.happens(0.5) else FORWARD, 0.5 + 0.5 * np.sin(phase + 0.4)
        squat(clip, 0.7 * np.maximum(-np.sin(phase), 0) ** 1.5)
        clip.lift += 280 * np.maximum(np.sin(phase), 0) ** 2
    for side in "lr":
        clip.blend(arms, side, out)


ACTIONS: dict[str, Callable[[Clip], None]] = {
    action.__name__: action
    for action in (
        climbing, discussing, eating, jumping, kicking, kneeling, floor_sitting, phoning, pointing, reaching,
        running, sitting, sitting_down, squatting, stooping, stretching, throwing, turning, walking, waving,
    )
}  # fmt: skip
"""The actions by name."""
