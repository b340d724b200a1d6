"""The plain format of keypoints: an .npz file with `keypoints` (frames, joints, 2) and
`joint_names`, read without pickle."""

from pathlib import Path

import numpy as np

from tips_ray.data.formats.npz import OPTIONAL as LABELS
from tips_ray.data.formats.npz import check_suffix, expand_clips, read_arrays, scalar, scalars, unread
from tips_ray.data.formats.opened import Opened
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.labels import clean_labels, clean_text
from tips_ray.data.rawkeypoints import RawClip, RawKeypoints
from tips_ray.errors import UserError
from tips_ray.poses.skeleton import JOINTS
from tips_ray.store.atomic import replacing

ACCEPTS = "an .npz file of keypoints"
REQUIRED = ("keypoints", "joint_names")
OPTIONAL = ("confidence", "visible", "missing", "frame", "image_size", "clip_image_size", "positions", *LABELS)


def detect(file: Opened) -> bool:
    """Whether the file has an array of keypoints."""
    return "keypoints" in file.keys


def read(file: Opened) -> RawKeypoints:
    """The file's keypoints, with its poses as those that are seen."""
    return read_keypoints(file.path)


def read_keypoints(path: Path) -> RawKeypoints:
    """Read keypoints from an .npz file of plain arrays.

    Required: `keypoints` (frames, joints, 2 or 3), NaN or 0 0 where a joint is missing, a third
    number being the confidence; `joint_names` (joints,). Optional: `confidence` or `visible`
    (frames, joints); `missing` (frames, joints), joints that were filled already, after which no
    confidence is too low; labels as in `read_npz`; `frame`, `image_size` (frames, 2) or (2,),
    `clip_image_size` (clips, 2); `positions` (frames, joints, 3), the poses that are seen, mm, in
    the frame of the camera; `up`, "-y" (default) or "y", of keypoints and positions; `sides`,
    `synthetic`. Raises UserError as `read_npz` does.
    """
    arrays, ignored = read_arrays(path, REQUIRED, OPTIONAL)
    points = arrays["keypoints"]
    if points.ndim != 3 or points.shape[2] not in (2, 3) or points.dtype.kind not in "fiu" or not len(points):
        raise UserError(
            f"{path}: 'keypoints' has shape {points.shape} of {points.dtype.name};"
            " give numbers (frames, joints, 2), at least one frame."
        )
    if "joint_names" not in arrays:
        raise UserError(
            f"{path}: no 'joint_names' in the file; give the names of its {points.shape[1]} joints, such as left_hip."
        )
    frames, joints = points.shape[:2]
    confidence = arrays.get(
        "confidence", arrays.get("visible", points[..., 2] if points.shape[2] == 3 else np.ones((frames, joints)))
    )
    clip, action = expand_clips(arrays, path)
    size = arrays.get("image_size")
    if size is None and "clip_image_size" in arrays:
        places = arrays.get("clip", np.zeros(0))
        sizes = arrays["clip_image_size"]
        if (
            places.dtype.kind not in "iu"
            or sizes.ndim != 2
            or not places.size
            or not 0 <= places.min() <= places.max() < len(sizes)
        ):
            raise UserError(f"{path}: 'clip_image_size' needs 'clip', a whole number (frames,) that points into it.")
        size = sizes[places]
    size = np.broadcast_to(size, (frames, 2)) if size is not None and size.shape == (2,) else size
    expected = {
        "confidence": (confidence, (frames, joints)),
        "image_size": (size, (frames, 2)),
        "frame": (arrays.get("frame"), (frames,)),
    }
    expected |= {
        "positions": (arrays.get("positions"), (frames, joints, 3)),
        "missing": (arrays.get("missing"), (frames, joints)),
    }
    for key, (array, shape) in expected.items():
        if array is not None and (array.shape != shape or array.dtype.kind not in "fiub"):
            raise UserError(f"{path}: {key!r} has shape {array.shape} of {array.dtype.name}; give numbers of shape {shape}.")
    frame = arrays.get("frame", np.zeros(0))
    if not ((np.abs(frame) <= 1e15) & (frame == np.round(frame))).all():
        raise UserError(f"{path}: 'frame' holds what is no number of a frame; give whole numbers.")
    labels = {"subject": arrays.get("subject"), "action": action, "clip": clip}
    cleaned = {key: None if values is None else clean_labels(values, key, frames) for key, values in labels.items()}
    clips = clips_of(arrays | {"keypoints": points[..., :2], "confidence": confidence}, cleaned, size, path.stem)
    return RawKeypoints(
        clips,
        scalars(np.ravel(arrays["joint_names"]), "joint_names", path),
        path.name,
        "plain keypoints",
        people=len({clip.subject or clip.clip for clip in clips}),
        up=clean_text(scalar(arrays, "up", "-y", path)),
        sides=clean_text(scalar(arrays, "sides", "named", path)),
        synthetic=bool(scalar(arrays, "synthetic", False, path)),
        notes=unread(ignored),
    )


def clips_of(
    arrays: dict[str, np.ndarray], labels: dict[str, np.ndarray | None], size: np.ndarray | None, name: str
) -> list[RawClip]:
    """The frames of each clip together, clips in the order in which they begin."""
    frames = len(arrays["keypoints"])
    names = labels["clip"]
    if names is None:
        given = [values for values in (labels["subject"], labels["action"]) if values is not None]
        names = np.array(["/".join(row) for row in zip(*given, strict=True)]) if given else np.full(frames, name)
    distinct, place = np.unique(names, return_inverse=True)
    order = np.argsort(place, kind="stable")
    clips = []
    for rows in sorted(np.split(order, np.cumsum(np.bincount(place))[:-1]), key=lambda rows: rows[0]):
        first = rows[0]
        width, height = (0, 0) if size is None else map(int, np.nan_to_num(size[first], posinf=0, neginf=0))
        clips.append(
            RawClip(
                arrays["keypoints"][rows],
                str(distinct[place[first]]),
                confidence=np.asarray(arrays["confidence"][rows], dtype=np.float32),
                frame=arrays["frame"][rows].astype(np.int64) if "frame" in arrays else None,
                subject="" if labels["subject"] is None else labels["subject"][first],
                action="" if labels["action"] is None else labels["action"][first],
                image_size=(width, height) if 0 < width < 1e6 and 0 < height < 1e6 else None,
                positions=arrays["positions"][rows] if "positions" in arrays else None,
                filled=arrays["missing"][rows].astype(bool) if "missing" in arrays else None,
            )
        )
    return clips


def write_keypoints(keypoints: KeypointSet, path: str | Path) -> None:
    """Write keypoints in the plain format, y down; `path` holds all of them or is left as it was.

    Raises as `write_npz`.
    """
    down = np.array([1, -1, -1], dtype=np.float32)
    arrays = {"image_size": keypoints.image_size, "positions": keypoints.positions}
    if keypoints.positions is not None:
        arrays["positions"] = keypoints.positions * down
    with replacing(check_suffix(path)) as file:
        np.savez_compressed(
            file,
            keypoints=keypoints.keypoints * down[:2],
            confidence=keypoints.confidence,
            missing=keypoints.missing,
            joint_names=np.array(JOINTS),
            subject=keypoints.subject,
            action=keypoints.action,
            clip=keypoints.clip,
            frame=keypoints.frame,
            up=np.array("-y"),
            synthetic=np.array(keypoints.synthetic),
            **{key: values for key, values in arrays.items() if values is not None},
        )
