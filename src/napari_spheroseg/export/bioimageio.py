"""Packages of the BioImage Model Zoo: any model of ours written as one.

Format: https://bioimage-io.github.io/spec-bioimage-io, version 0.5.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage, BadSetting, brief
from ..models.bioimageio.packages import quiet_spec
from ..models.installing import save_weights
from ..models.library import WEIGHTS, write_metadata
from ..models.metadata import Preparation
from ..models.model import Model, sha256_of
from .rdf import describe, side_of
from .writing import ExportFailed, Run, in_torch, on_cpu, write_torchscript


def write_bioimageio(
    model: Model,
    path: Path,
    *,
    authors: Sequence[str] = ("The napari-spheroseg developers",),
    licence: str = "",
    image: NDArray[Any] | None = None,
) -> Run:
    """Write a package, and test it with ``bioimageio.core``.

    In it: TorchScript, ONNX where onnx is installed, our own weights and model.json, a sample
    with its result, a cover, the model card, citations.

    Parameters
    ----------
    model : Model
        For segmentation.
    path : Path
        The zip.
    authors : sequence of str
        Names.
    licence : str
        SPDX identifier, as "MIT"; by default the model's own.
    image : ndarray, (Y, X) or (Y, X, 3), optional
        The sample, its objects as large as the network sees them best; by default a synthetic one.

    Returns
    -------
    callable
        Runs the package's TorchScript.

    Raises
    ------
    MissingPackage
        ``bioimageio.core`` is not installed.
    BadSetting
        The model has no licence, or one that SPDX does not know; or is not for segmentation.
    BadImage
        The sample is smaller than the network can take.
    ExportFailed
        ``bioimageio.core`` finds fault with the package.
    """
    core, spec, v0_5 = _packages()
    metadata = model.metadata
    if metadata.task != "segmentation":
        raise BadSetting(f"Packages are written for segmentation, not {metadata.task}")
    preparation = metadata.preparation
    if preparation.intensity == "columns" or preparation.normalise == "standard":
        raise BadSetting(
            f"The format has no words for how '{metadata.name}' stretches grey values",
            hint="Share the model as a bundle.",
        )
    if not (licence := licence or metadata.licence):
        raise BadSetting(
            f"'{metadata.name}' has no licence, and a package needs one",
            hint="Say it, as MIT or CC-BY-4.0.",
        )
    with tempfile.TemporaryDirectory(prefix="spheroseg-") as place:
        folder = Path(place)
        run = write_torchscript(model, folder / "weights.pt")
        image = _sample(metadata.preparation) if image is None else image
        factor = _write_samples(model, folder, image)
        _write_own(model, folder)
        (folder / "README.md").write_text(_card(model), encoding="utf-8")
        try:
            described = describe(v0_5, model, folder, factor, authors, licence)
            spec.save_bioimageio_package(described, output_path=path)
        except ValueError as error:  # pydantic's, of which the first lines tell
            raise BadSetting(f"The package is not valid: {brief(error)}") from error
    summary = core.test_description(path, stop_early=True)
    if summary.status != "passed":  # "valid-format" is said of one that gives other results
        faults = (fault.msg for detail in summary.details for fault in detail.errors)
        said = brief(next(faults, "it does not say why"))
        raise ExportFailed(f"bioimageio.core refuses the package: {said}")
    return run


def _packages() -> tuple[Any, Any, Any]:
    """``bioimageio.core``, ``bioimageio.spec`` and its description of models, without chatter."""
    spec = quiet_spec()
    core, v0_5 = map(import_module, ("bioimageio.core", "bioimageio.spec.model.v0_5"))
    return core, spec, v0_5


def _sample(preparation: Preparation) -> NDArray[Any]:
    """Spheroids as large as the network sees them best."""
    from .. import synthetic

    side = side_of(preparation) * -(-256 // side_of(preparation))
    best = preparation.best_diameter or (40.0, 64.0)
    radius = (best[0] / 2 / side, best[1] / 2 / side)
    image: NDArray[Any] = synthetic.spheroids((side, side), 4, radius=radius).image
    if preparation.intensity == "8-bit":
        image = (image / max(1, image.max()) * 255).astype(np.uint8)
    return image if preparation.channels == 1 else np.repeat(image[..., None], 3, axis=2)


def _write_samples(model: Model, folder: Path, image: NDArray[Any]) -> int:
    """Sample, its result and the cover; how many times smaller than the image the result is."""
    from PIL import Image

    from ..inference.prepare import grey_range, stretch

    preparation = model.metadata.preparation
    side, step = side_of(preparation), preparation.multiple
    high, wide = (n // step * step for n in image.shape[:2])
    if min(high, wide) < side:
        raise BadImage(f"The sample is smaller than {side} pixels", hint="Give a larger one.")
    image = np.atleast_3d(image)[:high, :wide].astype(np.float32)
    if preparation.channels == 1:
        image = image.mean(axis=2, keepdims=True)
    elif image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    low, top = (0.0, 255.0) if preparation.intensity == "8-bit" else grey_range(image, preparation)
    logits = in_torch(on_cpu(model))(stretch(image, low, top, preparation)[None])
    maps = 1 / (1 + np.exp(-logits.clip(-60, 60)))
    np.save(folder / "test_input.npy", image.transpose(2, 0, 1)[None])
    np.save(folder / "test_output.npy", maps.astype(np.float32))
    grey = ((image.mean(axis=2) - low) / max(top - low, 1e-6)).clip(0, 1)
    shown = (Image.fromarray((255 * each).astype(np.uint8)) for each in (grey, maps[0, 0]))
    cover = Image.new("L", (512, 256))
    for place, each in enumerate(shown):
        cover.paste(each.resize((256, 256)), (256 * place, 0))
    cover.save(folder / "cover.png")
    return int(high // maps.shape[2])


def _write_own(model: Model, folder: Path) -> None:
    """Our own weights and model.json, from which the model is had back as it was."""
    if model.weights is not None and model.checksum == model.metadata.sha256:
        shutil.copyfile(model.weights, folder / WEIGHTS)  # perhaps in 16 bit: half as large
    else:
        save_weights(folder / WEIGHTS, on_cpu(model))
    write_metadata(folder, model.metadata.replace(sha256=sha256_of(folder / WEIGHTS)))


def _card(model: Model) -> str:
    """The model card, and how the package is to be used and was tested."""
    metadata = model.metadata
    card = model.weights.with_name("README.md") if model.weights else None
    text = card.read_text("utf-8") if card and card.is_file() else f"# {metadata.title}\n"
    best = metadata.preparation.best_diameter
    resize = (
        f"Resize images first, so that objects are {best[0]:g} to {best[1]:g} pixels wide. "
        if best
        else ""
    )
    maps = ", ".join(metadata.outputs)
    return (
        f"{text.rstrip()}\n\n## Use\n\n{metadata.description}\n\n{resize}"
        f"The result has the channels: {maps}. Objects are where the first is above "
        f"{metadata.threshold:g}.\n\n## Validation\n\n"
        f"Scores: `{json.dumps(metadata.metrics)}`\n"
    )
