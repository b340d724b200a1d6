"""A clip in the making: its clock, its chance, and the joint angles that an action writes."""

from collections.abc import Mapping

import numpy as np

from tips_ray.data.synthetic.body import Subject
from tips_ray.data.synthetic.kinematics import LIMITS, limited

FRAMES_PER_SECOND = 25

NUM_WAVES = 4
"""Sines in a smooth noise."""

STILLNESS = {"hip_flexion": 0.5, "hip_abduction": 0.5, "knee_flexion": 0.5, "pelvis": 0.35, "spine": 0.6}
"""Factors on the smooth noise of joints that carry the body; all others have 1."""

OFFSET_DEGREES = 4.0
NOISE_DEGREES = 6.0
"""Standard deviations of each joint angle from clip to clip, and within a clip, beside what the
action itself varies."""


class Clip:
    """One action of one subject: actions fill `angles` (degrees), `speed` (mm/s), `turning`
    (degrees) and `lift` (mm).

    Legs are posed against the upright: a pelvis that is tilted afterwards does not take them along.
    """

    def __init__(self, rng: np.random.Generator, num_frames: int, subject: Subject) -> None:
        """A clip of `num_frames` in which the subject stands still; all chance comes from `rng`."""
        self.rng = rng
        self.subject = subject
        self.time = np.arange(num_frames) / FRAMES_PER_SECOND
        self.angles = {name: np.zeros(num_frames) for name in LIMITS}
        self.speed = np.zeros(num_frames)
        self.lift = np.zeros(num_frames)
        self.hand, self.other = ("r", "l") if rng.random() < 0.7 else ("l", "r")
        self.turning = self.wander(12.0, period=6.0)

    def pick(self, low: float, high: float) -> float:
        """A number for the whole clip."""
        return float(self.rng.uniform(low, high))

    def vigour(self, low: float = 0.75, high: float = 1.25) -> float:
        """A factor on the size of a movement: the subject's and the clip's."""
        return self.subject.vigour * self.pick(low, high)

    def happens(self, probability: float) -> bool:
        """True in this share of clips."""
        return bool(self.rng.random() < probability)

    def wander(self, sd: float, period: float = 3.0) -> np.ndarray:
        """Smooth noise about zero: a few sines no faster than two a `period` (seconds), of random
        size and phase."""
        turns = self.rng.uniform(0.3, 2.0, NUM_WAVES) / period * self.time[:, None] + self.rng.random(NUM_WAVES)
        return np.sin(2 * np.pi * turns) @ self.rng.normal(0.0, sd * np.sqrt(2 / NUM_WAVES), NUM_WAVES)

    def phase(self, period: float) -> np.ndarray:
        """Turns completed by a cycle of about this many seconds, from a random start and with an
        uneven tempo."""
        return self.rng.random() + self.subject.pace / period * self.time + self.wander(0.03, 2 * period)

    def wave(self, period: float) -> np.ndarray:
        """An uneven oscillation between -1 and 1."""
        return np.sin(2 * np.pi * self.phase(period))

    def repeat(self, period: float, hold: float = 0.3) -> np.ndarray:
        """A movement made and undone, over and over: 0 to 1 and back, at rest at both ends for the
        share `hold` of the time."""
        triangle = 1 - np.abs(2 * (self.phase(period) % 1) - 1)
        rise = np.clip((triangle - hold / 2) / (1 - hold), 0, 1)
        return rise * rise * (3 - 2 * rise)

    def add(self, side: str = "", /, **degrees: np.ndarray | float) -> None:
        """Add to angles of the left ("l") or right ("r") side; without a side to those of the
        trunk, or of both sides alike."""
        for name, value in degrees.items():
            both = (name,) if name in LIMITS else (f"l_{name}", f"r_{name}")
            for full in (f"{side}_{name}",) if side else both:
                self.angles[full] = self.angles[full] + value

    def blend(self, target: Mapping[str, float], side: str = "", weight: np.ndarray | float = 1.0, spread: float = 8.0) -> None:
        """Move angles towards a posture by `weight` (0 to 1).

        The posture differs by `spread` degrees from clip to clip, and half as much within one.
        """
        for name, value in target.items():
            full = f"{side}_{name}" if side else name
            goal = value + self.rng.normal(0.0, spread) + self.wander(spread / 2)
            self.angles[full] = (1 - weight) * self.angles[full] + weight * goal

    def settle(self) -> dict[str, np.ndarray]:
        """The final angles: noise and the subject's posture added, the legs held against the
        upright, all within limits."""
        angles = {}
        for name, values in self.angles.items():
            still = next((factor for part, factor in STILLNESS.items() if part in name), 1.0)
            offset = self.subject.posture[name] + self.rng.normal(0.0, OFFSET_DEGREES)
            angles[name] = values + still * (offset + self.wander(NOISE_DEGREES, period=2.5))
        for side, outwards in (("l", 1.0), ("r", -1.0)):
            angles[f"{side}_hip_flexion"] = angles[f"{side}_hip_flexion"] + angles["pelvis_flexion"]
            angles[f"{side}_hip_abduction"] = angles[f"{side}_hip_abduction"] + outwards * angles["pelvis_bend"]
        return limited(angles)
