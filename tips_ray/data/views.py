"""What cameras see of a set of poses: the 2D training input, and the 3D truth used to measure
errors."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tips_ray.config import ELEVATION_DEGREES, EXACT, NOMINAL_MM, Config, Data, Evaluation, Observation
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.load import check_known, leave_out, split_by_subject
from tips_ray.data.observe import observe
from tips_ray.data.poseset import PoseSet, root_centred
from tips_ray.errors import UserError
from tips_ray.poses.geometry import View, max_normalise, rotate
from tips_ray.poses.skeleton import JOINTS
from tips_ray.seeding import derived_seed, stream


@dataclass(frozen=True)
class Views:
    """Poses in camera frames, without the root: 2D keypoints as the networks see them, and what
    they were made of."""

    keypoints: Float[Tensor, "views 16 2"]
    """Max-normalised: the largest coordinate of each pose is 1."""
    pose: Float[Tensor, "views 16 3"]
    """Camera frame, mm, relative to the root. For measuring errors and for supervised training,
    never for unsupervised. NaN of keypoints alone."""
    scale: Float[Tensor, " views"]
    """mm per unit of the keypoints; of observed ones, as if the middle frame of each clip were
    `NOMINAL_MM` large."""
    action: Int[Tensor, " views"]
    """Index into `actions`."""
    actions: list[str]
    subject: Int[Tensor, " views"]
    """Index into `subjects`."""
    subjects: list[str]
    clip: Int[Tensor, " views"]
    """Index of the clip that a view is a frame of; a clip seen by two cameras is two."""
    labelled: bool = True
    """Whether the poses are known."""

    def __len__(self) -> int:
        return len(self.keypoints)

    def to(self, device: str | torch.device) -> "Views":
        """The same on another device."""
        return self._each(lambda values: values.to(device))

    def spread(self, count: int) -> "Views":
        """`count` views evenly spaced over all of them, so over subjects, clips and cameras; all
        views if there are fewer."""
        chosen = self.spread_places(count)
        return self._each(lambda values: values[chosen])

    def spread_places(self, count: int) -> Int[Tensor, " chosen"]:
        """Places of the views that `spread` chooses."""
        count = min(count, len(self))
        return torch.arange(count, device=self.keypoints.device) * len(self) // count

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


def scene(poses: PoseSet | KeypointSet) -> Scene:
    """Set up a scene of all poses, on the CPU; those that are seen with keypoints stand as their
    camera sees them."""
    assert poses.positions is not None
    joints = torch.from_numpy(np.delete(root_centred(poses.positions), 0, axis=1)).float()
    clips, clip_of = np.unique(poses.clip, return_inverse=True)
    actions, action_of = np.unique(poses.action, return_inverse=True)
    subjects, subject_of = np.unique(poses.subject, return_inverse=True)
    clip, action, subject = map(torch.from_numpy, (clip_of, action_of, subject_of))
    return Scene(joints, clip, action, subject, clips.tolist(), actions.tolist(), subjects.tolist())


def render_views(poses: PoseSet, num_views: int, seed: int, observation: Observation = EXACT) -> Views:
    """Let `num_views` cameras look at every pose of a set, as `Scene.render` does."""
    return scene(poses).render(num_views, seed, observation=observation)


def observed_views(keypoints: KeypointSet) -> Views:
    """What real cameras saw: each frame once.

    Sizes are known relative to the clip alone, so each clip is made as large as people are; the
    paired poses, where there are any, have no say.
    """
    relative = torch.from_numpy(np.delete(root_centred(keypoints.keypoints), 0, axis=1)).float()
    normalised, size = max_normalise(relative)
    _, clip_of = np.unique(keypoints.clip, return_inverse=True)
    clip = torch.from_numpy(clip_of)
    middle = torch.stack([size[clip == number].median() for number in range(int(clip.max()) + 1)])
    actions, action_of = np.unique(keypoints.action, return_inverse=True)
    subjects, subject_of = np.unique(keypoints.subject, return_inverse=True)
    labelled = keypoints.positions is not None
    positions = keypoints.positions if keypoints.positions is not None else np.full((len(keypoints), len(JOINTS), 3), np.nan)
    pose = torch.from_numpy(np.delete(root_centred(positions), 0, axis=1)).float()
    scale = NOMINAL_MM * size / middle[clip]
    action, subject = torch.from_numpy(action_of), torch.from_numpy(subject_of)
    return Views(normalised, pose, scale, action, actions.tolist(), subject, subjects.tolist(), clip, labelled)


def labelled_views(poses: PoseSet | KeypointSet, num_views: int, data: Data) -> Views:
    """The views of labelled poses that errors are measured on: rendered, or those of real cameras
    with the size that the truth has."""
    if isinstance(poses, PoseSet):
        return render_views(poses, num_views, derived_seed(data.seed, "test"), data.observation)
    views = observed_views(poses)
    seen = views.pose[..., :2]
    scale = (seen * views.keypoints).sum((1, 2)) / views.keypoints.square().sum((1, 2))
    return replace(views, scale=scale)


@dataclass(frozen=True)
class Sources:
    """What a study is given: poses or keypoints to train on, and, if errors are to be measured on
    others, those."""

    poses: PoseSet | KeypointSet
    labelled: PoseSet | KeypointSet | None = None

    @property
    def has_depths(self) -> bool:
        """Whether true depths of what is trained on are known."""
        return isinstance(self.poses, PoseSet) or self.poses.positions is not None


@dataclass(frozen=True)
class Dataset:
    """All that a run needs to know of the data."""

    train: Views
    test: Views | None
    """What errors are measured on; None: there are no labels."""
    train_poses: PoseSet | KeypointSet
    test_poses: PoseSet | KeypointSet | None
    train_scene: Scene | None
    """The training poses, for cameras that are drawn in each epoch; None of keypoints, unless such
    cameras are asked for."""

    def training_views(self, config: Data, epoch: int) -> Views:
        """What is trained on in an epoch, counted from 0.

        With `new_views_each_epoch` (the weakly supervised variant of appendix A.3) the training
        poses are seen from cameras that only this epoch uses, on the device, and those views are
        forgotten after it.
        """
        if config.new_views_each_epoch and self.train_scene:
            num_views = config.num_views if isinstance(self.train_poses, PoseSet) else 1  # keypoints are a view each
            return self.train_scene.render(num_views, config.seed, epoch, config.observation)
        return self.train

    def to(self, device: str | torch.device) -> "Dataset":
        """The same with its views on another device."""
        test, train_scene = (each.to(device) if each else None for each in (self.test, self.train_scene))
        return replace(self, train=self.train.to(device), test=test, train_scene=train_scene)


def prepare(
    poses: PoseSet | KeypointSet,
    data: Data,
    evaluation: Evaluation | None = None,
    labelled: PoseSet | KeypointSet | None = None,
) -> Dataset:
    """Split by subject, subsample, and take the views of all cameras.

    Errors are measured on the test subjects of the poses, or of others that are `labelled`; of
    keypoints alone there are no errors. Raises UserError for unknown subjects, and for settings
    that need 3D where there is none.
    """
    evaluation = evaluation or Evaluation()
    seen = leave_out(poses, data.left_out_subjects) if data.left_out_subjects else poses
    train, test = split(seen, data.test_subjects, labelled)
    if data.max_train_poses is not None and data.max_train_poses < len(train):
        kept = torch.randperm(len(train), generator=stream(data.seed, "subset"))[: data.max_train_poses].sort().values
        train = train.select(kept.numpy())
    tested = None if test is None else labelled_views(test, evaluation.num_views, data)
    if isinstance(train, KeypointSet):
        if data.observation != EXACT:
            raise UserError(f"{train.name}: these are keypoints as a camera gave them; leave out --data.observation.")
        check_new_views(data, train.positions is not None, train.name)
        return Dataset(observed_views(train), tested, train, test, scene(train) if data.new_views_each_epoch else None)
    train_scene = scene(train)
    train_views = train_scene.render(data.num_views, derived_seed(data.seed, "train"), observation=data.observation)
    return Dataset(train_views, tested, train, test, train_scene)


def split(
    poses: PoseSet | KeypointSet, test_subjects: tuple[str, ...], labelled: PoseSet | KeypointSet | None
) -> tuple[PoseSet | KeypointSet, PoseSet | KeypointSet | None]:
    """The poses to train on and those to test on, with no subject in both; None of keypoints
    alone."""
    if labelled is not None:
        if isinstance(labelled, KeypointSet) and labelled.positions is None:
            raise UserError(f"{labelled.name}: these are keypoints without 3D poses, so no error can be measured on them.")
        check_known(labelled, test_subjects, "test on")
        return poses, labelled.select(np.isin(labelled.subject, test_subjects)) if test_subjects else labelled
    if isinstance(poses, KeypointSet) and poses.positions is None:
        if test_subjects:
            raise UserError(
                f"{poses.name}: these are keypoints without 3D poses, so no error can be measured; leave out"
                " --data.test-subjects, or give labelled poses with --test-data."
            )
        return poses, None
    return split_by_subject(poses, test_subjects)


def check_new_views(data: Data, has_poses: bool, name: str) -> None:
    """Raise UserError for new views of keypoints alone."""
    if data.new_views_each_epoch and not has_poses:
        raise UserError(
            f"{name}: --data.new-views-each-epoch (the arm parts_new_views) needs 3D poses, which cameras can see anew; these are"
            " keypoints alone."
        )


def check_labels(config: Config, dataset: Dataset) -> None:
    """Raise UserError for a config that learns from true depths, or from new true views, where
    there are none."""
    check_new_views(config.data, dataset.train.labelled, dataset.train_poses.name)
    if config.objective == "supervised" and not dataset.train.labelled:
        raise UserError(
            f"{dataset.train_poses.name}: these are keypoints without 3D poses, and a supervised arm trains on true depths;"
            " leave it out of --arms."
        )


def check_batch_size(config: Config, num_views: int) -> None:
    """Raise UserError if an epoch has fewer training views than one batch."""
    batch, of_an_epoch = config.optimiser.batch_size, config.data.epoch_views
    if batch > num_views:
        raise UserError(
            f"The batch size {batch} is larger than the data, {num_views:,} training views; give an --optimiser.batch-size of"
            f" at most {num_views}."
        )
    if of_an_epoch is not None and batch > of_an_epoch:
        raise UserError(
            f"The batch size {batch} is larger than an epoch of {of_an_epoch} views; give an --optimiser.batch-size of at most"
            f" {of_an_epoch}, or more --data.epoch-views."
        )


def _camera_angles(seed: int, clip: str, camera: int, occasion: object) -> tuple[float, float]:
    rng = np.random.default_rng(derived_seed(seed, "camera", clip, camera, occasion))
    limit = np.deg2rad(ELEVATION_DEGREES)
    return rng.uniform(-np.pi, np.pi), rng.uniform(-limit, limit)
