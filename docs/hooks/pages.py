"""Pages of the docs that are made of other files of the repository: notebooks, the documentation of
files, the guide for contributors, the gallery, and what was measured of speed."""

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
GALLERY = ROOT / "reports" / "gallery"
CARTESIAN = ROOT / "tips_ray" / "report" / "vendor" / "plotly-cartesian.min.js"
TEXTS = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "reports/README.md": "reference/files.md",
    "benchmarks/README.md": "explain/speed.md",
}
"""Files of the repository, and the pages that show them."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds these pages to those of the folder `docs`."""
    for source, page in TEXTS.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "gallery/index.md", content=gallery_page()))
    for path in sorted(GALLERY.rglob("*")):
        place = path.relative_to(GALLERY.parent).as_posix()
        if path.suffix == ".md":
            files.append(File.generated(config, place, content=study_page(path)))
        elif path.suffix in (".png", ".html"):
            files.append(File.generated(config, place, abs_src_path=str(path)))
    files.append(File.generated(config, "gallery/plotly.js", abs_src_path=str(CARTESIAN)))
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        page = file.src_uri.removesuffix(".ipynb") + ".md"
        files.append(File.generated(config, page, content=notebook_page(Path(file.abs_src_path or ""))))
    return files


def gallery_page() -> str:
    """The studies of the gallery, each with its finding, which is the second paragraph of its
    page."""
    blocks = ["# Gallery", "Studies and searches on real poses: their findings, all numbers, and how they were made."]
    for page in sorted(GALLERY.glob("*/README.md")):
        finding = page.read_text(encoding="utf-8").split("\n\n")[1]
        report = f"[Open its report]({page.parent.name}/report.html)" if (page.parent / "report.html").exists() else ""
        blocks.append(f"## [{page.parent.name}]({page.parent.name}/README.md)\n\n{finding}\n\n{report}".rstrip())
    return "\n\n".join(blocks) + "\n"


def study_page(path: Path) -> str:
    """The page of a study of the gallery, with a link to its report where that is kept."""
    text = path.read_text(encoding="utf-8")
    link = "**[Open the report](report.html)**: the page that the study wrote, with all its figures and tables."
    return text.replace("\n\n", f"\n\n{link}\n\n", 1) if (path.parent / "report.html").exists() else text


def notebook_page(path: Path) -> str:
    """The text, code and printed output of a notebook, as Markdown."""
    blocks = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            blocks.append(source)
            continue
        blocks.append(f"```python\n{source}\n```")
        printed = "".join("".join(output.get("text", [])) for output in cell["outputs"])
        if printed:
            blocks.append(f"```text\n{printed.rstrip()}\n```")
    link = f"[This page as a notebook]({path.name})"
    return re.sub(r"\n", f"\n\n{link}\n", "\n\n".join(blocks) + "\n", count=1)
