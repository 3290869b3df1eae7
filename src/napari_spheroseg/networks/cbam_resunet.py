"""Residual U-Net with CBAM and attention gates, as the spheroid service publishes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import (
    CBAM,
    AttentionGate,
    DeepSupervision,
    Shapes,
    count_keys,
    dropout,
    has_instance_norm,
    norm,
    resize_like,
)


class ResidualCBAMBlock(nn.Module):
    """Residual block whose attention follows the sum and its ReLU, without further activation."""

    def __init__(self, in_channels: int, out_channels: int, instance: bool, rate: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = norm(out_channels, instance)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = norm(out_channels, instance)
        self.dropout = dropout(rate)
        self.adjust_channels: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.adjust_channels = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=False), norm(out_channels, instance)
            )
        self.cbam = CBAM(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H, W)."""
        main = self.dropout(torch.relu(self.norm1(self.conv1(x))))
        main = self.dropout(self.norm2(self.conv2(main)))
        output: Tensor = self.cbam(torch.relu(main + self.adjust_channels(x)))
        return output


class ResUNetCBAM(nn.Module):
    """CBAM-ResUNet; 52,072,673 parameters at the published widths.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the logits.
    features : sequence of int
        Widths of the encoder levels, one for each pooling; the bottleneck has twice the last.
    use_instance_norm : bool
        Instance norm (published) or batch norm.
    dropout_rate : float
        Channel dropout inside each block.
    use_deep_supervision : bool
        In training mode, `forward` also returns logits of the coarser decoder levels.

    Notes
    -----
    Smallest image: the bottleneck must have more than one pixel, e.g. 16 x 32 for four poolings.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: Sequence[int] = (64, 128, 256, 512),
        use_instance_norm: bool = True,
        dropout_rate: float = 0.0,
        use_deep_supervision: bool = False,
    ) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> ResidualCBAMBlock:
            return ResidualCBAMBlock(inputs, outputs, use_instance_norm, dropout_rate)

        first, deepest = features[0], 2 * features[-1]
        upwards = [*features][::-1]
        self.init_conv = nn.Sequential(
            nn.Conv2d(in_channels, first, 3, padding=1, bias=False),
            norm(first, use_instance_norm),
            nn.ReLU(inplace=True),
            dropout(dropout_rate),
        )
        self.downs = nn.ModuleList(
            block(a, b) for a, b in zip([first, *features], features, strict=False)
        )
        self.bottleneck = nn.Sequential(block(features[-1], deepest), block(deepest, deepest))
        self.ups = nn.ModuleList()
        for above, width in zip([deepest, *upwards], upwards, strict=False):
            self.ups.append(nn.ConvTranspose2d(above, width, 2, stride=2))
            self.ups.append(block(2 * width, width))
        self.attentions = nn.ModuleList(
            AttentionGate(width, width, width // 2, use_instance_norm) for width in upwards
        )
        self.final_conv = nn.Sequential(
            nn.Conv2d(first, first // 2, 3, padding=1, bias=False),
            norm(first // 2, use_instance_norm),
            nn.ReLU(inplace=True),
            dropout(dropout_rate),
            nn.Conv2d(first // 2, out_channels, 1),
        )
        if use_deep_supervision:
            self.deep_outputs = DeepSupervision(upwards, out_channels)

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the CBAM-ResUNet whose weights have these shapes, or None."""
        if "downs.0.cbam.spatial_attention.conv.weight" not in shapes:
            return None
        levels = count_keys(shapes, "downs.{}.conv1.weight")
        return {
            "in_channels": shapes["init_conv.0.weight"][1],
            "out_channels": shapes["final_conv.4.weight"][0],
            "features": [shapes[f"downs.{i}.conv1.weight"][0] for i in levels],
            "use_instance_norm": has_instance_norm(shapes),
            "use_deep_supervision": "deep_outputs.0.weight" in shapes,
        }

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Logits (B, out_channels, H, W) of an image (B, in_channels, H, W)."""
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
        for up, decode, attention, skip in steps:
            x = resize_like(up(x), skip)
            x = decode(torch.cat([attention(x, skip), x], dim=1))
            levels.append(x)
        logits = resize_like(self.final_conv(x), image)
        if self.training and hasattr(self, "deep_outputs"):
            return [logits, *self.deep_outputs.outputs(levels, logits)]
        return logits
