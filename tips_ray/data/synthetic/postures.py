"""What the arms do while the legs stand, walk or sit: hang, rest somewhere, talk."""

from tips_ray.data.synthetic.clip import Clip


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
PROPPED_BEHIND = arm(-22, 12, -4, 15)
COCKED = arm(10, 95, 75, 100)

IDLE = (ON_HIP, TO_BELLY, BEFORE_CHEST, CROSSED, TO_CHIN, BEHIND_HEAD)


def arms_hang(clip: Clip) -> None:
    """Arms at the sides, slightly bent and free to sway; the base that other arm postures blend
    from."""
    clip.add(shoulder_abduction=clip.pick(6, 18), shoulder_rotation=clip.pick(-30, 5), elbow_flexion=clip.pick(12, 35))
    for side in "lr":
        clip.add(side, shoulder_flexion=clip.pick(-6, 10) + clip.wander(5), elbow_flexion=clip.wander(6))


def idle_arm(clip: Clip, side: str) -> None:
    """What an arm with nothing to do does: mostly hang, sometimes rest somewhere."""
    if clip.happens(0.35):
        clip.blend(IDLE[clip.rng.integers(len(IDLE))], side, spread=10)


def rest_on_thighs(clip: Clip) -> None:
    """Hands on the thighs, as mostly when sitting."""
    for side in "lr":
        if clip.happens(0.7):
            clip.blend(ON_THIGH, side)


def gesture(clip: Clip, side: str) -> None:
    """Talk with a hand: beats before the body, now and then wide."""
    clip.blend(BEFORE_CHEST, side, weight=0.35 + 0.65 * clip.repeat(3.5), spread=14)
    clip.add(
        side,
        shoulder_rotation=clip.wander(22, 2.0),
        shoulder_abduction=clip.wander(12, 2.0),
        elbow_flexion=clip.wander(22, 2.0),
        shoulder_flexion=clip.wander(15, 2.0),
    )
