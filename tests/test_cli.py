"""`tips-ray`: its commands, and what `import tips_ray` offers."""

import re
from pathlib import Path

import pytest

from helpers import refusal, run_python
from tips_ray.cli import STUDIES, main
from tips_ray.presets import ARM_SETS, ARMS, named_arms
from tips_ray.studies.stability import Study

TOOLS = {"compare", "evaluate", "export", "figure", "lift", "publish", "stop", "transfer", "watch"}
"""Commands of `STUDIES` that train nothing."""


def loaded_by(*words: str) -> tuple[set[str], str]:
    """The modules that a command loads, and what it prints."""
    ended = run_python("-X", "importtime", *words)
    assert ended.returncode == 0, ended.stderr[-500:]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}, ended.stdout


def test_help_is_quick_and_lists_all_commands() -> None:
    loaded, output = loaded_by("-m", "tips_ray", "--help")
    assert not loaded & {"numpy", "torch", "ray", "plotly", "optuna", "pandas"}
    assert all(f"\n    {command}" in output for command in (*STUDIES, "data", "report"))


@pytest.mark.parametrize("study", sorted(set(STUDIES) - TOOLS))
def test_a_study_has_its_own_help_and_its_presets(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([study, "--preset", "paper", "--help"])
    assert end.value.code == 0
    output = capsys.readouterr().out
    assert f"usage: tips-ray {study} " in output
    for option in ("--weights.legs", "--network.width", "--num-workers", "--data.num-views", "--cluster", "--attach"):
        assert option in output
    assert "800)" in output


@pytest.mark.parametrize("command", [[name] for name in (*STUDIES, "report")] + [["data", "info"]], ids=" ".join)
def test_help_says_none_of_an_empty_default(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    output = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    assert not re.search(r"default: (''|\[\])? ?\)", output)
    if command == ["stability"]:
        assert "empty: STUDY-PRESET-DATA. (default: none)" in output


@pytest.mark.parametrize("command", list(STUDIES))
def test_each_example_of_help_has_a_line_of_its_own(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    examples = capsys.readouterr().out.partition("╭")[0].splitlines()[1:]
    starting = [line for line in examples if f"tips-ray {command}" in line and "`" not in line]
    assert all(line.strip().startswith("tips-ray") and line.count("tips-ray ") <= 1 for line in starting)


def test_the_help_of_arms_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["stability", "--help"])
    output = capsys.readouterr().out
    words = set(re.findall(r"\w+", output[output.index("--arms") :]))
    assert {*ARMS, *ARM_SETS} <= words


@pytest.mark.parametrize(("preset", "arms"), [("quick", {"parts", "single", "supervised"}), ("paper", {"paper"})])
def test_a_preset_names_arms(preset: str, arms: set[str]) -> None:
    assert set(Study.defaults(preset).get("arms", Study.arms)) == arms
    assert set(named_arms(arms)) <= set(ARMS)


def test_help_of_a_study_is_quick_by_its_script_too() -> None:
    loaded, output = loaded_by("studies/weight_search.py", "--help")
    assert not loaded & {"torch", "ray", "optuna", "pandas"}
    assert "--num-trials" in output


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("tips-ray ")


def test_another_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["stabilty"])
    assert end.value.code == 2
    assert "stability" in capsys.readouterr().err


def test_the_package_is_imported_quickly_and_offers_its_names() -> None:
    loaded, _ = loaded_by("-c", "import tips_ray")
    assert not loaded & {"numpy", "torch", "ray", "pandas"}
    program = "import tips_ray; [getattr(tips_ray, name) for name in tips_ray.PUBLIC]; tips_ray.nothing"
    ended = run_python("-c", program)
    assert ended.returncode == 1
    assert "tips_ray has no 'nothing'; it has " in ended.stderr.splitlines()[-1]


def test_a_campaign_is_named_after_its_data_whatever_the_file_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["stability", "--data", "poses: v2?.npz"])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert "campaign name" not in error
    assert "poses: v2?.npz" in error


def test_open_says_how_to_look_where_there_is_no_screen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "There is no report in" in refusal(capsys, "open", str(tmp_path))
    (tmp_path / "report.html").write_text("<p>a report</p>")
    assert main(["open", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert str(tmp_path / "report.html") in output
    assert f"tips-ray watch {tmp_path}" in output
