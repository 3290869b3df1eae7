"""Arithmetic of a network, and the most that a device does of it."""

from __future__ import annotations

import math
import time
from typing import Any

from ..models import Model

_LARGE = 8192  # side of the matrices: 1.1e12 operations, tens of milliseconds on a large card


def flops(model: Model, side: int) -> float:
    """Floating-point operations for one image of side x side pixels.

    An addition and a multiplication are two. Nothing is computed: PyTorch counts convolutions and
    matrix products on tensors without contents. NaN for an ONNX graph, whose layers it cannot see.
    """
    if model.metadata.is_graph:
        return math.nan
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from .. import networks

    with torch.device("meta"), torch.inference_mode():
        network = networks.create(model.metadata.network, **model.metadata.arguments).eval()
        image = torch.empty(1, model.metadata.in_channels, side, side)
        with FlopCounterMode(display=False) as counter:
            network(image)
    return float(counter.get_total_flops())


def matrix_flops(device: str, precision: str, side: int = _LARGE, repeats: int = 10) -> float:
    """Operations a second of a product of square matrices: the best of several, measured.

    In float32 with the tensor cores' TF32, which PyTorch lets convolutions use by default.
    """
    import torch

    dtype = getattr(torch, precision)
    left, right = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        fastest = min(_seconds(left, right) for _ in range(repeats + 1))
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    return float(2 * side**3 / fastest)


def _seconds(left: Any, right: Any) -> float:
    import torch

    is_cuda = left.is_cuda
    start = time.perf_counter()
    _ = left @ right
    if is_cuda:
        torch.cuda.synchronize(left.device)
    return time.perf_counter() - start
