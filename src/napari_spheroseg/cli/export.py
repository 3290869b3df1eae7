"""``spheroseg models export``: write a model for another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import NAME_OR_PATH


def export(
    name: Annotated[str, typer.Argument(help=f"{NAME_OR_PATH}.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="torchscript, onnx, openvino, tensorrt or bioimageio  [default: by the ending]"
        ),
    ] = None,
    int8: Annotated[
        list[str] | None,
        typer.Option(
            help="Quantise to 8 bit, with this image, folder or pattern for calibration; may be "
            "given several times. For onnx and openvino."
        ),
    ] = None,
    least_dice: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="INT8 is kept where its Dice against float32 is at least this."
        ),
    ] = 0.99,
    author: Annotated[
        list[str] | None,
        typer.Option(help="Author of a bioimageio package; may be given several times."),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="SPDX identifier, for bioimageio  [default: the model's]"),
    ] = None,
) -> None:
    """Write a model as TorchScript, ONNX, OpenVINO, TensorRT or BioImage Model Zoo package."""
    from ..export import export

    about: dict[str, Any] = {"authors": author, "licence": licence}
    done = export(
        name,
        out,
        format,
        calibration=_planes(int8 or []),
        least_dice=least_dice,
        **{key: value for key, value in about.items() if value},
    )
    print(f"Wrote {' and '.join(str(each) for each in done.files)}")
    if done.dice is not None:
        print(
            f"INT8: Dice {done.dice:.4f} against float32, {done.least_dice:.4f} in the worst image"
        )
    else:
        print(f"Largest difference from PyTorch: {done.difference:.1e} of the largest output")


def _planes(inputs: list[str]) -> list[Any]:
    """The first frame of each image."""
    if not inputs:
        return []
    from ..batch.find import find_images
    from ..inference.frames import Frames
    from ..readwrite.images import read_image

    planes = []
    for path in find_images(inputs):
        image = read_image(path)
        frames = Frames.of(image.data, axes=image.axes)
        planes.append(frames[next(frames.indices())])
    return planes
