"""Run a study on a Ray cluster from one's own machine: submit it, follow it, and fetch its report.

All goes through ssh to the head node, as with `ray up` and `ray exec`, so that no port of the
cluster is open; `tips_ray.cluster.job` is what runs there. The study is a Ray Job: it goes on when
this machine is closed.
"""

import hashlib
import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tips_ray.cluster.job import REPORT, code_hash
from tips_ray.cluster.ssh import ConnectionLostError, Head, read_cluster
from tips_ray.errors import UserError
from tips_ray.secrets import without_secrets
from tips_ray.store.records import MANIFEST, SEARCH

REPORTS = Path("reports")
STOPPED = 130


@dataclass(frozen=True)
class Submission:
    """A study that shall run on a cluster."""

    command: str
    """Such as "stability"."""
    arguments: list[str]
    """The rest of its command line there: without --cluster and --attach."""
    campaign: str
    data: dict[str, str]
    """Files and folders of poses by the option that names them; they are uploaded."""

    @property
    def storage(self) -> str:
        """The storage on the command line; empty: the cluster's own."""
        return value_of(self.arguments, "--storage")

    def check(self) -> None:
        """Raise UserError where the study cannot be submitted from here."""
        here = REPORTS / self.campaign
        if any((here / record).exists() for record in (MANIFEST, SEARCH)):
            raise UserError(f"{str(here)!r} holds a campaign of this machine, and its report; give another --campaign name.")
        names = [Path(path).expanduser().resolve().name for path in self.data.values()]
        if len(set(names)) < len(set(self.data.values())):
            raise UserError(
                f"{' and '.join(self.data)} are both called {names[0]!r}, so one would replace the other; rename one."
            )
        for option in ("--storage", "--study-storage"):
            value = value_of(self.arguments, option)
            if value != without_secrets(value):
                variable = f"TIPS_RAY_{option[2:].upper().replace('-', '_')}"
                raise UserError(
                    f"{option} holds a password, which all who can list the cluster's jobs would read; leave the option out, and"
                    f" set {variable} in the setup commands of the cluster file."
                )


def run_on(cluster: Path, submission: Submission, attach: bool, console: Console) -> int:
    """Run a study on a cluster that is up, and fetch its report into `reports/CAMPAIGN`; returns
    the study's exit code.

    A campaign that runs there already is followed, not started again; with `attach` nothing is ever
    started. Raises UserError or OSError, saying what to do, if the file is no cluster file, the
    cluster is not up, or there is nothing to attach to.
    """
    config, campaign = read_cluster(cluster), submission.campaign
    submission.check()
    data = "" if attach or not submission.data else content_hash(*submission.data.values())
    study = {"campaign": campaign, "storage": submission.storage, "data": data}
    head = Head(cluster, config)
    there = head.ask("find", **study)
    job, is_new = there["job"], False
    if attach and job is None:
        raise UserError(f"No study of campaign {campaign!r} was started on this cluster; leave --attach out to start it.")
    say = partial(console.print, highlight=False, soft_wrap=True)
    if there["runs"]:
        say(f"{escape(campaign)} runs on the cluster already, as job {job}; following it.")
    elif not attach:
        if there["code"] != code_hash(Path(__file__).resolve().parents[2]):
            say(f"[yellow]The cluster has other code than this folder; `ray up {cluster}` ships what you edited.[/]")
        words = [submission.command, *submission.arguments]
        for option, path in submission.data.items():
            words += [option, f"{there['data_folder']}/{Path(path).expanduser().resolve().name}"]
            if not there["data_is_here"]:
                say(f"Uploading {escape(path)} ...")
                head.upload(Path(path), there["data_folder"])
        if not value_of(words, "--campaign"):
            words += ["--campaign", campaign]
        started = head.ask("start", **study, study=words, columns=console.width)
        job, is_new = started["job"], started["new"]
        say(f"{'Started' if is_new else 'Following'} job {job} on the cluster.")
    try:
        head.follow(job, from_its_last_lines=not is_new)
    except (KeyboardInterrupt, ConnectionLostError) as error:
        event = "Detached" if isinstance(error, KeyboardInterrupt) else "Lost the connection to the cluster"
        attach_again = [sys.executable, "-m", "tips_ray", submission.command, "--cluster", str(cluster), "--attach"]
        attach_again += ["--campaign", campaign, *(["--storage", submission.storage] if submission.storage else [])]
        print(f"\n{event}; the study goes on there as job {job}.\n  follow it  {shlex.join(attach_again)}", file=sys.stderr)
        print(f"  stop it    ray exec {shlex.quote(str(cluster))} 'ray job stop {job}'", file=sys.stderr)
        return STOPPED
    ending = head.ask("collect", job=job, campaign=campaign, storage=submission.storage)
    check_report(ending["files"])
    stopped = ending["status"] == "STOPPED"
    code = STOPPED if stopped else 1 if ending["exit_code"] is None else ending["exit_code"]
    if code:
        reason = "; the same command continues it" if stopped else "" if ending["exit_code"] else f": {ending['message']}"
        print(f"Job {job} on the cluster is {ending['status']}, exit code {code}{reason}", file=sys.stderr)
    here = REPORTS / campaign
    for name in ending["files"]:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        head.download(f"{ending['folder']}/{name}", here / name)
    if ending["files"]:
        print(f"Report: {(here / 'report.html').resolve()}")
    return code


def check_report(names: list[str]) -> None:
    """Raise OSError unless all are names of a report's files: no cluster chooses where its files
    land here."""
    others = [name for name in names if name not in REPORT]
    if others:
        raise OSError(f"The cluster names {others[0]!r} as a file of the report, which it is not; nothing was copied.")


def content_hash(*given: str) -> str:
    """A short hash of files, and of all files in folders but the hidden ones; raises UserError for
    what is neither."""
    digest = hashlib.sha256()
    for data in given:
        path = Path(data).expanduser()
        files = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
        files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts)]
        if not files:
            raise UserError(f"{data!r} does not exist here; poses are 'synthetic', or a file or folder of poses.")
        for file in files:
            digest.update(str(file.relative_to(path.parent)).encode() + b"\0")
            with file.open("rb") as source:
                digest.update(hashlib.file_digest(source, "sha256").digest())
    return digest.hexdigest()[:16]


def value_of(arguments: list[str], option: str) -> str:
    """The value of an option in a command line; empty where it is not given."""
    values = [arguments[i + 1] for i, word in enumerate(arguments[:-1]) if word == option]
    return ([word.partition("=")[2] for word in arguments if word.startswith(f"{option}=")] + values + [""])[0]
