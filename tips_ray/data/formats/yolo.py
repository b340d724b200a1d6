"""YOLO's labels of poses, as data sets hold them and as its predictions are saved: a .txt file an
image or frame, and in it a line a person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tips_ray.data.formats.detections import Detection, Image, keypoints_of
from tips_ray.data.formats.opened import Opened
from tips_ray.data.image_size import SUFFIXES, image_size
from tips_ray.data.joint_sets import DETECTED
from tips_ray.data.labels import clean_text
from tips_ray.data.rawkeypoints import RawKeypoints
from tips_ray.errors import UserError
from tips_ray.natural import natural_key
from tips_ray.store.atomic import read_file

ACCEPTS = "a folder of YOLO's .txt labels"
BOX = 5
"""Numbers before the joints: class, and the box's middle, width and height."""
MAX_EXTRAS = 2
"""Numbers after them: the confidence of the box and the id of the track, where they were saved."""
LARGEST_FILE = 64 << 20
Rows = list[list[float]]


@dataclass(frozen=True)
class Layout:
    """What the numbers of a line are."""

    joints: int
    axes: int
    """3 with a visibility or confidence a joint, else 2."""
    tracks: bool
    """Whether a single number after the joints is the id of a track, and not a confidence."""

    def person(self, row: Sequence[float]) -> tuple[np.ndarray, object]:
        """Joints (joints, 3) as shares of the image, and the track; joints at 0 0 are missing."""
        end = BOX + self.joints * self.axes
        joints = np.ones((self.joints, 3))
        joints[:, : self.axes] = np.array(row[BOX:end]).reshape(self.joints, self.axes)
        joints[(joints[:, :2] == 0).all(axis=1)] = np.nan
        extras = row[end:]
        return joints, extras[-1] if len(extras) == MAX_EXTRAS or (extras and self.tracks) else None


def detect(file: Opened) -> bool:
    """Whether the path names a file of labels, or a folder with one."""
    if file.path.is_file():
        return file.path.suffix.lower() == ".txt" and is_labels(file.path)
    return file.path.is_dir() and any(is_labels(path) for path in text_files(file.path))


def text_files(folder: Path) -> list[Path]:
    """The .txt files under a folder, in the order of their numbers."""
    return sorted((path for path in folder.rglob("*.txt") if path.is_file()), key=lambda path: natural_key(str(path)))


def is_labels(path: Path) -> bool:
    """Whether a file begins with a class and a box; lists of names or of images do not."""
    with path.open("rb") as file:
        cells = file.readline(1 << 16).removeprefix(b"\xef\xbb\xbf").split()
    try:
        return len([float(cell) for cell in cells]) >= BOX
    except ValueError:
        return False


def read(file: Opened) -> RawKeypoints:
    """Everyone in every image; joints that are not labelled are missing."""
    texts = [file.path] if file.path.is_file() else text_files(file.path)
    paths = [path for path in texts if not path.stat().st_size or is_labels(path)]
    by_path = {path: rows_of(path) for path in paths}
    layout = layout_of(by_path, has_map=file.reading.joint_map is not None)
    sizes = sizes_of(file, [path for path, rows in by_path.items() if rows])
    root = file.path.parent if file.path.is_file() else file.path
    images = [Image(path.relative_to(root).as_posix(), size=sizes.get(path)) for path in paths]
    detections, tracked = [], False
    for at, (path, rows) in enumerate(by_path.items()):
        for row in rows:
            joints, track = layout.person(row)
            joints[:, :2] *= sizes[path]
            detections.append(Detection(at, joints, track))
            tracked |= track is not None
    raw = keypoints_of(file, "YOLO labels", images, detections, video=True if tracked else None)
    others = len(texts) - len(paths)
    notes = (f"{others} .txt {'files are' if others > 1 else 'file is'} no labels and left out.",) if others else ()
    return replace(raw, notes=(*raw.notes, *notes))


def rows_of(path: Path) -> Rows:
    """The numbers of each line."""
    rows = []
    lines = read_file(path, LARGEST_FILE).decode("utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            rows.append([float(cell) for cell in line.split()])
        except ValueError as error:
            raise UserError(f"{path}: line {number} holds what is no number ({clean_text(error)[:80]}).") from error
    return [row for row in rows if row]


def layout_of(by_path: dict[Path, Rows], has_map: bool) -> Layout:
    """The numbers of joints and axes that fit the length of every line; raises UserError where none
    do. With a joint map, any number of joints fits."""
    lines = [(len(row), path) for path, rows in by_path.items() for row in rows]
    shortest, longest = min(lines), max(lines)
    if BOX <= longest[0] <= BOX + MAX_EXTRAS:
        raise UserError(
            f"{longest[1]}: YOLO's boxes without keypoints ({longest[0]} numbers a line); predict with a pose model, such as"
            " yolo11n-pose."
        )
    known = sorted(DETECTED, key=lambda joints: joints != 17)
    layouts = [(joints, axes) for joints in known[:1] for axes in (3, 2)] + [(joints, 3) for joints in known[1:]]
    layouts += [(joints, 2) for joints in known[1:]]
    layouts += [((shortest[0] - BOX) // axes, axes) for axes in (3, 2)] if has_map else []
    for joints, axes in layouts:
        extras = [length - BOX - joints * axes for length, _ in lines]
        if min(extras) >= 0 and max(extras) <= MAX_EXTRAS and joints > 0:
            single = [row[-1] for rows in by_path.values() for row in rows if len(row) == BOX + joints * axes + 1]
            return Layout(joints, axes, all(value >= 1 and value % 1 == 0 for value in single))
    if longest[0] - shortest[0] > MAX_EXTRAS:
        raise UserError(
            f"{longest[1]}: a line of {longest[0]} numbers, and one of {shortest[0]} in {shortest[1].name}; all need a class, a"
            " box, and the same joints (outlines of segmentation are none)."
        )
    raise UserError(
        f"{shortest[1]}: {shortest[0]} numbers a line are not YOLO's labels of a known set of joints (a class, a box, and"
        f" {', '.join(map(str, DETECTED))} joints of x, y and a visibility, or of x and y); name the joints by their places, from"
        " 0, with --joint-map FILE."
    )


def sizes_of(file: Opened, paths: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Width and height of the image of each file of labels: as the user gives it, or of the images
    beside them; raises UserError where it is not known."""
    if file.reading.image_size:
        return dict.fromkeys(paths, file.reading.image_size)
    sizes = {path: size for path in paths if (image := image_of(path)) and (size := image_size(image))}
    lacking = [path for path in paths if path not in sizes]
    if lacking:
        whose = f"{len(lacking):,} of {len(paths):,} files have no image" if sizes else "there are no images"
        raise UserError(
            f"{file.path}: YOLO labels are shares of the image's width and height, and {whose} beside them; give --image-size"
            f" WIDTH HEIGHT, or put the images there (images/{lacking[0].stem}.jpg beside labels/{lacking[0].name})."
        )
    return sizes


def image_of(path: Path) -> Path | None:
    """The image of a file of labels: in the same folder, or in one named images for labels."""
    parts = list(path.parent.parts)
    folders = [path.parent]
    if "labels" in parts:
        last = len(parts) - 1 - parts[::-1].index("labels")
        folders.append(Path(*parts[:last], "images", *parts[last + 1 :]))
    names = [f"{path.stem}{suffix}" for lower in SUFFIXES for suffix in (lower, lower.upper())]
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)
