"""What runs a network: one adapter a backend, all with the same verbs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import BadSetting, MissingPackage, NoDevice, SpherosegError
from ...models import Model
from ...registry import Registry
from .. import devices

Float = NDArray[np.float32]

BACKENDS = Registry(
    "backend",
    {
        "openvino": "napari_spheroseg.inference.backends.openvino:OpenVinoBackend",
        "onnxruntime": "napari_spheroseg.inference.backends.onnxruntime:OnnxRuntimeBackend",
        "torch": "napari_spheroseg.inference.backends.torch:TorchBackend",
    },
)
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
_warned: set[str] = set()


class Backend(Protocol):
    """Runs one model on one device; dropping the last reference unloads it.

    Attributes
    ----------
    name : str
        The backend's name.
    device : str
        Where it runs.
    precision : str
        What it computes in: "float32", "bfloat16" or "float16".
    """

    name: str
    device: str
    precision: str

    def __init__(self, model: Model, device: str, precision: str) -> None: ...

    def predict(self, batch: Float) -> Float:
        """Raw output (B, K, H', W') of a batch (B, C, H, W); safe from several threads."""
        ...


def open_backend(
    model: Model, backend: str = "auto", device: str = "auto", precision: str = "auto"
) -> Backend:
    """Load a model into a backend.

    Parameters
    ----------
    model : Model
    backend : str
        A name, or "auto": the fastest for the device. Where that is missing or fails, the next
        takes its place with a warning; one that was asked for by name raises.
    device : str
        As in `devices.choose`.
    precision : str
        "float32", "bfloat16", "float16", or "auto": the fastest that keeps the labels.

    Raises
    ------
    UnknownName, NoDevice, BadSetting
        There is no such backend, device or precision.
    NoWeights, WrongWeights, UnreadableFile
        The model cannot run.
    """
    if precision not in PRECISIONS:
        raise BadSetting(
            f"There is no precision '{precision}'", hint=f"There are: {', '.join(PRECISIONS)}."
        )
    if backend == "auto" and model.metadata.is_graph:
        backend = "torch"  # which hands it on to ONNX Runtime; there is nothing to convert
    if backend != "auto":
        adapter: type[Backend] = BACKENDS[backend]
        return adapter(model, device, precision)
    return _FirstThatWorks(model, device, precision)


class _FirstThatWorks:
    """The fastest backend; the next one takes its place where it is missing or fails."""

    def __init__(self, model: Model, device: str, precision: str) -> None:
        self._how = (model, device, precision)
        self._names = _fastest_first(device)
        self._backend = self._open_next("")

    name = property(lambda self: self._backend.name)
    device = property(lambda self: self._backend.device)
    precision = property(lambda self: self._backend.precision)

    def predict(self, batch: Float) -> Float:
        while True:
            backend = self._backend
            try:
                return backend.predict(batch)
            except SpherosegError:
                raise
            except Exception as error:
                if backend.name == "torch":
                    raise
                reason = f"{backend.name} failed ({_first_line(error)})"
                if self._backend is backend:  # else another thread has moved on already
                    self._backend = self._open_next(reason)

    def _open_next(self, reason: str) -> Backend:
        for name in self._names:
            try:
                backend: Backend = BACKENDS[name](*self._how)
            except MissingPackage as error:
                reason = reason or error.message
            except SpherosegError:
                raise  # of the model or a setting: the same everywhere
            except Exception as error:
                if name == "torch":
                    raise
                reason = f"{name} failed ({_first_line(error)})"
            else:
                if reason:
                    _warn_once(f"{reason}: {name} runs instead")
                return backend
        raise NoDevice(reason or f"No backend runs on '{self._how[1]}'")


def _fastest_first(device: str) -> Iterator[str]:
    if device.startswith("gpu"):
        return iter(("openvino",))
    on_cpu = device == "cpu" or (device == "auto" and not devices.may_have_gpu())
    return iter(("openvino", "onnxruntime", "torch") if on_cpu else ("torch",))


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, UserWarning, stacklevel=2)


def _first_line(error: Any) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200] or type(error).__name__
