"""PyTorch: CUDA, MPS and CPU."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...errors import BadImage, OutOfMemory
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
    OutOfMemory
        It has no room for the weights.
    """

    name = "torch"

    def __init__(self, model: Model, device: str, precision: str) -> None:
        self.device = devices.choose(device)
        self.precision = _fastest(self.device) if precision == "auto" else precision
        network = _moved(model.network, self.device)
        if self.device.startswith("cuda"):
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
                output = self._network(_sent(torch.from_numpy(batch), self.device))
                return np.asarray(output.float().cpu().numpy())
        except ValueError as error:
            if "more than 1 spatial element" in str(error):  # instance norm of a single pixel
                raise BadImage(
                    f"{batch.shape[-2]} x {batch.shape[-1]} pixels are too few for this network",
                    hint="Resize to more pixels.",
                ) from error
            raise


def _moved(network: nn.Module, device: str) -> nn.Module:
    """The network on its device, or all of it where it was."""
    try:
        with told_as_ours(device):
            network = network.to(device)
            if device.startswith("cuda"):
                network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            return network
    except OutOfMemory:
        network.to("cpu")  # what has gone over takes room there, and the CPU needs it
        raise


def _sent(batch: torch.Tensor, device: str) -> torch.Tensor:
    """A batch on the device; to CUDA from pinned memory, which the card reads by itself."""
    if not device.startswith("cuda"):
        return batch.to(device)
    try:
        batch = batch.pin_memory()
    except RuntimeError:  # the system grants no more of it
        return batch.to(device)
    return batch.to(device, non_blocking=True)


def _fastest(device: str) -> str:
    if not device.startswith("cuda"):
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
