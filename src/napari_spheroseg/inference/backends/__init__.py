"""What runs a network: one adapter a backend, all with the same verbs."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...models import Model
from ...registry import Registry

BACKENDS = Registry("backend", {"torch": "napari_spheroseg.inference.backends.torch:TorchBackend"})


class Backend(Protocol):
    """Runs one model on one device.

    Attributes
    ----------
    name : str
        The backend's name.
    device : str
        Where it runs.
    """

    name: str
    device: str

    def __init__(self, model: Model, device: str) -> None: ...

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw output (B, K, H', W') of a batch (B, C, H, W); safe from several threads."""
        ...


def choose(backend: str, device: str) -> type[Backend]:
    """The adapter that was asked for, or for "auto" the best for a device.

    Raises
    ------
    UnknownName
        There is no such backend.
    """
    adapter: type[Backend] = BACKENDS["torch" if backend == "auto" else backend]
    return adapter
