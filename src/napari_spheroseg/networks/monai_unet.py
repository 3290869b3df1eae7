"""The U-Net of MONAI, with its keys and numbers and without needing MONAI.

Written anew, so that checkpoints load where MONAI is not installed. Two dimensions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import Shapes, count_keys
from .segmenter import Segmenter

Named = str | Sequence[Any] | None
"""A layer as MONAI names it: "relu", or ("prelu", {"init": 0.2}); None or "" for no layer."""

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "prelu": nn.PReLU,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "swish": nn.SiLU,
    "mish": nn.Mish,
}
_NORMS: dict[str, type[nn.Module]] = {
    "instance": nn.InstanceNorm2d,
    "batch": nn.BatchNorm2d,
    "group": nn.GroupNorm,
}


class ActDropNorm(nn.Sequential):
    """Norm, dropout and activation in the order that a word of N, D and A gives."""

    def __init__(
        self, channels: int, act: Named, norm: Named, dropout: float | None, ordering: str
    ) -> None:
        super().__init__()
        layers = {
            "N": _layer(_NORMS, norm, channels),
            "D": None if dropout is None else nn.Dropout(float(dropout)),
            "A": _layer(_ACTIVATIONS, act),
        }
        for letter in ordering.upper():
            if letter not in layers:
                raise ValueError(f"adn_ordering is a word of N, D and A, not '{ordering}'")
            if (layer := layers[letter]) is not None:
                self.add_module(letter, layer)


class Convolution(nn.Sequential):
    """A convolution, or a transposed one, and what `ActDropNorm` puts after it."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        kernel_size: int | Sequence[int] = 3,
        transposed: bool = False,
        conv_only: bool = False,
        act: Named = "prelu",
        norm: Named = "instance",
        dropout: float | None = None,
        bias: bool = True,
        adn_ordering: str = "NDA",
    ) -> None:
        super().__init__()
        kernel = _pair(kernel_size)
        padding = _same(kernel)
        conv = partial(nn.ConvTranspose2d, output_padding=stride - 1) if transposed else nn.Conv2d
        self.conv = conv(
            in_channels, out_channels, kernel, stride=stride, padding=padding, bias=bias
        )
        if not conv_only and (act, norm, dropout) != (None, None, None):
            self.adn = ActDropNorm(out_channels, act, norm, dropout, adn_ordering)


class ResidualUnit(nn.Module):
    """Convolutions around a shortcut; there is no activation after the sum.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    stride : int
        Of the first convolution, and of the shortcut's.
    subunits : int
        How many convolutions.
    last_conv_only : bool
        Leave norm and activation of the last away.
    **layers
        kernel_size, act, norm, dropout, bias and adn_ordering of `Convolution`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        subunits: int = 2,
        last_conv_only: bool = False,
        **layers: Any,
    ) -> None:
        super().__init__()
        self.conv = nn.Sequential()
        last = max(1, subunits) - 1
        for index in range(last + 1):
            unit = Convolution(
                out_channels if index else in_channels,
                out_channels,
                stride=1 if index else stride,
                conv_only=last_conv_only and index == last,
                **layers,
            )
            self.conv.add_module(f"unit{index}", unit)
        self.residual: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            kernel = _pair(layers.get("kernel_size", 3) if stride != 1 else 1)
            self.residual = nn.Conv2d(
                in_channels,
                out_channels,
                kernel,
                stride=stride,
                padding=_same(kernel),
                bias=layers.get("bias", True),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H / stride, W / stride)."""
        output: Tensor = self.conv(x) + self.residual(x)
        return output


class Skip(nn.Module):
    """What comes in and what a submodule makes of it, concatenated."""

    def __init__(self, submodule: nn.Module) -> None:
        super().__init__()
        self.submodule = submodule

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C + those of the submodule, H, W)."""
        return torch.cat([x, self.submodule(x)], dim=1)


class MonaiUNet(Segmenter):
    """U-Net of nested skips; 1,624,844 parameters at the defaults.

    Parameters
    ----------
    spatial_dims : int
        2; there is no other here.
    in_channels, out_channels : int
        Channels of the image and of the logits.
    channels : sequence of int
        Widths of the levels, finest first.
    strides : sequence of int
        By how much each level but the last shrinks what it gets.
    kernel_size, up_kernel_size : int or pair of int
        Sides of the kernels on the way down and up; odd.
    num_res_units : int
        Convolutions of the residual units; 0 for plain convolutions.
    act, norm : str, pair of str and dict, or None
        "prelu", "relu", ...; "instance", "batch" or "group"; with their arguments.
    dropout : float or None
        Dropout in every convolution.
    bias : bool
        Whether convolutions have a bias.
    adn_ordering : str
        Order of activation, dropout and norm.

    Notes
    -----
    Source: ``monai.networks.nets.UNet`` (Kerfoot et al., STACOM 2018), whose arguments these
    are. Sides of the image must be multiples of the product of `strides`.
    """

    dropout_argument = "dropout"

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        out_channels: int = 1,
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        strides: Sequence[int] = (2, 2, 2, 2),
        kernel_size: int | Sequence[int] = 3,
        up_kernel_size: int | Sequence[int] = 3,
        num_res_units: int = 2,
        act: Named = "prelu",
        norm: Named = "instance",
        dropout: float | None = 0.0,
        bias: bool = True,
        adn_ordering: str = "NDA",
    ) -> None:
        super().__init__()
        if spatial_dims != 2:
            raise ValueError(f"only two dimensions are supported, not {spatial_dims}")
        if len(channels) < 2 or len(strides) < len(channels) - 1:
            raise ValueError("it needs two channels or more, and a stride between each two")
        layers: dict[str, Any] = {
            "act": act,
            "norm": norm,
            "dropout": dropout,
            "bias": bias,
            "adn_ordering": adn_ordering,
        }
        units = num_res_units

        def down(inputs: int, outputs: int, stride: int) -> nn.Module:
            shape = {"stride": stride, "kernel_size": kernel_size, **layers}
            if units == 0:
                return Convolution(inputs, outputs, **shape)
            return ResidualUnit(inputs, outputs, subunits=units, **shape)

        def up(inputs: int, outputs: int, stride: int, top: bool) -> nn.Module:
            shape = {"stride": stride, "kernel_size": up_kernel_size, **layers}
            conv = Convolution(
                inputs, outputs, transposed=True, conv_only=top and units == 0, **shape
            )
            if units == 0:
                return conv
            shape = {"kernel_size": kernel_size, **layers}
            unit = ResidualUnit(outputs, outputs, subunits=1, last_conv_only=top, **shape)
            return nn.Sequential(conv, unit)

        def level(inputs: int, outputs: int, depth: int) -> nn.Module:
            width, stride = channels[depth], strides[depth]
            if depth + 2 < len(channels):
                below, from_below = level(width, width, depth + 1), width
            else:
                from_below = channels[depth + 1]
                below = down(width, from_below, 1)
            return nn.Sequential(
                down(inputs, width, stride),
                Skip(below),
                up(width + from_below, outputs, stride, depth == 0),
            )

        self.model = level(in_channels, out_channels, 0)

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the U-Net whose weights have these shapes, or None.

        What leaves no trace is taken to be MONAI's default: strides of 2, an instance norm
        without parameters, ReLU where there are no slopes of PReLU.
        """
        units = len(count_keys(shapes, "model.0.conv.unit{}.conv.weight"))
        conv = "conv.unit0.conv" if units else "conv"
        first = f"model.0.{conv}.weight"
        if first not in shapes or not any(key.startswith("model.1.submodule.") for key in shapes):
            return None
        channels, strides, prefix = [], [], "model"
        while f"{prefix}.0.{conv}.weight" in shapes:
            channels.append(shapes[f"{prefix}.0.{conv}.weight"][0])
            shortcut = shapes.get(f"{prefix}.0.residual.weight", (1, 1, 1, 1))
            strides.append(2 if units == 0 or max(shortcut[2:]) > 1 else 1)
            prefix += ".1.submodule"
        last = shapes["model.2.0.conv.weight" if units else "model.2.conv.weight"]
        return {
            "spatial_dims": len(shapes[first]) - 2,
            "in_channels": shapes[first][1],
            "out_channels": last[1],
            "channels": [*channels, shapes[f"{prefix}.{conv}.weight"][0]],
            "strides": strides,
            "kernel_size": [*shapes[first][2:]],
            "up_kernel_size": [*last[2:]],
            "num_res_units": units,
            "bias": f"model.0.{conv}.bias" in shapes,
            **recognise_layers(shapes, "model.0.conv.unit0.adn" if units else "model.0.adn"),
        }

    def encoder(self) -> list[nn.Module]:
        """The convolutions on the way down, and the deepest."""
        *levels, deepest = (each.submodule for each in self.modules() if isinstance(each, Skip))
        return [*(next(level.children()) for level in (self.model, *levels)), deepest]

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, out_channels, H, W) of an image (B, in_channels, H, W)."""
        logits: Tensor = self.model(x)
        return logits


def recognise_layers(shapes: Shapes, prefix: str) -> dict[str, Any]:
    """Norm and activation of the `ActDropNorm` whose keys begin with `prefix`."""
    norm: Any = "instance"
    if f"{prefix}.N.running_mean" in shapes:
        norm = "batch"
    elif f"{prefix}.N.weight" in shapes:
        norm = ["instance", {"affine": True}]
    slopes = shapes.get(f"{prefix}.A.weight")
    act: Any = "relu" if slopes is None else "prelu"
    if slopes is not None and slopes != (1,):
        act = ["prelu", {"num_parameters": slopes[0]}]
    return {"norm": norm, "act": act}


def _layer(known: dict[str, type[nn.Module]], named: Named, channels: int = 0) -> nn.Module | None:
    if named is None:
        return None
    if named == "":
        return nn.Identity()
    parts: Sequence[Any] = (named, {}) if isinstance(named, str) else named
    name, arguments = parts[0], dict(parts[1])
    if str(name).lower() not in known:
        raise ValueError(f"there is no layer '{name}' here; there are {', '.join(known)}")
    if channels:
        arguments["num_channels" if name.lower() == "group" else "num_features"] = channels
    return known[name.lower()](**arguments)


def _same(kernel: tuple[int, int]) -> tuple[int, int]:
    """Padding that keeps the size at stride 1."""
    return (kernel[0] - 1) // 2, (kernel[1] - 1) // 2


def _pair(side: int | Sequence[int]) -> tuple[int, int]:
    height, width = (side, side) if isinstance(side, int) else side
    return height, width
