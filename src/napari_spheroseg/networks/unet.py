"""U-Net (Ronneberger et al., MICCAI 2015) as the spheroid service publishes it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import DeepSupervision, DoubleConv, Shapes, count_keys, has_instance_norm, resize_like
from .segmenter import Segmenter


class UNet(Segmenter):
    """U-Net with instance norm; 45,197,505 parameters at the published widths.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the logits.
    features : sequence of int
        Widths from the finest level to the bottleneck, one more than there are poolings.
    use_instance_norm : bool
        Instance norm (published) or batch norm.
    dropout_rate : float
        Channel dropout inside each block.
    use_deep_supervision : bool
        In training mode, `forward` also returns logits of the coarser decoder levels.
    keep_unused : bool
        Store the last encoder block, which the published network builds and never calls
        (14.2 million parameters): its checkpoints load strictly only with it.

    Notes
    -----
    Smallest image: the deepest level must have more than one pixel, e.g. 16 x 32 for four
    poolings. Sides need not be multiples of anything.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: Sequence[int] = (64, 128, 256, 512, 1024),
        use_instance_norm: bool = True,
        dropout_rate: float = 0.0,
        use_deep_supervision: bool = False,
        keep_unused: bool = True,
    ) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> DoubleConv:
            return DoubleConv(inputs, outputs, use_instance_norm, dropout_rate)

        *widths, deepest = features
        down_widths = list(features) if keep_unused else widths
        self.depth = len(widths)
        self.init_conv = block(in_channels, widths[0])
        self.downs = nn.ModuleList(block(a, b) for a, b in pairwise(down_widths))
        self.bottleneck = block(widths[-1], deepest)
        upwards = [*features][::-1]
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairwise(upwards)
        )
        self.decoder_blocks = nn.ModuleList(block(2 * width, width) for width in upwards[1:])
        self.final_conv = nn.Conv2d(widths[0], out_channels, 1)
        if use_deep_supervision:
            self.deep_outputs = DeepSupervision(upwards[1:], out_channels)

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the U-Net whose weights have these shapes; None where it is no U-Net."""
        if "init_conv.double_conv.0.weight" not in shapes or "final_conv.weight" not in shapes:
            return None
        features = [shapes[f"ups.{i}.weight"][1] for i in count_keys(shapes, "ups.{}.weight")]
        first = shapes["init_conv.double_conv.0.weight"]
        return {
            "in_channels": first[1],
            "out_channels": shapes["final_conv.weight"][0],
            "features": [*features[::-1], shapes["ups.0.weight"][0]],
            "use_instance_norm": has_instance_norm(shapes),
            "use_deep_supervision": "deep_outputs.0.weight" in shapes,
            "keep_unused": f"downs.{len(features) - 1}.double_conv.0.weight" in shapes,
        }

    def encoder(self) -> list[nn.Module]:
        """Everything down to the bottleneck."""
        return [self.init_conv, self.downs, self.bottleneck]

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Logits (B, out_channels, H, W) of an image (B, in_channels, H, W)."""
        image = x
        x = self.init_conv(x)
        skips = [x]
        for down in self.downs[: self.depth - 1]:
            x = down(F.max_pool2d(x, 2))
            skips.append(x)
        x = self.bottleneck(F.max_pool2d(x, 2))
        levels = []
        for up, decode, skip in zip(self.ups, self.decoder_blocks, skips[::-1], strict=True):
            x = decode(torch.cat([skip, resize_like(up(x), skip)], dim=1))
            levels.append(x)
        logits = resize_like(self.final_conv(x), image)
        if self.training and hasattr(self, "deep_outputs"):
            return [logits, *self.deep_outputs.outputs(levels, logits)]
        return logits
