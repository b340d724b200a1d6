"""Tables of text, as the readers of CSV see them."""

import csv
import io

import numpy as np

from tips_ray.data.labels import clean_text
from tips_ray.errors import UserError

MISSING = ("", "nan", "none", "null", "na")


def rows_of(text: str, path: object) -> list[list[str]]:
    """The rows of a CSV file, also with semicolons or tabs, without empty ones."""
    first = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    try:
        return [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(row)
        ]
    except csv.Error as error:
        raise UserError(f"{path}: the table is damaged ({clean_text(error)[:100]}); write the file again.") from error


def numbers(cells: list[list[str]], what: str) -> np.ndarray:
    """Cells as numbers (rows, columns), NaN for empty ones; raises UserError for other text and for
    rows of different lengths."""
    try:
        table = [["nan" if cell.lower() in MISSING else cell for cell in row] for row in cells]
        return np.array(table, dtype=str).astype(np.float64)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{what}: a cell is no number, or rows have different lengths ({clean_text(error)[:80]}).") from error


def frame_numbers(values: np.ndarray, what: str) -> np.ndarray:
    """Whole numbers from a column; raises UserError for anything else."""
    if not np.isfinite(values).all() or np.abs(values).max(initial=0) > 1e15:
        raise UserError(f"{what}: the numbers of frames are not all whole numbers; write the file again.")
    return np.floor(values).astype(np.int64)
