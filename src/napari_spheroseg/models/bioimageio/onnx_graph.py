"""A network that is only known as an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import BadSetting, SpherosegError, UnreadableFile, brief
from ...extras import require

if TYPE_CHECKING:
    from ..metadata import ModelMetadata


class OnnxGraph(nn.Module):
    """Runs an ONNX graph in ONNX Runtime, on the CPU.

    Parameters
    ----------
    graph : bytes
        ONNX that takes (B, C, H, W) to (B, K, H', W').
    channel : int
        Which of K is the foreground.
    is_probability : bool
        The graph ends in its sigmoid, which our predictor adds: it is undone.

    Raises
    ------
    MissingPackage
        ONNX Runtime is not installed.
    UnreadableFile
        It does not take one image of float32.
    """

    def __init__(self, graph: bytes, channel: int = 0, is_probability: bool = False) -> None:
        super().__init__()
        require("onnxruntime", "onnxruntime", "A network as an ONNX graph")
        self._session = session_of(graph)
        inputs = self._session.get_inputs()
        if [each.type for each in inputs] != ["tensor(float)"]:
            raise UnreadableFile(
                f"The graph takes {', '.join(each.type for each in inputs)}, not one tensor(float)",
                hint="Ask its authors for ONNX in float32, of the image alone.",
            )
        self._input = inputs[0].name
        self._channel, self._is_probability = channel, is_probability
        # a parameter, for what asks networks where they are; a buffer, for what asks who they are
        self.place = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.register_buffer("graph", torch.frombuffer(bytearray(graph), dtype=torch.uint8))

    def forward(self, image: Tensor) -> Tensor:
        """Foreground's logit (B, 1, H', W') of images (B, C, H, W).

        Raises
        ------
        BadSetting
            It cannot take images of this shape.
        """
        jit: Any = torch.jit  # without types
        if jit.is_tracing():
            raise RuntimeError("a graph that is ONNX already is not converted again")
        try:
            # one by one, for many are written for batches of one
            each = image.float().cpu().numpy()[:, None]
            maps = np.concatenate([self._session.run(None, {self._input: x})[0] for x in each])
            if maps.ndim != 4 or maps.shape[1] <= self._channel:
                raise ValueError(f"it gives {maps.shape}, without the map {self._channel}")
        except Exception as error:  # ONNX Runtime's have no common base
            raise BadSetting(f"The graph fails on {tuple(image.shape)}: {brief(error)}") from error
        found = maps[:, self._channel : self._channel + 1].astype(np.float32)
        if self._is_probability:
            found = found.clip(1e-6, 1 - 1e-6)
            found = np.log(found / (1 - found))
        return torch.from_numpy(np.ascontiguousarray(found)).to(image.device)


def session_of(graph: bytes | str) -> Any:
    """ONNX Runtime's session for a graph or its file, on the CPU and without chatter."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def open_graph(content: bytes, metadata: ModelMetadata) -> OnnxGraph:
    """The network of a model that is a graph; its arguments are those of `OnnxGraph`.

    Raises
    ------
    UnreadableFile
        ONNX Runtime cannot use it, or its arguments are none.
    MissingPackage
        ONNX Runtime is not installed.
    """
    try:
        channel = int(metadata.arguments.get("channel", 0))
        is_probability = bool(metadata.arguments.get("is_probability", False))
        return OnnxGraph(content, channel, is_probability).eval()
    except SpherosegError:
        raise
    except Exception as error:  # ONNX Runtime's have no common base
        raise UnreadableFile(
            f"The graph of '{metadata.name}' cannot be used: {brief(error)}", hint="Get it again."
        ) from error
