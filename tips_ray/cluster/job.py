"""What runs on a cluster's head node for `tips_ray.cluster.submit`: give a study to Ray Jobs,
follow it, and tell where its report is.

    python -m tips_ray.cluster.job COMMAND JSON

Each command takes its arguments as one JSON object, and ends with a line that starts with ANSWER
and holds another.
"""

import asyncio
import hashlib
import json
import logging
import os
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from tips_ray.search.confirmation import CONFIRMATION
from tips_ray.secrets import without_secrets
from tips_ray.store.storage import Storage

START = "tips-ray starts"
"""The line after which a command's output begins."""
ANSWER = "tips-ray answers "
ADDRESS = "http://127.0.0.1:8265"
DATA = Path("~/tips-ray-data").expanduser()
UPLOADED = ".whole"
"""Marks data that was uploaded to its end."""
STUDY_REPORT = ("report.html", "summary.json", "curves.parquet")
REPORT = (*STUDY_REPORT, "trials.parquet", "surface.parquet", *(f"{CONFIRMATION}/{name}" for name in STUDY_REPORT))
"""The files of a study or a search that are copied from the cluster, and no others."""
LINES_AT_ATTACH = 20
SHIPPED = {".py", ".j2", ".css", ".js"}
REPORTED = (0, 1, 130)
"""Exit codes after which a study has written a report: finished, arms failed, interrupted."""


def find(campaign: str, storage: str, data: str) -> dict[str, Any]:
    """The latest job of a campaign, if there is one; where its data belongs, and whether the data
    is there; a hash of this machine's code."""
    if data:
        (DATA / data).mkdir(parents=True, exist_ok=True)
    jobs = jobs_of(JobSubmissionClient(ADDRESS), campaign, storage)
    return {
        "job": jobs[-1].submission_id if jobs else None,
        "runs": bool(jobs) and not jobs[-1].status.is_terminal(),
        "data_is_here": (DATA / data / UPLOADED).exists(),
        "data_folder": str(DATA / data),
        "code": code_hash(Path.cwd()),
    }


def start(campaign: str, storage: str, data: str, study: list[str], columns: int) -> dict[str, Any]:
    """Submit a study (its command line), unless its campaign runs already; returns the id of the
    job that now runs."""
    client = JobSubmissionClient(ADDRESS)
    if data:
        (DATA / data / UPLOADED).touch()
    jobs = jobs_of(client, campaign, storage)
    if jobs and not jobs[-1].status.is_terminal():
        return {"job": jobs[-1].submission_id, "new": False}
    # Two submissions at once choose the same number, and Ray refuses the second.
    job = f"{re.sub('[^A-Za-z0-9_.-]', '-', campaign)}-{len(jobs) + 1}"
    client.submit_job(
        entrypoint=f"cd {shlex.quote(os.getcwd())} && exec python -m tips_ray {shlex.join(study)}",
        submission_id=job,
        metadata=metadata_of(campaign, storage),
        runtime_env={"env_vars": {"COLUMNS": str(columns), "PYTHONUNBUFFERED": "1"}},
    )
    return {"job": job, "new": True}


def follow(job: str, from_its_last_lines: bool) -> dict[str, Any]:
    """Print what a job prints, until it ends; of what it has printed before, only the last lines if
    so told."""
    client = JobSubmissionClient(ADDRESS)
    printed = client.get_job_logs(job) if from_its_last_lines else ""
    print(f"{START}\n", "".join(printed.splitlines(keepends=True)[-LINES_AT_ATTACH:]), sep="", end="", flush=True)

    async def tail() -> None:
        skip = len(printed)
        async for text in client.tail_job_logs(job):
            print(text[skip:], end="", flush=True)
            skip = max(0, skip - len(text))

    asyncio.run(tail())
    return {}


def collect(job: str, campaign: str, storage: str) -> dict[str, Any]:
    """How a job ended, and the folder of this machine from which its report can be copied."""
    client = JobSubmissionClient(ADDRESS)
    for _ in range(60):
        details = client.get_job_info(job)
        if details.status.is_terminal():
            break
        time.sleep(0.5)
    code = 0 if details.status == JobStatus.SUCCEEDED else details.driver_exit_code
    folder = storage_here(storage) / campaign
    files = [name for name in REPORT if code in REPORTED and folder.exists(name)]
    if not folder.is_local:
        copy = Storage(str(DATA / "reports")) / campaign
        for name in files:
            copy.write(name, folder.read(name))
        folder = copy
    return {
        "status": str(details.status.value),
        "exit_code": code,
        "message": details.message,
        "folder": folder.path(),
        "files": files,
    }


def jobs_of(client: JobSubmissionClient, campaign: str, storage: str) -> list[JobDetails]:
    """All jobs of a campaign in a storage, the latest last."""
    wanted = metadata_of(campaign, storage)
    jobs = [job for job in client.list_jobs() if job.submission_id and wanted.items() <= (job.metadata or {}).items()]
    return sorted(jobs, key=lambda job: job.start_time or 0)


def metadata_of(campaign: str, storage: str) -> dict[str, str]:
    """What a job's metadata say; everybody who can list jobs reads it."""
    return {"campaign": campaign, "storage": without_secrets(storage_here(storage).location)}


def storage_here(storage: str) -> Storage:
    """The storage that a study uses here: the one given, or this cluster's own."""
    return Storage(storage or os.environ.get("TIPS_RAY_STORAGE") or "reports")


def code_hash(root: Path) -> str:
    """A hash of the code that a study runs, to tell whether the cluster has what was edited
    elsewhere."""
    digest = hashlib.sha256()
    for path in sorted((root / "tips_ray").rglob("*")):
        if path.suffix in SHIPPED:
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Run one command."""
    commands = {function.__name__: function for function in (find, start, follow, collect)}
    logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.ERROR)
    try:
        answer = commands[sys.argv[1]](**json.loads(sys.argv[2]))
    except ConnectionError:
        answer = {"error": "Ray does not run there"}
    except (RuntimeError, OSError, ValueError) as error:
        answer = {"error": without_secrets(f"{type(error).__name__}: {error}")}
    print(f"\n{ANSWER}{json.dumps(answer)}", flush=True)
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main())
