"""PyTorch: CUDA, MPS and CPU."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import BadImage, OutOfMemory
from ...models import Model
from .. import devices


class TorchBackend:
    """Runs a network in PyTorch; in mixed precision on CUDA.

    Parameters
    ----------
    model : Model
        What to run.
    device : str
        "auto", "cuda", "cuda:1", "mps" or "cpu".

    Raises
    ------
    NoDevice
        The device is not there.
    """

    name = "torch"

    def __init__(self, model: Model, device: str) -> None:
        self.device = devices.choose(device)
        self._on_cuda = self.device.startswith("cuda")
        network = model.network.to(self.device)
        if self._on_cuda:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = network

    @torch.inference_mode()
    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw output (B, K, H', W') of a batch (B, C, H, W)."""
        try:
            tensor = torch.from_numpy(batch).to(self.device)
            half = torch.bfloat16 if self._on_cuda and torch.cuda.is_bf16_supported() else None
            with torch.autocast("cuda", dtype=half or torch.float16, enabled=self._on_cuda):
                output = self._network(tensor)
            return np.asarray(output.float().cpu().numpy())
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"{self.device} has too little memory for {batch.shape[-2]} x {batch.shape[-1]}",
                hint="Use smaller tiles, or the CPU.",
            ) from error
        except ValueError as error:
            if "more than 1 spatial element" in str(error):  # instance norm of a single pixel
                raise BadImage(
                    f"{batch.shape[-2]} x {batch.shape[-1]} pixels are too few for this network",
                    hint="Resize to more pixels.",
                ) from error
            raise
