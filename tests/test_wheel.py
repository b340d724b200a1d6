"""The wheel, installed into an empty environment, trains from an empty folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from helpers import ROOT, TINY


def run(*words: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_an_installed_wheel_trains_from_an_empty_folder(tmp_path: Path) -> None:
    source, empty = tmp_path / "source", tmp_path / "empty"
    empty.mkdir()
    shutil.copytree(ROOT / "tips_ray", source / "tips_ray", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, source, cwd=tmp_path)
    (wheel,) = tmp_path.glob("tips_ray-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel, cwd=tmp_path)
    # The dependencies are those of this environment, without its editable packages.
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=empty).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert run(python, "-c", "import tips_ray; print(tips_ray.__file__)", cwd=empty).startswith(str(site))
    output = run(python.with_name("tips-ray"), "stability", *TINY, "--num-seeds", "2", "--num-epochs", "2", cwd=empty)
    report = empty / "reports" / "stability-quick-synthetic" / "report.html"
    assert output.splitlines()[-1] == f"Report: {report}"
    assert report.stat().st_size > 100_000
    run(python, "-m", "tips_ray", "data", "info", "synthetic", cwd=empty)
    assert (empty / "reports" / "data-synthetic.html").exists()
