import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tips_ray.campaign.run import campaign_lock
from tips_ray.store.storage import Storage

HOLDER = """
import sys, time
from tips_ray.campaign.run import campaign_lock
from tips_ray.store.storage import Storage
with campaign_lock(Storage(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_campaign_is_one_process_s_until_it_dies(tmp_path: Path) -> None:
    folder = Storage(str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with (
                pytest.raises(ValueError, match=r"Another process trains the campaign .* already; wait for it, stop it"),
                campaign_lock(folder),
            ):
                pytest.fail("two processes train it")
        finally:
            holder.send_signal(signal.SIGKILL)
    (tmp_path / ".tips-ray-1.new").touch()  # of a process that was killed as it wrote
    with campaign_lock(folder):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    with campaign_lock(folder), campaign_lock(folder / "confirmation"):
        pass


def test_a_folder_in_which_nothing_was_written_does_not_stay(tmp_path: Path) -> None:
    refused, begun = (Storage(str(tmp_path / "storage" / name)) for name in ("refused", "begun"))
    with pytest.raises(ValueError, match="too few CPUs"), campaign_lock(refused):
        raise ValueError("too few CPUs")
    assert list(tmp_path.iterdir()) == []
    with campaign_lock(begun):
        begun.write("campaign.json", b"{}")
    with campaign_lock(begun):
        pass
    assert begun.names() == ["campaign.json"]
