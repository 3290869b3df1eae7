"""Residual U-Net with squeeze-excitation and spatial attention; "LC-ResUNet" in its paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .blocks import AttentionGate, Shapes, SpatialAttention
from .gated_resunet import GatedResUNet, ResidualBlock, recognise_widths


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


class ResidualSEBlock(ResidualBlock):
    """Residual block with squeeze-excitation and a spatial attention."""

    def __init__(self, in_channels: int, out_channels: int, instance: bool, rate: float) -> None:
        super().__init__(in_channels, out_channels, instance, rate, norm_shortcut=False)
        self.se = SqueezeExcitation(out_channels, rate)
        self.spatial_attention = SpatialAttention()

    def attend(self, x: Tensor) -> Tensor:
        """(B, out, H, W), weighted by channel and by pixel."""
        output: Tensor = self.spatial_attention(self.se(x))
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


class ResUNetSmall(GatedResUNet):
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
        instance, rate = use_instance_norm, dropout_rate
        super().__init__(
            in_channels,
            out_channels,
            features,
            instance,
            rate,
            block=lambda inputs, outputs: ResidualSEBlock(inputs, outputs, instance, rate),
            gate=lambda width: SpatialGate(width, instance),
            first_kernel=7,
        )

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the ResUNet-Small whose weights have these shapes, or None."""
        if "downs.0.se.fc.0.weight" not in shapes:
            return None
        return recognise_widths(shapes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, out_channels, H, W) of an image (B, in_channels, H, W)."""
        return self.decode(x)[0]
