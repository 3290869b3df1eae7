"""What a result was made with, for its recipe."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..errors import BadSetting
from ..models import ModelMetadata
from .predictor import Predictor


@cache
def versions() -> dict[str, str]:
    """Versions of what decides a result."""
    from importlib.metadata import version

    names = ("napari-spheroseg", "torch", "numpy", "opencv-python-headless")
    return {name: version(name) for name in names}


def made_with(predictor: Predictor) -> dict[str, Any]:
    """Checksum of the weights, device, backend, precision and versions of a run."""
    return {
        "sha256": predictor.model.metadata.sha256,
        "device": predictor.device,
        "backend": predictor.backend,
        "precision": predictor.precision,
        "versions": versions(),
    }


def check_weights(model: ModelMetadata, recorded: str | None) -> None:
    """See that a model is the one that a recipe was made with.

    Parameters
    ----------
    model : ModelMetadata
    recorded : str or None
        Checksum of the weights in the recipe; None where it says none.

    Raises
    ------
    BadSetting
        It has other weights.
    """
    if recorded and model.sha256 and recorded != model.sha256:
        raise BadSetting(
            f"The recipe was made with other weights of '{model.name}'",
            hint="Install those, or leave out made_with to run it with these.",
        )
