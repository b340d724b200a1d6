"""Small files in the layouts of data sets and detectors, made from synthetic poses: two people, two
clips of 12 frames each, as one camera sees them. Those of Human3.6M and MPI-INF-3DHP can be made as
large as one likes, of all their subjects and actions, as four cameras see them (`recordings`)."""

import csv
import json
import struct
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import savemat

from tips_ray.data.formats.human36m import ACTIONS, CAMERA_IDS
from tips_ray.data.formats.mpi_inf_3dhp import ACTIVITIES
from tips_ray.data.joint_sets import COCO, HUMAN36M_32_USED, MEDIAPIPE, MPI_INF_3DHP, MPI_INF_3DHP_28, OPENPOSE_BODY25
from tips_ray.data.synthetic import synthesise
from tips_ray.poses.skeleton import JOINTS

WIDTH, HEIGHT = 1000, 800
FRAMES = 12
Clip = tuple[str, str, np.ndarray]


@lru_cache
def clips() -> list[Clip]:
    """Subject, action and poses (12, 17, 3) in mm, y up."""
    poses = synthesise(num_poses=4000, seed=0)
    made = []
    for name, subject in zip(("S1", "S9"), poses.subjects, strict=False):
        of_subject = dict.fromkeys(poses.clip[poses.subject == subject].tolist())
        long = [clip for clip in of_subject if (poses.clip == clip).sum() >= FRAMES][:2]
        for action, clip in zip(("Walking", "Walking 1"), long, strict=True):
            made.append((name, action, poses.positions[poses.clip == clip][:FRAMES].astype(float)))
    return made


HUMAN36M_SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
AROUND = (0.3, 1.9, 3.4, 5.0)
"""Azimuths of four cameras."""


def recordings(num_poses: int, subjects: Sequence[str] = HUMAN36M_SUBJECTS, num_actions: int = 15) -> list[Clip]:
    """Subject, action and poses of so many subjects and actions of Human3.6M, a clip each; of at
    most 15 actions and 8 subjects, about `num_poses` poses."""
    poses = synthesise(num_poses * 160 // (len(subjects) * num_actions), seed=0)
    made = []
    for who, subject in zip(subjects, poses.subjects, strict=False):
        for action, motion in zip(ACTIONS[:num_actions], poses.actions, strict=False):
            made.append((who, action, poses.positions[(poses.subject == subject) & (poses.action == motion)].astype(float)))
    return made


def turned(mm: np.ndarray, azimuth: float) -> np.ndarray:
    """Poses turned about the vertical, as a camera sees them that went round them."""
    cosine, sine = np.cos(azimuth), np.sin(azimuth)
    return mm @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def camera_frame(mm: np.ndarray) -> np.ndarray:
    """Poses in the frame of a camera 4 m away, mm, x right, y down, z away."""
    return np.stack([mm[..., 0], 1000 - mm[..., 1], 4000 - mm[..., 2]], axis=-1)


def pixels(mm: np.ndarray) -> np.ndarray:
    """Keypoints of poses in that camera's image, px, y down."""
    seen = camera_frame(mm)
    return 1100 * seen[..., :2] / seen[..., 2:] + (WIDTH / 2, HEIGHT / 2)


def joint(points: np.ndarray, name: str) -> np.ndarray:
    """One of the joints that sets of joints name, from the 17 (..., 17, axes)."""
    of = {each: points[..., at, :] for at, each in enumerate(JOINTS)}
    across = (of["l_shoulder"] - of["r_shoulder"]) * 0.1
    more = {"": of["pelvis"], "nose": of["neck"], "neck_base": of["thorax"], "head_top": of["head"], "head_bottom": of["thorax"]}
    more |= {f"{side}_eye": of["head"] + sign * across / 2 for side, sign in (("l", 1), ("r", -1))}
    more |= {f"{side}_ear": of["head"] + sign * across for side, sign in (("l", 1), ("r", -1))}
    return {**of, **more}[name]


def of_set(points: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Points of a set of joints (..., joints, axes)."""
    return np.stack([joint(points, name) for name in names], axis=-2)


def flat(points: np.ndarray, confidence: float) -> list[float]:
    """x, y, confidence, x, y, confidence, ..."""
    return np.column_stack([points, np.full(len(points), confidence)]).ravel().round(3).tolist()


def write_all(folder: Path) -> list[Path]:
    """A file or folder of each layout."""
    writers = (
        videopose3d,
        detectron,
        mmpose_npz,
        mpi_inf_3dhp,
        h36m_fetch,
        coco,
        alphapose,
        openpose,
        predictions,
        mediapipe,
        dlc,
        yolo,
    )
    return [path for writer in (*writers, bvh, plain) for path in writer(folder)]


def object_array(value: Any) -> np.ndarray:
    """A 0-d array of one object."""
    return np.array(value, dtype=object)


CAMERA = {"id": "1", "orientation": [0.5, -0.5, -0.5, 0.5], "translation": [4000.0, 0.0, 1000.0], "resolution": [WIDTH, HEIGHT]}
"""The camera, in a world whose z is up and whose x was towards the camera."""


def videopose3d(folder: Path, of: Sequence[Clip] | None = None, azimuths: Sequence[float] = (0, 0)) -> list[Path]:
    poses, keypoints = {}, {}
    for who, action, mm in of or clips():
        whole = np.zeros((len(mm), 32, 3), np.float32)
        whole[:, list(HUMAN36M_32_USED)] = mm[..., [2, 0, 1]] / 1000
        poses.setdefault(who, {})[action] = whole
        keypoints.setdefault(who, {})[action] = [pixels(turned(mm, azimuth)).astype(np.float32) for azimuth in azimuths]
    np.savez(folder / "data_3d_h36m.npz", positions_3d=object_array(poses))
    meta = object_array({"layout_name": "h36m", "num_joints": 17})
    np.savez(folder / "data_2d_h36m_gt.npz", positions_2d=object_array(keypoints), metadata=meta)
    videos = {f"{who}_{action}.mp4": {"custom": [of_set(pixels(mm), COCO)]} for who, action, mm in clips()}
    meta = object_array(
        {"layout_name": "coco", "num_joints": 17, "video_metadata": {name: {"w": WIDTH, "h": HEIGHT} for name in videos}}
    )
    np.savez(folder / "data_2d_custom_mine.npz", positions_2d=object_array(videos), metadata=meta)
    return [folder / name for name in ("data_3d_h36m.npz", "data_2d_h36m_gt.npz", "data_2d_custom_mine.npz")]


def cameras(folder: Path, subjects: Sequence[str] = HUMAN36M_SUBJECTS, azimuths: Sequence[float] = AROUND) -> Path:
    """The file of the cameras of `videopose3d`."""
    views = {}
    for name, azimuth in zip(CAMERA_IDS, azimuths, strict=True):
        axes = np.eye(3)[[2, 0, 1]]  # of the world, whose z is up, as those of the poses
        origin, *ends = camera_frame(turned(np.vstack([np.zeros(3), axes]), azimuth))
        views[name] = {"R": (np.array(ends) - origin).T.tolist(), "t": origin.tolist()}
    path = folder / "h36m_cameras.json"
    path.write_text(json.dumps({"extrinsics": dict.fromkeys(subjects, views)}))
    return path


def detectron(folder: Path) -> list[Path]:
    frames = np.empty((FRAMES, 2), dtype=object)
    for at, frame in enumerate(of_set(pixels(clips()[0][2]), COCO)):
        one = np.concatenate([frame.T, np.full((1, 17), 3.0), np.full((1, 17), 0.9)])[None]
        frames[at, 0], frames[at, 1] = (
            [],
            np.zeros((0, 4, 17)) if at == 3 else np.concatenate([one, one * 0.5]) if at == 5 else one,
        )
    meta = object_array({"w": WIDTH, "h": HEIGHT})
    np.savez(folder / "video.mp4.npz", boxes=frames, keypoints=frames, segments=np.full(FRAMES, None), metadata=meta)
    return [folder / "video.mp4.npz"]


def mmpose_npz(folder: Path, of: Sequence[Clip] | None = None, file: str = "h36m_test.npz") -> list[Path]:
    names, poses, part = [], [], []
    for who, action, mm in of or clips():
        name = f"{who}_{action.replace(' ', '_')}.54138969"
        names += [f"{who}/{name}/{name}_{at + 1:06d}.jpg" for at in range(len(mm))]
        poses.append(np.concatenate([camera_frame(mm) / 1000, np.ones((*mm.shape[:2], 1))], -1))
        part.append(np.concatenate([pixels(mm), np.ones((*mm.shape[:2], 1))], -1))
    np.savez(folder / file, imgname=np.array(names), part=np.concatenate(part), S=np.concatenate(poses))
    return [folder / file]


def mpi_inf_3dhp_test(folder: Path, of: Sequence[Clip], mixed: bool = True) -> dict[str, Any]:
    """Write a test sequence a clip, the second half of another activity if they are mixed; returns
    the same as P-STMO packs it."""
    order = [JOINTS.index(name) for name in MPI_INF_3DHP]
    packed = {}
    (folder / "3dhp").mkdir()
    for number, (_, _, mm) in enumerate(of, start=1):
        valid = np.arange(len(mm)) % 5 != 0
        keypoints, poses = pixels(mm)[:, order], camera_frame(mm)[:, order]
        packed[f"TS{number}"] = {"data_2d": keypoints, "data_3d": poses, "valid": valid}
        (folder / "3dhp" / f"TS{number}").mkdir()
        with h5py.File(folder / "3dhp" / f"TS{number}" / "annot_data.mat", "w", userblock_size=512) as file:
            file["annot2"], file["univ_annot3"] = keypoints[:, None], poses[:, None]
            file["valid_frame"] = valid[:, None].astype(float)
            later = mixed & (np.arange(len(mm)) >= len(mm) // 2)
            file["activity_annotation"] = np.where(later, number % len(ACTIVITIES) + 1, number)[:, None].astype(float)
    return packed


def mpi_inf_3dhp(folder: Path) -> list[Path]:
    packed = mpi_inf_3dhp_test(folder, clips(), mixed=False)
    np.savez(folder / "data_test_3dhp.npz", data=object_array(packed))
    place = folder / "3dhp_train" / "S1" / "Seq2"
    place.mkdir(parents=True)
    cells = {"annot2": np.empty((2, 1), dtype=object), "univ_annot3": np.empty((2, 1), dtype=object)}
    for camera in range(2):
        mm = clips()[camera][2]
        cells["annot2"][camera, 0] = of_set(pixels(mm), MPI_INF_3DHP_28).reshape(FRAMES, -1)
        cells["univ_annot3"][camera, 0] = of_set(camera_frame(mm), MPI_INF_3DHP_28).reshape(FRAMES, -1)
    savemat(place / "annot.mat", cells)
    return [*(folder / name for name in ("data_test_3dhp.npz", "3dhp", "3dhp/TS1/annot_data.mat", "3dhp_train"))]


def h36m_fetch(folder: Path, of: Sequence[Clip] | None = None) -> list[Path]:
    used = list(HUMAN36M_32_USED)
    for who, action, mm in of or clips():
        place, frames = folder / "fetch" / who / action.replace(" ", "-"), len(mm)
        place.mkdir(parents=True)
        keypoints, poses = np.zeros((2 * frames, 32, 2)), np.zeros((2 * frames, 32, 3))
        keypoints[:, used], poses[:, used] = np.tile(pixels(mm), (2, 1, 1)), np.tile(camera_frame(mm), (2, 1, 1))
        with h5py.File(place / "annot.h5", "w") as file:
            file["pose/2d"], file["pose/3d"] = keypoints, poses
            file["camera"] = np.repeat([54138969, 55011271], frames)
            file["frame"] = np.tile(np.arange(frames) * 5 + 1, 2)
            file["subject"] = np.full(2 * frames, int(who[1:]))
            file["action"] = np.full(2 * frames, ACTIONS.index(action.removesuffix(" 1")) + 2)
            file["subaction"] = np.full(2 * frames, 2 if action.endswith(" 1") else 1)
    return [folder / "fetch"]


def coco(folder: Path) -> list[Path]:
    images, annotations = [], []
    for who, action, mm in clips():
        for at, frame in enumerate(of_set(pixels(mm), COCO)):
            name = f"{who}_{action.replace(' ', '_')}_{at:05d}.jpg"
            images.append({"id": len(images) + 1, "file_name": name, "width": WIDTH, "height": HEIGHT})
            for person in range(2 if at == 5 else 1):
                points = np.column_stack([frame * (1 - 0.5 * person), np.full(17, 2)])
                points[9] *= at != 2
                annotations.append({"image_id": len(images), "iscrowd": 0, "keypoints": points.ravel().round(2).tolist()})
                annotations[-1] |= {"track_id": person, "id": len(annotations), "category_id": 1}
    annotations.append({"image_id": 1, "iscrowd": 1, "keypoints": [0] * 51, "id": len(annotations) + 1, "category_id": 1})
    sides = {"l": "left", "r": "right"}
    names = [f"{sides[name[0]]}{name[1:]}" if name[1] == "_" else name for name in COCO]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person", "keypoints": names}]}
    (folder / "coco.json").write_text(json.dumps(content))
    return [folder / "coco.json"]


def alphapose(folder: Path) -> list[Path]:
    entries = []
    for at, frame in enumerate(of_set(pixels(clips()[0][2]), COCO)):
        idx = [[0.0], [0.0]] if at == 6 else [0.0]
        entries.append({"image_id": f"{at}.jpg", "keypoints": flat(frame, 1.03 if at == 4 else 0.8), "score": 2.5, "idx": idx})
    entries.insert(3, {**entries[2], "idx": [1.0], "keypoints": flat(of_set(pixels(clips()[1][2]), COCO)[0] / 2, 0.5)})
    (folder / "alphapose-results.json").write_text(json.dumps(sorted(entries, key=lambda entry: entry["image_id"])))
    results = [{**entry, "image_id": int(entry["image_id"][:-4])} for entry in entries]
    for entry in results:
        del entry["idx"]
    (folder / "coco_results.json").write_text(json.dumps(results))
    return [folder / "alphapose-results.json", folder / "coco_results.json"]


def openpose(folder: Path) -> list[Path]:
    place = folder / "openpose"
    place.mkdir()
    for at, frame in enumerate(of_set(pixels(clips()[0][2]), OPENPOSE_BODY25)):
        points = flat(frame, 0.9)
        points[12:15] = [0, 0, 0] if at == 2 else points[12:15]
        person = {"person_id": [-1], "pose_keypoints_2d": points, "face_keypoints_2d": []}
        small = {**person, "pose_keypoints_2d": flat(frame / 3, 0.95)}
        people = [] if at == 3 else [small, person] if at == 5 else [person]
        (place / f"clip_{at}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return [place]


def predictions(folder: Path) -> list[Path]:
    frames = of_set(pixels(clips()[0][2]), COCO).round(2)
    scores = [0.9] * 17
    mmpose = [
        {"frame_id": at + 1, "instances": [] if at == 3 else [{"keypoints": frame.tolist(), "keypoint_scores": scores}]}
        for at, frame in enumerate(frames)
    ]
    (folder / "mmpose.json").write_text(json.dumps({"meta_info": {"dataset_name": "coco"}, "instance_info": mmpose}))
    yolo = [
        []
        if at == 3
        else [{"name": "person", "track_id": 4, "keypoints": {"x": list(frame[:, 0]), "y": list(frame[:, 1]), "visible": scores}}]
        for at, frame in enumerate(frames)
    ]
    (folder / "yolo.json").write_text(json.dumps(yolo))
    vitpose = [{} if at == 3 else {"0": np.column_stack([frame[:, ::-1], scores]).tolist()} for at, frame in enumerate(frames)]
    (folder / "vitpose.json").write_text(
        json.dumps({"keypoints": vitpose, "skeleton": {str(n): name for n, name in enumerate(COCO)}})
    )
    return [folder / name for name in ("mmpose.json", "yolo.json", "vitpose.json")]


def yolo(folder: Path) -> list[Path]:
    """As a data set has them, and as a tracker's predictions are saved."""
    labels, images = folder / "yolo" / "labels", folder / "yolo" / "images"
    tracked = folder / "yolo_tracked"
    for place in (labels, images, tracked):
        place.mkdir(parents=True)
    (folder / "yolo" / "classes.txt").write_text("person\n")
    for at, frame in enumerate(of_set(pixels(clips()[0][2]), COCO) / (WIDTH, HEIGHT)):
        points = np.column_stack([frame, np.full(17, 2)])
        points[9] *= at != 2
        people = [] if at == 3 else [points, points * (0.5, 0.5, 1)] if at == 5 else [points]
        lines = [f"0 0.5 0.5 0.2 0.8 {' '.join(f'{value:g}' for value in person.round(6).ravel())}\n" for person in people]
        (labels / f"clip_{at}.txt").write_text("".join(lines))
        (images / f"clip_{at}.png").write_bytes(png_head(WIDTH, HEIGHT))
        lines = [f"{line.rstrip()} 0.87{f' {7 + track}' if at else ''}\n" for track, line in enumerate(lines)]
        (tracked / f"clip_{at}.txt").write_text("".join(lines))
    return [folder / "yolo", tracked]


def png_head(width: int, height: int) -> bytes:
    """The first bytes of a PNG image."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)


def mediapipe(folder: Path) -> list[Path]:
    mm = clips()[0][2]
    image = of_set(pixels(mm), MEDIAPIPE) / (WIDTH, HEIGHT)
    world = of_set(camera_frame(mm), MEDIAPIPE) / 1000
    with (folder / "landmarks.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["frame", "landmark", "x", "y", "z", "visibility", "world_x", "world_y", "world_z"])
        for at in range(FRAMES):
            if at != 3:
                rows.writerows([at, n, *image[at, n].round(6), 0, 0.9, *world[at, n].round(6)] for n in range(33))
    as_json = [
        {"frame": at, "landmarks": [{"x": x, "y": y, "z": 0, "visibility": 0.9} for x, y in image[at]]} for at in range(FRAMES)
    ]
    (folder / "landmarks.json").write_text(json.dumps({"frames": as_json}))
    return [folder / "landmarks.csv", folder / "landmarks.json"]


def dlc(folder: Path) -> list[Path]:
    columns = [(who, name, coordinate) for who in ("ind1", "ind2") for name in COCO for coordinate in ("x", "y", "likelihood")]
    with (folder / "deeplabcut.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["scorer", *["net"] * len(columns)])
        for level, title in enumerate(("individuals", "bodyparts", "coords")):
            rows.writerow([title, *(column[level] for column in columns)])
        for at, frame in enumerate(of_set(pixels(clips()[0][2]), COCO)):
            one = flat(frame, 0.95)
            rows.writerow([at, *one, *([""] * len(one) if at < 6 else flat(frame / 2, 0.95))])
    return [folder / "deeplabcut.csv"]


BONES: dict[str, tuple[str | None, tuple[float, float, float]]] = {
    "Hips": (None, (0, 0, 0)),
    "Spine": ("Hips", (0, 22, 0)),
    "Spine2": ("Spine", (0, 24, 0)),
    "Neck": ("Spine2", (0, 10, 0)),
    "Head": ("Neck", (0, 10, 0)),
    **{f"{side}Arm": ("Spine2", (sign * 16, 4, 0)) for side, sign in (("Left", 1), ("Right", -1))},
    **{f"{side}ForeArm": (f"{side}Arm", (sign * 29, 0, 0)) for side, sign in (("Left", 1), ("Right", -1))},
    **{f"{side}Hand": (f"{side}ForeArm", (sign * 25, 0, 0)) for side, sign in (("Left", 1), ("Right", -1))},
    **{f"{side}UpLeg": ("Hips", (sign * 9, 0, 0)) for side, sign in (("Left", 1), ("Right", -1))},
    **{f"{side}Leg": (f"{side}UpLeg", (0, -43, 0)) for side in ("Left", "Right")},
    **{f"{side}Foot": (f"{side}Leg", (0, -42, 0)) for side in ("Left", "Right")},
}


def bone_lines(name: str, scale: float) -> list[str]:
    parent, offset = BONES[name]
    kind, channels = ("JOINT", "3 Zrotation Yrotation Xrotation")
    if parent is None:
        kind, channels = "ROOT", "6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"
    lines = [f"{kind} rig:{name}", "{", f"OFFSET {' '.join(str(value * scale) for value in offset)}", f"CHANNELS {channels}"]
    children = [child for child, (of, _) in BONES.items() if of == name]
    for child in children:
        lines += bone_lines(child, scale)
    return [*lines, *([] if children else ["End Site", "{", f"OFFSET 0 {(18 if name == 'Head' else -5) * scale} 0", "}"]), "}"]


def bvh_text(scale: float = 1.0, rest: bool = True) -> str:
    """A walk of sorts, in cm times `scale`."""
    rng = np.random.default_rng(0)
    phases = rng.uniform(0, 6, 3 * len(BONES))
    moves = [[t * scale, 95 * scale, 0, *np.round(10 * np.sin(0.3 * t + phases), 3)] for t in range(FRAMES)]
    frames = [[0, 95 * scale, 0] + [0] * (3 * len(BONES))] * rest + moves
    lines = ["HIERARCHY", *bone_lines("Hips", scale), "MOTION", f"Frames: {len(frames)}", "Frame Time: 0.0333333"]
    return "\r\n".join([*lines, *(" ".join(map(str, frame)) for frame in frames)]) + "\r\n"


def bvh(folder: Path) -> list[Path]:
    (folder / "rig.bvh").write_text(bvh_text(), newline="")
    return [folder / "rig.bvh"]


def plain(folder: Path) -> list[Path]:
    points = np.concatenate([pixels(mm) for _, _, mm in clips()])
    names = [name.replace("l_", "Left ").replace("r_", "R") if name[1] == "_" else name for name in JOINTS]
    clip = np.repeat(np.arange(4), FRAMES)
    np.savez(folder / "plain.npz", keypoints=points, joint_names=np.array(names), clip=clip, image_size=np.array([WIDTH, HEIGHT]))
    return [folder / "plain.npz"]
