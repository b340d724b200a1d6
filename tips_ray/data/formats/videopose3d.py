"""What VideoPose3D keeps: Human3.6M's 3D poses (`data_3d_h36m.npz`), and keypoints by subject,
action and camera (`data_2d_h36m_*.npz`, `data_2d_custom_*.npz`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tips_ray.data.formats.human36m import CAMERA_IDS, CAMERAS_SHAPE, Camera, image_size, read_cameras
from tips_ray.data.formats.opened import Opened, floats
from tips_ray.data.joint_sets import COCO, DETECTED, HUMAN36M, HUMAN36M_32_USED
from tips_ray.data.labels import clean_text
from tips_ray.data.raw import RawPoses
from tips_ray.data.rawkeypoints import RawClip, RawKeypoints
from tips_ray.errors import UserError

ACCEPTS = "VideoPose3D's data_3d_*.npz or data_2d_*.npz"
POSES, KEYPOINTS = "positions_3d", "positions_2d"
POSES_FILE, CAMERAS_FILE = "data_3d_h36m.npz", "h36m_cameras.json"
"""Read if it lies beside the keypoints and no other file is named."""


def detect(file: Opened) -> bool:
    """Whether the file has VideoPose3D's arrays."""
    return bool(file.keys & {POSES, KEYPOINTS})


def read(file: Opened) -> RawPoses | RawKeypoints:
    """The poses in mm, z up; or the keypoints, paired with the poses in `data_3d_h36m.npz` beside
    them where Human3.6M's cameras are given."""
    return read_poses(file) if POSES in file.keys else read_keypoints(file)


def read_poses(file: Opened) -> RawPoses:
    """Human3.6M's poses, world frame, z up, metres in the file."""
    clips = list(poses_of(file))
    if not clips:
        raise UserError(f"{file.path}: no poses in it.")
    taken = [positions[:: file.reading.every_nth] for *_, positions in clips]
    lengths = [len(positions) for positions in taken]
    return RawPoses(
        np.concatenate(taken),
        file.name,
        format="VideoPose3D poses",
        up="z",
        subject=np.repeat([subject for subject, _, _ in clips], lengths),
        action=np.repeat([action for _, action, _ in clips], lengths),
        clip=np.repeat([f"{subject}/{action}" for subject, action, _ in clips], lengths),
    )


def poses_of(file: Opened) -> Iterator[tuple[str, str, np.ndarray]]:
    """Subject, action and poses (frames, 17, 3) of each clip, mm, world frame, z up."""
    for subject, actions in nested(file.item(POSES), file):
        for action, values in nested(actions, file):
            array = float_array(values, f"{file.path}: {subject} {action}")
            if array.ndim != 3 or array.shape[1] not in (17, 32) or array.shape[2] not in (3, 4):
                raise UserError(f"{file.path}: {subject} {action} has shape {array.shape}; VideoPose3D has (frames, 32, 3).")
            used = list(HUMAN36M_32_USED) if array.shape[1] == 32 else slice(None)
            yield subject, action, array[:, used, :3].astype(np.float32) * np.float32(1000)


def read_keypoints(file: Opened) -> RawKeypoints:
    """Keypoints of each subject, action and camera, in pixels, y down."""
    metadata = file.item("metadata") if "metadata" in file.keys else {}
    metadata = metadata if isinstance(metadata, dict) else {}
    layout, sizes = clean_text(metadata.get("layout_name", "")), metadata.get("video_metadata", {})
    poses, cameras, notes = beside(file)
    clips: list[RawClip] = []
    for subject, actions in nested(file.item(KEYPOINTS), file):
        for action, views in nested(actions, file):
            several = isinstance(views, list | tuple) or (isinstance(views, np.ndarray) and views.dtype.hasobject)
            views = list(views) if several else [views]
            for number, view in enumerate(views):
                array = float_array(view, f"{file.path}: {subject} {action}")
                if array.ndim != 3 or array.shape[2] not in (2, 3):
                    raise UserError(f"{file.path}: {subject} {action} has shape {array.shape}; give (frames, joints, 2).")
                camera = camera_of(cameras, subject, number, file)
                seen = poses.get((subject, action))
                if seen is not None and camera is not None:
                    array = array[: len(seen)]  # detections may go on after the last pose
                    seen = seen[: len(array)]
                name = camera.name if camera else CAMERA_IDS[number] if layout == "h36m" and number < 4 else str(number)
                size = sizes.get(subject) if isinstance(sizes, dict) else None
                clips.append(
                    RawClip(
                        array[..., :2],
                        f"{subject}/{action}/{name}" if len(views) > 1 else f"{subject}/{action}",
                        confidence=array[..., 2] if array.shape[2] == 3 else None,
                        subject=subject,
                        action="" if action == "custom" else action,
                        image_size=size_of(size) or (camera.resolution if camera else image_size(name)),
                        positions=camera.sees(seen) if camera is not None and seen is not None else None,
                    )
                )
    joints = {clip.keypoints.shape[1] for clip in clips}
    if len(joints) != 1:
        raise UserError(
            f"{file.path}: clips have {', '.join(map(str, sorted(joints))) or 'no'} joints; give one number of joints."
        )
    (number,) = joints
    names = HUMAN36M if layout == "h36m" and number == 17 else COCO if layout == "coco" and number == 17 else DETECTED.get(number)
    if not layout and number == 17:
        notes = (*notes, "The file names no layout; COCO's 17 joints are assumed.")
    names = names or [str(joint) for joint in range(number)]
    return RawKeypoints(clips, names, file.name, f"VideoPose3D keypoints ({layout or 'no'} layout)", people(clips), notes=notes)


def beside(file: Opened) -> tuple[dict[tuple[str, str], np.ndarray], dict[str, list[Camera]], tuple[str, ...]]:
    """Poses and cameras that lie beside a file of Human3.6M's keypoints, and what is to be said of
    them."""
    poses_path = file.path.with_name(POSES_FILE)
    if "h36m" not in file.path.name or not poses_path.is_file():
        return {}, {}, ()
    path = cameras_path(file)
    if not path.is_file() and file.reading.cameras is None:
        note = f"The 3D poses in {poses_path.name} are not paired: give the cameras with --cameras FILE, {CAMERAS_SHAPE}."
        return {}, {}, (note,)
    poses = {(subject, action): positions for subject, action, positions in poses_of(Opened(poses_path))}
    return (
        poses,
        read_cameras(path),
        (f"Keypoints are paired with the poses in {poses_path.name}, by the cameras in {path.name}.",),
    )


def cameras_path(file: Opened) -> Path:
    """The user's file of cameras, or where it is looked for."""
    return file.reading.cameras or file.path.with_name(CAMERAS_FILE)


def read_in_cameras(file: Opened) -> RawKeypoints:
    """Human3.6M's poses in the frame of each camera, y down, and as their keypoints x and y there,
    in mm: what the paper calls ground truth needs no file of keypoints."""
    path = cameras_path(file)
    cameras, clips = read_cameras(path), []
    for subject, action, positions in poses_of(file):
        for number in range(max(1, len(cameras.get(subject, ())))):
            camera = camera_of(cameras, subject, number, file)
            assert camera is not None
            seen = camera.sees(positions)
            clips.append(
                RawClip(seen[..., :2], f"{subject}/{action}/{camera.name}", subject=subject, action=action, positions=seen)
            )
    note = f"There is no file of keypoints: x and y of the poses stand for them, in the frames of the cameras in {path.name}."
    return RawKeypoints(clips, HUMAN36M, file.name, "VideoPose3D poses in their cameras", people(clips), notes=(note,))


def camera_of(cameras: dict[str, list[Camera]], subject: str, number: int, file: Opened) -> Camera | None:
    """The camera of a view; None if no cameras are given."""
    if not cameras:
        return None
    if number >= len(cameras.get(subject, [])):
        raise UserError(f"{file.path}: no camera {number + 1} of {subject} in the file of cameras; give {CAMERAS_SHAPE}.")
    return cameras[subject][number]


def nested(value: Any, file: Opened) -> list[tuple[str, Any]]:
    """Names and values of a dict; raises UserError for anything else."""
    if not isinstance(value, dict):
        raise UserError(f"{file.path}: not {{subject: {{action: array}}}} as VideoPose3D has it; write the file again.")
    return [(clean_text(key), entry) for key, entry in value.items()]


def float_array(value: Any, what: str) -> np.ndarray:
    """An array of real numbers, as it is if it is one."""
    if isinstance(value, np.ndarray) and value.dtype in (np.float32, np.float64):
        return value
    return floats(value, what)


def size_of(size: Any) -> tuple[int, int] | None:
    """Width and height of a video's metadata, {"w": 1000, "h": 800}."""
    try:
        return int(size["w"]), int(size["h"])
    except (TypeError, KeyError, ValueError):
        return None


def people(clips: list[RawClip]) -> int:
    """How many subjects the clips have."""
    return len({clip.subject for clip in clips})
