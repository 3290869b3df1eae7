"""A run as code that somebody can paste: Python, or a command."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..models import ModelMetadata
from ..readwrite.images import SUFFIXES
from .recipe import Recipe

PLACEHOLDER = "IMAGE.tif"
"""Stands in a command where the image is in no file."""
_ALWAYS = ("model", "threshold")


def said(recipe: Recipe, model: ModelMetadata) -> dict[str, Any]:
    """What differs from the model's recommendation, and model and threshold anyway."""
    usual = Recipe.of(model, recipe.model, model.threshold, None, {})
    differs = {name: value for name, value in recipe if value != getattr(usual, name)}
    if differs.get("axes") in ("YX", "YXS"):  # what anybody would guess
        del differs["axes"]
    return {name: getattr(recipe, name) for name in _ALWAYS} | {
        name: value for name, value in differs.items() if name != "made_with"
    }


def as_python(
    recipe: Recipe,
    model: ModelMetadata,
    path: str | None,
    layer: str,
    *,
    multiscale: bool = False,
    large: bool = False,
    focus: bool = False,
) -> str:
    """Python that does the run again.

    Parameters
    ----------
    recipe : Recipe
    model : ModelMetadata
        The recipe's model.
    path : str or None
        File of the image; None where it came from elsewhere.
    layer : str
        Name of the image's layer, used where there is no file.
    multiscale : bool
        Whether that layer is.
    large : bool
        Whether it was segmented by window, into files.
    focus : bool
        Whether focus scores were asked for.
    """
    path = path if path and Path(path).suffix.lower() in SUFFIXES else None
    source = f"viewer.layers[{layer!r}].data" + ("[0]" if multiscale else "")
    if path is not None:
        source = repr(path) if large else f"ss.read_image({path!r}).data"
    call, out = ("ss.segment_large", '    "results",\n') if large else ("ss.segment", "")
    asked = {**said(recipe, model), **({"focus": True} if focus else {})}
    arguments = "".join(f"    {name}={value!r},\n" for name, value in asked.items())
    return (
        "import napari_spheroseg as ss\n\n"
        f"image = {source}\n"
        f"result = {call}(\n    image,\n{out}{arguments})\n"
        "print(result.table)\n"
    )


def as_command(
    recipe: Recipe, model: ModelMetadata, path: str | None, *, focus: bool = False
) -> str:
    """A command line that does the run again; see `as_python`."""
    words = ["spheroseg", "segment", path or PLACEHOLDER, "-o", "results"]
    for name, value in said(recipe, model).items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else f"--no-{option[2:]}")
        elif name in ("frames", "region"):
            continue  # the command takes whole files
        elif isinstance(value, tuple):
            words += [option, ",".join(str(each) for each in dict.fromkeys(value))]
        elif value is not None:
            words += [option, str(value)]
    words += ["--focus"] if focus else []
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
