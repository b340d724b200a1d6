"""What is kept in the gallery: compact summaries, a page that they make, and pictures."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from helpers import ROOT, run_python, store_campaign
from stored_search import search_in
from tips_ray.config import Config
from tips_ray.report.gallery import compact, describe, pictures_of
from tips_ray.report.publish import publish, publish_search
from tips_ray.store.records import MANIFEST, SEARCH
from tips_ray.store.storage import Storage

DATA = {
    "labelled": True,
    **{"fingerprint": "abc", "spec": "poses.npz", "synthetic": False, "num_train_poses": 3000, "num_train_views": 12000},
    **{"num_test_poses": 500, "train_subjects": ["S1"], "test_subjects": ["S2"], "left_out_subjects": []},
}
MADE = {"command": "python study.py", "seconds": 60.0, "commit": "abc", "machine": {"cores": 2, "cpu": "a CPU"}}
MADE["versions"] = {"python": "3.11", "torch": "2.13", "ray": "2.60"}


def with_origin(folder: Storage, name: str, **data: Any) -> None:
    """Say in the manifest of a campaign or search on which poses (`data` differs from DATA) and
    where it was made."""
    manifest = json.loads(folder.read(name))
    references = {"flat": dict.fromkeys(("p_mpjpe_signed_mm", "p_mpjpe_reflected_mm"), 95.0)}
    folder.write(name, json.dumps(manifest | {"data": DATA | data, "executions": [MADE], "references": references}).encode())


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
    again = publish(folder) if kind == "study" else publish_search(folder)
    drawn = [picture for picture in pictures_of(again) if picture != "bodies"]  # no weights were kept that could lift
    assert page == describe("kept", again, drawn, "A note.")
    assert "<h1>kept</h1>" in kept["report.html"].read_text()
    pictures = {name for name in kept if name.endswith(".png")}
    assert pictures >= ({"errors.png"} if kind == "study" else {"history-error_mm.png", "surface.png"})
    assert all(f"({picture})" in page and kept[picture].stat().st_size > 5000 for picture in pictures)


def test_a_study_without_labels_is_kept_without_an_error(tmp_path, make_curves, chromium):
    folder = Storage(str(tmp_path / "campaign"))
    curves = make_curves(("solo", "parts"), num_epochs=20).drop(columns="campaign")
    kept = [column for column in curves if "mpjpe" not in column and column != "part_sign_agreement"]
    store_campaign(folder, curves[kept], {"solo": Config(), "parts": Config()})
    with_origin(folder, MANIFEST, labelled=False, num_test_poses=0, test_subjects=[])
    done = run_python("studies/gallery.py", str(folder), str(tmp_path / "kept"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "kept" / "README.md").read_text()
    assert page.splitlines()[2].startswith("No labels: ")
    assert "For solo, use the weights of solo-seed0, averaged over epochs 19 to 20. For parts," in page
    assert "| **average of the last 10 %** | 19–20; 19–20; 19–20 | 19–20; 19–20; 19–20 |" in page
    assert "it cost 0.2 mm in the median" in page
    assert "error" not in page.lower()
    assert "(signals.png)" in page
    assert (tmp_path / "kept" / "signals.png").stat().st_size > 5000
    assert json.loads((tmp_path / "kept" / "summary.json").read_text())["labelled"] is False


def test_errors_on_other_poses_say_whose(make_summary, make_curves):
    data = {**DATA, "name": "wild.json", "labelled_name": "studio.npz"}
    page = describe("kept", make_summary(make_curves(("solo", "parts")), data=data, executions=[MADE]), ["errors"])
    assert "Trained on wild.json; errors are measured on studio.npz (subjects S2)." in page
    assert "No labels" not in page


@pytest.mark.parametrize("file", sorted(ROOT.glob("reports/gallery/*/summary.json")), ids=lambda file: file.parent.name)
def test_kept_summaries_have_a_line_a_key(file):
    text = file.read_text()
    assert text == compact(json.loads(text))
    assert text.count("\n") == len(json.loads(text)) + 2


def test_without_a_browser_it_says_what_to_install(tmp_path):
    done = run_python("studies/gallery.py", str(tmp_path), str(tmp_path / "kept"), PATH="")
    assert done.returncode == 2
    assert "No chromium is on the path" in done.stderr
    assert not (tmp_path / "kept").exists()
