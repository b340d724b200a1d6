"""The model card of a lifter for a model hub: a README.md with YAML before its text."""

from typing import Any

import yaml

from tips_ray.lift.card import Card
from tips_ray.report.base import environment

LICENCES = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc0-1.0")
"""That hubs know by these names."""
TASK = "keypoint-detection"


def hub_card(card: Card, has_onnx: bool) -> str:
    """The text of README.md."""
    trained = card.trained
    whole = environment(autoescape=False).get_template("lifted/hub.md.j2")
    return whole.render(
        header=yaml.safe_dump(header(card, has_onnx), sort_keys=False, allow_unicode=True),
        card=card,
        has_onnx=has_onnx,
        data=trained.get("data", {}),
        trained=trained,
    )


def header(card: Card, has_onnx: bool) -> dict[str, Any]:
    """What a hub reads of the card: licence, task, tags, and the errors as results."""
    known = card.licence.lower() in LICENCES
    licence = {"license": card.licence.lower()} if known else {"license": "other", "license_name": card.licence or "not stated"}
    results = [
        {
            "task": {"type": TASK, "name": "3D pose from 2D keypoints"},
            "dataset": {"type": name, "name": f"{name}{' (synthetic)' if errors['synthetic'] else ''}"},
            "metrics": [{"type": "p-mpjpe", "name": "P-MPJPE, mm", "value": round(errors["mean"], 1)}],
        }
        for name, errors in card.errors.items()
    ]
    return {
        **licence,
        "library_name": "tips-ray",
        "pipeline_tag": TASK,
        "tags": ["pose-lifting", "3d-human-pose-estimation", "unsupervised", "safetensors", *(["onnx"] if has_onnx else [])],
        **({"model-index": [{"name": card.name, "results": results}]} if results else {}),
    }
