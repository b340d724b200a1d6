"""Run a study on a Ray cluster from one's own machine: submit it, follow it, and fetch its report.

All goes through ssh to the head node, as with `ray up` and `ray exec`, so that no port of the
cluster is open; `head` is what is run there. The study is a Ray Job: it goes on when this machine
is closed.
"""

import hashlib
import shlex
import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tips_ray.cluster.job import code_stamp
from tips_ray.cluster.ssh import ConnectionLostError, Head
from tips_ray.errors import UserError
from tips_ray.store.curves import MANIFEST
from tips_ray.store.records import SEARCH

REPORTS = Path("reports")
STOPPED = 130


def run_on(cluster: Path, study_name: str, arguments: list[str], campaign: str, data: str, attach: bool, console: Console) -> int:
    """Run a study on a cluster that is up, and fetch its report into `reports/CAMPAIGN`; returns
    the study's exit code.

    `arguments` are those of the script there, without --cluster and --attach. A campaign that runs
    there already is followed, not started again; with `attach` nothing is ever started. Raises
    ValueError or OSError, saying what to do, if the file is no cluster file, the cluster is not up,
    or there is nothing to attach to.
    """
    here = REPORTS / campaign
    if any((here / record).exists() for record in (MANIFEST, SEARCH)):
        raise UserError(f"{str(here)!r} holds a campaign of this machine, and its report; give another --campaign name.")
    study = {"campaign": campaign, "storage": given(arguments, "--storage")}
    study["data"] = "" if attach or data == "synthetic" else content_hash(data)
    head = Head(cluster)
    known = head.ask("find", **study)
    job, late = known["job"], True
    if attach and job is None:
        raise UserError(f"No study of campaign {campaign!r} was started on this cluster; leave --attach out to start it.")
    say = partial(console.print, highlight=False, soft_wrap=True)
    if known["runs"]:
        say(f"{escape(campaign)} runs on the cluster already, as job {job}; following it.")
    elif not attach:
        if known["code"] != code_stamp(Path(__file__).resolve().parents[2]):
            say(f"[yellow]The cluster has other code than this folder; `ray up {cluster}` ships what you edited.[/]")
        if study["data"]:
            arguments = [*arguments, "--data", f"{known['data_folder']}/{Path(data).resolve().name}"]
        if study["data"] and not known["data_is_here"]:
            say(f"Uploading {escape(data)} ...")
            head.upload(Path(data), known["data_folder"])
        if not given(arguments, "--campaign"):
            arguments = [*arguments, "--campaign", campaign]
        started = head.ask("start", **study, study=study_name, arguments=arguments, columns=console.width)
        job, late = started["job"], not started["new"]
        say(f"{'Following' if late else 'Started'} job {job} on the cluster.")
    again = [
        sys.executable,
        "-m",
        f"tips_ray.studies.{study_name}",
        "--cluster",
        str(cluster),
        "--attach",
        "--campaign",
        campaign,
    ]
    again += ["--storage", study["storage"]] if study["storage"] else []
    try:
        head.follow(job, late)
    except (KeyboardInterrupt, ConnectionLostError) as error:
        what = "Detached" if isinstance(error, KeyboardInterrupt) else "Lost the connection to the cluster"
        print(f"\n{what}; the study goes on there as job {job}.\n  follow it  {shlex.join(again)}", file=sys.stderr)
        print(f"  stop it    ray exec {shlex.quote(str(cluster))} 'ray job stop {job}'", file=sys.stderr)
        return STOPPED
    return fetch(head, job, here)


def fetch(head: Head, job: str, here: Path) -> int:
    """Copy the report of a job that ended, and say how it ended; returns its exit code."""
    ending = head.ask("collect", job=job)
    stopped = ending["status"] == "STOPPED"
    code = STOPPED if stopped else 1 if ending["exit_code"] is None else ending["exit_code"]
    if code:
        reason = "; the same command continues it" if stopped else "" if ending["exit_code"] else f": {ending['message']}"
        print(f"Job {job} on the cluster is {ending['status']}, exit code {code}{reason}", file=sys.stderr)
    if ending["files"]:
        for name in ending["files"]:
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            head.download(f"{ending['folder']}/{name}", here / name)
        print(f"Report: {(here / 'report.html').resolve()}")
    return code


def content_hash(data: str) -> str:
    """A short hash of a file, or of all files in a folder; raises ValueError if there is
    neither."""
    path = Path(data).expanduser()
    files = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
    if not files:
        raise UserError(f"{data!r} does not exist here; poses are 'synthetic', an .npz file, or a folder of CMU's files.")
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(path.parent)).encode() + b"\0")
        with file.open("rb") as source:
            digest.update(hashlib.file_digest(source, "sha256").digest())
    return digest.hexdigest()[:16]


def given(arguments: list[str], option: str) -> str:
    """The value of an option in a command line, or nothing."""
    values = [arguments[i + 1] for i, word in enumerate(arguments[:-1]) if word == option]
    return ([word.partition("=")[2] for word in arguments if word.startswith(f"{option}=")] + values + [""])[0]
