"""A model on a device through a backend: planes in, maps out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting, NoDevice, OutOfMemory, WrongWeights
from ..models import Model, Preparation
from . import devices
from .backends import Backend, open_backend
from .ladder import SMALLEST_TILE, Concessions, let_go
from .memory import memory_use
from .outputs import as_maps, resize_maps
from .plan import (
    LARGEST_BATCH,
    MOST_FRAMES,
    Plan,
    batch_for,
    one_at_a_time,
    plan_of,
    tiles_at_once,
)
from .prepare import prepare
from .tiles import Blend, pad, tiled
from .together import Together
from .views import VIEWS

Float = NDArray[np.float32]


_SHARE_OF_RAM = 0.5  # of what is free, for the frames that are under way together


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
        What to run.
    device, backend, precision : str
        "auto", or a name.

    Attributes
    ----------
    asked : tuple of str
        Device, backend and precision as they were asked for: for a model that runs beside it.
    concessions : Concessions
        What was done because memory ran out; where the device has no room for the weights, it
        runs on the CPU from the beginning.

    Raises
    ------
    NoWeights, WrongWeights, NoDevice, UnknownName, BadSetting, OutOfMemory
        The model cannot run, or not there.
    """

    def __init__(
        self, model: Model, device: str = "auto", backend: str = "auto", precision: str = "auto"
    ) -> None:
        self.model = model
        self.asked = (device, backend, precision)
        self._may_lower = precision == "auto"
        self.concessions = Concessions()
        self._backend = self._open()
        self._turn = threading.RLock()
        self._together = None if one_at_a_time(model, self.device) else Together(self._turn)

    def _open(self) -> Backend:
        """The backend that was asked for; on the CPU where the device has no room for it."""
        device, backend, _ = self.asked
        while True:
            precision = self._whole(device, backend)
            try:
                return open_backend(self.model, backend, device, precision)
            except OutOfMemory:
                if let_go():
                    continue
                if device == "cpu":
                    raise
                device = "cpu"
                self.concessions.make("the CPU")

    def _whole(self, device: str, backend: str) -> str:
        """The precision before memory runs out: as it was asked for."""
        if not self._may_lower:
            return self.asked[2]
        return _precision_for(self.model, device, backend)

    @property
    def device(self) -> str:
        """Where it runs, never "auto"."""
        return self._backend.device

    @property
    def backend(self) -> str:
        """What runs it, never "auto"."""
        return self._backend.name

    @property
    def precision(self) -> str:
        """What it computes in, never "auto"."""
        return self._backend.precision

    def plan(
        self, shape: tuple[int, int], preparation: Preparation | None = None, frames: int = 1
    ) -> Plan:
        """What a plane of this height and width is expected to need, in PyTorch and float32.

        Other backends and precisions need less. A second look at another scale is not included.

        Parameters
        ----------
        shape : (int, int)
            Height and width in pixels.
        preparation : Preparation, optional
            By default the model's own.
        frames : int
            Planes of this size; see `frames_at_once`.
        """
        return plan_of(self.model, self.device, shape, preparation, frames, self.concessions)

    def frames_at_once(self, shape: tuple[int, int], preparation: Preparation | None = None) -> int:
        """Frames that may be under way together.

        So they share batches, and one is prepared while the device computes another. One on a
        CPU. On other devices as many as fill a batch, two at least, eight at most, and
        no more than half of the free RAM holds.

        Parameters
        ----------
        shape, preparation
            As in `plan`.
        """
        if one_at_a_time(self.model, self.device):
            return 1
        plan = self.plan(shape, preparation)
        wanted = min(MOST_FRAMES, max(2, self._room(plan.tile) // plan.tiles))
        held = memory_use(self.device).ram.free * _SHARE_OF_RAM // plan.host_gb
        return max(1, min(wanted, int(held)))

    def predict(
        self, plane: NDArray[Any], preparation: Preparation | None = None
    ) -> Generator[TileDone, None, Float]:
        """Predict one plane, tile by tile.

        Where memory runs out, the plane is begun anew with smaller batches, then smaller tiles,
        then in half precision, then on the CPU; later planes begin as this one ended.

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

        Raises
        ------
        OutOfMemory
            Even the smallest tiles do not fit.
        """
        preparation = preparation or self.model.metadata.preparation
        prepared = prepare(plane, preparation)
        padded = pad(prepared, preparation.multiple)
        while True:
            blend = tiled(padded.shape[1:], preparation, self.concessions.tile)
            batch = tiles_at_once(self.model, self.device, blend, self.concessions)
            made = len(self.concessions.made)
            try:
                maps = yield from self._predict(padded, blend, batch, preparation)
            except OutOfMemory as error:
                self.give_way(error, batch, max(blend.tile), made)
            else:
                maps = maps[:, : prepared.shape[1], : prepared.shape[2]]
                return resize_maps(maps, (plane.shape[0], plane.shape[1]))

    def _room(self, tile: tuple[int, int]) -> int:
        """Tiles, of whichever frames, that go through the network together."""
        if one_at_a_time(self.model, self.device):
            return 1
        learnt = self.concessions.batch
        return learnt or batch_for(self.model, tile, self.device, LARGEST_BATCH)

    def _predict(
        self, padded: Float, blend: Blend, batch: int, preparation: Preparation
    ) -> Generator[TileDone, None, Float]:
        slices = list(blend.slices())
        for first in range(0, len(slices), batch):
            together = slices[first : first + batch]
            tiles = np.stack([padded[:, *where] for where in together])
            maps = self.maps_of(tiles, preparation)
            for where, values in zip(together, maps, strict=True):
                blend.add(where, values)
            yield TileDone(first + len(together), len(blend))
        return blend.result()

    def maps_of(self, tiles: Float, preparation: Preparation) -> Float:
        """What the network makes of prepared tiles.

        Parameters
        ----------
        tiles : ndarray of float32, (B, C, y, x)
        preparation : Preparation
            Says whether they are looked at from all sides.

        Returns
        -------
        ndarray of float32, (B, K, y, x)
            The mean over their views.

        Raises
        ------
        OutOfMemory
            They do not fit; see `give_way`.
        BadSetting
            They have other channels than the network takes.
        """
        views = VIEWS if preparation.test_time_augmentation else VIEWS[:1]
        maps = self._run_all([view(tiles) for view, _ in views])
        seen = [undo(each) for (_, undo), each in zip(views, maps, strict=True)]
        return seen[0] if len(seen) == 1 else np.asarray(np.mean(seen, axis=0), np.float32)

    def scores(self, batch: Float) -> Float:
        """What a network that judges whole crops says of each.

        Where memory runs out, it goes on with half as many at a time, then in half precision,
        then on the CPU; later batches begin as this one ended.

        Parameters
        ----------
        batch : ndarray of float32, (B, C, y, x)
            Prepared crops.

        Returns
        -------
        ndarray of float32, (B, K)
            Raw: softmax or sigmoid is the caller's.

        Raises
        ------
        OutOfMemory
            Not even one fits.
        WrongWeights
            The network makes maps, not scores.
        BadSetting
            Crops have other channels than the network takes.
        """
        self._check_channels(batch)
        done: list[Float] = []
        first = 0
        while first < len(batch):
            together = batch[first : first + (self.concessions.batch or len(batch))]
            made = len(self.concessions.made)
            try:
                # where threads share a device, none may change it while another computes there
                with self._turn if self._together else contextlib.nullcontext():
                    done.append(self._backend.predict(np.ascontiguousarray(together)))
            except OutOfMemory as error:
                self.give_way(error, len(together), SMALLEST_TILE, made)  # a crop cannot be cut
            else:
                first += len(together)
        scores = np.concatenate(done) if done else np.zeros((0, 0), np.float32)
        if scores.ndim != 2:
            metadata = self.model.metadata
            raise WrongWeights(
                f"'{metadata.name}' makes maps, not one score a crop",
                hint=f"It is a model for {metadata.task}.",
            )
        return scores

    def _check_channels(self, tiles: Float) -> None:
        """Refuse what a setting made of a plane before a backend stumbles over it.

        Raises
        ------
        BadSetting
            It has other channels than the network takes.
        """
        takes = self.model.metadata.in_channels
        if tiles.shape[1] != takes:
            raise BadSetting(
                f"'{self.model.metadata.name}' takes {takes} channel{'s' * (takes > 1)}, "
                f"not {tiles.shape[1]}",
                hint="Leave channels and normalise as the model has them.",
            )

    def _run(self, tiles: Float) -> Float:
        self._check_channels(tiles)
        return as_maps(
            self.model.metadata, self._backend.predict(np.ascontiguousarray(tiles)), tiles
        )

    def _run_all(self, batches: Sequence[Float]) -> list[Float]:
        """Maps of each batch; on a GPU those of one shape go through the network together."""
        if self._together is None:
            return [self._run(each) for each in batches]
        for each in batches:
            self._check_channels(each)
        outputs = self._together.run(
            [np.ascontiguousarray(each) for each in batches],
            lambda tiles: self._backend.predict(tiles),  # whichever it is by then
            lambda tiles: self._room((tiles.shape[2], tiles.shape[3])),
            self._too_many,
        )
        return [
            as_maps(self.model.metadata, output, tiles)
            for output, tiles in zip(outputs, batches, strict=True)
        ]

    def _too_many(self, error: OutOfMemory, count: int, tiles: Float) -> None:
        """Tiles of several frames or views did not fit together; fewer will."""
        if count <= (self.concessions.batch or count):  # else it is so already
            self.give_way(error, count, max(tiles.shape[2:]))

    def give_way(self, error: OutOfMemory, batch: int, tile: int, made: int | None = None) -> None:
        """Free what nobody uses, else one rung down the ladder, or raise the error at its end.

        Parameters
        ----------
        error : OutOfMemory
        batch, tile : int
            Tiles and side (px) that did not fit.
        made : int, optional
            Concessions before that was tried: if another thread has made one since, that may do.
        """
        with self._turn:
            given = self.concessions
            if made not in (None, len(given.made)) or let_go():
                return
            # rounded up to the network's multiple, tiles may be larger than they were to be
            is_smallest = tile <= SMALLEST_TILE or given.tile == SMALLEST_TILE
            if batch > 1:
                given.make(f"batches of {batch // 2}", batch=batch // 2)
            elif not is_smallest:
                smaller = max(SMALLEST_TILE, tile // 2)
                given.make(f"tiles of {smaller} px", tile=smaller)
            elif not (self._reopen(self.device, half=True) or self._reopen("cpu", half=False)):
                raise error

    def _reopen(self, device: str, *, half: bool) -> bool:
        """Continue in half precision, or on another device, where that is possible."""
        if (self.precision != "float32" or not self._may_lower) if half else self.device == device:
            return False
        whole = self._whole(device, self.backend)
        for precision in ("bfloat16", "float16") if half else (whole,):
            try:
                self._backend = open_backend(self.model, self.backend, device, precision)
            except (BadSetting, NoDevice, OutOfMemory):
                continue
            self.concessions.make(precision if half else f"the {device.upper()}")
            return True
        return False


def _precision_for(model: Model, device: str, backend: str) -> str:
    """What to compute in where nobody says: what the model asks for where that is fast."""
    wanted = model.metadata.precision
    may_be_gpu = device.partition(":")[0] in ("auto", "cuda", "mps") and backend in (
        "auto",
        "torch",
    )
    if wanted != "auto" and may_be_gpu and devices.choose(device) != "cpu":
        return wanted
    # half the digits keep the labels, but not the grey values of 16 bits, nor scores
    return "float32" if model.metadata.task in ("restoration", "focus") else "auto"
