"""How much memory a network will need, before it runs."""

from __future__ import annotations

import json
import math
import weakref
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import BadSetting
from ..models import Model, Preparation
from .ladder import Concessions
from .memory import GIGABYTE, kept_memory, memory_use
from .prepare import working_shape
from .tiles import Blend, padded_shape, tiled

_USABLE = 0.8  # of what is free: others need some, and pieces do not fit without gaps
_WORKSPACE = 1.7  # measured peak over that of the tensors, on a CPU: 1.2 (hrnet) to 1.7 (unet)

LARGEST_BATCH = 16
"""More tiles at a time are no faster, and each must wait for all."""

MOST_FRAMES = 8
"""More frames under way at once would only wait for the device."""


@dataclass(frozen=True)
class Plan:
    """What a run is expected to need.

    Attributes
    ----------
    tile : (int, int)
        Height and width of a tile in the working resolution, in pixels.
    tiles : int
        Tiles of one plane and look.
    batch : int
        Tiles that go through the network together, of one plane or several.
    device_gb : float
        Peak on the device, for weights and one batch.
    host_gb : float
        Peak in the main memory for a plane in its working resolution and its maps.
    """

    tile: tuple[int, int]
    tiles: int
    batch: int
    device_gb: float
    host_gb: float

    def __str__(self) -> str:
        tiles = f"{self.tiles} tile{'s' * (self.tiles > 1)} of {self.tile[0]} x {self.tile[1]} px"
        return (
            f"{tiles}, {self.batch} at a time: {self.device_gb:.2f} GB on the device, "
            f"{self.host_gb:.2f} GB of RAM"
        )


def plan_of(
    model: Model,
    device: str,
    shape: tuple[int, int],
    preparation: Preparation | None = None,
    frames: int = 1,
    given: Concessions | None = None,
) -> Plan:
    """What a model is expected to need for a plane; see `Predictor.plan`. It need not be open.

    Parameters
    ----------
    model : Model
    device : str
        By its own name: `devices.choose` finds it.
    shape, preparation, frames
        As in `Predictor.plan`.
    given : Concessions, optional
        Made when memory ran out before.
    """
    preparation, given = preparation or model.metadata.preparation, given or Concessions()
    working = padded_shape(working_shape(shape, preparation), preparation.multiple)
    blend = tiled(working, preparation, given.tile)
    batch = tiles_at_once(model, device, blend, given, min(frames, MOST_FRAMES))
    weights, activations = network_bytes(model, blend.tile)
    maps = len(model.metadata.outputs)
    of_working = preparation.channels + 2 * maps + 1  # image, sums, maps and weights of tiles
    host = 4 * (of_working * math.prod(working) + (1 + maps) * math.prod(shape))
    return Plan(
        tile=blend.tile,
        tiles=len(blend),
        batch=batch,
        device_gb=(weights + batch * activations) / GIGABYTE,
        host_gb=host / GIGABYTE,
    )


def tiles_at_once(
    model: Model, device: str, blend: Blend, given: Concessions, frames: int = 1
) -> int:
    """Tiles of a plane, or of several, that go through the network together."""
    tiles = len(blend) * frames
    return min(given.batch, tiles) if given.batch else batch_for(model, blend.tile, device, tiles)


def one_at_a_time(model: Model, device: str) -> bool:
    """Whether larger batches are no faster: on a CPU, on Intel's GPUs, and for an ONNX graph."""
    return device.partition(":")[0] in ("cpu", "gpu") or model.metadata.is_graph


def batch_for(model: Model, tile: tuple[int, int], device: str, tiles: int) -> int:
    """Tiles that fit together into what is free on a device.

    On a CPU one at a time: more are no faster there.
    """
    if one_at_a_time(model, device):
        return 1
    use = memory_use(device)
    free = (use.vram or use.ram).free + kept_memory(device)  # of the batches before
    weights, activations = network_bytes(model, tile)
    fit = (free * GIGABYTE * _USABLE - weights) / activations
    return int(max(1, min(fit, LARGEST_BATCH, tiles)))


def network_bytes(model: Model, tile: tuple[int, int]) -> tuple[int, int]:
    """Bytes of the weights, and the peak while a tile is computed, both in float32.

    Nothing is computed: the network runs in PyTorch on tensors without contents, whose births and
    deaths are followed. Workspace of the convolutions is added as it was measured.

    Parameters
    ----------
    model : Model
    tile : (int, int)
        Height and width in pixels.

    Raises
    ------
    BadSetting
        Its network is an ONNX graph.
    """
    if model.metadata.is_graph:
        raise BadSetting(f"What the ONNX graph of '{model.metadata.name}' needs is not known")
    metadata = model.metadata
    arguments = json.dumps(metadata.arguments, sort_keys=True)
    return _network_bytes(metadata.network, arguments, metadata.in_channels, tile)


@lru_cache(maxsize=256)  # asked for every batch
def _network_bytes(
    name: str, arguments: str, channels: int, tile: tuple[int, int]
) -> tuple[int, int]:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    from .. import networks

    alive: dict[int, int] = {}
    peak = 0

    class Follow(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            nonlocal peak
            made = function(*args, **(kwargs or {}))
            for tensor in tree_leaves(made):
                if isinstance(tensor, torch.Tensor):
                    storage = tensor.untyped_storage()
                    key = storage._cdata
                    if key not in alive:
                        alive[key] = storage.nbytes()
                        weakref.finalize(storage, alive.pop, key, None)
            peak = max(peak, sum(alive.values()))
            return made

    with torch.device("meta"), torch.inference_mode():
        network = networks.create(name, **json.loads(arguments)).eval()
        image = torch.empty(1, channels, *tile)
        with Follow():  # type: ignore[no-untyped-call]
            network(image)
    weights = sum(each.nbytes for each in network.state_dict().values())
    return weights, round((peak + image.nbytes) * _WORKSPACE)
