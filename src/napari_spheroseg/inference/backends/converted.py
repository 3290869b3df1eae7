"""Networks converted for other backends, kept on disk so that it is done once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from platformdirs import user_cache_path

from ...errors import BadSetting
from ...models import Model
from ...readwrite.atomic import UMASK

if TYPE_CHECKING:
    from torch import nn

_FORMAT = 2  # raised when files of before must be made anew
_OPSET = 18
_SIDE = 64  # px: what is traced is small, for that takes long; the graph takes any size
_MOST_BYTES = 4e9
OWN_INPUT, OWN_OUTPUT = "image", "maps"


def cache_folder() -> Path:
    """Folder of the converted networks; ``SPHEROSEG_CACHE`` in the environment moves it."""
    moved = os.environ.get("SPHEROSEG_CACHE")
    return Path(moved) if moved else user_cache_path("napari-spheroseg", False) / "converted"


def as_onnx(model: Model) -> Path:
    """The network of a model as an ONNX file, from the cache or converted now.

    Takes "image" (B, C, H, W) to "maps" (B, K, H', W'), all of free size but for the channels.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Path
        In the cache, named by the checksum of weights, network and exporter. Safe against other
        processes that convert the same.

    Raises
    ------
    NoWeights, WrongWeights, UnreadableFile
        The model cannot be opened.
    BadSetting
        It is a graph already.
    Exception
        Whatever the exporter cannot convert.
    """
    if model.metadata.is_graph:
        raise BadSetting(
            f"'{model.metadata.name}' came as an ONNX graph, and is not converted",
            hint="It runs with the backend 'auto'; share it as a bundle.",
        )
    path = _usable(cache_folder()) / f"{_key(model)}.onnx"
    if not path.is_file():
        with FileLock(path.with_suffix(".lock")):
            if not path.is_file():
                _convert(model.borrow(), model.metadata.in_channels, path)
    with contextlib.suppress(OSError):  # gone by now, or of somebody else
        path.touch()
    _forget_oldest(path)
    return path


def _key(model: Model) -> str:
    from importlib.metadata import version

    what = (_FORMAT, _OPSET, version("torch"), model.checksum, model.metadata.network)
    arguments = sorted(model.metadata.arguments.items())
    return hashlib.sha256(repr((what, arguments)).encode()).hexdigest()[:40]


def _convert(network: nn.Module, channels: int, path: Path) -> None:
    import torch

    parameter = next(network.parameters())
    image = torch.rand(1, channels, _SIDE, _SIDE, device=parameter.device, dtype=parameter.dtype)
    free = {0: "batch", 2: "height", 3: "width"}
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for so small an image, more only wait for each other
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # branches on shapes: what does not fit them raises
            torch.onnx.export(
                network,
                (image,),
                beside,
                input_names=[OWN_INPUT],
                output_names=[OWN_OUTPUT],
                dynamic_axes={OWN_INPUT: free, OWN_OUTPUT: free},
                opset_version=_OPSET,
                dynamo=False,
            )
        beside.chmod(0o666 & ~UMASK)
        beside.replace(path)
    finally:
        torch.set_num_threads(threads)
        beside.unlink(missing_ok=True)


def _usable(folder: Path) -> Path:
    """The folder, or a temporary one where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return _temporary()


@cache
def _temporary() -> Path:
    """One folder for this process."""
    return Path(tempfile.mkdtemp(prefix="spheroseg-"))


def _forget_oldest(used: Path) -> None:
    """Delete what was not used for longest until the folder is within its bounds."""

    def facts(path: Path) -> Any:
        status = path.stat()
        return status.st_mtime, status.st_size, path

    with contextlib.suppress(OSError):  # another process may be doing the same
        files = sorted(facts(path) for path in used.parent.glob("*.onnx") if path != used)
        left = sum(size for _, size, _ in files) + used.stat().st_size
        for _, size, path in files:
            if left <= _MOST_BYTES:
                break
            path.unlink()
            left -= size
