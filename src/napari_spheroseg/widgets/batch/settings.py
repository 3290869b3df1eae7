"""The settings of the segment widget, for many images."""

from __future__ import annotations

from typing import Any

from napari.layers import Image

from ..preferences import Preferences
from ..segment.more_settings import MoreSettings
from .look import Found

_EACH = "each file's own"


class BatchMore(MoreSettings):
    """As `MoreSettings`; of files, what is not set is each file's own.

    Parameters
    ----------
    wanted : Preferences
        Device and units to begin with.
    """

    def __init__(self, wanted: Preferences) -> None:
        self._file: Found | None = None
        super().__init__(wanted)

    @property
    def in_micrometres(self) -> bool:
        """Whether layers' own pixel sizes count."""
        return self._in_micrometres

    @property
    def own_size(self) -> float | tuple[float, float] | None:
        """Pixel size (µm) that differs from that of the layer on screen; None for each's own."""
        size = self._pixel_size()
        return None if size == self._layer_size else size

    def show_image(self, layer: Image | None) -> None:
        """Fill in axes and pixel size of an image layer."""
        if layer is None:
            return
        self._file = None
        self.pixel_size.native.setSpecialValueText("unknown")
        super().show_image(layer)

    def show_files(self, found: Found) -> None:
        """Offer the channels of the first file; axes and pixel size are each file's own."""
        self._file = found
        self._layer_size, self._shape = None, found.shape
        self.pixel_size.native.setSpecialValueText(_EACH)
        self.pixel_size.value = 0
        self.axes.native.setPlaceholderText(_EACH)
        self.axes.value, self.axes.visible = "", True
        self._offer_channels()
        self._name_unit()

    def for_files(self) -> dict[str, Any]:
        """Arguments of `run_batch` for files."""
        size = self._pixel_size()
        return {**self.run_settings(), "pixel_size": size, **self.axes_and_channel()}

    def for_frames(self, stacks: int) -> dict[str, Any]:
        """Arguments of `run_batch` for frames of so many stacks, whose axes are chosen already."""
        size = self._pixel_size() if stacks == 1 else self.own_size
        return {**self.run_settings(), "pixel_size": size}

    def run_settings(self) -> dict[str, Any]:
        """Everything that a run wants beside image, model, threshold, and where it runs."""
        settings = super().run_settings()
        if "diameter" in settings and self._sizes_known:
            settings["diameter_um"] = settings.pop("diameter")
        return settings

    @property
    def diameter_unit(self) -> str:
        """Of the diameter as it is shown."""
        return "µm" if self.pixel_size.value or self._sizes_known else "px"

    @property
    def _sizes_known(self) -> bool:
        return self._file is not None and self._file.pixel_size is not None

    def _name_unit(self) -> None:
        self.diameter.native.setSuffix(f" {self.diameter_unit}")

    def _offer_channels(self) -> None:
        if self._file is None or self.axes.value:
            super()._offer_channels()
            return
        with self.axes.changed.blocked():
            self.axes.value = self._file.axes
            super()._offer_channels()
            self.axes.value = ""
