"""What the residual U-Nets with attention and gated skips have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import Shapes, count_keys, dropout, has_instance_norm, norm, resize_like
from .segmenter import Segmenter


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut; attention follows the sum and its ReLU.

    Parameters
    ----------
    in_channels, out_channels : int
    instance : bool
        Instance norm or batch norm.
    rate : float
        Of the channel dropout.
    norm_shortcut : bool
        Whether the projection of the shortcut, where widths differ, is normalised.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        instance: bool,
        rate: float,
        norm_shortcut: bool,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = norm(out_channels, instance)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = norm(out_channels, instance)
        self.dropout = dropout(rate)
        self.adjust_channels: nn.Module = nn.Identity()
        if in_channels != out_channels:
            project = nn.Conv2d(in_channels, out_channels, 1, bias=False)
            self.adjust_channels = (
                nn.Sequential(project, norm(out_channels, instance)) if norm_shortcut else project
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H, W)."""
        main = self.dropout(torch.relu(self.norm1(self.conv1(x))))
        main = self.dropout(self.norm2(self.conv2(main)))
        return self.attend(torch.relu(main + self.adjust_channels(x)))

    def attend(self, x: Tensor) -> Tensor:
        """(B, out, H, W), weighted."""
        raise NotImplementedError


class GatedResUNet(Segmenter):
    """Residual U-Net whose skips pass a gate that the decoder steers.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the logits.
    features : sequence of int
        Widths of the encoder levels, one for each pooling; the bottleneck has twice the last.
    instance : bool
        Instance norm or batch norm.
    rate : float
        Of the channel dropout.
    block : callable
        Makes a block from the channels that go in and come out.
    gate : callable
        Makes a gate from the width of its level.
    first_kernel : int
        Of the first convolution, in pixels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        features: Sequence[int],
        instance: bool,
        rate: float,
        *,
        block: Callable[[int, int], nn.Module],
        gate: Callable[[int], nn.Module],
        first_kernel: int,
    ) -> None:
        super().__init__()
        first, deepest = features[0], 2 * features[-1]
        upwards = [*features][::-1]
        self.init_conv = nn.Sequential(
            nn.Conv2d(in_channels, first, first_kernel, padding=first_kernel // 2, bias=False),
            norm(first, instance),
            nn.ReLU(inplace=True),
            dropout(rate),
        )
        self.downs = nn.ModuleList(
            block(a, b) for a, b in zip([first, *features], features, strict=False)
        )
        self.bottleneck = nn.Sequential(block(features[-1], deepest), block(deepest, deepest))
        self.ups = nn.ModuleList()
        for above, width in zip([deepest, *upwards], upwards, strict=False):
            self.ups.append(nn.ConvTranspose2d(above, width, 2, stride=2))
            self.ups.append(block(2 * width, width))
        self.attentions = nn.ModuleList(gate(width) for width in upwards)
        self.final_conv = nn.Sequential(
            nn.Conv2d(first, first // 2, 3, padding=1, bias=False),
            norm(first // 2, instance),
            nn.ReLU(inplace=True),
            dropout(rate),
            nn.Conv2d(first // 2, out_channels, 1),
        )

    def encoder(self) -> list[nn.Module]:
        """Everything down to the bottleneck."""
        return [self.init_conv, self.downs, self.bottleneck]

    def decode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, out_channels, H, W) of an image, and the levels that lead to them.

        Levels are (B, width, h, w), coarsest first.
        """
        image = x
        x = self.init_conv(x)
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottleneck(x)
        levels = []
        steps = zip(self.ups[::2], self.ups[1::2], self.attentions, skips[::-1], strict=True)
        for up, block, gate, skip in steps:
            x = resize_like(up(x), skip)
            x = block(torch.cat([gate(x, skip), x], dim=1))
            levels.append(x)
        return resize_like(self.final_conv(x), image), levels


def recognise_widths(shapes: Shapes) -> dict[str, Any]:
    """Arguments that the weights of such a network tell, whatever its blocks and gates."""
    levels = count_keys(shapes, "downs.{}.conv1.weight")
    return {
        "in_channels": shapes["init_conv.0.weight"][1],
        "out_channels": shapes["final_conv.4.weight"][0],
        "features": [shapes[f"downs.{i}.conv1.weight"][0] for i in levels],
        "use_instance_norm": has_instance_norm(shapes),
    }
