import subprocess
import sys
from pathlib import Path

import pytest

from tips_ray import provenance
from tips_ray.secrets import without_secrets
from tips_ray.store.storage import Storage

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:s3c@ret:x@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:a s3cret'\"@host/db", "postgresql://me:***@host/db"),
        ("s3://KEY:s3cret%2Fx+/y@bucket/x?region=us-east-1", "s3://KEY:***@bucket/x?region=us-east-1"),
        ("mysql+pymysql://me@host/db?password=s3cret&x=1", "mysql+pymysql://me@host/db?password=***&x=1"),
        ("abfs://c@a/x?client_secret=s3cret or&tenant_id=t", "abfs://c@a/x?client_secret=***&tenant_id=t"),
        ("x: abfs://c@a/x?sas_token=s3cret&secret_key=s3cret&sig=s3cret", "x: abfs://c@a/x?sas_token=***&secret_key=***&sig=***"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("s3://bucket/a:b@c/x", "s3://bucket/a:b@c/x"),
        ("could not parse 'postgresql://me:s3cret@host:x/db'", "could not parse 'postgresql://me:***@host:x/db'"),
        ("could not parse 'postgresql://me:a s3cret@host:x/db'", "could not parse 'postgresql://me:***@host:x/db'"),
        ("no design=x and no author of a@b", "no design=x and no author of a@b"),
    ],
)
def test_secrets_are_not_shown(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_the_command_is_recorded_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--study-storage", "postgresql://me:a s3cret@host/db", "--storage=s3://K:s3cret@b", "--num-trials", "3"]
    monkeypatch.setattr(sys, "argv", ["studies/x.py", *words])
    assert provenance.provenance()["command"] == (
        "python studies/x.py --study-storage 'postgresql://me:***@host/db' '--storage=s3://K:***@b' --num-trials 3"
    )


def test_a_storage_is_shown_without_its_secret_and_used_with_it() -> None:
    storage = Storage(f"s3://KEY:{SECRET}@bucket/x") / "a"
    assert SECRET not in f"{storage} {storage!r} {[storage]}"
    assert storage.location == f"s3://KEY:{SECRET}@bucket/x/a"


def test_the_commit_is_that_of_the_packages_own_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    installed = tmp_path / "lib" / "tips_ray" / "provenance.py"  # in an environment inside another project
    own = tmp_path / "tips_ray" / "provenance.py"
    for file in (installed, own):
        file.parent.mkdir(parents=True)
        file.write_text("")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "all")
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert provenance.commit() is None
    monkeypatch.setattr(provenance, "__file__", str(own))
    assert provenance.commit() == git("rev-parse", "HEAD")[:12]
    own.write_text("# changed")
    assert provenance.commit() == git("rev-parse", "HEAD")[:12] + "+"
