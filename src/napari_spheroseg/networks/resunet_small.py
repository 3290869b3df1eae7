"""Residual U-Net with squeeze-excitation and spatial attention; "LC-ResUNet" in its paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import (
    AttentionGate,
    Shapes,
    SpatialAttention,
    count_keys,
    dropout,
    has_instance_norm,
    norm,
    resize_like,
)


class SqueezeExcitation(nn.Module):
    """Weights channels by an MLP of their global mean (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, rate: float, reduction: int = 16, least: int = 8) -> None:
        super().__init__()
        hidden = max(channels // reduction, least)
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Dropout(rate) if rate > 0 else nn.Identity(),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), weighted channel by channel."""
        weight: Tensor = self.fc(x.mean(dim=(2, 3)))
        return x * weight[:, :, None, None]


class ResidualSEBlock(nn.Module):
    """Residual block whose attentions follow the sum and its ReLU; its projection has no norm."""

    def __init__(self, in_channels: int, out_channels: int, instance: bool, rate: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = norm(out_channels, instance)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = norm(out_channels, instance)
        self.dropout = dropout(rate)
        self.adjust_channels: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.adjust_channels = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.se = SqueezeExcitation(out_channels, rate)
        self.spatial_attention = SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H, W)."""
        main = self.dropout(torch.relu(self.norm1(self.conv1(x))))
        main = self.dropout(self.norm2(self.conv2(main)))
        output: Tensor = self.spatial_attention(self.se(torch.relu(main + self.adjust_channels(x))))
        return output


class SpatialGate(AttentionGate):
    """Attention gate without biases, and with a spatial attention after it."""

    def __init__(self, channels: int, instance: bool) -> None:
        inner = max(channels // 2, 8)
        super().__init__(channels, channels, inner, instance, bias=False, psi_bias=False)
        self.spatial_attention = SpatialAttention()

    def forward(self, g: Tensor, x: Tensor) -> Tensor:
        """The skip, gated: (B, channels, H, W)."""
        output: Tensor = self.spatial_attention(super().forward(g, x))
        return output


class ResUNetSmall(nn.Module):
    """ResUNet-Small; 58,060,957 parameters at the published widths.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the logits.
    features : sequence of int
        Widths of the encoder levels, one for each pooling; the bottleneck has twice the last.
    use_instance_norm : bool
        Instance norm (published) or batch norm.
    dropout_rate : float
        Channel dropout inside each block; acts in training only.

    Notes
    -----
    Source: the spheroid segmentation service, which served it until August 2025; "LC-ResUNet"
    in its paper. Smallest image: the bottleneck must have more than one pixel, e.g. 32 x 64 for
    five poolings.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: Sequence[int] = (48, 96, 192, 384, 512),
        use_instance_norm: bool = True,
        dropout_rate: float = 0.15,
    ) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> ResidualSEBlock:
            return ResidualSEBlock(inputs, outputs, use_instance_norm, dropout_rate)

        first, deepest = features[0], 2 * features[-1]
        upwards = [*features][::-1]
        self.init_conv = nn.Sequential(
            nn.Conv2d(in_channels, first, 7, padding=3, bias=False),
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
        self.attentions = nn.ModuleList(SpatialGate(w, use_instance_norm) for w in upwards)
        self.final_conv = nn.Sequential(
            nn.Conv2d(first, first // 2, 3, padding=1, bias=False),
            norm(first // 2, use_instance_norm),
            nn.ReLU(inplace=True),
            dropout(dropout_rate),
            nn.Conv2d(first // 2, out_channels, 1),
        )

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the ResUNet-Small whose weights have these shapes, or None."""
        if "downs.0.se.fc.0.weight" not in shapes:
            return None
        levels = count_keys(shapes, "downs.{}.conv1.weight")
        return {
            "in_channels": shapes["init_conv.0.weight"][1],
            "out_channels": shapes["final_conv.4.weight"][0],
            "features": [shapes[f"downs.{i}.conv1.weight"][0] for i in levels],
            "use_instance_norm": has_instance_norm(shapes),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, out_channels, H, W) of an image (B, in_channels, H, W)."""
        image = x
        x = self.init_conv(x)
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottleneck(x)
        steps = zip(self.ups[::2], self.ups[1::2], self.attentions, skips[::-1], strict=True)
        for up, decode, attention, skip in steps:
            x = resize_like(up(x), skip)
            x = decode(torch.cat([attention(x, skip), x], dim=1))
        return resize_like(self.final_conv(x), image)
