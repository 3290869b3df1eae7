"""Weights from ONNX files and OpenVINO's IR: constants by the names that exporters left.

Only graphs whose weights still have their names can be traced back to a network: where norms
were folded into convolutions or names were dropped, it is refused.
Nothing of a graph is run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor

from ...errors import UnreadableFile, WrongWeights
from ...extras import require

_TYPES = {"f64": "<f8", "f32": "<f4", "f16": "<f2"}
_ROLES = {"MatMul": "weight", "Mul": "weight", "PRelu": "weight", "Add": "bias"}
_MOST_BYTES = 64 << 20  # of an XML file, which holds no weights


def read_onnx(path: Path) -> dict[str, Tensor]:
    """Weights of an ONNX file by the names that they had in torch.

    Parameters
    ----------
    path : Path
        With its weights inside; files beside it are not opened.

    Returns
    -------
    dict of str to Tensor
        Those of linear layers too, which exporters turn around and rename.

    Raises
    ------
    MissingPackage
        onnx is not installed.
    UnreadableFile
        It is damaged, or keeps its weights in other files.
    WrongWeights
        None of its weights has a name.
    """
    require("onnx", "onnxruntime", path.name)
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load(path, load_external_data=False).graph
        if any(each.data_location for each in graph.initializer):
            raise ValueError("its weights lie in other files")
        values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        for node in graph.node:  # equal weights are stored once
            if node.op_type == "Identity" and node.input[0] in values:
                values[node.output[0]] = values[node.input[0]]
        _name_again(graph, values)
        if not all(isinstance(name, str) for name in values):  # protobuf gives damaged ones so
            raise ValueError("its names are no text")
    except Exception as error:  # protobuf and numpy stumble over damage in many ways
        raise _unreadable(path, "ONNX file", error) from error
    return _named(path, "ONNX file", values)


def read_openvino(path: Path) -> dict[str, Tensor]:
    """Weights of OpenVINO's IR by the names that they had in torch.

    Parameters
    ----------
    path : Path
        The ``.xml``; its ``.bin`` lies beside it.

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    UnreadableFile
        It is damaged, or its ``.bin`` is missing.
    WrongWeights
        None of its weights has a name.
    """
    try:
        values = dict(_constants(path))
    except Exception as error:  # XML, numbers in it and what they point to may all be damaged
        raise _unreadable(path, "OpenVINO IR", error) from error
    return _named(path, "OpenVINO IR", values)


def _constants(path: Path) -> Iterator[tuple[str, Any]]:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("the XML file is too large")
    text = path.read_bytes()
    if b"<!" in text.replace(b"<!--", b""):  # entities can unfold to any size
        raise ValueError("it declares entities")
    weights = np.memmap(path.with_suffix(".bin"), np.uint8, "r")
    for layer in ElementTree.fromstring(text).iter("layer"):
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None:
            continue
        kind = _TYPES.get(data.get("element_type", ""))
        shape = [int(side) for side in data.get("shape", "").split(",") if side.strip()]
        if kind is None or not shape:
            continue
        start, size = int(data.get("offset", "")), int(data.get("size", ""))
        if not 0 <= start <= start + size <= weights.size or min(shape) < 0:
            raise ValueError("a constant lies outside the .bin file")
        numbers = np.frombuffer(weights[start : start + size].tobytes(), kind)
        if math.prod(shape) != numbers.size:
            raise ValueError("a constant has another size than its shape")
        name = layer.get("name", "").removeprefix("self.").removesuffix("_compressed")
        yield name, numbers.reshape(shape)


def _name_again(graph: Any, values: dict[str, Any]) -> None:
    """Give weights their names again that the exporter reshaped, and so calls ``onnx::Mul_12``.

    The node that uses them is called by its module: ``/downs.0/se/fc/fc.3/MatMul``.
    """
    for node in graph.node:
        role = _ROLES.get(node.op_type)
        found = [name for name in node.input if name.startswith("onnx::") and name in values]
        if role is not None and len(found) == 1:
            value = values[found[0]]
            # linear layers are stored turned, scales and shifts as (C, 1, 1)
            values[f"{_module(node.name)}.{role}"] = value.T if value.ndim == 2 else value.ravel()


def _module(node: str) -> str:
    """The module that a node is named by; each part may repeat the name of the one before."""
    parts: list[str] = []
    for part in node.strip("/").split("/")[:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(re.sub(r"(?<=\d)_\d+$", "", part))  # a module that is called again
    return ".".join(parts)


def _named(path: Path, kind: str, values: dict[str, Any]) -> dict[str, Tensor]:
    """Those that are called as torch calls weights."""
    state = {
        name: torch.from_numpy(np.array(value))
        for name, value in values.items()
        if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", name) and value.dtype.kind == "f"
    }
    if not state:
        raise WrongWeights(
            f"{path.name} is an {kind} whose {len(values)} constants have lost the names of "
            "their network's weights",
            hint="Ask for the checkpoint that it was converted from.",
        )
    return state


def _unreadable(path: Path, kind: str, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"{path.name} is no {kind}, or damaged ({type(error).__name__}: {str(error)[:100]})",
        hint="Copy it again, with the files beside it, or ask for the checkpoint.",
    )
