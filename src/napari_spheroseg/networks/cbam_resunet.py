"""Residual U-Net with CBAM and attention gates, as the spheroid service publishes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .blocks import CBAM, AttentionGate, DeepSupervision, Shapes
from .gated_resunet import GatedResUNet, ResidualBlock, recognise_widths


class ResidualCBAMBlock(ResidualBlock):
    """Residual block with a convolutional block attention."""

    def __init__(self, in_channels: int, out_channels: int, instance: bool, rate: float) -> None:
        super().__init__(in_channels, out_channels, instance, rate, norm_shortcut=True)
        self.cbam = CBAM(out_channels)

    def attend(self, x: Tensor) -> Tensor:
        """(B, out, H, W), weighted by channel and by pixel."""
        output: Tensor = self.cbam(x)
        return output


class ResUNetCBAM(GatedResUNet):
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
        instance, rate = use_instance_norm, dropout_rate
        super().__init__(
            in_channels,
            out_channels,
            features,
            instance,
            rate,
            block=lambda inputs, outputs: ResidualCBAMBlock(inputs, outputs, instance, rate),
            gate=lambda width: AttentionGate(width, width, width // 2, instance),
            first_kernel=3,
        )
        if use_deep_supervision:
            self.deep_outputs = DeepSupervision([*features][::-1], out_channels)

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the CBAM-ResUNet whose weights have these shapes, or None."""
        if "downs.0.cbam.spatial_attention.conv.weight" not in shapes:
            return None
        deep = {"use_deep_supervision": "deep_outputs.0.weight" in shapes}
        return recognise_widths(shapes) | deep

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Logits (B, out_channels, H, W) of an image (B, in_channels, H, W)."""
        logits, levels = self.decode(x)
        if self.training and hasattr(self, "deep_outputs"):
            return [logits, *self.deep_outputs.outputs(levels, logits)]
        return logits
