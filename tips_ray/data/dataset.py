"""What a study is given, and what its runs are trained and tested on."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from tips_ray.config import EXACT, Config, Data, Evaluation
from tips_ray.data.keypointset import KeypointSet
from tips_ray.data.load import check_known, leave_out, split_by_subject
from tips_ray.data.poseset import PoseSet
from tips_ray.data.views import Scene, Views, labelled_views, observed_views, scene
from tips_ray.errors import UserError
from tips_ray.seeding import derived_seed, stream


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
