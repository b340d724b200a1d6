"""Pages of the docs that are made of other files of the repository: notebooks, the documentation of
files, the guide for contributors, the gallery, and what was measured of speed."""

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
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
    for path in sorted((ROOT / "reports" / "gallery").rglob("*")):
        if path.suffix in (".md", ".png"):
            place = path.relative_to(ROOT / "reports").as_posix()
            files.append(File.generated(config, place, abs_src_path=str(path)))
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        page = file.src_uri.removesuffix(".ipynb") + ".md"
        files.append(File.generated(config, page, content=notebook_page(Path(file.abs_src_path or ""))))
    return files


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
