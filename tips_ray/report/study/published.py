"""Published numbers that stand beside those of a study, as their papers report them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A method, how it was trained, what differs in its protocol, and its numbers."""

    method: str
    approach: str
    protocol: str
    numbers: tuple[float, ...]

    @property
    def note(self) -> str:
        """Approach and protocol, as a table says them."""
        return ", ".join(filter(None, (self.approach, self.protocol)))


HUMAN36M_ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting", "SittingDown"),
    *("Smoking", "Waiting", "Walking", "WalkDog", "WalkTogether"),
)
"""In the order of the paper's Table 1."""

GT = "ground-truth 2D"
SUPERVISED, WEAK, UNSUPERVISED, DISTILLED = "supervised", "weakly supervised", "unsupervised", "distilled"
OURS = f"{GT}, best epoch by the test error, reflection allowed"
REFLECTION = f"{GT}, reflection allowed for each pose"

HUMAN36M = (
    Published(
        "The paper: solo",
        UNSUPERVISED,
        OURS,
        (53.3, 48.9, 56.2, 51.6, 58.1, 47.6, 52.8, 50.4, 46.7, 44.6, 49.8, 72.7, 55.3, 49.5, 51.5, 52.6),
    ),
    Published(
        "The paper: legs + torso",
        UNSUPERVISED,
        OURS,
        (38.7, 39.6, 44.7, 44.9, 49.4, 40.7, 46.4, 37.2, 39.5, 39.4, 43.2, 54.6, 52.0, 41.1, 45.4, 43.8),
    ),
    Published(
        "The paper: TIPS",
        DISTILLED,
        OURS,
        (38.3, 39.4, 44.7, 43.1, 48.1, 39.7, 46.2, 37.5, 39.2, 39.2, 43.3, 53.1, 51.3, 40.5, 44.7, 43.2),
    ),
    Published(
        "The paper, appendix A.3",
        WEAK,
        f"{GT}, new true views: to be held against parts_new_views",
        (28.3, 30.6, 37.1, 35.7, 41.7, 33.0, 38.1, 30.5, 31.1, 30.6, 33.5, 46.2, 40.2, 32.7, 33.9, 34.9),
    ),
    Published(
        "Drover et al.",
        WEAK,
        f"{GT}, 8 times as many training poses",
        (33.5, 39.3, 32.9, 37.0, 35.8, 42.7, 39.0, 38.2, 42.1, 52.3, 36.9, 39.4, 36.8, 33.2, 34.9, 38.2),
    ),
    Published(
        "Wandt & Rosenhahn",
        WEAK,
        GT,
        (33.6, 38.8, 32.6, 37.5, 36.0, 44.1, 37.8, 34.9, 39.2, 52.0, 37.5, 39.8, 34.1, 40.3, 34.9, 38.2),
    ),
    Published(
        "Kudo et al.",
        UNSUPERVISED,
        GT,
        (125.0, 137.9, 107.2, 130.8, 115.1, 127.3, 147.7, 128.7, 134.7, 139.8, 114.5, 147.1, 130.8, 125.6, 151.1, 130.9),
    ),
    Published("Chen et al.", UNSUPERVISED, f"{GT}, temporal", (51.0,)),
    Published("Yu et al.", UNSUPERVISED, REFLECTION, (42.0,)),
    Published("ElePose", UNSUPERVISED, REFLECTION, (36.7,)),
    Published("LInKs", UNSUPERVISED, REFLECTION, (33.8,)),
    Published(
        "Yang et al.",
        WEAK,
        "from images, with 2D labels of MPII",
        (26.9, 30.9, 36.3, 39.9, 43.9, 47.4, 28.8, 29.4, 36.9, 58.4, 41.5, 30.5, 29.5, 42.5, 32.2, 37.7),
    ),
    Published(
        "Pavlakos et al.",
        WEAK,
        "from images, with 2D labels of MPII",
        (34.7, 39.8, 41.8, 38.6, 42.5, 47.5, 38.0, 36.6, 50.7, 56.8, 42.6, 39.6, 43.9, 32.1, 36.5, 41.8),
    ),
    Published(
        "Ronchi et al.",
        WEAK,
        "",
        (43.6, 45.3, 45.8, 50.9, 46.6, 55.3, 43.3, 47.3, 56.6, 74.3, 47.1, 48.5, 52.1, 48.5, 49.8, 50.3),
    ),
    Published(
        "Martinez et al.",
        SUPERVISED,
        "detected 2D",
        (39.5, 43.2, 46.4, 47.0, 51.0, 56.0, 41.4, 40.6, 56.5, 69.4, 49.2, 45.0, 49.5, 38.0, 43.1, 47.7),
    ),
    Published(
        "Pavllo et al.",
        SUPERVISED,
        GT,
        (36.0, 38.7, 38.0, 41.7, 40.1, 45.9, 37.1, 35.4, 46.8, 53.4, 41.4, 36.9, 43.1, 30.3, 34.8, 40.0),
    ),
    Published(
        "Cai et al.",
        SUPERVISED,
        GT,
        (36.8, 38.7, 38.2, 41.7, 40.7, 46.8, 37.9, 35.6, 47.6, 51.7, 41.3, 36.8, 42.7, 31.0, 34.7, 40.2),
    ),
)
"""P-MPJPE in mm: by HUMAN36M_ACTIONS, and then, or alone, the mean over them."""

KNOWN = "orientation known"
MPI_INF_3DHP = (
    Published("The paper: solo", UNSUPERVISED, f"trained on Human3.6M, {KNOWN}", (75.7, 47.0)),
    Published("The paper: legs + torso", UNSUPERVISED, f"trained on Human3.6M, {KNOWN}", (77.1, 47.9)),
    Published("The paper: TIPS", DISTILLED, f"trained on Human3.6M, {KNOWN}", (78.0, 48.8)),
    Published("Chen et al.", UNSUPERVISED, "trained on MPI-INF-3DHP, temporal", (71.1, 36.3)),
    Published("Kundu et al.", UNSUPERVISED, "trained on Human3.6M", (76.5, 39.8)),
    Published("Wandt & Rosenhahn", WEAK, "trained on Human3.6M", (81.8, 54.8)),
    Published("Kanazawa et al.", WEAK, "trained on MPI-INF-3DHP", (77.1, 40.7)),
    Published("Yang et al.", WEAK, "trained on Human3.6M and more", (69.0, 32.0)),
    Published("Mehta et al.", SUPERVISED, "trained on MPI-INF-3DHP and Human3.6M, transfer from 2D", (76.5, 40.8)),
    Published("Zeng et al.", SUPERVISED, "trained on Human3.6M", (77.6, 43.8)),
)
"""PCK at 150 mm and AUC, in %."""
