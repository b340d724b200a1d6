"""The CMU motion capture database as CMU publishes it: a skeleton NN.asf a subject, a motion
NN_MM.amc a clip.

The database is free for all uses, but not to be resold as data. Credit, as CMU asks: the data used
in this project was obtained from mocap.cs.cmu.edu; the database was created with funding from NSF
EIA-0196217.
"""

import re
from pathlib import Path

import numpy as np

from tips_ray.data.formats.amc import bone_ends, read_amc
from tips_ray.data.formats.asf import Skeleton, read_asf
from tips_ray.data.formats.opened import Opened
from tips_ray.data.poseset import root_centred
from tips_ray.data.raw import RawPoses
from tips_ray.errors import UserError
from tips_ray.natural import natural_sorted
from tips_ray.poses.skeleton import JOINTS

ACCEPTS = "a folder of CMU's .asf and .amc files"
MIN_DISPLACEMENT_MM = 15.0
"""How far joints move on average between frames kept of a clip; at 120 a second, most frames show
nothing new."""

BONES_OF = {
    "pelvis": ("lhipjoint", "rhipjoint"),
    "r_hip": ("rhipjoint",),
    "r_knee": ("rfemur",),
    "r_ankle": ("rtibia",),
    "l_hip": ("lhipjoint",),
    "l_knee": ("lfemur",),
    "l_ankle": ("ltibia",),
    "spine": ("lowerback",),
    "thorax": ("thorax", "lowerneck"),
    "neck": ("upperneck",),
    "head": ("head",),
    "l_shoulder": ("lclavicle",),
    "l_elbow": ("lhumerus",),
    "l_wrist": ("lwrist",),
    "r_shoulder": ("rclavicle",),
    "r_elbow": ("rhumerus",),
    "r_wrist": ("rwrist",),
}
"""For each joint, the bones whose ends it is the mean of."""

INDEX_FILES = ("index.csv", "index.txt", "cmu-mocap-index-text.txt")
"""Where `read_cmu` looks for what the clips show; the last is the index that travels with the
database's public copies."""

INDEX_LINE = re.compile(r"^\"?(\d+_\d+)\"?[\s,;]+\"?(.*?)\"?\s*$")

LOOK_AHEAD = 64
"""Frames that `moved` compares at once; only its speed depends on it."""


def detect(file: Opened) -> bool:
    """Whether the path names a folder with skeletons or motions of CMU's."""
    return file.path.is_dir() and any(path.suffix.lower() in (".asf", ".amc") for path in file.path.rglob("*"))


def read(file: Opened) -> RawPoses:
    """Read a folder as `read_cmu` does, thinned."""
    return read_cmu(file.path, MIN_DISPLACEMENT_MM)


def read_cmu(folder: str | Path, min_displacement_mm: float = 0.0, index: str | Path | None = None) -> RawPoses:
    """Read every NN_MM.amc under `folder` with its NN.asf, in mm, y up, at the full frame rate.

    The subject is NN without leading zeros, the clip NN_MM, the action what the index says of the
    clip ("all" if it says nothing). An index is a text or CSV file with a line `NN_MM, description`
    for each clip; left out, one of `INDEX_FILES` in the folder is used if it is there. A positive
    `min_displacement_mm` thins each clip as it is read (see `moved`).

    Raises UserError for a folder without clips, a clip without skeleton, and a broken file, with
    file and line.
    """
    folder = Path(folder)
    clips = clip_files(folder)
    skeletons = {path: read_asf(path) for path in sorted({asf for _, asf in clips})}
    actions = read_index(folder, index)
    positions, names, lengths = [], [], []
    for amc, asf in clips:
        clip = read_clip(amc, skeletons[asf])
        clip = clip[moved(clip, min_displacement_mm)]
        positions.append(clip)
        names.append(amc.stem)
        lengths.append(len(clip))
    return RawPoses(
        np.concatenate(positions),
        folder.resolve().name or str(folder),
        subject=np.repeat([subject_of(name) for name in names], lengths),
        action=np.repeat([actions.get(name, "all") for name in names], lengths),
        clip=np.repeat(names, lengths),
        format="CMU motion capture",
    )


def read_clip(amc: Path, skeleton: Skeleton) -> np.ndarray:
    """The 17 joints of every frame of one clip: float32 (frames, 17, 3), mm."""
    bones = tuple(dict.fromkeys(bone for bones in BONES_OF.values() for bone in bones))
    missing = [bone for bone in bones if bone not in skeleton.bones]
    if missing:
        raise UserError(f"{skeleton.path}: no bone {', '.join(missing)}; the 17 joints are the ends of CMU's {len(bones)} bones.")
    ends = bone_ends(skeleton, read_amc(amc, skeleton), bones)
    joints = [np.mean([ends[bone] for bone in BONES_OF[joint]], axis=0) for joint in JOINTS]
    return np.stack(joints, axis=1).astype(np.float32)


def moved(positions: np.ndarray, min_displacement_mm: float) -> np.ndarray:
    """Which frames of one clip to keep (frames,): the first, then each whose joints, relative to
    the root, are on average at least so far from those of the last kept frame. Raises UserError
    for a negative distance.
    """
    if not min_displacement_mm >= 0:
        raise UserError(f"The smallest displacement is {min_displacement_mm} mm; give 0 (keep every frame) or more.")
    if min_displacement_mm == 0:
        return np.ones(len(positions), dtype=bool)
    relative = root_centred(positions)
    keep = np.zeros(len(positions), dtype=bool)
    keep[0], last, start = True, 0, 1
    while start < len(positions):
        ahead = relative[start : start + LOOK_AHEAD]
        far = np.linalg.norm(ahead - relative[last], axis=-1).mean(axis=-1) >= min_displacement_mm
        if far.any():
            last = start + int(far.argmax())
            keep[last] = True
            start = last + 1
        else:
            start += len(ahead)
    return keep


def clip_files(folder: Path) -> list[tuple[Path, Path]]:
    """Each clip's motion file and skeleton file, in natural order; the skeleton beside the clip
    goes before one elsewhere."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the one that holds CMU's NN.asf and NN_MM.amc files.")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    skeletons = {path.stem: path for path in files if path.suffix.lower() == ".asf"}
    beside = {(path.parent, path.stem): path for path in files if path.suffix.lower() == ".asf"}
    clips: dict[str, tuple[Path, Path]] = {}
    for path in (path for path in files if path.suffix.lower() == ".amc"):
        owner = path.stem.split("_")[0]
        skeleton = beside.get((path.parent, owner), skeletons.get(owner))
        if skeleton is None:
            raise UserError(
                f"{path}: no skeleton {owner}.asf for it under {folder}; put the subject's .asf file beside its clips."
            )
        if path.stem in clips:
            raise UserError(f"{path}: the same clip is also {clips[path.stem][0]}; keep one of them.")
        clips[path.stem] = (path, skeleton)
    if not clips:
        raise UserError(f"{folder}: no .amc files in it; give the folder that holds CMU's NN.asf and NN_MM.amc files.")
    return [clips[name] for name in natural_sorted(clips)]


def read_index(folder: Path, index: str | Path | None) -> dict[str, str]:
    """What each clip shows, by clip name; empty if no index is given and none is in the folder."""
    candidates = [folder / name for name in INDEX_FILES] if index is None else [Path(index)]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        if index is not None:
            raise UserError(f"{index}: no such file; give an index with a line 'NN_MM, description' for each clip.")
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = INDEX_LINE.match(line.strip())
        if match and match[2]:
            found[match[1]] = match[2]
    if not found:
        raise UserError(f"{path}: no line of the form 'NN_MM, description' in it.")
    return found


def subject_of(clip: str) -> str:
    """The subject of a clip: "2" of "02_01"."""
    number = clip.split("_")[0]
    return str(int(number)) if number.isdecimal() else number
