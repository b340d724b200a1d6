"""A trained lifter: 2D keypoints in, 3D poses out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from tips_ray.data.completion import LEAST_SEEN, Prior
from tips_ray.data.derive import derivation
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.rawkeypoints import upside_down
from tips_ray.errors import UserError
from tips_ray.lift.card import Card, read_card
from tips_ray.lift.network import MIRRORED, Network, network_of
from tips_ray.poses.skeleton import JOINTS, ROOT
from tips_ray.store.atomic import read_file, replace_file

WEIGHTS, CARD = "lifter.safetensors", "lifter.json"
SHIPPED, SHIPPED_NAME = Path(__file__).parent / "shipped", "cmu-tips"
TURN = np.pi / 6
"""To either side: how far a lifted pose is turned, to be lifted again."""


@dataclass(frozen=True, repr=False)
class Lifter:
    """Lifts 2D keypoints of any detector to 3D poses; `open` reads one, `lift` does it."""

    network: Network
    prior: Prior
    card: Card

    def __repr__(self) -> str:
        return f"Lifter({self.card.name!r})"

    @classmethod
    def open(cls, source: str | Path | None = None, arm: str | None = None, rule: str | None = None) -> "Lifter":
        """The lifter in a folder that `save` wrote; of a campaign (`reports/NAME`), the weights of
        an arm that a stop rule picks; without `source`, or as "cmu-tips", the lifter that comes
        with tips-ray.

        Raises UserError for anything else, and for files that are damaged or do not belong
        together.
        """
        folder = SHIPPED if source in (None, SHIPPED_NAME) else Path(source or "").expanduser()
        if folder.name in (WEIGHTS, CARD):
            folder = folder.parent
        if (folder / CARD).exists() or (folder / WEIGHTS).exists():
            if arm or rule:
                raise UserError(f"'{folder}' is one lifter; leave out the arm and the rule, which choose one of a campaign.")
            return read_lifter(folder)
        from tips_ray.lift.trained import lifter_of  # needs torch and pandas, which lifting does not

        return lifter_of(str(source), arm, rule)

    def lift(
        self,
        keypoints: np.ndarray | KeypointSet,
        confidence: np.ndarray | None = None,
        joint_names: Sequence[str] | None = None,
        y_down: bool | None = None,
        min_confidence: float = 0.3,
        noise: float = 0.0,
    ) -> np.ndarray:
        """Poses float32 (n, 17, 3) about the pelvis, in the unit of the keypoints: x to the right,
        y up, z towards the camera; joints in the order of `tips_ray.poses.skeleton.JOINTS`.

        keypoints: (n, joints, 2), in pixels or any unit; NaN where a joint is missing; or what
        `load_keypoints` returned. confidence: (n, joints), of which those below `min_confidence`
        are missing. joint_names: those of the keypoints, by any usual name; None: the 17 joints.
        y_down: as in images; None: so, unless people would stand on their heads, which is refused.
        Missing joints are estimated from the others; frames with fewer than 6 are NaN. noise: of
        the keypoints, as a share of the body's height (0.01 to 0.02 of a good detector's): it is
        taken out as far as the other joints tell.

        Raises UserError for another shape, for joints that cannot be had, and where no frame has 6
        joints.
        """
        if isinstance(keypoints, KeypointSet):
            return self.lift(keypoints.keypoints, y_down=False, noise=noise)
        points = np.array(keypoints, dtype=float)
        names = JOINTS if joint_names is None else tuple(joint_names)
        if points.ndim != 3 or points.shape[1:] != (len(names), 2) or not len(points):
            raise UserError(
                f"The keypoints have shape {points.shape}; give (frames, {len(names)}, 2), and joint_names if they are not the"
                f" {len(JOINTS)} of {', '.join(JOINTS)}."
            )
        certain = np.ones(points.shape[:2]) if confidence is None else np.asarray(confidence, dtype=float)
        if certain.shape != points.shape[:2]:
            raise UserError(f"The confidence has shape {certain.shape}; give {points.shape[:2]}, one a keypoint.")
        points[~(certain >= min_confidence)] = np.nan
        whole, _ = derivation(names).apply(points, certain)
        completed = self.prior.complete(whole * np.array([1, 1] if y_down is False else [1, -1]), noise)
        has_pose = np.isfinite(completed).all(axis=(1, 2))
        if not has_pose.any():
            raise UserError(f"No frame has {LEAST_SEEN} of the {len(JOINTS)} joints; a pose cannot be lifted from fewer.")
        if y_down is None and upside_down(completed[has_pose]):
            raise UserError("People stand on their heads: give y_down=False if y points up, True if it points down all the same.")
        return self.lift_whole(completed)

    def lift_whole(self, keypoints: np.ndarray, mirror_mean: bool | None = None) -> np.ndarray:
        """Poses float32 (n, 17, 3), as of `lift`, of all 17 joints (n, 17, 2), y up; NaN of frames
        that are short of one."""
        relative = np.asarray(keypoints, dtype=np.float32) - np.asarray(keypoints, dtype=np.float32)[:, [ROOT]]
        seen = np.delete(relative, ROOT, axis=1)
        size = np.abs(seen).max(axis=(1, 2), keepdims=True, initial=0.0)
        normalised = seen / np.where(size > 0, size, np.float32(1))
        depth = size[..., 0] * self.network.depths(normalised, self.card.mirror_mean if mirror_mean is None else mirror_mean)
        return np.concatenate([relative, np.insert(depth, ROOT, 0.0, axis=1)[..., None]], axis=-1)

    def spread(self, poses: np.ndarray) -> np.ndarray:
        """How far each joint (n, 17) of lifted poses moves if the same pose is lifted from other
        views: in a mirror, and after a turn of 30 degrees to either side. In the unit of the
        poses; root mean square. Larger where the lifter is less sure."""
        moves = [self._mirrored(poses) - poses]
        for angle in (TURN, -TURN):
            turned = turn(poses, angle)
            moves.append(turn(self.lift_whole(turned[..., :2]), -angle) - poses)
        return np.sqrt(np.mean([np.square(move).sum(axis=-1) for move in moves], axis=0))

    def save(self, folder: str | Path) -> None:
        """Write the lifter into a folder: `lifter.safetensors` and its card, `lifter.json`."""
        for file, content in self.contents().items():
            replace_file(Path(folder) / file, content)

    def contents(self) -> dict[str, bytes]:
        """Its two files."""
        arrays = self.network.arrays() | {"prior.mean": self.prior.mean, "prior.covariance": self.prior.covariance}
        content = save({name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()})
        card = replace(self.card, weights_sha256=hashlib.sha256(content).hexdigest())
        return {WEIGHTS: content, CARD: card.to_json()}

    def _mirrored(self, poses: np.ndarray) -> np.ndarray:
        """The poses as lifted from their mirror images alone, turned back."""
        order = np.insert(MIRRORED + 1, ROOT, ROOT)
        flip = np.array([-1, 1, 1], dtype=np.float32)
        return self.lift_whole(poses[:, order, :2] * flip[:2], mirror_mean=False)[:, order] * flip


def turn(poses: np.ndarray, angle: float) -> np.ndarray:
    """Poses (n, 17, 3) turned about the vertical, by an angle in radians."""
    x, y, z = np.moveaxis(poses, -1, 0)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return np.stack([x * cos - z * sin, y, x * sin + z * cos], axis=-1)


def read_lifter(folder: Path) -> Lifter:
    """The lifter that `Lifter.save` wrote into a folder; raises UserError if a file is missing or
    damaged, or if they do not belong together."""
    contents = {}
    for file in (CARD, WEIGHTS):
        try:
            contents[file] = read_file(folder / file)
        except FileNotFoundError as error:
            raise UserError(f"'{folder}' has no {file}; a lifter is that folder's {WEIGHTS} and {CARD} together.") from error
    return lifter_from(contents, str(folder))


def lifter_from(contents: Mapping[str, bytes], place: str) -> Lifter:
    """The lifter of two files; raises UserError, which names their place, as `read_lifter`."""
    try:
        card = read_card(contents[CARD])
    except UserError as error:
        raise UserError(f"'{place}/{CARD}' is no card of a lifter: {error}.") from error
    if hashlib.sha256(contents[WEIGHTS]).hexdigest() != card.weights_sha256:
        raise UserError(
            f"'{place}/{WEIGHTS}' is not the file that its card was written for: it is damaged, or of another lifter;"
            " copy both files again."
        )
    try:
        arrays = load(contents[WEIGHTS])
        prior = Prior(arrays.pop("prior.mean"), arrays.pop("prior.covariance"))
        return Lifter(network_of(card.parts, card.negative_slope, arrays), prior, card)
    except (SafetensorError, KeyError, UserError) as error:
        raise UserError(f"'{place}/{WEIGHTS}' has no whole lifter of the parts that its card names: {error}") from error
