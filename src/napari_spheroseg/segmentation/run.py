"""Segment an image: the main job, as a generator of events and as one call."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadSetting
from ..inference.frames import Frames, Index
from ..inference.memory import log_memory
from ..inference.predictor import Predictor, TileDone, shared_predictor
from ..inference.prepare import has_no_number, is_constant
from ..models import Model
from ..steps import Progress, Steps, run_to_end
from .measure import PixelSize
from .recipe import Recipe, versions
from .result import Segmentation
from .scale import look

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """Progress of a run, in tiles over all frames; the total is what it looks like so far."""

    done: int
    total: int
    frame: Index


def segment_steps(
    frames: Frames,
    predictor: Predictor,
    recipe: Recipe,
    indices: Iterable[Index] | None = None,
) -> Generator[Step, None, Segmentation]:
    """Segment frames one after the other.

    Parameters
    ----------
    frames : Frames
        The image.
    predictor : Predictor
        The model, on its device.
    recipe : Recipe
        Complete settings.
    indices : iterable of tuple, optional
        Frames to segment; by default all.

    Yields
    ------
    Step
        After every tile; whoever stops iterating cancels.

    Returns
    -------
    Segmentation
        Of the frames that were asked for.
    """
    wanted = list(frames.indices() if indices is None else indices)
    if outside := set(wanted) - set(frames.indices()):
        raise BadSetting(
            f"There is no frame {min(outside)}", hint=f"Frames have shape {frames.leading_shape}."
        )
    log_memory(_log, f"'{recipe.model}' begins {len(wanted)} frames", device=predictor.device)
    preparation = recipe.preparation()
    outputs = len(predictor.model.metadata.outputs)
    done, tiles = 0, TileDone(0, 1)
    maps: dict[Index, np.ndarray] = {}
    constant: list[Index] = []
    for number, index in enumerate(wanted):
        plane = frames[index]
        if (len(wanted) > 1 and has_no_number(plane)) or is_constant(plane):
            constant.append(index)
            maps[index] = np.zeros((outputs, *frames.plane_shape), np.float32)
            tiles = TileDone(1, 1)
            yield Step(done + 1, done + len(wanted) - number, index)
        else:
            looks = Steps(look(predictor, plane, preparation, recipe.post_processing()))
            for tiles in looks:
                left = tiles.total * (len(wanted) - number)  # as if all frames were like this one
                yield Step(done + tiles.done, done + left, index)
            maps[index] = looks.result
        done += tiles.done
        log_memory(_log, f"frame {number + 1} of {len(wanted)} is predicted", logging.DEBUG)
    recipe = recipe.replace(
        axes=frames.axes,
        channel=frames.channel,
        region=frames.region,
        frames=None if len(wanted) == math.prod(frames.leading_shape) else tuple(wanted),
    )
    warnings = _warn(constant, len(wanted)) + say_concessions(predictor)
    return Segmentation(frames, maps, recipe, warnings)


def open_predictor(
    model: str | Model, device: str = "auto", backend: str = "auto", precision: str = "auto"
) -> Predictor:
    """The shared predictor of a segmentation model.

    Raises
    ------
    BadSetting
        The model is for something else.
    UnknownName, NoWeights, WrongWeights, NoDevice
        It cannot run, or not there.
    """
    predictor = shared_predictor(model, device, backend, precision)
    metadata = predictor.model.metadata
    if metadata.task != "segmentation":
        raise BadSetting(
            f"'{metadata.name}' is a model for {metadata.task}",
            hint="Choose one for segmentation.",
        )
    return predictor


def complete(
    predictor: Predictor, threshold: float, pixel_size: PixelSize, settings: dict[str, Any]
) -> Recipe:
    """The recipe of a run: what the user set, completed by what the model recommends.

    Parameters
    ----------
    predictor : Predictor
        From `open_predictor`.
    threshold, pixel_size
        As in `segment`.
    settings : dict
        Any other field of `Recipe`. What an earlier run was ``made_with`` is compared.

    Raises
    ------
    BadSetting
        A setting is unknown or out of bounds, or a recipe was made with other weights.
    """
    metadata = predictor.model.metadata
    made = (settings.get("made_with") or {}).get("sha256")
    if made and metadata.sha256 and made != metadata.sha256:
        raise BadSetting(
            f"The recipe was made with other weights of '{metadata.name}'",
            hint="Install those, or leave out made_with to run it with these.",
        )
    made_with = {
        "sha256": metadata.sha256,
        "device": predictor.device,
        "backend": predictor.backend,
        "precision": predictor.precision,
        "versions": versions(),
    }
    settings = {**settings, "made_with": made_with}
    return Recipe.of(metadata, predictor.model.reference, threshold, pixel_size, settings)


def segment(
    image: Any,
    model: str | Model = "unet",
    threshold: float = 0.5,
    *,
    pixel_size: PixelSize = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    **settings: Any,
) -> Segmentation:
    """Outline the spheroids in an image.

    Parameters
    ----------
    image : array
        numpy, dask or zarr; (Y, X), RGB(A) (Y, X, 3 or 4), or a stack with leading axes. 8 or
        16 bit, or float.
    model : str or Model
        A name from `models.available`, a path, or an opened model.
    threshold : float
        In [0, 1]; pixels of a higher probability belong to an object.
    pixel_size : float or (float, float), optional
        µm per pixel, or height and width of one; then measures are in µm.
    device : str
        "auto", "cuda", "cuda:1", "mps" or "cpu"; "gpu" for Intel's, with OpenVINO.
    backend : str
        "auto" (the fastest that is installed), "torch", "openvino" or "onnxruntime".
    precision : str
        "auto" (the fastest that keeps the labels), "float32", "bfloat16" or "float16".
    progress : callable, optional
        Called with tiles done and tiles in all.
    cancel : callable, optional
        Asked after every tile; True stops.
    **settings
        ``axes`` (one letter an axis, like "TCYX"), ``channel``, ``frames`` (positions along the
        leading axes, by default all), ``region`` (first row, row after the last, first column,
        column after the last); any field of `Preparation` and `PostProcessing`. What is
        not given is as the model recommends.

    Returns
    -------
    Segmentation
        With probability, labels, polygons, table and recipe.

    Raises
    ------
    SpherosegError
        The image, the model, a setting or the device cannot be used, or `Cancelled`.

    Examples
    --------
    >>> import napari_spheroseg as ss
    >>> result = ss.segment(image, "unet", pixel_size=0.65)  # doctest: +SKIP
    >>> result.table["equivalent_diameter_um"].mean()  # doctest: +SKIP
    """
    given = (settings.get(name) for name in ("axes", "channel", "region"))
    frames = Frames.of(image, *given)
    predictor = open_predictor(model, device, backend, precision)
    recipe = complete(predictor, threshold, pixel_size, settings)
    steps = segment_steps(frames, predictor, recipe, recipe.frames)
    return run_to_end(steps, progress, cancel)


def _warn(constant: list[Index], total: int) -> tuple[str, ...]:
    if not constant:
        return ()
    if total == 1:
        return ("The image is constant: there is nothing to see in it",)
    return (f"{len(constant)} of {total} frames are constant: there is nothing to see in them",)


def say_concessions(predictor: Predictor) -> tuple[str, ...]:
    """What was done because memory ran out, as a warning."""
    if not predictor.concessions.made:
        return ()
    return (f"Memory ran out; it went on with {', '.join(predictor.concessions.made)}",)
