"""Blocks that several networks share.

Key names are those of the published checkpoints, so that these load strictly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, takewhile

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of a state_dict's tensors, by key: enough to recognise a network."""


def has_instance_norm(shapes: Shapes) -> bool:
    """Whether the norms keep no running statistics, as instance norm does."""
    return not any(key.endswith("running_mean") for key in shapes)


def count_keys(shapes: Shapes, pattern: str, start: int = 0) -> range:
    """Indices from `start` on for which ``pattern.format(index)`` is a key."""
    indices = takewhile(lambda i: pattern.format(i) in shapes, count(start))
    return range(start, start + len(list(indices)))


def norm(channels: int, instance: bool) -> nn.Module:
    """Instance norm with affine and without running statistics, or batch norm."""
    return nn.InstanceNorm2d(channels, affine=True) if instance else nn.BatchNorm2d(channels)


def dropout(rate: float) -> nn.Module:
    """Dropout of whole channels; at rate 0 an identity, which keeps its place in a `Sequential`."""
    return nn.Dropout2d(rate) if rate > 0 else nn.Identity()


def resize_like(x: Tensor, reference: Tensor) -> Tensor:
    """Bilinear resize of `x` to the height and width of `reference`, if they differ."""
    if x.shape[-2:] == reference.shape[-2:]:
        return x
    return F.interpolate(x, size=reference.shape[-2:], mode="bilinear", align_corners=False)


class DoubleConv(nn.Module):
    """Two 3x3 convolutions, each with norm and ReLU; the U-Net's block.

    Indices inside ``double_conv`` are 0, 1, 4 and 5 whether or not there is dropout.
    """

    def __init__(self, in_channels: int, out_channels: int, instance: bool, rate: float) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            norm(out_channels, instance),
            nn.ReLU(inplace=True),
            dropout(rate),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            norm(out_channels, instance),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H, W)."""
        output: Tensor = self.double_conv(x)
        return output


class DeepSupervision(nn.ModuleList):
    """1x1 convolutions that turn coarser decoder levels into outputs, for training.

    Parameters
    ----------
    features : sequence of int
        Widths of the decoder levels, coarsest first; the finest has the network's own head.
    out_channels : int
        Channels of each output.
    """

    def __init__(self, features: Sequence[int], out_channels: int) -> None:
        super().__init__(nn.Conv2d(width, out_channels, 1) for width in features[:-1])

    def outputs(self, levels: Sequence[Tensor], reference: Tensor) -> list[Tensor]:
        """Logits of every level but the finest, resized to `reference`."""
        return [
            resize_like(head(level), reference) for head, level in zip(self, levels, strict=False)
        ]


class ChannelAttention(nn.Module):
    """Weights channels by a shared MLP of their global mean and maximum (CBAM)."""

    def __init__(self, channels: int, reduction: int = 16, least: int = 8) -> None:
        super().__init__()
        hidden = max(channels // reduction, least)
        self.shared_mlp = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), weighted channel by channel."""
        weight = self.shared_mlp(x.mean(dim=(2, 3))) + self.shared_mlp(x.amax(dim=(2, 3)))
        return x * torch.sigmoid(weight)[:, :, None, None]


class SpatialAttention(nn.Module):
    """Weights pixels by a 7x7 convolution of their channel mean and maximum (CBAM)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), weighted pixel by pixel."""
        # Mean and maximum as one sum: OpenVINO takes 8 % of the whole network longer for means over
        # channels and for putting single channels together.
        channels = int(x.shape[1])
        second = torch.arange(2, dtype=x.dtype, device=x.device)[:, None, None]
        mean = ((1 - second) / channels)[:, None].expand(-1, channels, -1, -1)
        maps = F.conv2d(x, mean) + second * x.amax(dim=1, keepdim=True)
        return x * torch.sigmoid(self.conv(maps))


class CBAM(nn.Module):
    """Convolutional block attention: channels first, then pixels (Woo et al., ECCV 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel_attention = ChannelAttention(channels)
        self.spatial_attention = SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), weighted."""
        output: Tensor = self.spatial_attention(self.channel_attention(x))
        return output


class AttentionGate(nn.Module):
    """Weights a skip `x` by how well it agrees with the decoder `g` (Oktay et al., 2018).

    Both must have the same size; the last norm runs over the gate's single channel.
    """

    def __init__(
        self,
        g_channels: int,
        x_channels: int,
        inner: int,
        instance: bool,
        *,
        bias: bool = True,
        psi_bias: bool = True,
    ) -> None:
        super().__init__()
        self.W_g = nn.Sequential(nn.Conv2d(g_channels, inner, 1, bias=bias), norm(inner, instance))
        self.W_x = nn.Sequential(nn.Conv2d(x_channels, inner, 1, bias=bias), norm(inner, instance))
        self.psi = nn.Sequential(
            nn.Conv2d(inner, 1, 1, bias=psi_bias), norm(1, instance), nn.Sigmoid()
        )

    def forward(self, g: Tensor, x: Tensor) -> Tensor:
        """The skip, gated: (B, x_channels, H, W)."""
        gate: Tensor = self.psi(torch.relu(self.W_g(g) + self.W_x(x)))
        return x * gate
