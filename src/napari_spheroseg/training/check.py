"""A look at the data before a network learns from them: what cannot be used, and what is odd."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage, BadSetting
from ..models import Preparation
from ..readwrite.atomic import replacing
from ..steps import Progress, run_to_end
from .alignment import common_shift
from .look import COLUMNS, Look, look_at
from .pairs import Dataset, Pair
from .settings import TrainingSettings

if TYPE_CHECKING:
    import pandas as pd

_PURPOSES: dict[Literal["train", "val"], str] = {"train": "learn from", "val": "validate with"}
_NAMED = 5  # files of one oddity that a sentence names
_GROUPS = 3  # that stand on both sides, and are named
_OUTLINE, _GAP = (255, 215, 0), 4  # red, green, blue; px


@dataclass(frozen=True)
class Checked:
    """Progress of a check, in pairs."""

    done: int
    total: int
    pair: Pair


@dataclass(frozen=True, eq=False)
class DataCheck:
    """What is in a data set, and what is wrong with it.

    Attributes
    ----------
    dataset : Dataset
    looks : tuple of Look
        One a pair to learn from or to validate with.
    """

    dataset: Dataset
    looks: tuple[Look, ...] = field(repr=False)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """A row a pair: file, source, part, sizes in px, what its mask holds, and its problem."""
        import pandas as pd

        whole = dict.fromkeys(("height", "width", "objects"), "Int64")
        return pd.DataFrame([look.row() for look in self.looks], columns=COLUMNS).astype(whole)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What is wrong or odd, as sentences; the worst first."""
        return (
            *(f"Left out: {look.error}" for look in self.looks if look.error),
            *(f"Left out: {sentence}" for sentence in self.dataset.left_out),
            *self._twice(),
            *self._on_both_sides(),
            *self._shifted(),
            *self._odd(),
        )

    @cached_property
    def usable(self) -> Dataset:
        """The data set without the pairs that cannot be used."""
        bad = {look.pair for look in self.looks if look.error}
        return replace(self.dataset, pairs=tuple(p for p in self.dataset.pairs if p not in bad))

    @cached_property
    def summary(self) -> str:
        """Numbers, sizes and class balance, a line each."""
        good = [look for look in self.looks if not look.error]
        counts = [f"{len(self._good(part))} to {to}" for part, to in _PURPOSES.items()]
        lines = [f"Images: {', '.join(counts)}; {len(self.looks) - len(good)} left out"]
        sources = _count(look.pair.source for look in good)
        if len(sources) > 1:
            lines.append(f"Sources: {', '.join(f'{n} × {name}' for name, n in sources.items())}")
        if good:
            shapes = sorted((look.shape for look in good if look.shape), key=np.prod)
            sizes = [f"{width} × {height}" for height, width in (shapes[0], shapes[-1])]
            lines.append(f"Sizes: {_span(sizes)} px; {', '.join(_count(x.dtype for x in good))}")
        for part, to in _PURPOSES.items():
            if self._good(part):
                lines.append(f"To {to}: {_balance(self._good(part))}")
        return "\n".join(lines)

    def raise_if_unusable(self) -> None:
        """Check that there is something to learn from, and something to validate with.

        Raises
        ------
        BadSetting
            No pair stands in one of the parts.
        BadImage
            No pair of a part can be used, or all masks of it are empty.
        """
        for part, to in _PURPOSES.items():
            looks = [look for look in self.looks if look.pair.part == part]
            if not looks:
                raise BadSetting(
                    f"There is no image with a mask to {to}",
                    hint=f"Name some '{part}' in the column part, or leave that column empty.",
                )
            good = self._good(part)
            if not good:
                raise BadImage(
                    f"None of the {len(looks)} images to {to} can be used", hint=looks[0].error
                )
            if not any(look.objects for look in good):
                raise BadImage(
                    f"All masks to {to} are empty",
                    hint="Draw some objects: pixels above 0 belong to them.",
                )

    def _good(self, part: str) -> list[Look]:
        return [look for look in self.looks if look.pair.part == part and not look.error]

    def _odd(self) -> Iterable[str]:
        named = defaultdict(list)
        for look in self.looks:
            for hint in look.hints:
                named[hint].append(look.pair.name)
        return (f"{hint}: {_names(files)}" for hint, files in named.items())

    def _shifted(self) -> Iterable[str]:
        fits = defaultdict(list)
        for look in self.looks:
            if look.fit is not None:
                fits[look.pair.source].append(look.fit)
        for source, each in fits.items():
            if shift := common_shift(each):
                yield f"The masks of '{source}' lie off: they fit better {_directions(*shift)}"

    def _twice(self) -> Iterable[str]:
        learnt = {look.digest: look for look in self._good("train")}
        for look in self._good("val"):
            if look.digest in learnt:
                other = learnt[look.digest].pair.name
                names = other if other == look.pair.name else f"{other} and {look.pair.name}"
                yield f"The same image to learn from and to validate with, so scores lie: {names}"

    def _on_both_sides(self) -> Iterable[str]:
        learnt, validating = (
            {look.pair.group for look in self._good(part) if look.pair.group} for part in _PURPOSES
        )
        if both := sorted(learnt & validating):
            names = _names(both, _GROUPS)
            yield f"Groups to learn from and to validate with, so scores lie: {names}"


def check_steps(dataset: Dataset) -> Generator[Checked, None, DataCheck]:
    """Read every pair that is learnt from or validated with, once.

    Parameters
    ----------
    dataset : Dataset

    Yields
    ------
    Checked
        After every pair; whoever stops iterating cancels.

    Returns
    -------
    DataCheck
    """
    pairs = [pair for pair in dataset.pairs if pair.part in _PURPOSES]
    looks = []
    for number, pair in enumerate(pairs, start=1):
        looks.append(look_at(pair))
        yield Checked(number, len(pairs), pair)
    return DataCheck(dataset, tuple(looks))


def check_data(dataset: Dataset, *, progress: Progress | None = None) -> DataCheck:
    """Look at the data before training.

    Parameters
    ----------
    dataset : Dataset
        From `find_pairs`.
    progress : callable, optional
        Called with pairs done and pairs in all.

    Returns
    -------
    DataCheck
    """
    return run_to_end(check_steps(dataset), progress)


def _count(values: Iterable[str]) -> dict[str, int]:
    """How often each value comes, the most frequent first."""
    values = list(values)
    return {value: values.count(value) for value in sorted(set(values), key=values.count)[::-1]}


def _balance(looks: list[Look]) -> str:
    """How much of the masks is foreground, and the objects in it."""
    pixels = [np.prod(look.shape or 0) for look in looks]
    share = np.average([look.foreground for look in looks], weights=pixels)
    objects = sum(look.objects for look in looks)
    diameters = [look.diameter for look in looks if look.objects]
    sizes = [f"{size:.0f}" for size in (min(diameters), max(diameters))] if diameters else []
    text = f"{share:.0%} foreground, {objects} objects"
    return f"{text} of {_span(sizes)} px in diameter" if sizes else text


def _span(ends: list[str]) -> str:
    return ends[0] if ends[0] == ends[-1] else f"{ends[0]} to {ends[-1]}"


def _names(files: list[str], most: int = _NAMED) -> str:
    more = len(files) - most
    return ", ".join(files[:most]) + (f" and {more} more" if more > 0 else "")


def _directions(y: float, x: float) -> str:
    ways = ((y, "down" if y > 0 else "up"), (x, "to the right" if x > 0 else "to the left"))
    return " and ".join(f"{abs(by):.0f} px {way}" for by, way in ways if round(by))


def sample_pictures(
    dataset: Dataset, settings: TrainingSettings, preparation: Preparation, count: int = 8
) -> NDArray[np.uint8]:
    """The first samples that a network will learn from, with the outlines of their masks.

    Parameters
    ----------
    dataset : Dataset
        With a train part.
    settings : TrainingSettings
    preparation : Preparation
        What the network takes.
    count : int
        Samples, at least 1.

    Returns
    -------
    ndarray of uint8, (Y, X, 3)
        Red, green, blue; up to four samples a row.
    """
    from .samples import Samples

    samples = Samples(dataset, settings, preparation.replace(normalise="unit"))
    side, across = settings.crop + _GAP, min(4, count)
    sheet = np.full((-(-count // across) * side - _GAP, across * side - _GAP, 3), 255, np.uint8)
    for number in range(count):
        top, left = (at * side for at in divmod(number, across))
        sample = samples[number]
        picture = _with_outlines(sample.image, sample.foreground[0])
        sheet[top : top + settings.crop, left : left + settings.crop] = picture
    return sheet


def _with_outlines(unit: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    picture = np.rint(unit.transpose(1, 2, 0) * 255).astype(np.uint8)
    picture = np.broadcast_to(picture, (*mask.shape, 3)).copy()
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(picture, outlines, -1, _OUTLINE, 1), np.uint8)


def write_sample_pictures(
    path: Path,
    dataset: Dataset,
    settings: TrainingSettings,
    preparation: Preparation,
    count: int = 8,
) -> None:
    """Write `sample_pictures` as PNG.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    sheet = sample_pictures(dataset, settings, preparation, count)
    _, content = cv2.imencode(".png", sheet[..., ::-1])
    with replacing(path) as temporary:
        temporary.write_bytes(content.tobytes())
