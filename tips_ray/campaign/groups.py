"""Which runs a process trains as one model."""

from collections.abc import Iterator

from tips_ray.campaign.checkpoints import StoredRun
from tips_ray.config import Config, Placement
from tips_ray.lifting.sharing import sharing_key
from tips_ray.lifting.together import Together
from tips_ray.lifting.train import Epoch, next_epochs


class SeedGroups:
    """The runs that a process trains at once, as many as its placement says, if their configs can
    share a model."""

    def __init__(self, placement: Placement | None = None) -> None:
        self.placement = placement or Placement()
        self.models: dict[tuple[str, ...], Together] = {}
        """By the names of their runs; a model stays for the next epoch if its runs do."""

    def advance(self, runs: list[StoredRun]) -> None:
        """Train the next epoch of some runs, all after the same one, and store it."""
        for run, epoch in self.train(runs):
            run.store(epoch)

    def train(self, runs: list[StoredRun]) -> Iterator[tuple[StoredRun, Epoch]]:
        """Train the next epoch of some runs, all after the same one; it is to be stored before the
        next one is asked for."""
        size, record = self.placement.seeds_per_process, self.placement.cuda_graphs
        alike: dict[Config, list[StoredRun]] = {}
        for run in runs:
            alike.setdefault(sharing_key(run.run.config), []).append(run)
        groups = [some[first : first + size] for some in alike.values() for first in range(0, len(some), size)]
        groups = {tuple(run.keys["run"] for run in group): group for group in groups}
        self.models = {names: model for names, model in self.models.items() if names in groups}
        for names, group in groups.items():
            if names not in self.models and (len(group) > 1 or record):
                self.models[names] = Together([run.run for run in group], record)
            epochs = next_epochs([run.run for run in group], self.models.get(names))
            yield from zip(group, epochs, strict=True)
