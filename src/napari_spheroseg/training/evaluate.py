"""Score a model on images whose truth is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting, reason
from ..inference.frames import Frames
from ..inference.predictor import Predictor
from ..models import Model
from ..segmentation.measure import PixelSize
from ..segmentation.recipe import Recipe
from ..segmentation.result import Segmentation
from ..segmentation.run import complete, open_predictor, segment_steps
from ..steps import Progress, Step, run_to_end
from .evaluation import SWEPT, Case, Evaluation, Scores
from .metrics import NAMES, score
from .pairs import Dataset, Pair, Part, pairs_in_folders, pairs_in_manifest

if TYPE_CHECKING:
    import pandas as pd

Data = str | Path | tuple[str | Path, str | Path] | Dataset | Sequence[Pair]

SWEEP = tuple(round(0.05 * i, 2) for i in range(2, 19))
"""Thresholds that are tried unless others are asked for."""


def evaluate(
    model: str | Model,
    data: Data,
    *,
    part: Part | Literal["all"] = "test",
    threshold: float = 0.5,
    thresholds: Iterable[float] | None = None,
    worst: int = 3,
    pixel_size: PixelSize = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    **settings: Any,
) -> Evaluation:
    """Score a model on images whose truth is known.

    Parameters
    ----------
    model : str or Model
        A name from `models.available`, a path, or an opened model.
    data : path, (path, path), Dataset, or sequence of Pair
        A manifest (CSV with the columns file and mask_file; source, part and mask_kind if known),
        folders of images and of masks, or pairs that were found already.
    part : {"test", "val", "train", "all"}
        Images to score. Where the data name no part, and of a sequence of pairs, all.
    threshold : float
        In [0, 1]; what the scores are for.
    thresholds : iterable of float, optional
        What is tried for the best threshold; by default 0.1 to 0.9 in steps of 0.05. None costs
        inference.
    worst : int
        Cases to keep of each source, those that went worst.
    pixel_size, device, backend, precision
        As in `segment`; scores are of pixels in any case.
    progress : callable, optional
        Called with images done and images in all.
    cancel : callable, optional
        Asked after every image; True stops.
    **settings
        Any field of `Preparation` and `PostProcessing`, and ``channel``.

    Returns
    -------
    Evaluation
        Scores an image, a source and overall, the sweep, failures and the worst cases. An image
        that cannot be read or segmented is a row with its error.

    Raises
    ------
    SpherosegError
        The data, the model, the device or a setting cannot be used, or `Cancelled`.

    Examples
    --------
    >>> import napari_spheroseg as ss
    >>> evaluation = ss.evaluate("unet", "manifest.csv")  # doctest: +SKIP
    >>> evaluation.overall["object_f1"], evaluation.best_threshold  # doctest: +SKIP
    """
    pairs, left_out = find_part(data, part)
    predictor = open_predictor(model, device, backend, precision)
    recipe = complete(predictor, threshold, pixel_size, settings)
    steps = _score_all(pairs, predictor, recipe, _thresholds(recipe, thresholds), worst)
    scored = run_to_end(steps, progress, cancel)
    return Evaluation(*scored, predictor.model.metadata, recipe, part, left_out)


def find_part(data: Data, part: str) -> tuple[list[Pair], tuple[str, ...]]:
    """Pairs to score, and what was left out; see `evaluate`.

    Raises
    ------
    UnreadableFile
        A folder or the manifest is missing, or holds nothing that can be used.
    BadSetting
        No image is of that part.
    """
    dataset = _dataset(data)
    pairs = list(dataset.pairs)
    parts = sorted({pair.part for pair in pairs if pair.part})
    if part != "all" and parts and isinstance(data, str | Path | Dataset):
        pairs = [pair for pair in pairs if pair.part == part]
    if not pairs:
        there = f"There are: {', '.join([*parts, 'all'])}." if parts else "Give at least one."
        raise BadSetting(f"There is no image of part '{part}' to evaluate", hint=there)
    return pairs, dataset.left_out


def _dataset(data: Data) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path):
        if Path(data).is_dir():
            raise BadSetting(f"{data} is a folder", hint="Give the folder of its masks too.")
        return pairs_in_manifest(Path(data))
    pairs = [each for each in data if isinstance(each, Pair)]
    if len(pairs) == len(data):
        return Dataset(tuple(pairs))
    images, masks = (Path(str(each)) for each in data)
    return pairs_in_folders(images, masks)


def _thresholds(recipe: Recipe, wanted: Iterable[float] | None) -> list[float]:
    """Thresholds to try, each checked before the first image is."""
    settings = recipe.post_processing()
    if wanted is None:
        wanted = (each for each in SWEEP if each >= (settings.low_threshold or 0))
    return sorted({settings.replace(threshold=each).threshold for each in wanted})


def _score_all(
    pairs: Sequence[Pair], predictor: Predictor, recipe: Recipe, tried: list[float], worst: int
) -> Generator[Step, None, tuple[pd.DataFrame, pd.DataFrame, tuple[Case, ...]]]:
    """Scores of the images, one after the other, those of every threshold, and the worst cases."""
    import pandas as pd

    twice = Counter(pair.name for pair in pairs)
    rows: list[dict[str, Any]] = []
    swept: list[dict[str, Any]] = []
    cases: dict[str, list[Case]] = {}
    for done, pair in enumerate(pairs, start=1):
        file = str(pair.image) if twice[pair.name] > 1 else pair.name
        row: dict[str, Any] = {"file": file, "source": pair.source, "error": ""}
        try:
            case, sweep = _score_pair(pair, file, predictor, recipe, tried)
            row |= case.scores
            swept += [{"file": file, "source": pair.source, **each} for each in sweep]
            ranked = [*cases.get(pair.source, ()), case]
            cases[pair.source] = sorted(ranked, key=lambda each: each.quality)[:worst]
        except Exception as error:  # whatever one image does, the others have their turn
            row["error"] = reason(error)
        rows.append(row)
        yield Step(done, len(pairs), ())
    columns = ["file", "source", "error", *NAMES]
    return (
        pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(NAMES, float)),
        pd.DataFrame(swept, columns=["file", "source", "threshold", *SWEPT]),
        tuple(chain.from_iterable(cases.values())),
    )


def _score_pair(
    pair: Pair, file: str, predictor: Predictor, recipe: Recipe, tried: list[float]
) -> tuple[Case, list[Scores]]:
    """Scores of one image, and those of every threshold; the network runs once."""
    image, truth = pair.read()
    frames = Frames.of(image, recipe.axes, recipe.channel)
    result = run_to_end(segment_steps(frames, predictor, recipe))
    binary = bool(pair.binary)
    case = Case(
        file, pair.source, image, truth, result.labels, score(truth, result.labels, binary=binary)
    )
    return case, [_at(result, each, truth, binary) for each in tried]


def _at(result: Segmentation, threshold: float, truth: NDArray[np.int32], binary: bool) -> Scores:
    scores = score(truth, result.at(threshold=threshold).labels, binary=binary)
    return {"threshold": threshold} | {name: scores[name] for name in SWEPT}
