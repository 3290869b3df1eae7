"""What stands in the rdf.yaml of a package of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..models.bioimageio.packages import CONFIG
from ..models.library import METADATA, WEIGHTS
from ..models.metadata import ModelMetadata, Preparation
from ..models.model import Model

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


def describe(
    v0_5: Any, model: Model, folder: Path, factor: int, authors: Sequence[str], licence: str
) -> Any:
    """The contents of rdf.yaml."""
    import torch

    metadata = model.metadata

    def file(name: str) -> Any:
        return v0_5.FileDescr(source=folder / name)

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
        inputs=[_image(v0_5, metadata.preparation, file("test_input.npy"))],
        outputs=[_maps(v0_5, metadata.outputs, factor, file("test_output.npy"))],
        weights=v0_5.WeightsDescr(**weights),
        config=v0_5.Config(**{CONFIG: {"metadata": METADATA, "weights": WEIGHTS}}),
    )


def _image(v0_5: Any, preparation: Preparation, sample: Any) -> Any:
    channels = ["grey"] if preparation.channels == 1 else ["red", "green", "blue"]
    free = v0_5.ParameterizedSize(min=side_of(preparation), step=preparation.multiple)
    return v0_5.InputTensorDescr(
        id=_INPUT,
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=channels),
            *(v0_5.SpaceInputAxis(id=axis, size=free) for axis in "yx"),
        ],
        test_tensor=sample,
        data=v0_5.IntervalOrRatioDataDescr(type="float32"),
        preprocessing=_preprocessing(v0_5, preparation),
    )


def _maps(v0_5: Any, names: Sequence[str], factor: int, sample: Any) -> Any:
    same = {axis: v0_5.SizeReference(tensor_id=_INPUT, axis_id=axis) for axis in "yx"}
    return v0_5.OutputTensorDescr(
        id=_OUTPUT,
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=list(names)),
            *(v0_5.SpaceOutputAxis(id=a, size=size, scale=factor) for a, size in same.items()),
        ],
        test_tensor=sample,
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0.0, 1.0)),
        postprocessing=[v0_5.SigmoidDescr()],
    )


def side_of(preparation: Preparation) -> int:
    """Least side of an image, which is also a multiple of what the network asks for."""
    return preparation.multiple * -(-64 // preparation.multiple)


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
    ]
    if preparation.clip:
        steps.append(v0_5.ClipDescr(kwargs=v0_5.ClipKwargs(min=0.0, max=1.0)))
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
