"""Models for other programs: TorchScript, ONNX, OpenVINO, TensorRT; 8 bit."""

from .writing import Exported, ExportFailed, export, format_of

__all__ = ["ExportFailed", "Exported", "export", "format_of"]
