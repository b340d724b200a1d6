"""What cameras see of a set of poses: the 2D training input, and the 3D truth used to measure
errors."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tips_ray.config import ELEVATION_DEGREES, EXACT, NOMINAL_MM, Data, Observation
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.observe import observe
from tips_ray.data.poseset import PoseSet, root_centred
from tips_ray.poses.geometry import View, max_normalise, rotate
from tips_ray.poses.skeleton import JOINTS
from tips_ray.seeding import derived_seed


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


def _camera_angles(seed: int, clip: str, camera: int, occasion: object) -> tuple[float, float]:
    rng = np.random.default_rng(derived_seed(seed, "camera", clip, camera, occasion))
    limit = np.deg2rad(ELEVATION_DEGREES)
    return rng.uniform(-np.pi, np.pi), rng.uniform(-limit, limit)
