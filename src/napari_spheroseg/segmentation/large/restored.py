"""The focus of a plane restored before it is segmented, window by window."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...errors import BadSetting, WrongWeights
from ...inference.frames import as_grey
from ...inference.predictor import Predictor
from ...inference.prepare import Scaling, scaling_of, with_grey_range
from ...inference.record import check_weights
from ...models import Preparation
from ...restoration.content import noise_of
from ...restoration.detector import judge_plane
from ...restoration.run import open_restorer
from ...restoration.settings import RestorationRecipe
from ...restoration.spare import NOISY, mix, open_judge, share_of
from ...restoration.values import as_type, keep_gaps
from ...steps import run_to_end
from ..geometry import Box
from ..recipe import Recipe
from ..run import RESTORATION
from .maps import Maps, predict
from .room import Room, Scratch
from .source import Source, boxes

_WINDOW = 1024  # px; a plane is judged in windows of this side


@dataclass(frozen=True, eq=False)
class Restorer:
    """What restores planes.

    Attributes
    ----------
    predictor : Predictor
        From `restoration.run.open_restorer`.
    judge : Predictor or None
        From `restoration.spare.open_judge`; None restores every plane in full.
    keep_range : bool
        Cut off what is darker or brighter than all of a plane.
    """

    predictor: Predictor
    judge: Predictor | None
    keep_range: bool

    @classmethod
    def of(cls, recipe: Recipe, predictor: Predictor) -> Self | None:
        """The one that a recipe names, where the predictor runs; None where it names none.

        Raises
        ------
        BadSetting
            It has to look at all of a plane first, or has other weights than the recipe says.
        """
        if recipe.restore is None:
            return None
        opened = open_restorer(recipe.restore, *predictor.asked)
        metadata = opened.model.metadata
        check_weights(metadata, recipe.made_with.get(RESTORATION))
        check_by_window(metadata.preparation, metadata.name)
        how = RestorationRecipe.of(metadata, opened.model.reference, {})
        return cls(opened, open_judge(opened, how.spare_sharp), how.keep_range)

    @property
    def preparation(self) -> Preparation:
        """The model's own."""
        return self.predictor.model.metadata.preparation


def check_by_window(preparation: Preparation, model: str) -> None:
    """See that an image can be prepared for a model without all of it in memory.

    Raises
    ------
    BadSetting
        It cannot.
    """
    if preparation.intensity == "columns" or preparation.normalise == "standard":
        raise BadSetting(
            f"'{model}' wants all of an image to be looked at before any of it is seen",
            hint="Take a region, or an image of fewer than 64 megapixels.",
        )


def restored(
    source: Source, restorer: Restorer, room: Room
) -> Generator[None, None, tuple[Source, list[Scratch]]]:
    """The plane as models are to see it; nothing of it is in memory.

    As `restoration.run.restore_if_blurred`, but that the focus is judged in windows, by the mean
    over all that they hold: one share for the plane, so that there are no seams.

    Parameters
    ----------
    source : Source
        A whole plane, not constant.
    restorer : Restorer
    room : Room

    Yields
    ------
    None
        After every part of the work.

    Returns
    -------
    Source
        Its intensities are still those of the image.
    list of Scratch
        What it is read from; to be deleted after it.
    """
    share = 1.0
    if restorer.judge is not None:
        share = yield from _share(source, restorer.judge, room)
    if share == 0:
        return source, []
    channels = restorer.preparation.channels
    each_alone = source.samples > 1 and channels == 1
    samples = _samples(source) if each_alone else [source]
    layers = []
    for sample in samples:
        maps = None
        if not sample.survey.is_constant:
            maps = yield from predict(restorer.predictor, sample, restorer.preparation, room)
            if len(maps) != channels:
                raise WrongWeights(
                    f"'{restorer.predictor.model.metadata.name}' makes {len(maps)} maps of "
                    f"{channels} channels: that is no restoration",
                    hint="Choose another model.",
                )
        layers.append(_Layer(sample, maps, restorer))
    seen = replace(source, seen=partial(_mixed, source, layers, share))
    return seen, [layer.maps.array for layer in layers if layer.maps is not None]


def _samples(source: Source) -> list[Source]:
    """Each sample of RGB as a plane."""

    def read(box: Box, number: int) -> NDArray[Any]:
        return source.raw(box)[..., number]

    return [replace(source, seen=partial(read, number=i)) for i in range(source.samples)]


def _share(source: Source, judge: Predictor, room: Room) -> Generator[None, None, float]:
    """How much of the restoration a plane gets; see `restoration.spare.judged`."""
    windows = list(boxes(source.shape, _WINDOW))
    room.expect(len(windows))
    sample = source.survey.sample.reshape(-1, 1)
    preparation = with_grey_range(judge.model.metadata.preparation, sample)
    noise: list[float] = []
    sums, scores = np.zeros(3), np.zeros(2)
    for box in windows:
        plane = source.window(box)
        grey = as_grey(plane).astype(np.float32)
        noise.append(noise_of(grey))
        exact = grey.astype(np.float64)
        sums += (exact.size, exact.sum(), np.square(exact).sum())
        field = run_to_end(judge_plane(judge, plane, preparation))
        scores += ((np.nan_to_num(field.tiles) * field.held).sum(), field.held.sum())
        yield
    mean = sums[1] / sums[0]
    deviation = np.sqrt(max(sums[2] / sums[0] - mean**2, 0))
    if float(np.median(noise)) > NOISY * deviation:
        return 0.0
    return share_of(float(scores[0] / scores[1]) if scores[1] else float("nan"))


@dataclass(frozen=True, eq=False)
class _Layer:
    """A plane, or a sample of one, as it was restored; without maps it is as it was."""

    source: Source
    maps: Maps | None
    restorer: Restorer

    def window(self, box: Box) -> NDArray[Any]:
        """Values of the plane's type; see `restoration.run.restore_plane`."""
        plane = self.source.values(box)
        if self.maps is None:
            return plane
        grey = self._scaling.grey(
            np.stack([self.maps.window(i, box) for i in range(len(self.maps))])
        )
        grey = grey.transpose(1, 2, 0) if plane.ndim == 3 else grey.mean(axis=0)
        values = as_type(grey, plane.dtype)
        if self.restorer.keep_range and plane.dtype.kind != "b":
            values = np.clip(values, *self._ends)
        return keep_gaps(values, plane)

    @cached_property
    def _scaling(self) -> Scaling:
        return scaling_of(self.source.survey.sample.reshape(-1, 1), self.restorer.preparation)

    @cached_property
    def _ends(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Least and greatest value of the plane; of RGB one a sample."""
        many = self.source.samples > 1
        surveys = [each.survey for each in (_samples(self.source) if many else [self.source])]
        return np.array([s.lowest for s in surveys]), np.array([s.highest for s in surveys])


def _mixed(source: Source, layers: list[_Layer], share: float, box: Box) -> NDArray[Any]:
    """What models see of a window."""
    parts = [layer.window(box) for layer in layers]
    values = parts[0] if len(parts) == 1 else np.stack(parts, axis=-1)
    return mix(source.raw(box), values, share)
