"""A set of 3D poses with who, what and where each comes from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tips_ray.errors import UserError
from tips_ray.natural import natural_sorted
from tips_ray.poses.skeleton import JOINTS, ROOT

PLAUSIBLE_SIZE_MM = (300.0, 4000.0)
"""Range for the median extent of a pose (the diagonal of its box): an adult's is 1 to 2.5 m; one in
metres is not in it."""

UP_AXES = {"y": (0, 1, 2), "z": (1, 2, 0)}
"""For each accepted up axis, the stored axes that become x, y (up) and z."""


@dataclass(frozen=True)
class PoseSet:
    """3D poses in millimetres, right-handed world frame, y up; one entry a frame.

    positions: float32 (frames, 17, 3), joints in the order of `tips_ray.poses.skeleton.JOINTS`.
    subject, action, clip: str (frames,); a clip is one recording, its frames are in time order.
    name: where the poses come from; synthetic: True if no human was measured.
    """

    positions: np.ndarray
    subject: np.ndarray
    action: np.ndarray
    clip: np.ndarray
    name: str
    synthetic: bool = False

    def __post_init__(self) -> None:
        check_labels(check_positions(self.positions), subject=self.subject, action=self.action, clip=self.clip)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, in natural order."""
        return natural_sorted(self.subject.tolist())

    @property
    def actions(self) -> list[str]:
        """Names of the actions, in natural order."""
        return natural_sorted(self.action.tolist())

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


def make_poseset(
    positions: np.ndarray,
    name: str,
    joint_names: Sequence[str] = JOINTS,
    subject: np.ndarray | None = None,
    action: np.ndarray | None = None,
    clip: np.ndarray | None = None,
    up: str = "y",
    synthetic: bool = False,
) -> PoseSet:
    """Build a `PoseSet` from arrays in any joint order, with y or z up; labels left out become
    "all".

    Raises ValueError, saying what was given and what is accepted, for a wrong shape, unknown or
    missing joints, non-finite values, or sizes that are not millimetres.
    """
    positions = np.asarray(positions)
    if positions.dtype.kind not in "fiu":
        raise UserError(f"{name}: 'positions' holds {positions.dtype.name} values; give real numbers, in millimetres.")
    if positions.ndim != 3 or positions.shape[1:] != (len(joint_names), 3):
        raise UserError(
            f"{name}: 'positions' has shape {positions.shape} for {len(joint_names)} joint names;"
            f" give (frames, {len(JOINTS)}, 3), in millimetres."
        )
    order = joint_order(joint_names, name)
    if up not in UP_AXES:
        raise UserError(f"{name}: the up axis {up!r} is not known; give one of {', '.join(UP_AXES)}.")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which is refused below
        positions = positions[:, order][..., UP_AXES[up]].astype(np.float32)
    unlabelled = np.full(len(positions), "all")
    subject, action = (unlabelled if given is None else np.asarray(given).astype(str) for given in (subject, action))
    try:
        if clip is None:
            check_labels(len(positions), subject=subject, action=action)
            clip = np.strings.add(np.strings.add(subject, "/"), action)
        return PoseSet(positions, subject, action, np.asarray(clip).astype(str), name=name, synthetic=synthetic)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error


def joint_order(joint_names: Sequence[str], where: str) -> list[int]:
    """Indices that bring joints so named into storage order; raises ValueError for unknown,
    repeated or missing names."""
    names = [str(joint) for joint in joint_names]
    unknown = [joint for joint in names if joint not in JOINTS]
    missing = [joint for joint in JOINTS if names.count(joint) != 1]
    if unknown or missing:
        raise UserError(
            f"{where}: unknown joints: {', '.join(unknown) or 'none'}; missing or repeated: {', '.join(missing) or 'none'}."
            f" The skeleton has exactly {', '.join(JOINTS)}."
        )
    return [names.index(joint) for joint in JOINTS]


def check_labels(num_poses: int, **labels: np.ndarray) -> None:
    """Raise ValueError unless each array of labels has one entry for each pose."""
    for field, given in labels.items():
        if given.shape != (num_poses,):
            raise UserError(f"{field!r} has shape {given.shape}; give one entry for each of the {num_poses} poses.")


def check_positions(positions: np.ndarray) -> int:
    """Raise ValueError unless `positions` holds finite poses of human size in mm; returns their
    number."""
    shape = positions.shape
    if len(shape) != 3 or shape[1:] != (len(JOINTS), 3) or shape[0] == 0:
        raise UserError(f"'positions' has shape {shape}; give (frames, {len(JOINTS)}, 3) with at least one frame.")
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=(1, 2)))
    if len(bad):
        raise UserError(
            f"{len(bad)} of {shape[0]} poses hold NaN or infinity, the first is number {bad[0]}; leave those frames out."
        )
    sizes = np.linalg.norm(np.ptp(positions, axis=1), axis=-1)
    points = np.flatnonzero(sizes == 0)
    if len(points):
        raise UserError(
            f"{len(points)} of {shape[0]} poses have all joints at one point, the first is number {points[0]};"
            f" leave those frames out."
        )
    size = float(np.median(sizes))
    low, high = PLAUSIBLE_SIZE_MM
    if not low <= size <= high:
        unit = next((unit for unit, factor in {"metres": 1000, "centimetres": 10}.items() if low <= size * factor <= high), None)
        hint = f"they look like {unit}: multiply by {1000 if unit == 'metres' else 10}" if unit else "check the unit"
        raise UserError(f"The median pose is {size:.3g} across; positions are in millimetres ({low:.0f} to {high:.0f}), {hint}.")
    return shape[0]


def root_centred(positions: np.ndarray) -> np.ndarray:
    """Positions relative to the pelvis."""
    return positions - positions[..., ROOT : ROOT + 1, :]
