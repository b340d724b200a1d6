"""A campaign's own process, killed at any moment or interrupted from the keyboard, and started
again."""

import os
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

NUM_ROWS = 80


def assert_quiet(output: str) -> None:
    """No traceback, and no advice of Ray Tune's, which is not how a campaign is continued."""
    assert not re.search(r"Traceback|Tuner|[Rr]estore|Ray Tune|SIGINT|checkpoint", output), output


@pytest.mark.parametrize("rng", [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (1, 2, 3, 4))])
def test_a_campaign_that_is_killed_at_some_moment_goes_on(
    tmp_path: Path, study_in: Callable, whole: Callable, gone: Callable, rng: int
) -> None:
    moment, study = random.Random(rng), study_in(tmp_path)
    with study.running() as killed:
        killed.wait_for_epochs(moment.randrange(1, NUM_ROWS * 3 // 4))
        time.sleep(moment.uniform(0, 0.2))
        killed.kill()
        at_death = study.rows()
    assert 0 < len(at_death) < NUM_ROWS
    gone(study.ray_folder, spare="Agent", patience=30.0)
    study.finish()
    expected = whole(study)
    pd.testing.assert_frame_equal(study.rows(), expected, check_exact=True)
    pd.testing.assert_frame_equal(expected.merge(at_death[["run", "epoch"]]), at_death, check_exact=True)


@pytest.mark.nightly
def test_a_campaign_that_is_killed_while_it_starts_goes_on(
    tmp_path: Path, study_in: Callable, whole: Callable, gone: Callable
) -> None:
    study = study_in(tmp_path)
    for seconds in (4.0, 8.0, 12.0):
        with study.running() as killed:
            time.sleep(seconds)  # any moment will do
            killed.kill()
    study.finish()
    pd.testing.assert_frame_equal(study.rows(), whole(study), check_exact=True)
    gone(study.ray_folder)


@pytest.mark.parametrize(
    "stop",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.nightly),
        pytest.param(signal.SIGHUP, marks=pytest.mark.nightly),
    ],
)
def test_a_signal_ends_a_campaign_with_everything_stored(
    tmp_path: Path, study_in: Callable, whole: Callable, gone: Callable, stop: signal.Signals
) -> None:
    """Ctrl-C reaches every process of the terminal, the others the command alone."""
    study = study_in(tmp_path)
    with study.running() as interrupted:
        interrupted.wait_for_epochs(8)
        stored = study.rows()
        interrupted.interrupt() if stop == signal.SIGINT else interrupted.process.send_signal(stop)
        began = time.monotonic()
        code, output = interrupted.ended()
        seconds = time.monotonic() - began
    assert code == 130, output
    assert seconds < 60, output
    assert "the same command continues" in output
    assert f"Report: {tmp_path}/c/report.html" in output
    assert (tmp_path / "c" / "report.html").exists()
    assert_quiet(output)
    gone(study.ray_folder)
    assert len(stored) <= len(study.rows()) < NUM_ROWS
    study.finish()
    expected = whole(study)
    pd.testing.assert_frame_equal(study.rows(), expected, check_exact=True)
    pd.testing.assert_frame_equal(expected.merge(stored[["run", "epoch"]]), stored, check_exact=True)


@pytest.mark.parametrize("pause", [0.5, *(pytest.param(pause, marks=pytest.mark.nightly) for pause in (0.0, 2.0))])
def test_ctrl_c_twice_ends_a_campaign_at_once(
    tmp_path: Path, study_in: Callable, whole: Callable, gone: Callable, pause: float
) -> None:
    study = study_in(tmp_path)
    with study.running() as interrupted:
        interrupted.wait_for_epochs(8)
        interrupted.interrupt()
        time.sleep(pause)
        interrupted.interrupt()
        began = time.monotonic()
        code, output = interrupted.ended()
        seconds = time.monotonic() - began
    assert code == 130, output
    assert seconds < 30, output
    assert_quiet(output)
    gone(study.ray_folder)
    study.finish()
    pd.testing.assert_frame_equal(study.rows(), whole(study), check_exact=True)


@pytest.mark.parametrize("process", ["raylet", pytest.param("gcs_server", marks=pytest.mark.nightly)])
def test_the_death_of_ray_itself_is_one_sentence(
    tmp_path: Path, study_in: Callable, processes_of: Callable, gone: Callable, process: str
) -> None:
    study = study_in(tmp_path)
    with study.running() as bereft:
        bereft.wait_for_epochs(2)
        os.kill(next(pid for pid, title in processes_of(study.ray_folder).items() if f"/{process} " in title), signal.SIGKILL)
        code, output = bereft.ended()
    assert code == 1, output
    assert f"({process}) was ended by something else" in output.splitlines()[-1]
    assert "Traceback" not in output
    gone(study.ray_folder)
    assert len(study.rows()) >= 2
