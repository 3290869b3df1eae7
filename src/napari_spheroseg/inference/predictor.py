"""A model on a device through a backend: planes in, maps out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..models import Model, Preparation, info, load
from ..models.library import read_metadata
from .backends import choose
from .prepare import prepare, working_shape
from .tiles import Blend

Float = NDArray[np.float32]


@dataclass(frozen=True)
class TileDone:
    """Progress within one plane."""

    done: int
    total: int


class Predictor:
    """Runs one model; serves segmentation, restoration and classification alike.

    Parameters
    ----------
    model : Model
        What to run; its network is built here.
    device, backend : str
        "auto", or a name.

    Raises
    ------
    NoWeights, WrongWeights, NoDevice, UnknownName
        The model cannot run, or not there.
    """

    def __init__(self, model: Model, device: str = "auto", backend: str = "auto") -> None:
        self.model = model
        self._backend = choose(backend, device)(model, device)

    @property
    def device(self) -> str:
        """Where it runs, never "auto"."""
        return self._backend.device

    @property
    def backend(self) -> str:
        """What runs it, never "auto"."""
        return self._backend.name

    def predict(
        self, plane: NDArray[Any], preparation: Preparation | None = None
    ) -> Generator[TileDone, None, Float]:
        """Predict one plane, tile by tile.

        Parameters
        ----------
        plane : ndarray, (Y, X) or (Y, X, 3)
            Grey values of any real type.
        preparation : Preparation, optional
            By default the model's own.

        Yields
        ------
        TileDone
            After every tile; whoever stops iterating cancels.

        Returns
        -------
        ndarray of float32, (K, Y, X)
            One map an output, in [0, 1] where the model's outputs are probabilities.
        """
        preparation = preparation or self.model.metadata.preparation
        prepared = prepare(plane, preparation)
        shape = (prepared.shape[1], prepared.shape[2])
        padded = _pad(prepared, preparation.multiple)
        blend = _blend(padded.shape[1:], preparation)
        for number, where in enumerate(blend.slices(), start=1):
            tile = padded[:, *where]
            views = _VIEWS if preparation.test_time_augmentation else _VIEWS[:1]
            seen = [undo(self._run(view(tile))) for view, undo in views]
            blend.add(where, seen[0] if len(seen) == 1 else np.mean(seen, axis=0))
            yield TileDone(number, len(blend))
        maps = blend.result()[:, : shape[0], : shape[1]]
        return _resize_maps(maps, (plane.shape[0], plane.shape[1]))

    def _run(self, tile: Float) -> Float:
        """Maps (K, y, x) of a tile (C, y, x)."""
        output = self._backend.predict(np.ascontiguousarray(tile)[None])[0]
        if self.model.metadata.task == "segmentation":
            output = _sigmoid(output)
        return _resize_maps(output, (tile.shape[1], tile.shape[2]))


def count_tiles(shape: tuple[int, int], preparation: Preparation) -> int:
    """Number of tiles that a plane of this height and width is predicted in."""
    working = working_shape(shape, preparation)
    return len(_blend(_padded_shape(working, preparation.multiple), preparation))


_shared: dict[tuple[str, str, str], Predictor] = {}
_lock = threading.Lock()


def shared_predictor(model: str | Model, device: str = "auto", backend: str = "auto") -> Predictor:
    """The one predictor that is kept in memory, loaded by whichever thread asks first.

    Parameters
    ----------
    model : str or Model
        A name or path, or an opened model.
    device, backend : str
        "auto", or a name.

    Returns
    -------
    Predictor
        The same for the same model, device and backend; another choice replaces it.
    """
    with _lock:
        key = (_identity(model), device, backend)
        if key not in _shared:
            opened = model if isinstance(model, Model) else load(model)
            _shared.clear()  # before another is loaded, so that only one is in memory
            _shared[key] = Predictor(opened, device, backend)
        return _shared[key]


def _identity(model: str | Model) -> str:
    """What tells models apart: an opened one is itself, others are what is on disk."""
    if isinstance(model, Model):  # kept alive by its predictor, so that its id is not used again
        return f"opened {id(model)}"
    path = Path(model)
    if path.is_file():
        status = path.stat()
        return f"file {path.resolve()} {status.st_mtime_ns} {status.st_size}"
    # metadata too: the same weights may be installed twice, with another preparation
    metadata = read_metadata(path) if path.is_dir() else info(str(model))
    return f"model {model} {metadata.model_dump_json()}"


def forget_shared() -> None:
    """Drop the predictor that is kept in memory."""
    with _lock:
        _shared.clear()


def _views() -> list[tuple[Callable[[Float], Float], Callable[[Float], Float]]]:
    """Quarter turns of an image and of its mirror image, each with its inverse."""

    def turned(quarters: int, mirrored: bool) -> Any:
        def view(image: Float) -> Float:
            return np.rot90(image[..., ::-1] if mirrored else image, quarters, (-2, -1))

        def undo(maps: Float) -> Float:
            back = np.rot90(maps, -quarters, (-2, -1))
            return back[..., ::-1] if mirrored else back

        return view, undo

    return [turned(quarters, mirrored) for mirrored in (False, True) for quarters in range(4)]


_VIEWS = _views()


def _round_up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def _padded_shape(shape: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Sides rounded up to a multiple; twice that at least, for instance norm needs two pixels."""
    least = 2 * multiple if multiple > 1 else 1
    height, width = (max(_round_up(n, multiple), least) for n in shape)
    return height, width


def _pad(image: Float, multiple: int) -> Float:
    """Mirror at the bottom and right."""
    shape = (image.shape[1], image.shape[2])
    extra = [(0, n - m) for n, m in zip(_padded_shape(shape, multiple), shape, strict=True)]
    return np.pad(image, [(0, 0), *extra], mode="symmetric")


def _blend(shape: Any, preparation: Preparation) -> Blend:
    tile = preparation.tile or max(shape)
    return Blend((shape[0], shape[1]), _round_up(tile, preparation.multiple), preparation.overlap)


def _sigmoid(logits: Float) -> Float:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)


def _resize_maps(maps: Float, shape: tuple[int, int]) -> Float:
    """Bilinear resize of (K, y, x), as the published service does before its threshold."""
    if maps.shape[1:] == tuple(shape):
        return maps
    size = (shape[1], shape[0])
    return np.stack([cv2.resize(each, size, interpolation=cv2.INTER_LINEAR) for each in maps])
