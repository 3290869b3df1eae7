"""An evaluation as files: tables, a record, and a report with pictures of the worst cases."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from ..inference.record import versions
from ..readwrite.atomic import replacing, write_text
from ..readwrite.pictures import draw_overlay

if TYPE_CHECKING:
    import pandas as pd

    from .evaluation import Case, Evaluation

HEADS = {
    "pixel_iou": "IoU",
    "pixel_dice": "Dice",
    "pixel_accuracy": "Accuracy",
    "object_f1": "F1",
    "mean_ap": "AP",
    "mean_matched_iou": "IoU of matches",
    "detection_rate": "Detected",
    "false_positive_rate": "False",
    "count_error": "Count",
}
"""Scores that tables for people show; files for programs have all."""

_LONG_SIDE = 900  # px, of a picture
_TRUTH, _FOUND, _BOTH = (255, 170, 0), (0, 120, 255), (255, 255, 255)  # blue, green, red


def write_report(evaluation: Evaluation, out: Path) -> Path:
    """Write an evaluation into a folder.

    Parameters
    ----------
    evaluation : Evaluation
    out : Path
        Made if need be; gets ``images.csv``, ``sources.csv``, ``evaluation.json``, ``report.md``
        and ``pictures/*.png``.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    UnreadableFile
        Something cannot be written; each file is complete or not there.
    """
    for name, table in (("images.csv", evaluation.images), ("sources.csv", evaluation.sources)):
        with replacing(out / name) as temporary:
            table.to_csv(temporary, index=False)
    write_text(out / "evaluation.json", json.dumps(record(evaluation), indent=2) + "\n")
    pictures = {}
    for number, case in enumerate(evaluation.worst, start=1):
        path = out / "pictures" / f"{number:02d}_{Path(case.file).stem}.png"
        _, content = cv2.imencode(".png", draw_case(case))
        with replacing(path) as temporary:
            temporary.write_bytes(content.tobytes())
        pictures[f"pictures/{path.name}"] = case
    write_text(out / "report.md", _markdown(evaluation, pictures))
    return out / "report.md"


def record(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON has it, but for the images; what is undefined is None."""
    model = evaluation.model
    whole = {
        "model": {name: getattr(model, name) for name in ("name", "title", "network", "sha256")},
        "versions": versions(),
        "recipe": evaluation.recipe,
        "part": evaluation.part,
        "images": len(evaluation.images),
        "failures": evaluation.failures.to_dict("records"),
        "left_out": list(evaluation.left_out),
        "overall": evaluation.overall,
        "sources": evaluation.sources.to_dict("records"),
        "sweep": evaluation.sweep.to_dict("records"),
        "best_threshold": evaluation.best_threshold,
    }
    known: dict[str, Any] = _without_nan(whole)
    return known


def summary(
    evaluation: Evaluation, names: Iterable[str] = tuple(HEADS)
) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table by source; the last row is the mean over sources."""
    names = list(names)
    rows = [
        [str(row["source"]), str(row["images"]), *(_say(row[name]) for name in names)]
        for row in evaluation.sources.to_dict("records")
    ]
    images = len(evaluation.images) - len(evaluation.failures)
    overall = [_say(evaluation.overall[name]) for name in names]
    heads = ["Source", "Images", *(HEADS[name] for name in names)]
    return heads, [*rows, ["all sources", str(images), *overall]]


def draw_case(case: Case) -> NDArray[np.uint8]:
    """The image with both outlines: orange what was found, blue the truth, white where they agree.

    Returns
    -------
    ndarray of uint8, (Y, X, 3)
        Blue, green, red; its longer side has 900 px; a legend stands below.
    """
    factor = _LONG_SIDE / max(case.truth.shape)
    size = [max(1, round(n * factor)) for n in case.truth.shape[::-1]]
    shrink = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    picture = cv2.resize(draw_overlay(case.image, ()), size, interpolation=shrink)
    true, found = (
        _borders(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST))
        for labels in (case.truth, case.found)
    )
    picture[true] = _TRUTH
    picture[found] = _FOUND
    picture[true & found] = _BOTH
    return np.vstack([picture, _legend(size[0])])


def _borders(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels within 1 px of where the number changes, between touching objects too."""
    numbers = labels.astype(np.float32)  # OpenCV does not dilate whole numbers of 32 bit
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(numbers, kernel) != cv2.erode(numbers, kernel))


def _legend(width: int) -> NDArray[np.uint8]:
    strip = np.zeros((32, width, 3), np.uint8)
    names = (("truth", _TRUTH), ("found", _FOUND), ("both", _BOTH))
    for number, (name, colour) in enumerate(names):
        place = (12 + 90 * number, 22)
        cv2.putText(strip, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA)
    return strip


def _markdown(evaluation: Evaluation, pictures: dict[str, Case]) -> str:
    threshold = evaluation.settings.threshold
    checksum = evaluation.model.sha256 or "unknown"
    heads = ["Threshold", *(HEADS[name] for name in evaluation.sweep if name in HEADS)]
    rows = [
        [f"{at:g}", *map(_say, means)] for at, *means in evaluation.sweep.to_numpy(float).tolist()
    ]
    parts = [
        f"# {evaluation.model.title}: {_part(evaluation.part)}",
        f"Model `{evaluation.model.name}`, weights `{checksum[:16]}`, threshold {threshold}, "
        f"napari-spheroseg {versions()['napari-spheroseg']}.",
        "## By source",
        _table(*summary(evaluation)),
        "Means over the images of each source; the last row is the mean over sources. IoU, Dice "
        "and accuracy are of pixels, the others of objects, which match from an IoU of 0.5; AP is "
        "the mean over IoU 0.5 to 0.95, and Count is found less true. A dash: undefined, or a "
        "mask that tells no objects apart.",
        "## Thresholds",
        f"The best threshold is **{evaluation.best_threshold:g}**: there the mean of Dice and F1 "
        "is highest.",
        _table(heads, rows),
        *_worst(pictures),
        *_failures(evaluation.failures),
    ]
    if evaluation.left_out:
        parts += ["## Files without a partner", _list(evaluation.left_out)]
    return "\n\n".join(parts) + "\n"


def _part(name: str) -> str:
    return "all images" if name == "all" else f"{name} part"


def _worst(pictures: dict[str, Case]) -> list[str]:
    if not pictures:
        return []
    lines = ["## Worst cases", "Orange is what was found, blue the truth; white is both."]
    for path, case in pictures.items():
        scores = ", ".join(
            f"{HEADS[name]} {_say(case.scores[name])}" for name in ("pixel_dice", "object_f1")
        )
        name = _plain(case.file)
        lines += [f"### {name}", f"{_plain(case.source)}: {scores}", f"![{name}]({quote(path)})"]
    return lines


def _failures(failures: pd.DataFrame) -> list[str]:
    if failures.empty:
        return []
    lines = [f"{row['file']}: {row['error']}" for row in failures.to_dict("records")]
    return [f"## Images that failed: {len(failures)}", _list(lines)]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_plain(line)}" for line in lines)


def _plain(text: str) -> str:
    """Text on one line that means nothing else in Markdown."""
    text = " ".join(text.split())
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}")
    return text


def _say(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _without_nan(value: Any) -> Any:
    """What JSON can say: NaN is none of its numbers."""
    if isinstance(value, dict):
        return {str(key): _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
