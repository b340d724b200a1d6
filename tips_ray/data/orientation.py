"""Whether poses stand and face as their file says: told from anatomy, before anything is trained.

Heads are above ankles, knees bend forwards and elbows backwards. Where y is not up, or left and
right are exchanged, the same anatomy would later choose the wrong sign for all depths.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from tips_ray.data.poseset import PoseSet
from tips_ray.data.raw import UP_AXES, turned
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS

ACCEPTED, REFUSED = 0.5, 0.2
"""Poses are refused if their fit (`Anatomy.fit`, -1 to 1) is below `REFUSED` and that of another
axis or of exchanged sides is above `ACCEPTED`. Measured: CMU 0.97 (its least subject, acrobatics
alone: 0.38), synthetic poses 0.97 (least subject 0.97); y down or sides exchanged -0.97 to -1.00, z
up unsaid -0.30."""

INVERTED = -0.5
"""One subject among others is refused if its fit is below this."""

MIN_POSES = 50
"""Fewer poses may all be of one odd posture, such as lying: nothing is refused."""

MIN_BEND = 0.05
"""A limb votes if its hinge is off the line between its ends by this share of the limb's length: it
is bent by about 11 degrees."""

MIN_VOTES = 20
MAX_POSES = 5000
"""Poses looked at of a set, and of each subject, evenly spaced."""


@dataclass(frozen=True)
class Anatomy:
    """How well poses agree with a standing body: 1 wholly, 0 not at all, -1 as its opposite."""

    upright: float
    """Mean cosine between up and the way from the ankles to the head."""
    legs: float | None
    """Signed share of the bends of knees that point forwards; None: too few knees are bent."""
    torso: float | None
    """Signed share of the bends of elbows that point backwards."""

    @property
    def fit(self) -> float:
        """The worse of what heads and what knees say; elbows alone may bend either way, as in
        CMU's clips of drumming."""
        return self.upright if self.legs is None else min(self.upright, self.legs)


def measure(positions: np.ndarray) -> Anatomy:
    """The anatomy of poses (frames, 17, 3) in any unit, y up."""
    joint = {name: positions[:, number].astype(float) for number, name in enumerate(JOINTS)}
    body = joint["head"] - (joint["l_ankle"] + joint["r_ankle"]) / 2
    upright = body[:, 1] / np.maximum(np.linalg.norm(body, axis=-1), 1e-9)
    legs = signed_share([limb_votes(joint, side, ("hip", "knee", "ankle")) for side in "lr"])
    arms = signed_share([-limb_votes(joint, side, ("shoulder", "elbow", "wrist")) for side in "lr"])
    return Anatomy(float(upright.mean()), legs, arms)


def limb_votes(joint: dict[str, np.ndarray], side: str, limb: tuple[str, str, str]) -> np.ndarray:
    """How far the hinge of a limb is forwards of the line between its ends (frames,), as a share of
    the limb's length; 0 for a limb that is hardly bent. As `poses.anatomy.bend`, which needs torch.
    """
    across = joint[f"l_{limb[0]}"] - joint[f"r_{limb[0]}"]
    facing = np.stack([-across[:, 2], np.zeros(len(across)), across[:, 0]], axis=-1)
    facing /= np.maximum(np.linalg.norm(facing, axis=-1, keepdims=True), 1e-9)
    root, hinge, end = (joint[f"{side}_{name}"] for name in limb)
    line = end - root
    along = ((hinge - root) * line).sum(-1, keepdims=True) / np.maximum((line**2).sum(-1, keepdims=True), 1e-12)
    bend = hinge - root - along * line
    length = np.linalg.norm(hinge - root, axis=-1) + np.linalg.norm(end - hinge, axis=-1)
    share = np.maximum(length, 1e-9)
    return np.where(np.linalg.norm(bend, axis=-1) > MIN_BEND * share, (bend * facing).sum(-1) / share, 0.0)


def signed_share(votes: list[np.ndarray]) -> float | None:
    """The sum of votes over the sum of their sizes; None for fewer than `MIN_VOTES`."""
    cast = np.concatenate(votes)
    cast = cast[cast != 0]
    return float(cast.sum() / np.abs(cast).sum()) if len(cast) >= MIN_VOTES else None


def check_orientation(poses: PoseSet, up: str, sides: str, as_stated: bool = True, insist: bool = False) -> tuple[str, ...]:
    """Cautions about axes and sides; `up` and `sides` are what the poses were read with,
    `as_stated` if the file says so itself.

    Raises UserError, which names the likely cure, for poses that fit clearly better otherwise, and
    for a subject that is the opposite of the others; with `insist` these are cautions.
    """
    sample = evenly(poses.positions)
    stated = measure(sample)
    fault = ""
    if len(poses) >= MIN_POSES and stated.fit < REFUSED:
        fault = likely_cure(sample, stated, up, sides)
    elif stated.fit >= REFUSED:
        fault = opposite_subject(poses)
    if fault and not insist:
        keep = f" To keep the poses as they are, give {options([f'up={up}'])}." if as_stated else ""
        raise UserError(f"{poses.name}: {fault}{keep}")
    return (fault,) if fault else other_cautions(stated)


def likely_cure(sample: np.ndarray, stated: Anatomy, up: str, sides: str) -> str:
    """How poses that do not fit as they were read should be read; empty if nothing fits clearly."""
    as_stored = np.empty_like(sample)
    axes, signs = UP_AXES[up]
    as_stored[..., axes] = sample * np.array(signs, dtype=sample.dtype)
    fits = {}
    for other_up, exchange in product(UP_AXES, (False, True) if stated.legs is not None else (False,)):
        fits[other_up, exchange] = measure(turned(as_stored, other_up, "swapped" if exchange else "named"))
    best = max(fits, key=lambda choice: fits[choice].fit)
    if fits[best].fit <= ACCEPTED:
        return ""
    cure = [f"up={best[0]}"] if best[0] != up else []
    cure += [f"sides={'named' if sides == 'swapped' else 'swapped'}"] if best[1] else []
    reason = ", so left and right are exchanged, or the poses are mirrored" if best[1] else ""
    return (
        f"read with up={up} and sides={sides}, the poses do not stand or face as people do ({describe(stated)}, of 1);"
        f" with {' and '.join(cure)} they do ({describe(fits[best])}){reason}."
        f" Give {options(cure)}."
    )


def opposite_subject(poses: PoseSet) -> str:
    """A sentence about the first subject whose poses are upside down or mirrored beside those of
    the others; empty if there is none."""
    for subject in poses.subjects:
        own = poses.positions[poses.subject == subject]
        if len(own) >= MIN_POSES and (anatomy := measure(evenly(own))).fit < INVERTED:
            return (
                f"subject {subject!r} is turned or mirrored beside the others ({describe(anatomy)})."
                " Repair its poses in the file."
            )
    return ""


def other_cautions(stated: Anatomy) -> tuple[str, ...]:
    """What cannot be told, or is odd, of poses that are not refused."""
    if stated.fit < REFUSED:
        return (
            f"It cannot be told whether axes and sides are right ({describe(stated)}); the depth sign may be chosen wrongly.",
        )
    if stated.legs is None:
        return ("It cannot be told whether left and right are right: knees are hardly bent.",)
    if stated.torso is not None and stated.torso < -REFUSED:
        return (f"Elbows bend forwards ({stated.torso:+.2f}); left and right arms may be exchanged.",)
    return ()


def describe(anatomy: Anatomy) -> str:
    """What was measured, in words: +1 wholly, -1 the opposite."""
    legs = "knees hardly bent" if anatomy.legs is None else f"knees forwards {anatomy.legs:+.2f}"
    torso = "" if anatomy.torso is None else f", elbows backwards {anatomy.torso:+.2f}"
    return f"heads above ankles {anatomy.upright:+.2f}, {legs}{torso}"


def options(changes: list[str]) -> str:
    """Changes as options of both commands."""
    return f"{' '.join('--' + change for change in changes)} (in a study {' '.join('--data.' + change for change in changes)})"


def evenly(positions: np.ndarray) -> np.ndarray:
    """At most `MAX_POSES` of the poses, evenly spaced."""
    return positions[np.linspace(0, len(positions) - 1, min(len(positions), MAX_POSES)).astype(int)]
