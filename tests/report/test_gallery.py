"""What is kept in the gallery: compact summaries, a page that they make, and pictures."""

import json
from dataclasses import asdict

import pytest

from helpers import ROOT, run_python, store_campaign
from stored_search import search_in
from tips_ray.config import Config
from tips_ray.report.gallery import compact, describe
from tips_ray.report.publish import publish, publish_search
from tips_ray.store.records import MANIFEST, SEARCH
from tips_ray.store.storage import Storage

DATA = {
    **{"fingerprint": "abc", "spec": "poses.npz", "synthetic": False, "num_train_poses": 3000, "num_train_views": 12000},
    **{"num_test_poses": 500, "train_subjects": ["S1"], "test_subjects": ["S2"], "left_out_subjects": []},
}
MADE = {"command": "python study.py", "seconds": 60.0, "commit": "abc", "machine": {"cores": 2, "cpu": "a CPU"}}
MADE["versions"] = {"python": "3.11", "torch": "2.13", "ray": "2.60"}


def with_origin(folder: Storage, name: str) -> None:
    """Say in the manifest of a campaign or search on which poses and where it was made."""
    manifest = json.loads(folder.read(name))
    references = {"flat": dict.fromkeys(("p_mpjpe_signed_mm", "p_mpjpe_reflected_mm"), 95.0)}
    folder.write(name, json.dumps(manifest | {"data": DATA, "executions": [MADE], "references": references}).encode())


@pytest.mark.parametrize("kind", [pytest.param("study", marks=pytest.mark.slow), "search"])
def test_a_result_is_kept_with_its_numbers_and_pictures(tmp_path, make_curves, chromium, kind):
    folder = Storage(str(tmp_path / "campaign"))
    if kind == "study":
        store_campaign(folder, make_curves(("solo", "parts")).drop(columns="campaign"), {"solo": Config(), "parts": Config()})
        with_origin(folder, MANIFEST)
    else:
        search_in(tmp_path / "campaign", config=asdict(Config()))
        with_origin(folder, SEARCH)
    done = run_python("studies/gallery.py", str(folder), str(tmp_path / "kept"), "--note", "A note.")
    assert done.returncode == 0, done.stderr
    kept = {path.name: path for path in (tmp_path / "kept").iterdir()}
    page, summary = kept["README.md"].read_text(), json.loads(kept["summary.json"].read_text())
    assert summary == json.loads(folder.read("summary.json"))
    assert page == describe("kept", publish(folder) if kind == "study" else publish_search(folder), "A note.")
    pictures = {name for name in kept if name.endswith(".png")}
    assert pictures >= ({"errors.png"} if kind == "study" else {"history-error_mm.png", "surface.png"})
    assert all(f"({picture})" in page and kept[picture].stat().st_size > 5000 for picture in pictures)


@pytest.mark.parametrize("folder", sorted((ROOT / "reports" / "gallery").iterdir()), ids=lambda folder: folder.name)
def test_kept_summaries_have_a_line_a_key(folder):
    text = (folder / "summary.json").read_text()
    assert text == compact(json.loads(text))
    assert text.count("\n") == len(json.loads(text)) + 2


def test_without_a_browser_it_says_what_to_install(tmp_path):
    done = run_python("studies/gallery.py", str(tmp_path), str(tmp_path / "kept"), PATH="")
    assert done.returncode == 2
    assert "No chromium is on the path" in done.stderr
    assert not (tmp_path / "kept").exists()
