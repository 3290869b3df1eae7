"""Residual U-Net with three kinds of attention in every block; "MA-ResUNet" in its paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import AttentionGate, Shapes, count_keys, dropout, has_instance_norm, norm
from .segmenter import Segmenter

_HEADS = 8
_BIAS_TABLE = 13 * 13  # relative positions in windows of 7 x 7
_BLOCK_DROPOUT = 0.1  # the published blocks keep it whatever the network's rate


class SimAM(nn.Module):
    """Weights pixels by how near they are to their channel's mean; without parameters.

    The published network's own variant, not the formula of Yang et al. (ICML 2021).
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), weighted pixel by pixel and channel by channel."""
        variance, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
        return x * torch.sigmoid((mean - x) / torch.sqrt(variance + 1e-4))


class TripletAttention(nn.Module):
    """Weights rows, columns and pixels by maps of what the channels hold there.

    A variant of Misra et al. (WACV 2021) without their permutation of axes. The kernels of rows
    and columns run along an axis of length 1, so only their middle tap acts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_ch = nn.Conv2d(2, 1, (1, 7), padding=(0, 3), bias=False)
        self.conv_cw = nn.Conv2d(2, 1, (7, 1), padding=(3, 0), bias=False)
        self.conv_hw = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), weighted."""
        rows = self._map(self.conv_ch, x.mean(dim=3, keepdim=True))
        columns = self._map(self.conv_cw, x.mean(dim=2, keepdim=True))
        return x * rows * columns * self._map(self.conv_hw, x)

    @staticmethod
    def _map(conv: nn.Module, x: Tensor) -> Tensor:
        """Channel mean and maximum as one map in [0, 1]."""
        both = [x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)]
        return torch.sigmoid(conv(torch.cat(both, dim=1)))


class MultiStageAttention(nn.Module):
    """SimAM, triplet attention and a 1x1 convolution, around a shortcut of their own."""

    def __init__(self, channels: int, instance: bool) -> None:
        super().__init__()
        self.stage1 = SimAM()
        self.stage2 = TripletAttention()
        self.fusion = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            norm(channels, instance),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        output: Tensor = self.fusion(self.stage2(self.stage1(x))) + x
        return output


class AdvancedBlock(nn.Module):
    """Residual block with the attention before the sum."""

    def __init__(self, in_channels: int, out_channels: int, instance: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = norm(out_channels, instance)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = norm(out_channels, instance)
        self.dropout = dropout(_BLOCK_DROPOUT)
        self.attention = MultiStageAttention(out_channels, instance)
        self.skip: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.skip = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=False), norm(out_channels, instance)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H, W)."""
        main = self.dropout(torch.relu(self.norm1(self.conv1(x))))
        main = self.attention(self.norm2(self.conv2(main)))
        return torch.relu(main + self.skip(x))


class SelfAttention(nn.Module):
    """Eight-headed attention of all pixels to all; without a shortcut around it.

    The table of relative positions is stored in checkpoints and never used.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % _HEADS:
            raise ValueError(f"the bottleneck's {channels} channels are no multiple of {_HEADS}")
        self.relative_position_bias_table = nn.Parameter(torch.zeros(_BIAS_TABLE, _HEADS))
        self.qkv = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, 3 * channels, 1, bias=False),
        )
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        batch, channels, height, width = x.shape
        parts = self.qkv(x).reshape(batch, 3, _HEADS, channels // _HEADS, height * width)
        q, k, v = parts.transpose(-1, -2).unbind(1)
        # torch's own goes in blocks: a table of all pairs takes 512 MB for 1024 x 1024 pixels
        seen = F.scaled_dot_product_attention(q, k, v).transpose(-1, -2)
        output: Tensor = self.proj(seen.reshape(batch, channels, height, width))
        return output


class TripletGate(AttentionGate):
    """Attention gate with a triplet attention after it."""

    def __init__(self, channels: int, instance: bool) -> None:
        super().__init__(channels, channels, channels // 2, instance, bias=False)
        self.refine = TripletAttention()

    def forward(self, g: Tensor, x: Tensor) -> Tensor:
        """The skip, gated: (B, channels, H, W)."""
        output: Tensor = self.refine(super().forward(g, x))
        return output


class AdvancedResUNet(Segmenter):
    """Advanced ResUNet; 78,210,661 parameters at the widths of the service's loader.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the logits.
    features : sequence of int
        Widths of the encoder levels; the bottleneck has twice the last, which must be a multiple
        of 8. The paper trained 32, 64, 128, 256 (MA-ResUNet, 19,573,189 parameters) and
        20, 40, 80, 160 (MA-ResUNet-mini, 7,656,529).
    use_instance_norm : bool
        Instance norm (published) or batch norm.
    dropout_rate : float
        Accepted and without effect, as in the published network: its blocks drop 0.1.
    blocks : sequence of int
        Residual blocks in the encoder levels; a decoder level always has two.

    Notes
    -----
    Source: the spheroid segmentation service, which served it until August 2025, and its paper.
    Sides of the image must be multiples of 16 (2 to the number of levels); smallest 32 x 32.
    """

    dropout_argument = None

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: Sequence[int] = (64, 128, 256, 512),
        use_instance_norm: bool = True,
        dropout_rate: float = 0.2,
        blocks: Sequence[int] = (2, 2, 3, 3),
    ) -> None:
        super().__init__()
        instance = use_instance_norm
        self.levels = range(1, len(features) + 1)
        first, deepest = features[0], 2 * features[-1]

        def chain(inputs: int, outputs: int, length: int) -> nn.Sequential:
            widths = [inputs] + [outputs] * length
            return nn.Sequential(*(AdvancedBlock(a, outputs, instance) for a in widths[:length]))

        self.init_conv = nn.Sequential(
            nn.Conv2d(in_channels, first, 7, padding=3, bias=False),
            norm(first, instance),
            nn.ReLU(inplace=True),
        )
        before = first
        for level, width, length in zip(self.levels, features, blocks, strict=True):
            self.add_module(f"encoder{level}", chain(before, width, length))
            before = width
        self.bottleneck = nn.Sequential(
            AdvancedBlock(before, deepest, instance),
            SelfAttention(deepest),
            AdvancedBlock(deepest, deepest, instance),
        )
        below = deepest
        for level, width in reversed(list(zip(self.levels, features, strict=True))):
            self.add_module(f"upconv{level}", nn.ConvTranspose2d(below, width, 2, stride=2))
            self.add_module(f"att{level}", TripletGate(width, instance))
            self.add_module(f"decoder{level}", chain(2 * width, width, 2))
            below = width
        self.final_conv = nn.Sequential(
            nn.Conv2d(first, first // 2, 3, padding=1, bias=False),
            norm(first // 2, instance),
            nn.ReLU(inplace=True),
            nn.Conv2d(first // 2, out_channels, 1),
        )

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the advanced ResUNet whose weights have these shapes, or None."""
        if "encoder1.0.attention.stage2.conv_ch.weight" not in shapes:
            return None
        first = "encoder{}.0.conv1.weight"
        levels = count_keys(shapes, first, start=1)
        return {
            "in_channels": shapes["init_conv.0.weight"][1],
            "out_channels": shapes["final_conv.3.weight"][0],
            "features": [shapes[first.format(level)][0] for level in levels],
            "use_instance_norm": has_instance_norm(shapes),
            "blocks": [
                len(count_keys(shapes, f"encoder{level}.{{}}.conv1.weight")) for level in levels
            ],
        }

    def encoder(self) -> list[nn.Module]:
        """Everything down to the bottleneck."""
        levels = [self.get_submodule(f"encoder{level}") for level in self.levels]
        return [self.init_conv, *levels, self.bottleneck]

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, out_channels, H, W) of an image (B, in_channels, H, W)."""
        x = self.init_conv(x)
        skips = {}
        for level in self.levels:
            x = skips[level] = self.get_submodule(f"encoder{level}")(x)
            x = F.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for level in reversed(self.levels):
            x = self.get_submodule(f"upconv{level}")(x)
            gated = self.get_submodule(f"att{level}")(x, skips[level])
            x = self.get_submodule(f"decoder{level}")(torch.cat([gated, x], dim=1))
        logits: Tensor = self.final_conv(x)
        return logits
