"""ONNX Runtime: CPU; CUDA, DirectML and CoreML where the installed build has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadSetting, NoDevice
from ...extras import require
from ...models import Model
from .. import devices
from .converted import OWN_INPUT, as_onnx
from .memory_errors import told_as_ours

_PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}


class OnnxRuntimeBackend:
    """Runs a network in ONNX Runtime, in float32.

    Parameters
    ----------
    model : Model
        What to run.
    device : str
        "auto" (the first that the build has), "cuda", "directml", "coreml" or "cpu"; "cuda:1".
    precision : str
        "auto" or "float32".

    Raises
    ------
    NoDevice
        ONNX Runtime is not installed, or its build has no such device.
    BadSetting
        Another precision.
    """

    name = "onnxruntime"
    precision = "float32"

    def __init__(self, model: Model, device: str, precision: str) -> None:
        require("onnxruntime", "onnxruntime")
        import onnxruntime as ort

        if precision not in ("auto", "float32"):
            raise BadSetting("ONNX Runtime computes in float32 here", hint="Choose 'auto'.")
        self.device = _choose(device, ort.get_available_providers())
        kind, _, number = self.device.partition(":")
        provider: Any = _PROVIDERS[kind]
        if number:
            provider = (provider, {"device_id": int(number)})
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = devices.threads()
        path = as_onnx(model)
        self._session = ort.InferenceSession(str(path), options, providers=[provider])

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw output (B, K, H', W') of a batch (B, C, H, W)."""
        with told_as_ours(self.device, batch.shape):
            (output,) = self._session.run(None, {OWN_INPUT: batch})
            return np.asarray(output, np.float32)


def _choose(device: str, providers: list[str]) -> str:
    there = [name for name, provider in _PROVIDERS.items() if provider in providers]
    if device == "auto":
        return there[0]
    kind, _, number = device.partition(":")
    if kind not in there or (number and not number.isdigit()):
        raise NoDevice(
            f"ONNX Runtime has no device '{device}' here", hint=f"It has: {', '.join(there)}."
        )
    return device
