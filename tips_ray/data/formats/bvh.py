"""BVH, the motion files of animation: a skeleton of bones, then its turns in each frame."""

import re
from pathlib import Path

import numpy as np

from tips_ray.data.derive import read_joint_map
from tips_ray.data.formats.bvh_motion import Hierarchy, read_hierarchy, read_motion, world_positions
from tips_ray.data.formats.opened import Opened
from tips_ray.data.joint_names import canonical_names
from tips_ray.data.raw import RawPoses
from tips_ray.errors import UserError
from tips_ray.natural import natural_key, natural_sorted

ACCEPTS = "a .bvh file, or a folder of them"
UNITS = {"centimetres": 10.0, "inches": 25.4, "metres": 1000.0, "millimetres": 1.0, "CMU's units": 25.4 / 0.45}
STATURE_MM, BOX_MM = (1300.0, 2100.0), (1300.0, 3000.0)
"""Of the unit that is taken: along the bones from an ankle to the head; and the diagonal of the box
around a skeleton whose joints are not known."""

MIN_HEAD = 0.05
"""A head shorter than this share of the body has no end that can be used."""

REST_DEGREES = 0.01

SUBJECTS = (
    re.compile(r"(?:^|[^a-z0-9])((?:subject|subj|actor|person|performer|s)[_-]?\d+)(?![a-z0-9])", re.IGNORECASE),
    re.compile(r"^(\d+)_\d+$"),
)
"""How names of files tell the subject."""


def detect(file: Opened) -> bool:
    """Whether the file begins with HIERARCHY, or the folder holds such files."""
    if file.path.is_dir():
        return any(True for _ in files_in(file.path))
    return file.head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"HIERARCHY")


def files_in(folder: Path) -> list[Path]:
    """The .bvh files under a folder, in natural order."""
    paths = [path for path in folder.rglob("*") if path.suffix.lower() == ".bvh" and path.is_file()]
    return sorted(paths, key=lambda path: natural_key(str(path)))


def read(file: Opened) -> RawPoses:
    """Poses in mm, y up, a clip a file; the unit is told from the skeleton's size. Of skeletons
    that differ, the joints are read that all have."""
    paths = [file.path] if file.path.is_file() else files_in(file.path)
    read_clips = [clip_of(path, file) for path in paths]
    lengths = [len(positions) for _, positions, _ in read_clips]
    notes = [note for *_, own in read_clips for note in own]
    skeletons = list(dict.fromkeys(tuple(clip_names) for clip_names, _, _ in read_clips))
    names = [name for name in dict.fromkeys(skeletons[0]) if all(name in others for others in skeletons)]
    if len(skeletons) > 1:
        notes.append(f"The .bvh files have {len(skeletons)} different skeletons; the {len(names)} joints that all have are read.")
    subjects, told_by = subjects_of(paths, file.path)
    notes += [told_by] if told_by else []
    return RawPoses(
        np.concatenate([positions[:, [own.index(name) for name in names]] for own, positions, _ in read_clips]),
        file.name,
        joint_names=tuple(names),
        format="BVH",
        subject=np.repeat(subjects, lengths),
        clip=np.repeat([path.stem for path in paths], lengths),
        joint_map=None if file.reading.joint_map is None else read_joint_map(file.reading.joint_map),
        notes=tuple(dict.fromkeys(notes)),
    )


def subjects_of(paths: list[Path], folder: Path) -> tuple[list[str], str]:
    """The subject of each file, and a note on how it was told where it is not by sub-folders.

    It is the sub-folder that a file is in; else, where all names of files tell one, as
    `walk1_subject2`, `S01_walk` and CMU's `01_02` do, that; else each file has its own.
    """
    if any(path.parent != folder for path in paths) and folder.is_dir():
        return [path.parent.name if path.parent != folder else path.stem for path in paths], ""
    if len(paths) == 1:
        return [paths[0].stem], ""
    told = [next((found[1] for pattern in SUBJECTS if (found := pattern.search(path.stem))), "") for path in paths]
    if all(told):
        return told, f"Subjects are told by the names of the .bvh files: {', '.join(natural_sorted(set(told)))}."
    alone = "Each .bvh file counts as a subject of its own; put those of one person into a sub-folder."
    return [path.stem for path in paths], alone


def clip_of(path: Path, file: Opened) -> tuple[list[str], np.ndarray, list[str]]:
    """Joint names, positions (frames, joints, 3) in mm, and notes of one file."""
    words = Opened(path).text.split()
    hierarchy, motion = read_hierarchy(words, path)
    values = read_motion(words[motion:], sum(map(len, hierarchy.channels)), path)
    notes = []
    turns = np.array([channel.endswith("rotation") for channels in hierarchy.channels for channel in channels])
    if (
        len(values) > 1
        and (np.abs(values[0, turns]) < REST_DEGREES).all()
        and not (np.abs(values[1, turns]) < REST_DEGREES).all()
    ):
        values = values[1:]
        notes.append("The first frame of a .bvh file is the rest pose and is left out.")
    positions = world_positions(hierarchy, values[:: file.reading.every_nth])
    names = hierarchy.names
    if file.reading.joint_map is None:
        names = human_names(hierarchy, positions)
    unit, factor = unit_of(names, positions, path)
    notes.append(f"Lengths in .bvh files are taken as {unit}, by the size of the skeleton.")
    return names, (positions * factor).astype(np.float32), notes


def human_names(hierarchy: Hierarchy, positions: np.ndarray) -> list[str]:
    """What each joint is on a human skeleton: the joint "Neck" is the base of the neck, the joint
    "Head" is where the skull sits on it, and the end of the head is its top."""
    meant = canonical_names(hierarchy.names)
    renamed = {"neck_base": "thorax", "neck": "thorax"}
    names = [renamed.get(joint, joint) for joint in meant]
    if "head" in names:
        head = names.index("head")
        ends = [at for at, parent in enumerate(hierarchy.parents) if parent == head and hierarchy.names[at].endswith(" end")]
        top = names.index("head_top") if "head_top" in names else ends[0] if ends else head
        size = np.linalg.norm(np.ptp(positions, axis=1), axis=-1).mean()
        if np.linalg.norm(hierarchy.offsets[top] if top != head else 0) >= MIN_HEAD * size:
            names[head], names[top] = "neck", "head"
    return [joint or name for joint, name in zip(names, hierarchy.names, strict=True)]


def unit_of(names: list[str], positions: np.ndarray, path: Path) -> tuple[str, float]:
    """The unit, and mm in it, in which the skeleton has a person's size, by its bones from ankle to
    hip and from pelvis to head."""
    (low, high), size = BOX_MM, float(np.median(np.linalg.norm(np.ptp(positions, axis=1), axis=-1)))
    chain = [("l_ankle", "l_knee"), ("l_knee", "l_hip"), ("pelvis", "thorax"), ("thorax", "head")]
    if all(name in names for bone in chain for name in bone):
        bones = [positions[:, names.index(a)] - positions[:, names.index(b)] for a, b in chain]
        (low, high), size = STATURE_MM, float(np.median(sum(np.linalg.norm(bone, axis=-1) for bone in bones)))
    for unit, factor in UNITS.items():
        if low <= size * factor <= high:
            return unit, factor
    raise UserError(
        f"{path}: BVH with a skeleton {size:.3g} long, which is no person's size in {', '.join(UNITS)}; scale its offsets."
    )
