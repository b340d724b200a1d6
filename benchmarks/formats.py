"""What is read of files and folders of poses and keypoints: a row each, as Markdown.

python benchmarks/formats.py PATH [PATH ...]   (files, or folders whose entries are read in turn)
"""

import argparse
import sys
import time
from pathlib import Path

from tips_ray.config import FileReading, Reading
from tips_ray.data.load import load_any
from tips_ray.errors import UserError

SKIPPED = (".py", ".md", ".txt", ".html")
COLUMNS = ("file", "format", "frames read", "frames kept", "people", "joints derived", "seconds")


def main() -> None:
    """Print the table; a file that is refused has the reason in its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--max-gap", type=int, default=0)
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for path in (entry for given in options.paths for entry in entries(given)):
        started = time.perf_counter()
        cells = row(path, FileReading(max_gap=options.max_gap))
        print(f"| {' | '.join([path.name, *cells, f'{time.perf_counter() - started:.2f}'])} |", flush=True)


def entries(given: Path) -> list[Path]:
    """A file, or a folder that is read as one; else what is in the folder."""
    if not given.is_dir() or is_set(given):
        return [given]
    inside = sorted(path for path in given.iterdir() if path.suffix not in SKIPPED and path.name != "README")
    return [path for entry in inside for path in entries(entry)]


def is_set(folder: Path) -> bool:
    """Whether a folder is read as one: of CMU's motions, or of more than three files of JSON, or of
    text, and nothing else."""
    kinds = [path.suffix for path in folder.iterdir()]
    return ".amc" in kinds or (set(kinds) in ({".json"}, {".txt"}) and len(kinds) > 3)


def row(path: Path, files: FileReading) -> list[str]:
    """What was read, in words."""
    try:
        data = load_any(str(path), Reading(), files)
    except UserError as error:
        return [f"refused: {str(error).removeprefix(f'{path}: ')}", "", "", "", ""]
    origin = data.origin
    derived = ", ".join(entry.split(" ")[0] for entry in origin.derived) or "none"
    return [origin.format, f"{origin.frames:,}", f"{len(data):,}", f"{origin.people:,}", derived]


if __name__ == "__main__":
    sys.exit(main())
