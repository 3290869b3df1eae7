"""A restored image: its planes, how they were made, and the layer that shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.frames import Frames, Index
from ..inference.placement import label_placement, layer_axes
from .settings import RestorationRecipe


@dataclass(frozen=True, eq=False)
class Restoration:
    """An image made sharper.

    Attributes
    ----------
    frames : Frames
        The image as it was.
    planes : mapping of tuple to ndarray
        Every frame that was restored, (Y, X) or (Y, X, 3), of the image's type; float32 where the
        recipe says not to rescale.
    settings : RestorationRecipe
        How it was made.
    warnings : tuple of str
        What the user should know.
    shares : mapping of tuple to float
        How much of the restoration each frame got: 1 all of it; 0 none, for it was in
        focus, or too noisy to tell.
    """

    frames: Frames
    planes: Mapping[Index, NDArray[Any]]
    settings: RestorationRecipe
    warnings: tuple[str, ...] = ()
    shares: Mapping[Index, float] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """What was done, in words."""
        count = math.prod(self.frames.leading_shape)
        shares = [self.shares.get(index, 1.0) for index in self.planes]
        spared, partly = shares.count(0), sum(0 < share < 1 for share in shares)
        if count == 1 and spared:
            return "In focus, or too noisy to tell: left as it is"
        if count == 1 and partly:
            return f"Nearly in focus: restored to {max(shares):.0%}"
        if count == 1:
            return "Restored"
        parts = [f"{len(shares) - spared - partly} of {count} slices restored"]
        parts += [f"{partly} nearly in focus restored in part"] if partly else []
        parts += [f"{spared} left as they are: in focus, or too noisy to tell"] if spared else []
        return ", ".join(parts)

    @property
    def recipe(self) -> dict[str, Any]:
        """How the result was made: ``restore_focus(image, **recipe)`` makes it again."""
        recipe: dict[str, Any] = self.settings.model_dump(mode="json")
        return recipe

    @property
    def axes(self) -> str:
        """Axes of `image`: those of the frames' image, without that of the channel."""
        return f"{self.frames.leading_axes}YX{'S' if self._samples else ''}"

    @cached_property
    def image(self) -> NDArray[Any]:
        """The restored image: leading axes, Y, X, and the samples of RGB where all were asked for.

        Of a region it holds the region, of a channel the channel alone. Frames that were not asked
        for are 0. Alpha is that of the image.
        """
        shape = self.frames.shape + ((self._samples,) if self._samples else ())
        dtype = next(iter(self.planes.values())).dtype if self.planes else np.float32
        whole = np.zeros(shape, dtype)
        for index, plane in self.planes.items():
            if not self._samples:
                whole[index] = plane
                continue
            colours = plane[..., None] if plane.ndim == 2 else plane
            whole[index][..., : colours.shape[-1]] = colours
            for sample in range(colours.shape[-1], self._samples):
                whole[index][..., sample] = replace(self.frames, channel=sample)[index]
        return whole

    @property
    def _samples(self) -> int:
        """Samples a pixel; 0 where there is one channel."""
        frames = self.frames
        if "S" not in frames.axes or (frames.channel is not None and "C" not in frames.axes):
            return 0
        return int(frames.data.shape[frames.axes.index("S")])

    def to_layers(self, name: str = "image", like: Any = None) -> list[tuple[Any, ...]]:
        """The restored image as a napari layer tuple ``(data, arguments, type)``.

        Parameters
        ----------
        name : str
            Of the image; the layer is called ``<name> restored``.
        like : napari layer, optional
            Image whose scale, translate, units and axis labels it takes, and its contrast and
            colours where both hold grey values; without it, those of the recipe's pixel size.

        Returns
        -------
        list of tuple
            For ``viewer.add_layer(napari.layers.Layer.create(*each))``.
        """
        axes = layer_axes(self.frames)
        data = self.image
        if "C" in axes:
            data = np.expand_dims(data, axes.index("C"))
        arguments = {
            **label_placement(self.frames, self.settings.pixel_size, like),
            "metadata": {"spheroseg": self.recipe},
            "name": f"{name} restored",
            "rgb": self._samples in (3, 4),
        }
        if self.settings.rescale and not self._samples:
            same = ("contrast_limits", "colormap", "gamma")
            arguments |= {what: getattr(like, what) for what in same if hasattr(like, what)}
        return [(data, arguments, "image")]
