"""Packages of the BioImage Model Zoo: any model of ours written as one.

Format: https://bioimage-io.github.io/spec-bioimage-io, version 0.5.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage, BadSetting
from .export import ExportFailed, Run, in_torch, needed, on_cpu, write_torchscript
from .library import METADATA, WEIGHTS, write_metadata
from .metadata import ModelMetadata, Preparation
from .model import Model

CONFIG = "spheroseg"
"""Key of rdf.yaml's ``config`` that a package of ours is told by."""
_INPUT, _OUTPUT = "image", "maps"
_OPSET = 18
_PAPERS = {
    "unet": (
        "Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015",
        "10.1007/978-3-319-24574-4_28",
    ),
    "hrnet": (
        "Wang et al., Deep High-Resolution Representation Learning for Visual Recognition, 2020",
        "10.1109/TPAMI.2020.2983686",
    ),
    "cbam_resunet": (
        "Woo et al., CBAM: Convolutional Block Attention Module, 2018",
        "10.1007/978-3-030-01234-2_1",
    ),
}


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
    NoDevice
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
            described = _describe(v0_5, model, folder, factor, authors, licence)
            spec.save_bioimageio_package(described, output_path=path)
        except ValueError as error:  # pydantic's, of which the first lines tell
            said = " ".join(str(error).split())[:300]
            raise BadSetting(f"The package is not valid: {said}") from error
    summary = core.test_description(path, stop_early=True)
    if summary.status != "passed":  # "valid-format" is said of one that gives other results
        faults = (fault.msg for detail in summary.details for fault in detail.errors)
        said = " ".join(next(faults, "it does not say why").split())[:300]
        raise ExportFailed(f"bioimageio.core refuses the package: {said}")
    return run


def _packages() -> tuple[Any, Any, Any]:
    """``bioimageio.core``, ``bioimageio.spec`` and its description of models, without chatter."""
    core = needed("bioimageio.core", "bioimageio.core", "bioimageio")
    needed("loguru", "bioimageio.core", "bioimageio").logger.disable("bioimageio")
    spec = needed("bioimageio.spec", "bioimageio.spec", "bioimageio")
    return core, spec, needed("bioimageio.spec.model.v0_5", "bioimageio.spec", "bioimageio")


def _side(preparation: Preparation) -> int:
    """Least side of an image, which is also a multiple of what the network asks for."""
    return preparation.multiple * -(-64 // preparation.multiple)


def _sample(preparation: Preparation) -> NDArray[Any]:
    """Spheroids as large as the network sees them best."""
    from .. import synthetic

    side = _side(preparation) * -(-256 // _side(preparation))
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
    side, step = _side(preparation), preparation.multiple
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
    from safetensors.torch import save_file

    from .model import sha256_of

    if model.weights is not None and model.checksum == model.metadata.sha256:
        shutil.copyfile(model.weights, folder / WEIGHTS)  # perhaps in 16 bit: half as large
    else:
        state = {key: value.contiguous() for key, value in on_cpu(model).state_dict().items()}
        save_file(state, folder / WEIGHTS)
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


def _describe(
    v0_5: Any, model: Model, folder: Path, factor: int, authors: Sequence[str], licence: str
) -> Any:
    """The contents of rdf.yaml."""
    import torch

    metadata = model.metadata
    side, step = _side(metadata.preparation), metadata.preparation.multiple
    channels = ["grey"] if metadata.preparation.channels == 1 else ["red", "green", "blue"]

    def file(name: str) -> Any:
        return v0_5.FileDescr(source=folder / name)

    free = v0_5.ParameterizedSize(min=side, step=step)
    image = v0_5.InputTensorDescr(
        id=_INPUT,
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=channels),
            *(v0_5.SpaceInputAxis(id=axis, size=free) for axis in "yx"),
        ],
        test_tensor=file("test_input.npy"),
        data=v0_5.IntervalOrRatioDataDescr(type="float32"),
        preprocessing=_preprocessing(v0_5, metadata.preparation),
    )
    same = {axis: v0_5.SizeReference(tensor_id=_INPUT, axis_id=axis) for axis in "yx"}
    maps = v0_5.OutputTensorDescr(
        id=_OUTPUT,
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=list(metadata.outputs)),
            *(v0_5.SpaceOutputAxis(id=a, size=size, scale=factor) for a, size in same.items()),
        ],
        test_tensor=file("test_output.npy"),
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0.0, 1.0)),
        postprocessing=[v0_5.SigmoidDescr()],
    )
    version = torch.__version__.partition("+")[0]
    weights = {
        "torchscript": v0_5.TorchscriptWeightsDescr(
            source=folder / "weights.pt", pytorch_version=v0_5.Version(version)
        ),
        "onnx": _onnx(v0_5, model, folder),
    }
    return v0_5.ModelDescr(
        name=re.sub(r"[^A-Za-z0-9_+ ().-]", " ", f"{metadata.title} for spheroids")[:128],
        description=(metadata.description or metadata.title)[:1024],
        authors=[v0_5.Author(name=name) for name in authors],
        cite=_citations(v0_5, metadata),
        license=licence,
        documentation=file("README.md"),
        covers=[file("cover.png")],
        attachments=[file(METADATA), file(WEIGHTS)],
        tags=["spheroid", "organoid", "segmentation", "2d", metadata.network],
        inputs=[image],
        outputs=[maps],
        weights=v0_5.WeightsDescr(**weights),
        config=v0_5.Config(**{CONFIG: {"metadata": METADATA, "weights": WEIGHTS}}),
    )


def _onnx(v0_5: Any, model: Model, folder: Path) -> Any:
    """ONNX's weights; None where onnx is not installed: TorchScript is enough."""
    from importlib.util import find_spec

    from ..inference.backends.converted import as_onnx

    if find_spec("onnx") is None:
        return None
    path = folder / "weights.onnx"
    path.write_bytes(as_onnx(model).read_bytes())
    return v0_5.OnnxWeightsDescr(source=path, opset_version=_OPSET, parent="torchscript")


def _preprocessing(v0_5: Any, preparation: Preparation) -> list[Any]:
    """What `inference.prepare` does but for resizing, in the zoo's words."""
    from ..inference.prepare import _IMAGENET_DEVIATION, _IMAGENET_MEAN

    every = ["channel", "y", "x"]
    low, high = preparation.low, preparation.high
    if preparation.intensity == "8-bit":
        low, high = 0.0, 255.0
    steps = [
        v0_5.ScaleRangeDescr(
            kwargs=v0_5.ScaleRangeKwargs(axes=every, min_percentile=low, max_percentile=high)
        )
        if preparation.intensity == "percentile"
        else v0_5.ScaleLinearDescr(
            kwargs=v0_5.ScaleLinearKwargs(gain=1 / (high - low), offset=-low / (high - low))
        ),
        v0_5.ClipDescr(kwargs=v0_5.ClipKwargs(min=0.0, max=1.0)),
    ]
    if preparation.normalise == "imagenet":
        along = v0_5.FixedZeroMeanUnitVarianceAlongAxisKwargs(
            axis="channel",
            mean=[round(float(each), 6) for each in _IMAGENET_MEAN],
            std=[round(float(each), 6) for each in _IMAGENET_DEVIATION],
        )
        steps.append(v0_5.FixedZeroMeanUnitVarianceDescr(kwargs=along))
    return steps


def _citations(v0_5: Any, metadata: ModelMetadata) -> list[Any]:
    """The network's paper, and where training images are from."""
    cited = [
        v0_5.CiteEntry(text=f"Training images: {data.name} ({data.licence})", url=data.url)
        for data in metadata.training_data
        if data.url.startswith("http")
    ]
    if metadata.network in _PAPERS:
        text, doi = _PAPERS[metadata.network]
        cited.insert(0, v0_5.CiteEntry(text=text, doi=doi))
    return cited
