"""When to stop, and which weights to trust, an unsupervised 2D-to-3D pose lifter.

The names below are loaded when they are first used, so that `import tips_ray` is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tips_ray.config import Config as Config
    from tips_ray.config import override as override
    from tips_ray.data.dataset import prepare as prepare
    from tips_ray.data.load import load_keypoints as load_keypoints
    from tips_ray.data.load import load_poses as load_poses
    from tips_ray.lift.lifter import Lifter as Lifter
    from tips_ray.lifting.train import fit as fit
    from tips_ray.poses.metrics import auc as auc
    from tips_ray.poses.metrics import mpjpe as mpjpe
    from tips_ray.poses.metrics import n_mpjpe as n_mpjpe
    from tips_ray.poses.metrics import p_mpjpe as p_mpjpe
    from tips_ray.poses.metrics import pck as pck
    from tips_ray.presets import PRESETS as PRESETS
    from tips_ray.presets import arm_config as arm_config
    from tips_ray.stability.campaign import open_campaign as open_campaign
    from tips_ray.stability.compare import compare_stop_rules as compare_stop_rules

MODULES = {
    "tips_ray.config": ("Config", "override"),
    "tips_ray.data.load": ("load_keypoints", "load_poses"),
    "tips_ray.data.dataset": ("prepare",),
    "tips_ray.lift.lifter": ("Lifter",),
    "tips_ray.lifting.train": ("fit",),
    "tips_ray.poses.metrics": ("mpjpe", "n_mpjpe", "p_mpjpe", "pck", "auc"),
    "tips_ray.presets": ("PRESETS", "arm_config"),
    "tips_ray.stability.campaign": ("open_campaign",),
    "tips_ray.stability.compare": ("compare_stop_rules",),
}
PUBLIC = {name: module for module, names in MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"tips_ray has no {name!r}; it has {', '.join(PUBLIC)}.")
    return getattr(importlib.import_module(PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *PUBLIC]
