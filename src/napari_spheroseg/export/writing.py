"""Models for other programs: TorchScript, ONNX, OpenVINO, TensorRT, BioImage Model Zoo.

What is written takes (B, C, H, W), prepared as model.json says, to (B, K, H', W') before the
sigmoid; B, H and W are free. Each file is run and compared with PyTorch before it is put in place.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting, SpherosegError
from ..extras import require
from ..models.library import load
from ..models.model import Model
from ..readwrite.atomic import replacing
from ..registry import Registry

if TYPE_CHECKING:
    from torch import nn

Float = NDArray[np.float32]
Run = Callable[[Float], Float]

_HERE = "napari_spheroseg.export"
WRITERS = Registry(
    "format",
    {
        "torchscript": f"{_HERE}.writing:write_torchscript",
        "onnx": f"{_HERE}.writing:write_onnx",
        "openvino": f"{_HERE}.writing:write_openvino",
        "tensorrt": f"{_HERE}.tensorrt:write_tensorrt",
        "bioimageio": f"{_HERE}.bioimageio:write_bioimageio",
    },
)
SUFFIXES = {
    "torchscript": ".pt",
    "onnx": ".onnx",
    "openvino": ".xml",
    "tensorrt": ".engine",
    "bioimageio": ".zip",
}
_INT8 = ("onnx", "openvino")
_DIFFERENCE = 1e-3
"""Largest difference from PyTorch that is let pass, as a part of the largest output."""


class ExportFailed(SpherosegError, RuntimeError):
    """What was written does not give the results of the model; it is not kept."""


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes
    ----------
    files : tuple of Path
        The file that was asked for first.
    difference : float
        Largest difference from PyTorch on noise, as a part of the largest output; large in INT8,
        where it is not judged.
    dice, least_dice : float or None
        INT8 only: Dice of its foreground against that of PyTorch in float32, mean over the
        calibration images and least of them.
    """

    files: tuple[Path, ...]
    difference: float
    dice: float | None = None
    least_dice: float | None = None


def format_of(path: str | Path) -> str:
    """The format that a file's ending stands for.

    Raises
    ------
    BadSetting
        For none.
    """
    suffix = Path(path).suffix.lower()
    for name, ending in SUFFIXES.items():
        if ending == suffix:
            return name
    raise BadSetting(
        f"'{suffix}' stands for no format",
        hint=f"Say which: {', '.join(WRITERS)}.",
    )


def export(
    model: str | Path | Model,
    path: str | Path,
    format: str | None = None,
    *,
    calibration: Iterable[NDArray[Any]] = (),
    least_dice: float = 0.99,
    **about: Any,
) -> Exported:
    """Write a model for another program, and check what was written.

    Parameters
    ----------
    model : str, Path or Model
        As `load` takes it.
    path : str or Path
        File to write; one that is there is replaced. OpenVINO's weights go beside it (``.bin``).
    format : str, optional
        "torchscript", "onnx", "openvino", "tensorrt" or "bioimageio"; by default as the ending of
        the file says.
    calibration : iterable of ndarray, (Y, X) or (Y, X, 3)
        Images like those to come. Where there are any, ONNX and OpenVINO are quantised to 8 bit
        after training, with ranges from these images.
    least_dice : float
        Mean Dice against float32 on these images from which the quantised network is kept.
    **about
        For "bioimageio": arguments of `bioimageio.write_bioimageio`.

    Returns
    -------
    Exported

    Raises
    ------
    UnknownName, BadSetting
        There is no such model or format, or the format has no such setting.
    MissingPackage
        A package that the format needs is not installed.
    ExportFailed
        Results differ from the model's; nothing is kept.
    UnreadableFile
        The file cannot be written.
    """
    path = Path(path)
    name = format or format_of(path)
    writer = WRITERS[name]
    images = list(calibration)
    _check_asked(name, path, bool(images), about)
    opened = _opened(model)
    network = on_cpu(opened)
    with tempfile.TemporaryDirectory(prefix="spheroseg-") as folder:
        staged = Path(folder) / path.name
        if images:
            from . import int8

            if opened.metadata.task != "segmentation":
                raise BadSetting(f"INT8 is for segmentation, not {opened.metadata.task}")
            prepared = int8.prepared(opened, images)
            about = {"source": int8.quantise(opened, prepared, Path(folder))}
        run = writer(opened, staged, **about)
        difference = _difference(network, opened, run)
        scores: list[float] = []
        if images:
            scores = int8.dices(network, run, prepared, opened.metadata.threshold)
            if (mean := float(np.mean(scores))) < least_dice:
                raise ExportFailed(
                    f"In INT8 the Dice against float32 is {mean:.4f}, below {least_dice:g}",
                    hint="Give more images that are like those to come, or export without INT8.",
                )
        elif not difference <= _DIFFERENCE:
            raise ExportFailed(
                f"In {name}, results differ from PyTorch's by {difference:.2g} of the largest",
                hint="Choose another format.",
            )
        written = _put(staged, path)
    mean_least = (float(np.mean(scores)), min(scores)) if scores else (None, None)
    return Exported(written, difference, *mean_least)


def _check_asked(name: str, path: Path, in_int8: bool, about: Mapping[str, Any]) -> None:
    """Refuse what a format cannot do, before anything is read."""
    if in_int8 and name not in _INT8:
        raise BadSetting(
            f"INT8 is not written as {name}", hint=f"Choose one of: {', '.join(_INT8)}."
        )
    if about and name != "bioimageio":
        raise BadSetting(f"{name} has no setting '{next(iter(about))}'")
    if path.suffix.lower() != SUFFIXES[name]:
        raise BadSetting(f"{path.name} must end in {SUFFIXES[name]} for {name}")


def _put(staged: Path, path: Path) -> tuple[Path, ...]:
    """Copy what was written to its place; the file that was asked for is named first."""
    # the weights first: who finds the file that was asked for finds all
    made = (each for each in staged.parent.iterdir() if each.stem == staged.stem)
    files = sorted(made, key=lambda each: each == staged)
    for each in files:
        with replacing(path.with_name(each.name)) as temporary:
            shutil.copyfile(each, temporary)
    return tuple(path.with_name(each.name) for each in reversed(files))


def _opened(model: str | Path | Model) -> Model:
    opened = model if isinstance(model, Model) else load(model)
    if opened.metadata.is_graph:
        raise BadSetting(
            f"'{opened.metadata.name}' came as an ONNX graph, and is not converted",
            hint="Share the package that it came in, or a bundle.",
        )
    return opened


def on_cpu(model: Model) -> nn.Module:
    """A copy of the network, in float32 on the CPU: a backend may have moved the original."""
    return copy.deepcopy(model.borrow()).cpu().float().eval()


def in_torch(network: nn.Module) -> Run:
    """A network as a function of arrays."""
    import torch

    def run(batch: Float) -> Float:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(batch)).float().numpy())

    return run


def write_torchscript(model: Model, path: Path) -> Run:
    """Write TorchScript; returns what runs the file."""
    import torch

    image = torch.from_numpy(noise(model, 1, 2, 2))
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # deprecated; and branches on shapes, which are compared
        jit: Any = torch.jit  # without types
        jit.trace(on_cpu(model), image, check_trace=False).save(str(path))
        return in_torch(jit.load(str(path), map_location="cpu"))


def write_onnx(model: Model, path: Path, source: Path | None = None) -> Run:
    """Write ONNX; returns what runs the file in ONNX Runtime."""
    require("onnxruntime", "onnxruntime", path.name)
    from ..models.bioimageio.onnx_graph import session_of

    shutil.copyfile(source or _as_onnx(model, "onnxruntime"), path)
    session = session_of(str(path))
    (name,) = (each.name for each in session.get_inputs())
    return lambda batch: np.asarray(session.run(None, {name: batch})[0], np.float32)


def write_openvino(model: Model, path: Path, source: Path | None = None) -> Run:
    """Write OpenVINO's IR, weights in a ``.bin`` beside it; returns what runs it."""
    require("openvino", "openvino", path.name)
    import openvino as ov

    core = ov.Core()
    read = core.read_model(source or _as_onnx(model, "openvino"))
    ov.save_model(read, path, compress_to_fp16=False)
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(path), "CPU", settings)
    return lambda batch: np.array(compiled([batch])[0], np.float32)


def noise(model: Model, batch: int, high: int, wide: int) -> Float:
    """Small images of noise, as the network takes them; sides in units that it can divide."""
    preparation = model.metadata.preparation
    side = 32 * -(-max(preparation.multiple, 32) // 32)
    shape = (batch, model.metadata.in_channels, high * side, wide * side)
    return np.random.default_rng(0).random(shape, np.float32)


def _as_onnx(model: Model, extra: str) -> Path:
    from ..inference.backends.converted import as_onnx

    require("onnx", extra, "Writing ONNX")
    return as_onnx(model)


def _difference(network: nn.Module, model: Model, run: Run) -> float:
    """Largest difference from PyTorch, in other shapes than were traced."""
    worst = 0.0
    for batch, high, wide in ((1, 2, 3), (2, 4, 2)):
        image = noise(model, batch, high, wide)
        expected, found = in_torch(network)(image), run(image)
        if found.shape != expected.shape:
            raise ExportFailed(
                f"The result has shape {found.shape}, and {expected.shape} in PyTorch",
                hint="Choose another format.",
            )
        largest = max(1.0, float(np.abs(expected).max()))
        worst = max(worst, float(np.abs(found - expected).max()) / largest)
    return worst
