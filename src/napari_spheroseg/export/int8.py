"""Quantisation to 8 bit after training, and how much of the result it keeps.

By ONNX Runtime, which is there where models are exported as ONNX; OpenVINO reads the result too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..models.model import Model
from .writing import Float, Run, in_torch

if TYPE_CHECKING:
    from torch import nn


def prepared(model: Model, images: Iterable[NDArray[Any]]) -> list[Float]:
    """Images as the network sees them (1, C, y, x); of large ones the middle tile.

    Parameters
    ----------
    model : Model
    images : iterable of ndarray, (Y, X) or (Y, X, 3)

    Raises
    ------
    BadImage
        One holds no number.
    """
    from ..inference.prepare import prepare

    preparation = model.metadata.preparation

    def whole(image: Float) -> Float:
        tile = preparation.tile or max(image.shape)
        corner = [max(0, (side - tile) // 2) for side in image.shape[1:]]
        middle = image[:, corner[0] : corner[0] + tile, corner[1] : corner[1] + tile]
        extra = [(0, -side % preparation.multiple) for side in middle.shape[1:]]
        return np.pad(middle, [(0, 0), *extra], mode="symmetric")[None]

    return [np.ascontiguousarray(whole(prepare(image, preparation))) for image in images]


def quantise(model: Model, images: list[Float], folder: Path) -> Path:
    """The network in 8 bit, as ONNX with QuantizeLinear and DequantizeLinear.

    Convolutions are quantised, a scale for each channel; the first and the last stay in float32,
    for they see the image and make the result.

    Parameters
    ----------
    model : Model
    images : list of ndarray, (1, C, y, x)
        As from `prepared`: the ranges of activations are theirs.
    folder : Path
        Where the file goes.

    Raises
    ------
    MissingPackage
        ONNX or ONNX Runtime is not installed.
    """
    from ..inference.backends.converted import OWN_INPUT, as_onnx

    for package in ("onnx", "onnxruntime"):
        require(package, "onnxruntime", "INT8")
    import onnx
    from onnxruntime import quantization

    source = as_onnx(model)
    graph = onnx.load(source).graph
    convolutions = [node.name for node in graph.node if node.op_type == "Conv"]

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(images)

        def get_next(self) -> dict[str, Float] | None:
            image = next(self._left, None)
            return None if image is None else {OWN_INPUT: image}

    path = folder / "int8-source.onnx"
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises, through the root logger, what does not matter here
    try:
        quantization.quantize_static(
            str(source),
            str(path),
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[convolutions[0], convolutions[-1]],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            reduce_range=True,  # processors without VNNI add 16-bit pairs, which overflow otherwise
        )
    finally:
        root.setLevel(level)
    return path


def dices(network: nn.Module, run: Run, images: list[Float], threshold: float) -> list[float]:
    """Dice of the foreground that a network finds otherwise against PyTorch's, for each image.

    ``2 |A ∩ B| / (|A| + |B|)``; 1 where both are empty.
    """
    logit = float(np.log(threshold / (1 - threshold))) if 0 < threshold < 1 else 0.0
    scores = []
    for image in images:
        expected, found = (each(image)[:, 0] > logit for each in (in_torch(network), run))
        either = int(expected.sum()) + int(found.sum())
        both = int((expected & found).sum())
        scores.append(2 * both / either if either else 1.0)
    return scores
