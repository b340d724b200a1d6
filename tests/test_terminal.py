"""What a user sees of errors, and that output ends no program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tips_ray.errors import FAULT, UserError, user_errors
from tips_ray.terminal import escaped, printable

PROGRAM = """
import sys, warnings
from pathlib import Path
from rich.console import Console
from tips_ray.errors import user_errors
with user_errors():
    console = Console()
    for number in range(3):
        warnings.warn("of a library")
        console.print(f"{number} ± 1 mm")
        print("± \\u200b", flush=True)
        print("± \\u200b", flush=True, file=sys.stderr)
    Path(sys.argv[1]).write_text("done")
"""


@pytest.mark.parametrize("surroundings", ["full", "closed pipe", "no stdout", "ascii", "warnings as errors"])
def test_output_that_fails_ends_no_program(surroundings: str, tmp_path: Path) -> None:
    variables = {"ascii": {"PYTHONIOENCODING": "ascii"}, "warnings as errors": {"PYTHONWARNINGS": "error"}}
    redirections = {"full": "> /dev/full 2>&1", "closed pipe": "2>&1 | true", "no stdout": ">&- 2>&-"}
    command = f'"$0" -c "$1" "$2" {redirections.get(surroundings, "")}'
    words = ["bash", "-o", "pipefail", "-c", command, sys.executable, PROGRAM, str(tmp_path / "out")]
    ended = subprocess.run(words, env=os.environ | variables.get(surroundings, {}), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "out").read_text() == "done"


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (UserError("num_seeds is 0;\n give 1."), 2, "error: num_seeds is 0; give 1.\n"),
        (FileNotFoundError(2, "No such file", "a.npz"), 2, "error: Cannot use 'a.npz' (No such file); check the path"),
        (UserError("arm \x1b[2J"), 2, "error: arm \N{REPLACEMENT CHARACTER}[2J\n"),
        (ValueError("cannot reshape"), 1, FAULT),
        (KeyError("arm"), 1, "Traceback"),
    ],
)
def test_only_what_a_user_can_mend_is_called_the_users(
    error: Exception, code: int, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, user_errors():
        raise error
    printed = capsys.readouterr().err
    assert ended.value.code == code
    assert shown in printed
    assert ("Traceback" in printed) == (code == 1)


def test_names_are_shown_and_nothing_more() -> None:
    assert printable("a\x1b]0;title\x07\u202eb") == "a\ufffd]0;title\ufffd\ufffdb"
    assert escaped("[/]") == "\\[/]"
