"""OpenVINO: CPUs of all makes, and Intel's GPUs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadSetting, NoDevice
from ...models import Model
from .. import devices
from . import missing
from .converted import as_onnx
from .memory_errors import told_as_ours

_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_CAPABILITIES = {"bfloat16": "BF16", "float16": "FP16"}


class OpenVinoBackend:
    """Runs a network in OpenVINO, by default in what the processor is fastest in.

    Parameters
    ----------
    model : Model
        What to run.
    device : str
        "auto", "cpu", "gpu" or "gpu:1" (Intel's).
    precision : str
        "auto", "float32", "bfloat16" or "float16".

    Raises
    ------
    NoDevice
        OpenVINO is not installed, or knows no such device.
    BadSetting
        The device does not compute in this precision.
    """

    name = "openvino"

    def __init__(self, model: Model, device: str, precision: str) -> None:
        try:
            import openvino as ov
        except ImportError as error:
            raise missing("OpenVINO", "openvino") from error
        core = ov.Core()
        self.device = "cpu" if device == "auto" else device
        plugin = _plugin(self.device, core.available_devices)
        capabilities = core.get_property(plugin, "OPTIMIZATION_CAPABILITIES")
        if precision in _CAPABILITIES and _CAPABILITIES[precision] not in capabilities:
            raise BadSetting(
                f"OpenVINO does not compute in {precision} on this {self.device}",
                hint="Choose precision 'auto'.",
            )
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if precision != "auto":
            settings["INFERENCE_PRECISION_HINT"] = _TYPES[precision]
        if plugin == "CPU" and devices.threads():
            settings["INFERENCE_NUM_THREADS"] = devices.threads()
        self._compiled = core.compile_model(core.read_model(as_onnx(model)), plugin, settings)
        used = str(self._compiled.get_property("INFERENCE_PRECISION_HINT"))
        self.precision = next((k for k, v in _TYPES.items() if v in used or k in used), "float32")
        # a request serves one thread at a time. In a threading.local, it would be destroyed with
        # the state of a thread of Qt's, which ends the process
        self._free: list[Any] = []

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw output (B, K, H', W') of a batch (B, C, H, W)."""
        try:
            request = self._free.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        with told_as_ours(self.device, batch.shape):
            output = np.array(request.infer([batch])[0], np.float32)
        self._free.append(request)
        return output


def _plugin(device: str, available: list[str]) -> str:
    """OpenVINO's name of a device: CPU, GPU or GPU.1."""
    name = device.upper().replace(":", ".")
    if name == "CPU" or (name.startswith("GPU") and name in available):
        return name
    raise NoDevice(
        f"OpenVINO has no device '{device}' here",
        hint=f"It has: {', '.join(each.lower().replace('.', ':') for each in available)}.",
    )
