"""What cameras see of a set of poses: the 2D training input, and the 3D truth used to measure
errors."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tips_ray.config import ELEVATION_DEGREES, EXACT, Config, Data, Evaluation, Observation
from tips_ray.data.load import leave_out, split_by_subject
from tips_ray.data.observe import observe
from tips_ray.data.poseset import PoseSet, root_centred
from tips_ray.errors import UserError
from tips_ray.poses.geometry import View, max_normalise, rotate
from tips_ray.seeding import derived_seed, stream


@dataclass(frozen=True)
class Views:
    """Poses in camera frames, without the root: 2D keypoints as the networks see them, and what
    they were made of."""

    keypoints: Float[Tensor, "views 16 2"]
    """Max-normalised: the largest coordinate of each pose is 1."""
    pose: Float[Tensor, "views 16 3"]
    """Camera frame, mm, relative to the root. For measuring errors and for supervised training,
    never for unsupervised."""
    scale: Float[Tensor, " views"]
    """mm per unit of the keypoints."""
    action: Int[Tensor, " views"]
    """Index into `actions`."""
    actions: list[str]
    subject: Int[Tensor, " views"]
    """Index into `subjects`."""
    subjects: list[str]
    clip: Int[Tensor, " views"]
    """Index of the clip that a view is a frame of; a clip seen by two cameras is two."""

    def __len__(self) -> int:
        return len(self.keypoints)

    def to(self, device: str | torch.device) -> "Views":
        """The same on another device."""
        return self._each(lambda values: values.to(device))

    def spread(self, count: int) -> "Views":
        """`count` views evenly spaced over all of them, so over subjects, clips and cameras; all
        views if there are fewer."""
        count = min(count, len(self))
        chosen = torch.arange(count, device=self.keypoints.device) * len(self) // count
        return self._each(lambda values: values[chosen])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Views":
        names = ("keypoints", "pose", "scale", "action", "subject", "clip")
        return replace(self, **{name: change(getattr(self, name)) for name in names})


@dataclass(frozen=True)
class Scene:
    """Poses about their roots, and the clips around which cameras are set up."""

    joints: Float[Tensor, "poses 16 3"]
    """World frame, mm, relative to the root."""
    clip: Int[Tensor, " poses"]
    """Index into `clips`."""
    action: Int[Tensor, " poses"]
    """Index into `actions`."""
    subject: Int[Tensor, " poses"]
    """Index into `subjects`."""
    clips: list[str]
    actions: list[str]
    subjects: list[str]

    def __len__(self) -> int:
        return len(self.joints)

    def to(self, device: str | torch.device) -> "Scene":
        """The same on another device."""
        return replace(self, **{name: getattr(self, name).to(device) for name in ("joints", "clip", "action", "subject")})

    def render(self, num_views: int, seed: int, occasion: object = "once", observation: Observation = EXACT) -> Views:
        """Let `num_views` cameras look at every pose, on the scene's device.

        A camera keeps its azimuth (uniform) and elevation (uniform within 10 degrees) for a whole
        clip; both depend only on the seed, the clip's name, the camera's number and the occasion,
        so that adding a clip moves no other camera, but makes other noise. Views come camera by
        camera, each in the order of the poses.
        """
        angles = [[_camera_angles(seed, clip, camera, occasion) for clip in self.clips] for camera in range(num_views)]
        azimuth, elevation = self.joints.new_tensor(angles)[:, self.clip].unbind(-1)
        pose = rotate(self.joints.expand(num_views, *self.joints.shape), View(azimuth, elevation)).flatten(0, 1)
        keypoints, scale = max_normalise(observe(pose, observation, seed, occasion))
        cameras = torch.arange(num_views, device=self.clip.device).repeat_interleave(len(self))
        clip = cameras * len(self.clips) + self.clip.repeat(num_views)
        action, subject = self.action.repeat(num_views), self.subject.repeat(num_views)
        return Views(keypoints, pose, scale, action, self.actions, subject, self.subjects, clip)


def scene(poses: PoseSet) -> Scene:
    """Set up a scene of all poses, on the CPU."""
    joints = torch.from_numpy(np.delete(root_centred(poses.positions), 0, axis=1)).float()
    clips, clip_of = np.unique(poses.clip, return_inverse=True)
    actions, action_of = np.unique(poses.action, return_inverse=True)
    subjects, subject_of = np.unique(poses.subject, return_inverse=True)
    clip, action, subject = map(torch.from_numpy, (clip_of, action_of, subject_of))
    return Scene(joints, clip, action, subject, clips.tolist(), actions.tolist(), subjects.tolist())


def render_views(poses: PoseSet, num_views: int, seed: int, observation: Observation = EXACT) -> Views:
    """Let `num_views` cameras look at every pose of a set, as `Scene.seen_by` does."""
    return scene(poses).render(num_views, seed, observation=observation)


@dataclass(frozen=True)
class Dataset:
    """All that a run needs to know of the data."""

    train: Views
    test: Views
    train_poses: PoseSet
    test_poses: PoseSet
    train_scene: Scene
    """The training poses, for cameras that are drawn in each epoch."""

    def training_views(self, config: Data, epoch: int) -> Views:
        """What is trained on in an epoch, counted from 0.

        With `new_views_each_epoch` (the weakly supervised variant of appendix A.3) the training
        poses are seen from cameras that only this epoch uses, on the device, and those views are
        forgotten after it.
        """
        if config.new_views_each_epoch:
            return self.train_scene.render(config.num_views, config.seed, epoch, config.observation)
        return self.train

    def to(self, device: str | torch.device) -> "Dataset":
        """The same with its views on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("train", "test", "train_scene")}
        return replace(self, **moved)


def prepare(poses: PoseSet, data: Data, evaluation: Evaluation | None = None) -> Dataset:
    """Split by subject, subsample, and render the views of all cameras; raises ValueError for
    unknown subjects."""
    evaluation = evaluation or Evaluation()
    seen = leave_out(poses, data.left_out_subjects) if data.left_out_subjects else poses
    train, test = split_by_subject(seen, data.test_subjects)
    if data.max_train_poses is not None and data.max_train_poses < len(train):
        kept = torch.randperm(len(train), generator=stream(data.seed, "subset"))[: data.max_train_poses].sort().values
        train = train.select(kept.numpy())
    train_scene = scene(train)
    return Dataset(
        train_scene.render(data.num_views, derived_seed(data.seed, "train"), observation=data.observation),
        render_views(test, evaluation.num_views, derived_seed(data.seed, "test"), data.observation),
        train,
        test,
        train_scene,
    )


def check_batch_size(config: Config, num_train_poses: int) -> None:
    """Raise ValueError if an epoch has fewer training views than one batch."""
    data, num_views = config.data, num_train_poses * config.data.num_views
    if config.optimiser.batch_size > num_views:
        raise UserError(
            f"The batch size {config.optimiser.batch_size} is larger than the data: {num_train_poses} training poses seen by"
            f" {data.num_views} cameras are {num_views} views; give an --optimiser.batch-size of at most {num_views}."
        )
    if data.epoch_views is not None and config.optimiser.batch_size > data.epoch_views:
        raise UserError(
            f"The batch size {config.optimiser.batch_size} is larger than an epoch of {data.epoch_views} views;"
            f" give an --optimiser.batch-size of at most {data.epoch_views}, or more --data.epoch-views."
        )


def _camera_angles(seed: int, clip: str, camera: int, occasion: object) -> tuple[float, float]:
    rng = np.random.default_rng(derived_seed(seed, "camera", clip, camera, occasion))
    limit = np.deg2rad(ELEVATION_DEGREES)
    return rng.uniform(-np.pi, np.pi), rng.uniform(-limit, limit)
