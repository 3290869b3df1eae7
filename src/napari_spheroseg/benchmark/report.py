"""A benchmark as files: a record for programs, tables for people, a plot."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..readwrite.atomic import replacing, write_text
from .machine import headline
from .plot import draw
from .results import CaseResult, Results
from .stages import STAGES

Table = tuple[list[str], list[list[str]]]
_RATIOS = ("images_per_second", "speed", "cpu_speed", "files_speed", "memory_ratio", "shares")


def write_report(results: Results, out: Path) -> Path:
    """Write ``benchmark.json``, ``benchmark.md`` and ``benchmark.png``.

    Returns
    -------
    Path
        Of the Markdown.

    Raises
    ------
    UnreadableFile
        They cannot be written; each is complete or not there.
    """
    write_record(results, out)
    with replacing(out / "benchmark.png") as temporary:
        draw(results).save(temporary)
    write_text(out / "benchmark.md", markdown(results))
    return out / "benchmark.md"


def write_record(results: Results, out: Path) -> None:
    """Write ``benchmark.json`` alone."""
    write_text(out / "benchmark.json", json.dumps(record(results), indent=2) + "\n")


def record(results: Results) -> dict[str, Any]:
    """All that was measured as JSON has it; what was not measured is None."""
    whole = {
        "format_version": 1,
        "started": results.started,
        "finished": results.finished or None,
        "machine": results.machine,
        "load_average_after": results.load_after,
        "versions": results.versions,
        "threads": results.threads,
        "settings": results.settings.model_dump(mode="json"),
        "unavailable": [asdict(each) for each in results.unavailable],
        "cases": [_with(each, _RATIOS) for each in results.cases],
        "around_the_network": [_with(each, ("memory_ms", "files_ms")) for each in results.around],
        "growth": [_with(each, ("megapixels",)) for each in results.growth],
    }
    plain: dict[str, Any] = _without_nan(whole)
    return plain


def _with(result: Any, properties: Iterable[str]) -> dict[str, Any]:
    return asdict(result) | {name: getattr(result, name) for name in properties}


def markdown(results: Results) -> str:
    """All tables, with the machine at their head."""
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    parts = [
        "# Benchmark",
        f"{headline(results.machine)}. {results.threads} threads. {versions}. "
        f"{results.started}, {_busy(results)}"
        + ("" if results.finished else " **The run was stopped before its end.**"),
        _text(case_table(results)),
        _LEGEND,
    ]
    if any(each.stages_ms for each in results.cases):
        parts += ["## Share of each stage, from file to files", _text(stage_table(results))]
    if results.around:
        parts += ["## Around the network: an image of 20 spheroids", _text(_around(results))]
    if results.growth:
        parts += ["## Growth, from file to files", _text(growth_table(results))]
    if results.unavailable:
        parts += ["## Not available here", _text(_unavailable(results))]
    if results.failures:
        lines = [f"- {_plain(what)}: {_plain(error)}" for what, error in results.failures]
        parts += ["## Failed", "\n".join(lines)]
    return "\n\n".join([*parts, "![Time of each case](benchmark.png)"]) + "\n"


_LONG = ("Images/s", "CPU ms", "CPU speed", "Ratio")
_LEGEND = (
    "Batch: images that went through the network together. "
    "ms: the network alone, median of an image; speed: times as fast as plain PyTorch in float32, "
    "which ran in turn with it. CPU: the same in processor time of all threads, which other work "
    "on the machine hardly changes. GB: peak memory of a process that does nothing else, and its "
    "ratio to that of plain PyTorch; on CUDA that of the device. Files: from file to files in ms, "
    "and times as fast as our torch backend in float32. Dice: of the foreground with that of our "
    "torch backend in float32. A dash: not measured."
)


def case_table(results: Results, *, brief: bool = False) -> Table:
    """Heads and rows of all cases; `brief` fits into 80 columns."""
    heads = ["Model", "Backend", "Precision", "px", "Batch", "ms", "Images/s", "Speed", "CPU ms"]
    heads += ["CPU speed", "GB", "Ratio", "Files", "Speed", "Dice"]
    rows = [_row(each) for each in results.cases]
    if any(not math.isnan(each.tflops) for each in results.cases) and not brief:
        heads += ["TFLOP/s", "Most"]
        for row, each in zip(rows, results.cases, strict=True):
            row += [_say(each.tflops), _say(each.most_tflops)]
    if brief:
        is_batch = any(each.batch > 1 for each in results.cases)
        left_out = _LONG if is_batch else (*_LONG, "Batch")
        keep = [number for number, head in enumerate(heads) if head not in left_out]
        heads, rows = [heads[n] for n in keep], [[row[n] for n in keep] for row in rows]
    return heads, rows


def _row(case: CaseResult) -> list[str]:
    return [
        case.model,
        case.backend,
        case.precision,
        str(case.size),
        str(case.batch),
        _say(case.ms),
        _say(case.images_per_second),
        _say(case.speed, 2),
        _say(case.cpu_ms),
        _say(case.cpu_speed, 2),
        _say(case.peak.of_device, 2),
        _say(case.memory_ratio, 2),
        _say(case.files_ms),
        _say(case.files_speed, 2),
        _say(case.dice, 4),
    ]


def stage_table(results: Results) -> Table:
    """Heads and rows: the share of each stage in percent."""
    heads = ["Model", "Backend", "px", "Objects", *STAGES]
    rows = [
        [
            each.model,
            each.name,
            str(each.size),
            str(each.objects),
            *(f"{100 * share:.1f} %" for share in each.shares.values()),
        ]
        for each in results.cases
        if each.stages_ms
    ]
    return heads, rows


def growth_table(results: Results) -> Table:
    """Heads and rows of growth."""
    rows = [
        [
            each.model,
            f"{each.amount}²" if each.kind == "size" else f"{each.amount} frames of 512²",
            _say(each.megapixels),
            _say(each.seconds, 2),
            _say(each.memory_gb, 2),
            str(each.objects),
        ]
        for each in results.growth
        if not each.error
    ]
    return ["Model", "Image", "Megapixels", "s", "GB", "Objects"], rows


def _around(results: Results) -> Table:
    stages = [name for name in STAGES if name != "network"]
    rows = [
        [
            each.model,
            str(each.size),
            str(each.objects),
            _say(each.memory_ms),
            _say(each.files_ms),
            *(_say(each.stages_ms[name]) for name in stages),
        ]
        for each in results.around
    ]
    return ["Model", "px", "Objects", "In memory, ms", "Files, ms", *stages], rows


def _unavailable(results: Results) -> Table:
    rows = [
        [each.backend, each.precision, each.device, each.reason] for each in results.unavailable
    ]
    return ["Backend", "Precision", "Device", "Why"], rows


def _busy(results: Results) -> str:
    before, after = results.machine["load_average"], results.load_after
    if before is None or after is None:
        return "how busy the machine was is not known."
    return f"load average {before:.1f} before and {after:.1f} after."


def _text(table: Table) -> str:
    heads, rows = table
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)


def _plain(text: str) -> str:
    """Text on one line that ends no cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _say(value: float, digits: int | None = None) -> str:
    """A number of three digits or so; a dash where it was not measured."""
    if math.isnan(value):
        return "–"
    if digits is None:
        digits = 0 if value >= 100 else 1 if value >= 1 else 3
    return f"{value:.{digits}f}"


def _without_nan(value: Any) -> Any:
    """What JSON can say: NaN is none of its numbers."""
    if isinstance(value, dict):
        return {str(key): _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
