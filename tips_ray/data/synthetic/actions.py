"""The named actions: each writes what a person does into a `Clip`."""

from collections.abc import Callable

import numpy as np

from tips_ray.data.synthetic.clip import Clip
from tips_ray.data.synthetic.stances import arms_hang, bow, on_floor, run, sit, squat, stand, walk


def arm(flexion: float, abduction: float, rotation: float, elbow: float) -> dict[str, float]:
    """An arm's posture in degrees."""
    return {"shoulder_flexion": flexion, "shoulder_abduction": abduction, "shoulder_rotation": rotation, "elbow_flexion": elbow}


TO_EAR = arm(75, 38, -10, 142)
TO_MOUTH = arm(58, -8, -38, 138)
TO_CHIN = arm(48, -18, -45, 138)
TO_BELLY = arm(8, 3, -42, 98)
ON_HIP = arm(-24, 24, -30, 84)
BEFORE_CHEST = arm(30, 10, -14, 100)
FORWARD = arm(84, 2, -4, 14)
SIDEWAYS = arm(15, 85, 10, 15)
RAISED_HAND = arm(42, 72, 62, 105)
OVERHEAD = arm(142, 35, 8, 30)
BEHIND_HEAD = arm(100, 118, 40, 145)
CROSSED = arm(14, -16, -54, 95)
ON_THIGH = arm(22, 4, -14, 62)
PROPPED_BEHIND = arm(-38, 12, -4, 20)
COCKED = arm(10, 95, 75, 100)

IDLE = (ON_HIP, TO_BELLY, BEFORE_CHEST, CROSSED, TO_CHIN, BEHIND_HEAD)


def idle_arm(clip: Clip, side: str) -> None:
    """What an arm with nothing to do does: mostly hang, sometimes rest somewhere."""
    if clip.chance(0.35):
        clip.blend(IDLE[clip.rng.integers(len(IDLE))], side, spread=10)


def anyhow(clip: Clip) -> None:
    """Stand, walk or sit: for what the hands do in any of these."""
    choice = clip.rng.random()
    if choice < 0.45:
        stand(clip)
    elif choice < 0.65:
        walk(clip, swing_arms=False)
    else:
        sit(clip)
        rest_on_thighs(clip)


def rest_on_thighs(clip: Clip) -> None:
    """Hands on the thighs, as mostly when sitting."""
    for side in "lr":
        if clip.chance(0.7):
            clip.blend(ON_THIGH, side)


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
    bow(clip, clip.pick(35, 60) * 4 * down * (1 - down) + clip.pick(-10, 15) * down)
    for side in "lr":
        clip.blend(ON_THIGH, side, weight=down * clip.pick(0.3, 1))


def on_the_floor(clip: Clip) -> None:
    """Sit on the floor, propped on a hand or with the hands on the knees."""
    on_floor(clip)
    for side in "lr":
        clip.blend(PROPPED_BEHIND if clip.chance(0.4) else arm(45, 5, -10, 30), side)


def kneeling(clip: Clip) -> None:
    """On one or both knees."""
    arms_hang(clip)
    for side, up in ((clip.hand, clip.chance(0.6)), (clip.other, False)):
        clip.blend({"hip_flexion": 84 if up else 4, "knee_flexion": 92 if up else 96, "hip_abduction": 8.0}, side, spread=5)
    bow(clip, clip.pick(0, 30) + clip.wander(8))
    clip.blend(BEFORE_CHEST if clip.chance(0.5) else ON_THIGH, clip.hand, clip.repeat(4.0), spread=18)
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
    bend = clip.pick(45, 85)
    bow(clip, bend * down)
    clip.blend(arm(bend + 10, 5, -10, 15), clip.hand, down)
    clip.blend(arm(bend, 5, -10, 15) if clip.chance(0.6) else ON_HIP, clip.other, down)
    clip.add(spine_twist=clip.pick(-20, 20) * down, neck_flexion=-15 * down)


def reaching(clip: Clip) -> None:
    """Reach out to somewhere within or just beyond arm's length, high, low or across, and come back."""
    stand(clip) if clip.chance(0.65) else sit(clip)
    out = clip.repeat(3.0)
    clip.blend(arm(clip.pick(35, 140), clip.pick(-25, 60), clip.pick(-30, 20), clip.pick(8, 45)), clip.hand, out, spread=15)
    across = clip.pick(-25, 25) * (1 if clip.hand == "l" else -1)
    clip.add(spine_twist=across * out, spine_bend=0.5 * across * out, **{f"{clip.hand}_girdle_protraction": 18 * out})
    bow(clip, clip.pick(-5, 35) * out)
    idle_arm(clip, clip.other)


def waving(clip: Clip) -> None:
    """Greet: a raised hand swings from side to side, or a whole arm overhead."""
    anyhow(clip)
    up = np.maximum(clip.repeat(5.0, hold=0.5), 0.15)
    clip.blend(RAISED_HAND if clip.chance(0.7) else OVERHEAD, clip.hand, up)
    swing = up * clip.wave(0.9) * clip.vigour()
    clip.add(**{f"{clip.hand}_shoulder_rotation": 22 * swing, f"{clip.hand}_shoulder_abduction": 12 * swing})
    idle_arm(clip, clip.other)


def phoning(clip: Clip) -> None:
    """A phone at the ear, standing, walking about or sitting; the other hand is free."""
    anyhow(clip)
    clip.blend(TO_EAR, clip.hand)
    clip.add(neck_bend=clip.pick(0, 18) * (1 if clip.hand == "l" else -1), neck_twist=clip.wander(15))
    gesture(clip, clip.other) if clip.chance(0.4) else idle_arm(clip, clip.other)


def gesture(clip: Clip, side: str) -> None:
    """Talk with a hand: beats before the body, now and then wide."""
    clip.blend(BEFORE_CHEST, side, weight=0.35 + 0.65 * clip.repeat(3.5), spread=14)
    clip.add(**{
        f"{side}_shoulder_rotation": clip.wander(22, 2.0),
        f"{side}_shoulder_abduction": clip.wander(12, 2.0),
        f"{side}_elbow_flexion": clip.wander(22, 2.0),
        f"{side}_shoulder_flexion": clip.wander(15, 2.0),
    })  # fmt: skip


def discussing(clip: Clip) -> None:
    """Talk with both hands, each on its own."""
    anyhow(clip)
    for side in "lr":
        gesture(clip, side)
    clip.add(spine_twist=clip.wander(9), neck_twist=clip.wander(15))


def eating(clip: Clip) -> None:
    """Bring food from a table to the mouth; the other hand lies on the table or holds something."""
    sit(clip) if clip.chance(0.7) else stand(clip)
    clip.blend(BEFORE_CHEST, clip.hand)
    bite = clip.repeat(3.2)
    clip.blend(TO_MOUTH, clip.hand, bite, spread=6)
    clip.blend(BEFORE_CHEST if clip.chance(0.6) else ON_THIGH, clip.other)
    clip.add(neck_flexion=clip.pick(5, 20) - 8 * bite)


def pointing(clip: Clip) -> None:
    """Show the way: an outstretched arm goes to one place after another, the head follows."""
    anyhow(clip)
    where = clip.pick(-20, 70) + clip.wander(25)
    out = clip.repeat(4.0, hold=0.5)
    clip.blend(arm(80, 0, 0, 14), clip.hand, out, spread=12)
    clip.add(**{f"{clip.hand}_shoulder_abduction": where * out})
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
    leg, arm_back = clip.hand, clip.other
    clip.add(**{
        f"{leg}_hip_flexion": 45 * size * np.maximum(swing, 0) - 25 * size * np.maximum(-swing, 0),
        f"{leg}_knee_flexion": 65 * size * np.maximum(-np.sin(phase - 0.5), 0) ** 2,
        f"{arm_back}_shoulder_flexion": 35 * size * swing,
        f"{leg}_shoulder_flexion": -25 * size * swing,
    })  # fmt: skip
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
    clip.add(**{f"{clip.other}_hip_flexion": 20 * release + 15 * cock, f"{clip.hand}_hip_flexion": -12 * release - 5 * cock})


def turning(clip: Clip) -> None:
    """Turn on the spot and look around."""
    stand(clip)
    clip.turning = clip.turning + clip.wander(70, period=5.0)
    step = clip.phase(1.2)
    for side, at in (("l", step), ("r", step + 0.5)):
        bend = 28 * np.maximum(np.sin(2 * np.pi * at), 0)
        clip.add(**{f"{side}_knee_flexion": bend, f"{side}_hip_flexion": bend / 2})
    look = clip.wander(28)
    clip.add(neck_twist=look, spine_twist=0.4 * look, neck_flexion=clip.wander(8))
    for side in "lr":
        idle_arm(clip, side)


def climbing(clip: Clip) -> None:
    """Climb a ladder: hands and feet reach up in turn."""
    arms_hang(clip)
    step, together = clip.phase(2.2), clip.chance(0.5)
    bow(clip, clip.pick(0, 15))
    for side, shift in (("l", 0.0), ("r", 0.5)):
        up = 0.5 + 0.5 * np.sin(2 * np.pi * (step + shift))
        high = up if together else 1 - up
        clip.add(**{f"{side}_hip_flexion": 8 + 55 * up, f"{side}_knee_flexion": 12 + 75 * up})
        clip.blend(arm(130, 10, 0, 40), side, high, spread=10)
        clip.blend(arm(65, 12, 0, 95), side, 1 - high, spread=10)
    clip.add(hip_abduction=clip.pick(4, 14), neck_flexion=-clip.pick(5, 25))


def jumping(clip: Clip) -> None:
    """Jump: jumping jacks, or squat jumps with the arms thrown up."""
    stand(clip)
    if clip.chance(0.5):
        out = 0.5 - 0.5 * np.cos(2 * np.pi * (phase := clip.phase(1.3)))
        clip.blend(SIDEWAYS if clip.chance(0.3) else arm(20, 145, 10, 20), "l", out)
        clip.blend(SIDEWAYS if clip.chance(0.3) else arm(20, 145, 10, 20), "r", out)
        clip.add(hip_abduction=22 * out)
        clip.lift += 90 * np.sin(2 * np.pi * phase) ** 2
        return
    phase = 2 * np.pi * clip.phase(1.8)
    squat(clip, 0.7 * np.maximum(-np.sin(phase), 0) ** 1.5)
    clip.lift += 280 * np.maximum(np.sin(phase), 0) ** 2
    for side in "lr":
        clip.blend(OVERHEAD if clip.chance(0.5) else FORWARD, side, weight=0.5 + 0.5 * np.sin(phase + 0.4))


ACTIONS: dict[str, Callable[[Clip], None]] = {
    action.__name__: action
    for action in (
        climbing, discussing, eating, jumping, kicking, kneeling, on_the_floor, phoning, pointing, reaching,
        running, sitting, sitting_down, squatting, stooping, stretching, throwing, turning, walking, waving,
    )
}  # fmt: skip
"""The actions by name."""
