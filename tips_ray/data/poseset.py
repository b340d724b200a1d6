"""A set of 3D poses with who, what and where each comes from."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from tips_ray.errors import UserError
from tips_ray.natural import natural_sorted
from tips_ray.poses.skeleton import JOINTS, ROOT


@dataclass(frozen=True)
class Origin:
    """What was read, and what became of it."""

    format: str = ""
    """Name of the format."""
    frames: int = 0
    """Frames in the file."""
    people: int = 0
    """People seen in it: tracks where it has them, else the most in one frame of each clip."""
    left_out: tuple[tuple[str, int], ...] = ()
    """Why frames are not in the set, and how many."""
    derived: tuple[str, ...] = ()
    """Joints that the file lacks, such as "pelvis from l_hip and r_hip"."""


class Labelled:
    """Frames with labels, of poses or of keypoints."""

    subject: np.ndarray
    action: np.ndarray

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, in natural order."""
        return natural_sorted(self.subject.tolist())

    @property
    def actions(self) -> list[str]:
        """Names of the actions, in natural order."""
        return natural_sorted(self.action.tolist())


@dataclass(frozen=True)
class PoseSet(Labelled):
    """3D poses in millimetres, right-handed world frame, y up; one entry a frame.

    positions: float32 (frames, 17, 3), joints in the order of `tips_ray.poses.skeleton.JOINTS`.
    subject, action, clip: str (frames,); a clip is one recording, its frames are in time order.
    name: where the poses come from; synthetic: True if no human was measured; notes: sentences for
    the user about what was left out or ignored, and cautions.
    """

    positions: np.ndarray
    subject: np.ndarray
    action: np.ndarray
    clip: np.ndarray
    name: str
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        check_labels(check_positions(self.positions), subject=self.subject, action=self.action, clip=self.clip)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def fingerprint(self) -> str:
        """Hash of the poses and their labels: equal only for equal data, whatever file it was read
        from."""
        digest = hashlib.sha256(np.ascontiguousarray(self.positions, dtype="<f4").tobytes())
        for labels in (self.subject, self.action, self.clip):
            digest.update("\n".join(labels.tolist()).encode() + b"\0")
        return digest.hexdigest()[:16]

    def select(self, mask: np.ndarray) -> "PoseSet":
        """The poses for which `mask` (frames,) is true."""
        return replace(self, **{name: getattr(self, name)[mask] for name in ("positions", "subject", "action", "clip")})


def check_labels(num_poses: int, **labels: np.ndarray) -> None:
    """Raise UserError unless each array of labels has one entry for each pose."""
    for name, given in labels.items():
        if given.shape != (num_poses,):
            raise UserError(f"{name!r} has shape {given.shape}; give one entry for each of the {num_poses} poses.")


def check_positions(positions: np.ndarray) -> int:
    """Raise UserError unless `positions` holds finite poses; returns their number."""
    shape = positions.shape
    if len(shape) != 3 or shape[1:] != (len(JOINTS), 3) or shape[0] == 0:
        raise UserError(f"'positions' has shape {shape}; give (frames, {len(JOINTS)}, 3) with at least one frame.")
    if not np.isfinite(positions).all():
        raise UserError("'positions' hold NaN or infinity; leave those frames out.")
    return shape[0]


def root_centred(positions: np.ndarray) -> np.ndarray:
    """Positions relative to the pelvis."""
    return positions - positions[..., ROOT : ROOT + 1, :]
