"""Well, position, time and channel of an image, read from the name of its file.

A pattern is written like the name itself, with placeholders: ``{well}_{position}_{time}``.
``{*}`` is anything, ``{#}`` a number of no interest, and what stands in ``[ ]`` may be missing.
A pattern with ``/`` is compared with the last folders too. The ending of the file is left away.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ..errors import BadSetting
from ..readwrite.images import SUFFIXES, ZARR, stem_of
from .patterns import PATTERNS, Pattern
from .plates import read_well, row_number, well_name
from .times import DATE, DATES, ELAPSED, FRAMES, HOURS, TIME, in_hours, read_time


@dataclass(frozen=True)
class Place:
    """Where and when an image was taken; what its name does not say is None.

    Attributes
    ----------
    well : str or None
        ``B03``; a number such as ``W00007`` where the file says no more.
    position : str or None
        Field within the well, or what else tells series apart.
    time : float or None
    time_unit : str or None
        ``h``; ``frame`` for a mere number; ``date`` for hours since 1970, which `read_places`
        turns into hours since the first image.
    channel : str or None
    """

    well: str | None = None
    position: str | None = None
    time: float | None = None
    time_unit: str | None = None
    channel: str | None = None


_FIELDS = {
    "*": r"[^/]*?",
    "#": r"\d+",
    "well": r"[A-Za-z]{1,2}\d{1,2}",
    "row": r"(?:\d+|[A-Za-z]{1,2})",
    "column": r"\d+",
    "number": r"\d+",
    "position": r"[A-Za-z0-9-]+",
    "name": r"[^/]+?",
    "channel": r"[^/]+?",
    "time": TIME,
    "date": DATE,
    "elapsed": ELAPSED,
    "frame": r"\d+",
    "day": r"\d+(?:\.\d+)?",
    "hour": r"\d+(?:\.\d+)?",
    "minute": r"\d+(?:\.\d+)?",
}
_ALSO = {"site": "position", "field": "position", "col": "column", "wellrow": "row"}
_ALSO |= {"wellcolumn": "column", "t": "frame", "timepoint": "frame"}
_TOKENS = re.compile(r"\{([^{}]*)\}|([\[\]])|([^{}\[\]]+)|([{}])")
_ENDINGS = (f".ome{ZARR}", ".ome.tif", ".ome.tiff", ZARR, *SUFFIXES)


def pattern_of(text: str) -> Pattern:
    """The built-in pattern of this title, whatever its case, or else a pattern of the user.

    Raises
    ------
    BadSetting
        It is neither; the hint says what to mend.
    """
    known = {pattern.title.casefold(): pattern for pattern in PATTERNS}
    pattern = known.get(text.strip().casefold()) or Pattern(text)
    _compile(pattern.text)
    return pattern


def read_place(path_name: str | Path, pattern: Pattern | str) -> Place | None:
    """What the name of a file says; None where the pattern does not fit.

    Raises
    ------
    BadSetting
        The pattern cannot be understood.
    """
    text = pattern.text if isinstance(pattern, Pattern) else pattern
    expression = _compile(text)
    path = Path(path_name)
    folders = path.parts[:-1][-text.count("/") :] if "/" in text else ()
    match = expression.search("/".join((*folders, _stem(path))))
    if match is None:
        return None
    said = {_key(name): value for name, value in match.groupdict().items() if value}
    well, time = _well(said), _time(said)
    wants_well = said.keys() & {"well", "row", "column"}
    if (wants_well and well is None) or (time is None and said.keys() & _TIMES):
        return None  # what looked like a well or a date is none
    position = said.get("position") or said.get("name")
    if position and position.isdecimal():
        position = str(int(position))
    number, unit = time or (None, None)
    return Place(well, position, number, unit, said.get("channel"))


def read_places(names: Iterable[str | Path], pattern: Pattern | str) -> list[Place | None]:
    """`read_place` of many files; dates become hours since the earliest of them."""
    places = [read_place(name, pattern) for name in names]
    moments = [each.time for each in places if each and each.time_unit == DATES and each.time]
    first = min(moments, default=0.0)
    return [
        # seconds are as exact as names are: 1e-6 h drops what floats add
        replace(each, time=round(each.time - first, 6), time_unit=HOURS)
        if each and each.time_unit == DATES and each.time is not None
        else each
        for each in places
    ]


def guess_pattern(names: Sequence[str | Path], enough: float = 0.9) -> Pattern | None:
    """The built-in pattern that fits most names, the more particular one of several.

    None where every one fails for more than a tenth of them. Of many names 500 are tried.
    """
    tried = names[:: max(1, len(names) // 500)]
    best, most = None, 0
    for pattern in PATTERNS:
        places = [place for name in tried if (place := read_place(name, pattern))]
        if len(places) > most and len(places) >= enough * len(tried) and _likely(places):
            best, most = pattern, len(places)
    return best


def preview(names: Iterable[str | Path], pattern: Pattern | str) -> list[dict[str, str]]:
    """Rows for a table: what the pattern reads from each name.

    Returns
    -------
    list of dict
        ``file``, ``well``, ``position``, ``time`` with its unit, ``channel``, and a ``note`` where
        the pattern does not fit, or reads the same as from an earlier file.
    """
    names = list(names)
    seen: dict[Place, str] = {}
    rows = []
    for name, place in zip(names, read_places(names, pattern), strict=True):
        file, note = Path(name).name, ""
        if place is None:
            note = "does not fit"
        elif place == Place():
            note = "nothing read"
        elif place in seen:
            note = f"same as {seen[place]}"
        place = place or Place()
        seen.setdefault(place, file)
        time = "" if place.time is None else f"{place.time:g} {place.time_unit}"
        rows.append(
            {
                "file": file,
                "well": place.well or "",
                "position": place.position or "",
                "time": time.replace(f" {FRAMES}", ""),
                "channel": place.channel or "",
                "note": note,
            }
        )
    return rows


_TIMES = {"time", "date", "elapsed", "frame", "day", "hour", "minute"}


@lru_cache(maxsize=256)
def _compile(text: str) -> re.Pattern[str]:
    """A pattern as a regular expression of the whole name."""
    if "(?<" in text.replace("(?<=", "").replace("(?<!", ""):
        raise BadSetting(f"'{text}' has a group '(?<name>'", hint="Write '(?P<name>'.")
    is_regex = "(?P<" in text
    source = text if is_regex else rf"^{_translate(text)}$"
    try:
        expression = re.compile(source, re.IGNORECASE)
    except re.error as error:
        if "redefinition" in str(error):
            hint = "Use each name once, and {*} for what is written again."
            raise BadSetting(f"'{text}' has a name twice", hint=hint) from error
        hint = "Mend the regular expression, or write {well}_{position}_{time} instead."
        raise BadSetting(f"'{text}' is no pattern: {error}", hint=hint) from error
    for name in expression.groupindex:
        _key(name)
    if not expression.groupindex:
        hint = "Say where it stands, as in {well}_{position}_{time}."
        raise BadSetting(f"'{text}' reads nothing from a name", hint=hint)
    return expression


def _translate(text: str) -> str:
    for ending in _ENDINGS:
        text = text.removesuffix(ending)
    parts, depth = [], 0
    for field, bracket, plain, stray in _TOKENS.findall(text.replace("\\", "/")):
        depth += (bracket == "[") - (bracket == "]")
        if stray or depth < 0:
            raise _unpaired(text)
        if bracket:
            parts.append("(?:" if bracket == "[" else ")?")
        elif plain:
            parts.append(re.escape(plain))
        else:
            key = _key(field)
            parts.append(_FIELDS[key] if key in "*#" else f"(?P<{key}>{_FIELDS[key]})")
    if depth:
        raise _unpaired(text)
    return "".join(parts)


def _unpaired(text: str) -> BadSetting:
    hint = "Every { needs its }, and every [ its ]."
    return BadSetting(f"'{text}' has a bracket without its partner", hint=hint)


def _key(name: str) -> str:
    """Our name of a placeholder or group."""
    key = name.strip().lower()
    key = _ALSO.get(key, key)
    if key not in _FIELDS or not key:
        near = difflib.get_close_matches(key, [*_FIELDS, *_ALSO], n=1)
        hint = f"Did you mean {{{near[0]}}}? " if near else ""
        known = ", ".join(f"{{{each}}}" for each in _FIELDS)
        raise BadSetting(f"There is no {{{name}}}", hint=f"{hint}There are {known}.")
    return key


def _stem(path: Path) -> str:
    stem = stem_of(path)
    return stem[:-4] if stem.lower().endswith(".ome") else stem


def _well(said: dict[str, str]) -> str | None:
    if "well" in said:
        place = read_well(said["well"])
        return well_name(*place) if place else None
    if {"row", "column"} <= said.keys() and said["column"].isdecimal():
        row = row_number(said["row"])
        return well_name(row, int(said["column"])) if row else None
    # which well a number is, only the kind of plate says, and the name does not
    return f"W{int(said['number']):05d}" if "number" in said else None


def _time(said: dict[str, str]) -> tuple[float, str] | None:
    for name in ("time", "date", "elapsed"):
        if name in said:
            return read_time(said[name])
    try:
        parts = {key: float(said[key]) for key in ("day", "hour", "minute") if key in said}
        if parts:
            return in_hours(**parts), HOURS
        return (float(said["frame"]), FRAMES) if "frame" in said else None
    except ValueError:  # a group of a regular expression that is no number
        return None


def _likely(places: list[Place]) -> bool:
    """Whether wells may be wells: ``S1`` to ``S9`` alone are rather samples."""
    rows = {place[0] for each in places if each.well and (place := read_well(each.well))}
    return not rows or len(rows) > 1 or min(rows) <= 8
