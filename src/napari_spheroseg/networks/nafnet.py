"""NAFNet (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import Shapes, count_keys


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel, with eps 1e-6."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        centred = x - x.mean(dim=1, keepdim=True)
        deviation = torch.sqrt(centred.square().mean(dim=1, keepdim=True) + 1e-6)
        return centred / deviation * self.weight[:, None, None] + self.bias[:, None, None]


def simple_gate(x: Tensor) -> Tensor:
    """First half of the channels times the second."""
    first, second = x.chunk(2, dim=1)
    return first * second


class NAFBlock(nn.Module):
    """A depthwise and a pointwise part around shortcuts; gates instead of activations."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        double = 2 * channels
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.conv1 = nn.Conv2d(channels, double, 1)
        self.conv2 = nn.Conv2d(double, double, 3, padding=1, groups=double)
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv4 = nn.Conv2d(channels, double, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.norm1 = ChannelNorm(channels)
        self.norm2 = ChannelNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        inner = simple_gate(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.conv3(inner * self.sca(inner)) * self.beta
        output: Tensor = x + self.conv5(simple_gate(self.conv4(self.norm2(x)))) * self.gamma
        return output


class NAFNet(nn.Module):
    """NAFNet for the restoration of focus; 288,113 parameters at the published arguments.

    Parameters
    ----------
    img_channel : int
        Channels of the image, before and after.
    width : int
        Channels of the finest level; each level below has twice as many.
    middle_blk_num : int
        Blocks of the deepest level.
    enc_blk_nums, dec_blk_nums : sequence of int
        Blocks of the encoder levels, finest first, and of the decoder levels, coarsest first;
        both of the same length.

    Notes
    -----
    Source: the paper; argument names, defaults and key names are those of HiTMicTools' focus
    restorers. Images of any size are padded with zeros at the bottom and right, and the result
    is cropped. A new network restores nothing yet: beta and gamma begin at 0.
    """

    def __init__(
        self,
        img_channel: int = 1,
        width: int = 16,
        middle_blk_num: int = 1,
        enc_blk_nums: Sequence[int] = (1, 1, 1),
        dec_blk_nums: Sequence[int] = (1, 1, 1),
    ) -> None:
        super().__init__()
        if len(enc_blk_nums) != len(dec_blk_nums):
            raise ValueError("enc_blk_nums and dec_blk_nums must be of the same length")
        widths = [width * 2**level for level in range(len(enc_blk_nums) + 1)]
        upwards = widths[:-1][::-1]

        def chain(channels: int, length: int) -> nn.Sequential:
            return nn.Sequential(*(NAFBlock(channels) for _ in range(length)))

        self.intro = nn.Conv2d(img_channel, width, 3, padding=1)
        self.ending = nn.Conv2d(width, img_channel, 3, padding=1)
        self.encoders = nn.ModuleList(
            chain(w, n) for w, n in zip(widths[:-1], enc_blk_nums, strict=True)
        )
        self.decoders = nn.ModuleList(
            chain(w, n) for w, n in zip(upwards, dec_blk_nums, strict=True)
        )
        self.middle_blks = chain(widths[-1], middle_blk_num)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * w, 4 * w, 1, bias=False), nn.PixelShuffle(2))
            for w in upwards
        )
        self.downs = nn.ModuleList(nn.Conv2d(w, 2 * w, 2, stride=2) for w in widths[:-1])

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the NAFNet whose weights have these shapes; None where it is no NAFNet."""
        if "intro.weight" not in shapes or "ending.weight" not in shapes:
            return None
        levels = count_keys(shapes, "downs.{}.weight")

        def blocks(prefix: str) -> int:
            return len(count_keys(shapes, prefix + ".{}.beta"))

        return {
            "img_channel": shapes["intro.weight"][1],
            "width": shapes["intro.weight"][0],
            "middle_blk_num": blocks("middle_blks"),
            "enc_blk_nums": [blocks(f"encoders.{i}") for i in levels],
            "dec_blk_nums": [blocks(f"decoders.{i}") for i in levels],
        }

    def forward(self, x: Tensor) -> Tensor:
        """The image restored: (B, img_channel, H, W) to the same shape."""
        height, width = x.shape[-2:]
        multiple = 2 ** len(self.downs)
        image = F.pad(x, (0, -width % multiple, 0, -height % multiple))
        x = self.intro(image)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = self.middle_blks(x)
        for decoder, up, skip in zip(self.decoders, self.ups, skips[::-1], strict=True):
            x = decoder(up(x) + skip)
        output: Tensor = self.ending(x) + image
        return output[..., :height, :width]
