"""PyTorch: CUDA, MPS and CPU."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import BadImage
from ...models import Model
from .. import devices
from .memory_errors import told_as_ours


class TorchBackend:
    """Runs a network in PyTorch; on CUDA by default in half precision.

    Parameters
    ----------
    model : Model
        What to run.
    device : str
        "auto", "cuda", "cuda:1", "mps" or "cpu".
    precision : str
        "auto", "float32", "bfloat16" or "float16".

    Raises
    ------
    NoDevice
        The device is not there.
    """

    name = "torch"

    def __init__(self, model: Model, device: str, precision: str) -> None:
        self.device = devices.choose(device)
        self.precision = _fastest(self.device) if precision == "auto" else precision
        network = model.network.to(self.device)
        if self.device.startswith("cuda"):
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            torch.backends.cudnn.benchmark = True  # tiles have one shape: worth a search
        if devices.threads():
            torch.set_num_threads(devices.threads())
        self._network = network

    @torch.inference_mode()
    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw output (B, K, H', W') of a batch (B, C, H, W)."""
        half = None if self.precision == "float32" else getattr(torch, self.precision)
        kind = self.device.partition(":")[0]
        try:
            with (
                told_as_ours(self.device, batch.shape),
                torch.autocast(kind, dtype=half, enabled=half is not None),
            ):
                output = self._network(torch.from_numpy(batch).to(self.device))
                return np.asarray(output.float().cpu().numpy())
        except ValueError as error:
            if "more than 1 spatial element" in str(error):  # instance norm of a single pixel
                raise BadImage(
                    f"{batch.shape[-2]} x {batch.shape[-1]} pixels are too few for this network",
                    hint="Resize to more pixels.",
                ) from error
            raise


def _fastest(device: str) -> str:
    if not device.startswith("cuda"):
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
