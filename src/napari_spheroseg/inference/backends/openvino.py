"""OpenVINO: CPUs of all makes, and Intel's GPUs."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadSetting, NoDevice
from ...extras import require
from ...models import Model
from .. import devices
from .converted import as_onnx
from .memory_errors import told_as_ours

_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_SHAPES = 3
"""Shapes at most that have a network of their own; each holds the weights again."""
_compiling = Lock()
Shape = tuple[int, ...]
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
        require("openvino", "openvino")
        import openvino as ov

        core = ov.Core()
        self.device = "cpu" if device == "auto" else device
        plugin = _plugin(self.device, core.available_devices)
        capabilities = core.get_property(plugin, "OPTIMIZATION_CAPABILITIES")
        if precision in _CAPABILITIES and _CAPABILITIES[precision] not in capabilities:
            raise BadSetting(
                f"OpenVINO does not compute in {precision} on this {self.device}",
                hint="Choose precision 'auto'.",
            )
        self.precision = _fastest(capabilities) if precision == "auto" else precision
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _TYPES[self.precision],
        }
        if plugin == "CPU" and devices.threads():
            settings["INFERENCE_NUM_THREADS"] = devices.threads()
        preparation = model.metadata.preparation
        self._sides = {preparation.long_side, preparation.tile, *(preparation.size or ())}
        self._model = core.read_model(as_onnx(model))
        self._compile = partial(core.compile_model, device_name=plugin, config=settings)
        self._compiled: OrderedDict[Shape | None, _Compiled] = OrderedDict()
        side = preparation.long_side or preparation.tile or 512
        sides = preparation.size or (side, side)
        self._for((1, model.metadata.in_channels, *sides))  # fails here

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw output (B, K, H', W') of a batch (B, C, H, W)."""
        with told_as_ours(self.device, batch.shape):
            return self._for(batch.shape).predict(batch)

    def _for(self, shape: Shape) -> _Compiled:
        """The network, compiled for one shape or for any.

        For one shape it is a quarter to a third faster, and takes 0.1 to 0.3 s to compile: it is
        for shapes that come again, those of the model's first look and of tiles. Which of the two
        is used must not depend on what came before: results differ in the last digits.
        """
        key = shape if max(shape[2:]) in self._sides else None
        with _compiling:
            if key not in self._compiled:
                model = self._model
                if key is not None:
                    model = model.clone()
                    model.reshape(list(key))
                self._compiled[key] = _Compiled(self._compile(model))
                if len(self._compiled) > _SHAPES:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(key)
            return self._compiled[key]


class _Compiled:
    """A compiled network, for any number of threads."""

    def __init__(self, model: Any) -> None:
        self._model = model
        # a request serves one thread at a time. In a threading.local, it would be destroyed with
        # the state of a thread of Qt's, which ends the process
        self._free: list[Any] = []

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            request = self._free.pop()
        except IndexError:
            request = self._model.create_infer_request()
        output = np.array(request.infer([batch])[0], np.float32)
        self._free.append(request)
        if len(output) != len(batch):  # sides that the network cannot take
            raise RuntimeError(f"OpenVINO has no result for an array of shape {batch.shape}")
        return output


def _fastest(capabilities: list[str]) -> str:
    """The precision that a device is made for, of those that keep the labels."""
    fast = (name for name, capability in _CAPABILITIES.items() if capability in capabilities)
    return next(fast, "float32")


def _plugin(device: str, available: list[str]) -> str:
    """OpenVINO's name of a device: CPU, GPU or GPU.1."""
    name = device.upper().replace(":", ".")
    if name == "CPU" or (name.startswith("GPU") and name in available):
        return name
    raise NoDevice(
        f"OpenVINO has no device '{device}' here",
        hint=f"It has: {', '.join(each.lower().replace('.', ':') for each in available)}.",
    )
