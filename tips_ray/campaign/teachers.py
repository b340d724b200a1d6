"""Teachers of a campaign's distilled arms: appointed once, kept as cards under `teachers/`, and
loaded where students train."""

import hashlib
import json
from dataclasses import asdict, replace

from tips_ray.campaign.checkpoints import weights_name
from tips_ray.campaign.evaluate import config_of, kept_epochs, load_window
from tips_ray.campaign.plan import Campaign
from tips_ray.config import Config
from tips_ray.errors import UserError, sentence
from tips_ray.lifting.distil import Teachers
from tips_ray.stability.campaign import LoadedCampaign, load_campaign
from tips_ray.stability.rule_sets import rule_named, standard_rules
from tips_ray.stability.stopping import Oracle
from tips_ray.stability.teachers import CARDS, TeacherCard, TeacherWindow, TeachingRuns, choose_teachers, read_cards
from tips_ray.store.curves import RUNS, DamagedCurveError
from tips_ray.store.records import read_manifest
from tips_ray.store.storage import Storage


def pick_teachers(campaign: Campaign, students: list[str], state: LoadedCampaign | None) -> dict[str, str]:
    """Pick the teachers of some distilled arms, and write their cards; returns why those that
    nobody can teach have none.

    A card stays once it is written, so that a student's training can be continued; seeds that were
    added are added to it.
    """
    failures = {}
    try:
        loaded = state or load_campaign(campaign.folder)
    except DamagedCurveError as error:
        return dict.fromkeys(students, sentence(error))
    for student in students:
        before = loaded.cards.get(student)
        try:
            card = picked_card(campaign, student, loaded)
        except UserError as error:
            failures[student] = sentence(error)
            continue
        if card != before:
            campaign.folder.write(f"{CARDS}/{student}.json", json.dumps(asdict(card), indent=1).encode())
    return failures


def picked_card(campaign: Campaign, student: str, loaded: LoadedCampaign) -> TeacherCard:
    """The card of a student: the one it has, with the seeds that were added, or a new one.

    Added seeds learn from runs as old as those of the others were. Raises ValueError where nobody
    can be picked (`choose_teachers`), and if the weights that a card names are not what they were.
    """
    folder, teacher = campaign.folder, campaign.arms[student].teacher
    assert teacher is not None, f"{student} is no student"
    before = loaded.cards.get(student)
    if before and before.teacher != teacher:  # no run has learnt from it yet, or the campaign would not take another teacher
        before = None
    known = before.lessons if before else ()
    missing = set(campaign.seeds) - {lesson.seed for lesson in known}
    for lesson in known:
        check(folder, student, lesson)
    if before and (teacher.runs != "own" or not missing):
        return before
    curves = loaded.curves[loaded.curves["arm"] == teacher.arm]
    kept = {str(run): kept_epochs(folder / RUNS / str(run)) for run in curves["run"].unique()}
    num_epochs = before.num_epochs if before else campaign.num_epochs
    curves = curves[curves["epoch"] <= before.num_epochs] if before else curves
    seeds = sorted({lesson.seed for lesson in known} | missing)
    card = choose_teachers(TeachingRuns(curves, loaded.measured.windows, kept), student, teacher, seeds, num_epochs)
    added = [signed(folder, lesson) for lesson in card.lessons if not before or lesson.seed in missing]
    return replace(card, lessons=(*known, *added))


def teachers_of(folder: Storage, student: str, seed: int, device: str) -> Teachers:
    """The teachers of the student of one seed, by its arm's card.

    Raises ValueError if there is no card, nobody for that seed, or a checkpoint that is missing or
    changed.
    """
    cards = read_cards(folder)
    if student not in cards:
        raise UserError(f"No teachers were picked for {student!r} in {str(folder)!r}; run the study's command again.")
    card = cards[student]
    lessons = card.of_seed(seed)
    for lesson in lessons:
        check(folder, student, lesson)
    teaching = config_of(folder, read_manifest(folder), card.teacher.arm)
    lifters = [load_window(folder / RUNS / lesson.run, lesson.window, teaching).to(device) for lesson in lessons]
    identity = hashlib.sha256(json.dumps([sorted(lesson.checkpoints.values()) for lesson in lessons]).encode()).hexdigest()[:12]
    return Teachers(lifters, [lesson.depth_sign for lesson in lessons], identity)


def signed(folder: Storage, lesson: TeacherWindow) -> TeacherWindow:
    """The lesson with the hashes of its checkpoints, of those epochs of its window that were
    kept."""
    run = folder / RUNS / lesson.run
    epochs = [epoch for epoch in sorted(kept_epochs(run)) if lesson.first <= epoch <= lesson.last]
    return replace(lesson, checkpoints={str(epoch): checksum(run, epoch) for epoch in epochs})


def check(folder: Storage, student: str, lesson: TeacherWindow) -> None:
    """Raise ValueError if a checkpoint that a card names is missing, or another than it was."""
    for epoch, known in lesson.checkpoints.items():
        try:
            found = checksum(folder / RUNS / lesson.run, int(epoch))
        except FileNotFoundError:
            found = None
        if found != known:
            what = "is missing" if found is None else "has changed since it was picked"
            raise UserError(
                f"The checkpoint {weights_name(int(epoch))} of {lesson.run!r}, a teacher of {student!r}, {what}; restore it, or"
                f" delete {CARDS}/{student}.json and the runs of {student!r} in {str(folder)!r} to pick anew."
            )


def checksum(run: Storage, epoch: int) -> str:
    """SHA-256 of a run's weights after an epoch."""
    return hashlib.sha256(run.read(weights_name(epoch))).hexdigest()


def check_teachers(known: dict[str, Config], asked: list[str], num_epochs: int) -> None:
    """Raise ValueError for a distilled arm whose teacher is not among the arms that a campaign
    knows, or cannot teach, and for a stop rule that is none.
    """
    able = [arm for arm, config in known.items() if config.objective == "adversarial"]
    for student in asked:
        teacher = known[student].teacher
        if teacher is None:
            continue
        if teacher.arm not in able:
            if not able:
                raise UserError(
                    f"{student!r} learns from {teacher.arm!r}, and this campaign has no arm that can teach. Train"
                    f" {teacher.arm!r} first, by tips-ray stability with the same options; or give the --campaign that has it."
                )
            raise UserError(
                f"{student!r} learns from {teacher.arm!r}, which is not among the arms that can teach"
                f" ({', '.join(able)}); add it to --arms, or give another --teacher.arm."
            )
        if teacher.rule != Oracle().name:
            rule_named(teacher.rule, standard_rules(num_epochs))
