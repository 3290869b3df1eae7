"""HRNetV2 (Wang et al., TPAMI 2020) with instance norm and a binary head.

Branches of falling resolution run side by side and exchange what they see after every module.
Names of layers are those of the published checkpoints; norms are called ``bn1``, ``bn2``, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import Shapes, count_keys, has_instance_norm, norm
from .segmenter import Segmenter


def _conv_norm(
    inputs: int, outputs: int, instance: bool, *, kernel: int = 3, stride: int = 1, relu: bool
) -> nn.Sequential:
    """Convolution without bias, norm, and a ReLU where asked."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    layers = [conv, norm(outputs, instance)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize with aligned corners, as everywhere in the published network."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution around a shortcut; four times as wide outside as inside."""

    expansion = 4

    def __init__(self, in_channels: int, planes: int, instance: bool) -> None:
        super().__init__()
        out_channels = planes * self.expansion
        self.conv1 = nn.Conv2d(in_channels, planes, 1, bias=False)
        self.bn1 = norm(planes, instance)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = norm(planes, instance)
        self.conv3 = nn.Conv2d(planes, out_channels, 1, bias=False)
        self.bn3 = norm(out_channels, instance)
        self.downsample: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.downsample = _conv_norm(in_channels, out_channels, instance, kernel=1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, 4 * planes, H, W)."""
        main = torch.relu(self.bn1(self.conv1(x)))
        main = torch.relu(self.bn2(self.conv2(main)))
        return torch.relu(self.bn3(self.conv3(main)) + self.downsample(x))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around an identity."""

    def __init__(self, channels: int, instance: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = norm(channels, instance)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = norm(channels, instance)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        main = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(main)) + x)


class HighResolutionModule(nn.Module):
    """Parallel branches, then a fusion in which every branch receives all others."""

    def __init__(self, widths: Sequence[int], blocks: int, instance: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, instance) for _ in range(blocks))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(
                self._fuse(widths, source, target, instance) for source in range(len(widths))
            )
            for target in range(len(widths))
        )

    @staticmethod
    def _fuse(widths: Sequence[int], source: int, target: int, instance: bool) -> nn.Module:
        inputs, outputs = widths[source], widths[target]
        if source == target:
            return nn.Identity()
        if source > target:
            return _conv_norm(inputs, outputs, instance, kernel=1, relu=False)
        steps = target - source
        return nn.Sequential(
            *(_conv_norm(inputs, inputs, instance, stride=2, relu=True) for _ in range(steps - 1)),
            _conv_norm(inputs, outputs, instance, stride=2, relu=False),
        )

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        """One tensor a branch, finest first, to the same shapes."""
        xs = [branch(x) for branch, x in zip(self.branches, xs, strict=True)]
        fused = []
        for target, layers in enumerate(self.fuse_layers):
            total: Tensor | None = None
            for source, layer in enumerate(cast("nn.ModuleList", layers)):
                part = layer(xs[source])
                if source > target:  # upsampled after the norm, to the exact size
                    part = _resize(part, xs[target].shape[-2:])
                total = part if total is None else total + part
            assert total is not None
            fused.append(torch.relu(total))
        return fused


class HRNetV2(Segmenter):
    """HRNetV2-W48; 65,846,401 parameters at the published widths.

    Parameters
    ----------
    n_class : int
        Channels of the logits.
    use_instance_norm : bool
        Instance norm (published) or batch norm.
    in_channels : int
        Channels of the image.
    widths : sequence of int
        Widths of the branches at 1/4, 1/8, 1/16 and 1/32.
    stem_width : int
        Width of the two strided convolutions and of the bottlenecks' inside.
    modules : sequence of int
        Modules in the stages with two, three and four branches.
    blocks : int
        Residual blocks in each branch of a module, and bottlenecks in the first stage.

    Notes
    -----
    Logits have sides ``4 * ceil(ceil(n / 2) / 2)``, so up to three pixels more than the image:
    the published network scales by four instead of resizing to the image. Smallest image: the
    coarsest branch must have more than one pixel, e.g. 32 x 33.
    """

    outputs_argument = "n_class"
    dropout_argument = None

    def __init__(
        self,
        n_class: int = 1,
        use_instance_norm: bool = True,
        in_channels: int = 3,
        widths: Sequence[int] = (48, 96, 192, 384),
        stem_width: int = 64,
        modules: Sequence[int] = (1, 4, 3),
        blocks: int = 4,
    ) -> None:
        super().__init__()
        instance = use_instance_norm
        self.conv1 = nn.Conv2d(in_channels, stem_width, 3, stride=2, padding=1, bias=False)
        self.bn1 = norm(stem_width, instance)
        self.conv2 = nn.Conv2d(stem_width, stem_width, 3, stride=2, padding=1, bias=False)
        self.bn2 = norm(stem_width, instance)
        wide = stem_width * Bottleneck.expansion
        self.layer1 = nn.Sequential(
            *(Bottleneck(wide if i else stem_width, stem_width, instance) for i in range(blocks))
        )
        self.transition1 = nn.ModuleList(
            [
                _conv_norm(wide, widths[0], instance, relu=True),
                nn.Sequential(_conv_norm(wide, widths[1], instance, stride=2, relu=True)),
            ]
        )
        self.stage2 = self._stage(widths[:2], modules[0], blocks, instance)
        self.transition2 = self._new_branch(widths[1], widths[2], 2, instance)
        self.stage3 = self._stage(widths[:3], modules[1], blocks, instance)
        self.transition3 = self._new_branch(widths[2], widths[3], 3, instance)
        self.stage4 = self._stage(widths[:4], modules[2], blocks, instance)
        total = sum(widths)
        self.last_layer = nn.Sequential(
            nn.Conv2d(total, total, 1),
            norm(total, instance),
            nn.ReLU(inplace=True),
            nn.Conv2d(total, n_class, 1),
        )

    @staticmethod
    def _stage(widths: Sequence[int], modules: int, blocks: int, instance: bool) -> nn.Sequential:
        return nn.Sequential(
            *(HighResolutionModule(widths, blocks, instance) for _ in range(modules))
        )

    @staticmethod
    def _new_branch(inputs: int, outputs: int, index: int, instance: bool) -> nn.ModuleList:
        """One more branch; those that exist pass unchanged and only use up their indices."""
        new = nn.Sequential(_conv_norm(inputs, outputs, instance, stride=2, relu=True))
        return nn.ModuleList([*(nn.Identity() for _ in range(index)), new])

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the HRNet whose weights have these shapes; None where it is no HRNet."""
        if "stage4.0.branches.0.0.conv1.weight" not in shapes:
            return None
        stages = [f"stage{i}.{{}}.branches.0.0.conv1.weight" for i in (2, 3, 4)]
        branches = count_keys(shapes, "stage4.0.branches.{}.0.conv1.weight")
        return {
            "n_class": shapes["last_layer.3.weight"][0],
            "use_instance_norm": has_instance_norm(shapes),
            "in_channels": shapes["conv1.weight"][1],
            "widths": [shapes[f"stage4.0.branches.{i}.0.conv1.weight"][0] for i in branches],
            "stem_width": shapes["conv1.weight"][0],
            "modules": [len(count_keys(shapes, stage)) for stage in stages],
            "blocks": len(count_keys(shapes, "layer1.{}.conv1.weight")),
        }

    def encoder(self) -> list[nn.Module]:
        """Everything but the head."""
        return [part for name, part in self.named_children() if name != "last_layer"]

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, n_class, about H, about W) of an image (B, in_channels, H, W)."""
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        x = self.layer1(x)
        branches: list[Tensor] = self.stage2([transition(x) for transition in self.transition1])
        branches = self.stage3([*branches, self.transition2[-1](branches[-1])])
        branches = self.stage4([*branches, self.transition3[-1](branches[-1])])
        mixed = self._mixed_small if torch.onnx.is_in_onnx_export() else self._mixed
        logits: Tensor = self.last_layer[1:](mixed(branches))
        return F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=True)

    def _mixed(self, branches: list[Tensor]) -> Tensor:
        """All branches at the size of the finest, mixed by the first convolution of the head."""
        size = branches[0].shape[-2:]
        merged = torch.cat([branches[0], *(_resize(b, size) for b in branches[1:])], dim=1)
        mixed: Tensor = self.last_layer[0](merged)
        return mixed

    def _mixed_small(self, branches: list[Tensor]) -> Tensor:
        """The same with each branch mixed at its own size, which only rounds otherwise.

        OpenVINO's whole network takes 6 % less time so; PyTorch, slow at enlarging, 5 % more.
        """
        first, *others = branches
        mix = self.last_layer[0]
        assert isinstance(mix, nn.Conv2d)
        own, *parts = torch.split(mix.weight, [b.shape[1] for b in branches], dim=1)
        mixed = F.conv2d(first, own, mix.bias)
        for branch, part in zip(others, parts, strict=True):
            mixed = mixed + _resize(F.conv2d(branch, part), first.shape[-2:])
        return mixed
