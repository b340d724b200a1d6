"""A set of 2D keypoints with who, what and where each comes from, and maybe the 3D poses they are
of."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from tips_ray.data.poseset import Labelled, Origin, check_labels, check_positions
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS

PER_FRAME = ("keypoints", "confidence", "missing", "subject", "action", "clip", "frame", "image_size")


@dataclass(frozen=True)
class KeypointSet(Labelled):
    """2D keypoints, in pixels or any unit; one entry a frame.

    keypoints: float32 (frames, 17, 2), joints in the order of `tips_ray.poses.skeleton.JOINTS`, x
    to the right, **y up**. Images have y down: it is turned by its sign as a file is read, so that
    an image reaches from y = 0 at its top to y = -height.
    confidence: float32 (frames, 17), 0 to 1; 1 where a file says nothing.
    missing: bool (frames, 17), joints that the file misses; their keypoints are between those of
    the neighbouring frames of the clip, and their confidence is 0.
    subject, action, clip: str (frames,); a clip is one person in one recording, its frames are in
    time order. frame: int64 (frames,), numbers of the frames in their recording.
    image_size: int32 (frames, 2), width and height; 0 0 where unknown.
    positions: float32 (frames, 17, 3), the poses that are seen, in the frame of their camera, mm, y
    up (x to the right, z towards the camera); None: keypoints alone.
    name, synthetic, notes: as of a `PoseSet`.
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    missing: np.ndarray
    subject: np.ndarray
    action: np.ndarray
    clip: np.ndarray
    frame: np.ndarray
    image_size: np.ndarray
    name: str
    positions: np.ndarray | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        frames = len(self.keypoints)
        if not frames or self.keypoints.shape != (frames, len(JOINTS), 2) or not np.isfinite(self.keypoints).all():
            raise UserError(
                f"'keypoints' has shape {self.keypoints.shape};"
                f" give finite ones, (frames, {len(JOINTS)}, 2), with at least one frame."
            )
        for name in ("confidence", "missing"):
            if getattr(self, name).shape != (frames, len(JOINTS)):
                raise UserError(f"{name!r} has shape {getattr(self, name).shape}; give ({frames}, {len(JOINTS)}).")
        check_labels(frames, subject=self.subject, action=self.action, clip=self.clip, frame=self.frame)
        if self.positions is not None and check_positions(self.positions) != frames:
            raise UserError(f"there are {len(self.positions)} 'positions' for {frames} frames of 'keypoints'.")

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def fingerprint(self) -> str:
        """Hash of the keypoints, the poses and their labels: equal only for equal data, whatever
        file it was read from."""
        digest = hashlib.sha256(np.ascontiguousarray(self.keypoints, dtype="<f4").tobytes())
        numbers = [(self.confidence, "<f4"), (self.missing, "?"), (self.frame, "<i8"), (self.image_size, "<i4")]
        numbers += [] if self.positions is None else [(self.positions, "<f4")]
        for array, kind in numbers:
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        for labels in (self.subject, self.action, self.clip):
            digest.update("\n".join(labels.tolist()).encode() + b"\0")
        return digest.hexdigest()[:16]

    def select(self, mask: np.ndarray) -> "KeypointSet":
        """The frames for which `mask` (frames,) is true."""
        chosen = {name: getattr(self, name)[mask] for name in PER_FRAME}
        return replace(self, **chosen, positions=None if self.positions is None else self.positions[mask])
