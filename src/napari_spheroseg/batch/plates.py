"""Wells of a plate: their names, and the plate that they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable

ROWS, COLUMNS = 32, 48  # of the largest plate, of 1536 wells
LAYOUTS = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (ROWS, COLUMNS))
"""Rows and columns of plates of 6, 12, 24, 48, 96, 384 and 1536 wells."""

_WELL = re.compile(r"([A-Za-z]{1,2})\s*[-_]?\s*0?(\d{1,2})")


def well_name(row: int, column: int) -> str | None:
    """Name of a well, from numbers that start at 1: ``B03``; None where no plate has it."""
    if not (1 <= row <= ROWS and 1 <= column <= COLUMNS):
        return None
    return f"{row_name(row)}{column:02d}"


def row_name(row: int) -> str:
    """Letters of a row: 1 is A, 26 is Z, 27 is AA."""
    letter = chr(ord("A") + (row - 1) % 26)
    return letter if row <= 26 else "A" + letter


def row_number(letters: str) -> int | None:
    """Number of a row from its letters, or its number as text; None where no plate has it."""
    if letters.isdecimal():
        number = int(letters)
    elif re.fullmatch(r"A?[A-Z]", letters.upper()):
        number = ord(letters[-1].upper()) - ord("A") + 1 + 26 * (len(letters) - 1)
    else:
        return None
    return number if 1 <= number <= ROWS else None


def read_well(text: str) -> tuple[int, int] | None:
    """Row and column, from 1, of a well such as ``b3``, ``B03`` or ``AF48``; None of other text."""
    match = _WELL.fullmatch(text.strip())
    row = row_number(match[1]) if match else None
    column = int(match[2]) if match else 0
    return (row, column) if row and 1 <= column <= COLUMNS else None


def guess_layout(wells: Iterable[str]) -> tuple[int, int]:
    """Rows and columns of the smallest plate that has all these wells; other names count for none.

    Nobody can tell 6 wells from the corner of a plate of 96: the map is then only smaller.
    """
    places = [place for place in map(read_well, wells) if place]
    rows = max((row for row, _ in places), default=1)
    columns = max((column for _, column in places), default=1)
    return next(layout for layout in LAYOUTS if layout[0] >= rows and layout[1] >= columns)
