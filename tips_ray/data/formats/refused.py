"""Formats that are known but hold no joints: what they hold, and how to get joints from them."""

import pickletools

from tips_ray.data.formats.mpi_inf_3dhp import hdf5_keys
from tips_ray.data.formats.opened import Opened
from tips_ray.data.raw import RawPoses
from tips_ray.errors import UserError

ACCEPTS = ""
SMPL_KEYS = frozenset({"poses", "trans", "betas"})
MAX_OPCODES = 20_000


def detect(file: Opened) -> bool:
    """Whether the file is one of them."""
    return reason(file) is not None


def read(file: Opened) -> RawPoses:
    """Raises UserError, always."""
    raise UserError(f"{file.path}: {reason(file)}")


def reason(file: Opened) -> str | None:
    """Why the file is refused, and what to do; None if it is none of these formats."""
    if file.keys >= SMPL_KEYS or {"poses", "trans"} <= file.keys:
        return (
            "AMASS (SMPL angles): joints need SMPL's body model, which may not be shipped; compute them with the smplx"
            " package, and save 'positions' (frames, 17, 3) in mm and 'joint_names' with numpy.savez."
        )
    if file.is_hdf5 and {"node_names", "tracks"} <= set(hdf5_keys(file.path)):
        return (
            "SLEAP's analysis file: save its 'tracks' of one animal, as 'keypoints' (frames, nodes, 2), with its 'node_names' as"
            " 'joint_names' with numpy.savez."
        )
    if file.head[1:2] == b"\x50" and file.path.suffix.lower() == ".c3d":
        return (
            "C3D: it holds markers on the skin, not joints; compute joint centres with your laboratory's model (with ezc3d in"
            " Python), and save 'positions' (frames, 17, 3) in mm and 'joint_names' with numpy.savez."
        )
    if file.path.is_file() and file.path.suffix.lower() in (".asf", ".amc"):
        return "one of CMU's .asf and .amc files: give the folder that holds a skeleton with its motions."
    if file.head.removeprefix(b"\xef\xbb\xbf").startswith(b"PathFileType"):
        return (
            "TRC: it holds markers on the skin, not joints; compute joint centres (in OpenSim: inverse kinematics), and save"
            " 'positions' (frames, 17, 3) in mm and 'joint_names' with numpy.savez."
        )
    if file.head[:1] == b"\x80" or file.path.suffix.lower() in (".pkl", ".pickle"):
        if is_3dpw(file):
            return (
                "3DPW (a pickle of SMPL angles and keypoints): pickles can run code and are not opened; load it in another"
                " Python, and save 'keypoints' (frames, joints, 2) or 'positions' (mm) with 'joint_names' with numpy.savez."
            )
        return (
            "a Python pickle: pickles can run code and are not opened; save 'positions' or 'keypoints' with 'joint_names' with"
            " numpy.savez."
        )
    return None


def is_3dpw(file: Opened) -> bool:
    """Whether a pickle names what 3DPW's sequences have; its opcodes are looked at, not run."""
    names = set()
    try:
        with file.path.open("rb") as stream:
            for number, (_, argument, _) in enumerate(pickletools.genops(stream)):
                names.update([argument] if isinstance(argument, str) else [])
                if number > MAX_OPCODES or "cam_poses" in names:
                    break
    except (ValueError, OverflowError, MemoryError):  # damaged, and refused as any other
        return "cam_poses" in names
    return "cam_poses" in names
