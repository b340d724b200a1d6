"""The protocols of the paper's Tables 1 and 2: which files, subjects, frames and 2D keypoints of
Human3.6M and MPI-INF-3DHP are trained and tested on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tips_ray.config import FileReading, Reading
from tips_ray.data.formats import h36m_fetch
from tips_ray.data.formats.mmpose_npz import HUMAN36M_IMAGE
from tips_ray.data.formats.opened import Opened
from tips_ray.data.formats.videopose3d import CAMERAS_FILE, KEYPOINTS, POSES, POSES_FILE, cameras_path, read_in_cameras
from tips_ray.data.keypointset import PER_FRAME, KeypointSet
from tips_ray.data.labels import clean_text
from tips_ray.data.load import keypoints_as_stated, load_any, load_keypoints
from tips_ray.data.poseset import PoseSet
from tips_ray.errors import UserError

TRAIN, TEST = ("S1", "S5", "S6", "S7", "S8"), ("S9", "S11")
"""Human3.6M's subjects, protocols I and II."""

ORTHOGRAPHIC, FILE = "orthographic", "file"

HUMAN36M_ACCEPTED = (
    f"VideoPose3D's data_3d_h36m.npz with the cameras beside it in {CAMERAS_FILE} (and data_2d_h36m_*.npz, unless --keypoints is"
    " orthographic), h36m-fetch's annot.h5, or MMPose's h36m_train.npz and h36m_test.npz"
)
OTHER_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
"""Of actions of Human3.6M, in the names of some files."""


@dataclass(frozen=True)
class Frames:
    """Which frames of each clip are taken: `all`, `every=64` (each 64th), or `moved=40`: the first,
    and then each in which some joint is at least 40 mm from where it was in the last one taken."""

    policy: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"all|every=[1-9][0-9]{0,5}|moved=[0-9]{1,5}(\.[0-9]+)?", self.policy):
            raise UserError(
                f"{clean_text(self.policy)[:60]!r} names no frames; give all, every=N, or moved=MM, such as moved=40."
            )

    def of(self, keypoints: KeypointSet) -> KeypointSet:
        """Those frames of a set with poses, in its order."""
        kind, _, number = self.policy.partition("=")
        if kind == "all":
            return keypoints
        kept = np.zeros(len(keypoints), dtype=bool)
        starts = np.flatnonzero(np.r_[True, keypoints.clip[1:] != keypoints.clip[:-1]])
        for clip in np.split(np.arange(len(keypoints)), starts[1:]):
            if kind == "every":
                kept[clip[:: int(number)]] = True
            elif keypoints.positions is not None:
                kept[clip[moved(keypoints.positions[clip], float(number))]] = True
        return keypoints.select(kept)

    def __str__(self) -> str:
        kind, _, number = self.policy.partition("=")
        return {"all": "all frames", "every": f"one frame in {number}", "moved": f"frames {number} mm apart"}[kind]


def moved(positions: np.ndarray, millimetres: float) -> list[int]:
    """The frames of a clip in which some joint is so far from where it was in the last one
    taken."""
    taken = [0]
    for frame in range(1, len(positions)):
        if ((positions[frame] - positions[taken[-1]]) ** 2).sum(axis=-1).max() >= millimetres**2:
            taken.append(frame)
    return taken


def orthographic(keypoints: KeypointSet) -> KeypointSet:
    """The keypoints that the paper calls ground truth: x and y of the poses in the frame of their
    camera, whole and exact."""
    assert keypoints.positions is not None
    shape = keypoints.confidence.shape
    whole = {"confidence": np.ones(shape, dtype=np.float32), "missing": np.zeros(shape, dtype=bool)}
    sizes = np.zeros_like(keypoints.image_size)
    return replace(keypoints, keypoints=keypoints.positions[..., :2].copy(), image_size=sizes, **whole)


def is_human36m(file: Opened) -> bool:
    """Whether a file, or a folder of h36m-fetch, has keypoints of Human3.6M."""
    if {"imgname", "part"} <= file.keys:
        names = np.ravel(file.array("imgname"))
        return bool(len(names)) and HUMAN36M_IMAGE.fullmatch(clean_text(names[0]).rsplit("/", 1)[-1]) is not None
    return (KEYPOINTS in file.keys and "h36m" in file.path.name) or h36m_fetch.detect(file)


def human36m_files(path: Path, keypoints: str) -> list[Path]:
    """The files to read of a file or folder of Human3.6M, of VideoPose3D's the one whose keypoints
    are asked for; empty if it has none. Raises UserError for a damaged one."""
    if path.is_file():
        return [path] if is_human36m(Opened(path)) else []
    archives = [Opened(each) for each in sorted(path.glob("*.npz"))]
    for archive in archives:
        if "h36m" in archive.path.name and not archive.keys:
            raise UserError(f"{archive.path}: the file is damaged, or no .npz; write it again.")
    of_human36m = [archive for archive in archives if is_human36m(archive)]
    by_name = {file.path.stem.removeprefix("data_2d_h36m_"): file.path for file in of_human36m if KEYPOINTS in file.keys}
    if by_name and keypoints not in (ORTHOGRAPHIC, FILE, *by_name):
        raise UserError(
            f"{path}: no keypoints {clean_text(keypoints)[:60]!r}; give --keypoints {ORTHOGRAPHIC} or {', '.join(by_name)}."
        )
    if by_name:
        return [by_name.get(keypoints, by_name.get("gt", next(iter(by_name.values()))))]
    others = [file.path for file in of_human36m]
    return others or ([path] if h36m_fetch.detect(Opened(path)) else [])


def read_human36m(path: Path, keypoints: str, files: FileReading) -> KeypointSet | None:
    """All of Human3.6M in a file or folder; None if it has none. Poses of VideoPose3D's need their
    cameras alone for orthographic keypoints."""
    paths = human36m_files(path, keypoints)
    if paths:
        return joined([load_keypoints(str(each), files=files) for each in paths])
    poses = Opened(path if path.is_file() else path / POSES_FILE, files)
    if keypoints != ORTHOGRAPHIC or POSES not in poses.keys or not cameras_path(poses).is_file():
        return None
    return keypoints_as_stated(read_in_cameras(poses), None, None, files)


def load_human36m(spec: str, keypoints: str, files: FileReading) -> tuple[KeypointSet, KeypointSet]:
    """The keypoints of the subjects trained on, and of those tested on, all with their poses.

    `keypoints` is "orthographic", "file" (those that the file holds), or of VideoPose3D's files the
    name of one, such as "gt" or "cpn_ft_h36m_dbb". Raises UserError, in one sentence, for what is
    not Human3.6M, for a part of it alone, and where no subject is left to train or to test on.
    """
    path = Path(spec).expanduser()
    whole = read_human36m(path, keypoints, files)
    if whole is None:
        alone = Opened(path).keys if path.is_file() else {key for each in path.glob("*.npz") for key in Opened(each).keys}
        what = "has 3D poses of VideoPose3D's without keypoints or cameras" if POSES in alone else "is no folder of Human3.6M"
        fault = what if path.exists() else "does not exist"
        raise UserError(f"{clean_text(spec)!r} {fault}; give {HUMAN36M_ACCEPTED}. tips-ray stability takes any other poses.")
    return by_protocol(whole, path, keypoints)


def by_protocol(whole: KeypointSet, path: Path, keypoints: str) -> tuple[KeypointSet, KeypointSet]:
    """The subjects of Human3.6M that are trained on, and those that are tested on."""
    if whole.positions is None:
        raise UserError(
            f"{path}: 2D keypoints without 3D poses, which errors are measured on; lay data_3d_h36m.npz and {CAMERAS_FILE}"
            " beside it, or name the cameras' file with --reading.cameras."
        )
    actions, place = np.unique(whole.action, return_inverse=True)
    plain = [re.sub(r"[ _]?[0-9]+$", "", action) for action in actions.tolist()]
    whole = replace(whole, action=np.array([OTHER_NAMES.get(action, action) for action in plain])[place])
    seen = orthographic(whole) if keypoints == ORTHOGRAPHIC else whole
    train, test = (of_subjects(seen, subjects, purpose) for subjects, purpose in ((TRAIN, "train"), (TEST, "test")))
    lacking = [subject for subject in (*TRAIN, *TEST) if subject not in whole.subjects]
    note = f"no {', '.join(lacking)} in it: numbers are not those of the protocol, which has {', '.join((*TRAIN, *TEST))}."
    return replace(train, notes=(*train.notes, note)) if lacking else train, replace(test, notes=())


def load_training_set(spec: str, keypoints: str, frames: Frames, reading: Reading, files: FileReading) -> PoseSet | KeypointSet:
    """What a study of the paper's Table 2 trains on: of Human3.6M the subjects that are trained on,
    or any other poses or keypoints."""
    path = Path(spec).expanduser()
    whole = None if spec == "synthetic" else read_human36m(path, keypoints, files)
    if whole is not None:
        train = frames.of(by_protocol(whole, path, keypoints)[0])
        return named(train, "Human3.6M", keypoints, frames)
    poses = load_any(spec, reading, files)
    if isinstance(poses, KeypointSet) and poses.positions is not None and keypoints == ORTHOGRAPHIC:
        return orthographic(poses)
    return poses


def named(poses: KeypointSet, dataset: str, keypoints: str, frames: Frames) -> KeypointSet:
    """The same under a name that says what it is and how it is seen, for records and reports."""
    return replace(poses, name=f"{dataset} as {poses.name}, {keypoints} 2D, {frames}")


def of_subjects(keypoints: KeypointSet, subjects: Sequence[str], purpose: str) -> KeypointSet:
    """The frames of some subjects; raises UserError if there are none."""
    chosen = np.isin(keypoints.subject, subjects)
    if not chosen.any():
        raise UserError(
            f"{keypoints.name}: no subject to {purpose} on: Human3.6M's protocol has {', '.join(subjects)}, the files have"
            f" {', '.join(keypoints.subjects)}."
        )
    return keypoints.select(chosen)


def joined(sets: Sequence[KeypointSet]) -> KeypointSet:
    """All frames of some sets, with poses where all have them."""
    if len(sets) == 1:
        return sets[0]
    arrays = {name: np.concatenate([getattr(each, name) for each in sets]) for name in PER_FRAME}
    positions = [each.positions for each in sets if each.positions is not None]
    notes = tuple(dict.fromkeys(note for each in sets for note in each.notes))
    whole = np.concatenate(positions) if len(positions) == len(sets) else None
    return replace(sets[0], **arrays, positions=whole, name=" and ".join(each.name for each in sets), notes=notes)


def load_mpi_inf_3dhp(spec: str, keypoints: str, files: FileReading) -> KeypointSet:
    """The test set of MPI-INF-3DHP, with its poses; raises UserError for anything else."""
    read = load_any(spec, Reading(), files)
    other = [subject for subject in read.subjects if not re.fullmatch("TS[1-6]", subject)]
    if not isinstance(read, KeypointSet) or "MPI-INF-3DHP" not in read.origin.format or other:
        what = (read.origin.format or "another set of poses") + (f" of {other[0]}" if "MPI-INF" in read.origin.format else "")
        raise UserError(
            f"{clean_text(spec)!r} is {what}, not MPI-INF-3DHP's test set (TS1 to TS6); give the folder of its annot_data.mat"
            " files, P-STMO's data_test_3dhp.npz, or MMPose's mpi_inf_3dhp_test_valid.npz as --test-data."
        )
    if read.positions is None:
        raise UserError(f"{clean_text(spec)!r} has no 3D poses of MPI-INF-3DHP, which errors are measured on.")
    return orthographic(read) if keypoints == ORTHOGRAPHIC else read
