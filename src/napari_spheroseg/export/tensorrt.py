"""TensorRT engines: for one kind of NVIDIA card and one version of TensorRT."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import NoDevice
from ..extras import require
from ..models.model import Model
from .writing import ExportFailed, Float, Run, _as_onnx

_LARGEST = 1024  # px; batches of at most 4


def write_tensorrt(model: Model, path: Path) -> Run:
    """Build an engine from ONNX; returns what runs it on the card.

    Sides may have up to 1024 px, batches up to 4 images.

    Raises
    ------
    MissingPackage
        TensorRT is not installed.
    NoDevice
        There is no CUDA device.
    ExportFailed
        TensorRT cannot build it.
    """
    require("tensorrt", purpose=path.name)
    import torch

    trt: Any = import_module("tensorrt")

    if not torch.cuda.is_available():
        raise NoDevice("TensorRT needs a CUDA device", hint="Export as onnx instead.")
    source = _as_onnx(model, "onnxruntime")
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(source.read_bytes()):
        raise ExportFailed(f"TensorRT cannot read the network: {parser.get_error(0)}")
    profile, settings = builder.create_optimization_profile(), builder.create_builder_config()
    channels, name = model.metadata.in_channels, network.get_input(0).name
    profile.set_shape(
        name, (1, channels, 64, 64), (1, channels, 512, 512), (4, channels, _LARGEST, _LARGEST)
    )
    settings.add_optimization_profile(profile)
    built = builder.build_serialized_network(network, settings)
    if built is None:
        raise ExportFailed("TensorRT cannot build the network", hint="Export as onnx instead.")
    path.write_bytes(bytes(built))
    engine = trt.Runtime(logger).deserialize_cuda_engine(path.read_bytes())
    context = engine.create_execution_context()
    output = network.get_output(0).name

    def run(batch: Float) -> Float:
        image = torch.from_numpy(batch).cuda().contiguous()
        context.set_input_shape(name, tuple(image.shape))
        made = torch.empty(tuple(context.get_tensor_shape(output)), device="cuda")
        context.set_tensor_address(name, image.data_ptr())
        context.set_tensor_address(output, made.data_ptr())
        stream = torch.cuda.current_stream()
        context.execute_async_v3(stream.cuda_stream)
        stream.synchronize()
        return np.asarray(made.cpu().numpy(), np.float32)

    return run
