"""How much memory a network will need, before it runs."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

from ..errors import BadSetting
from ..models import Model
from .memory import GIGABYTE, memory_use

_USABLE = 0.8  # of what is free: others need some, and pieces do not fit without gaps
_LARGEST_BATCH = 16
_WORKSPACE = 1.7  # measured peak over that of the tensors, on a CPU: 1.2 (hrnet) to 1.7 (unet)


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
        Tiles that go through the network together.
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


def batch_for(model: Model, tile: tuple[int, int], device: str, tiles: int) -> int:
    """Tiles that fit together into what is free on a device.

    On a CPU one at a time: more are no faster there.
    """
    if device.partition(":")[0] in ("cpu", "gpu") or model.metadata.is_graph:
        return 1
    use = memory_use(device)
    free = (use.vram or use.ram).free
    weights, activations = network_bytes(model, tile)
    fit = (free * GIGABYTE * _USABLE - weights) / activations
    return int(max(1, min(fit, _LARGEST_BATCH, tiles)))


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
        network = networks.create(model.metadata.network, **model.metadata.arguments).eval()
        image = torch.empty(1, model.metadata.in_channels, *tile)
        with Follow():  # type: ignore[no-untyped-call]
            network(image)
    weights = sum(each.nbytes for each in network.state_dict().values())
    return weights, round((peak + image.nbytes) * _WORKSPACE)
