import sys

import pytest

from tips_ray.provenance import provenance, without_password


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:s3c@ret:x@host/db", "postgresql://me:***@host/db"),
        ("mysql+pymysql://me@host/db?password=s3cret&x=1", "mysql+pymysql://me@host/db?password=***&x=1"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("could not parse 'postgresql://me:s3cret@host:x/db'", "could not parse 'postgresql://me:***@host:x/db'"),
    ],
)
def test_passwords_are_not_shown(text: str, shown: str) -> None:
    assert without_password(text) == shown


def test_the_command_is_recorded_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["studies/x.py", "--study-storage", "postgresql://me:s3cret@host/db", "--num-trials", "3"])
    assert provenance()["command"] == "python studies/x.py --study-storage postgresql://me:***@host/db --num-trials 3"
