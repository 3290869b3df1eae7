"""Settings of the open segment widget, for a batch."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox

from ..segment.more_settings import MoreSettings
from ..segment.widget import SegmentWidget
from .settings import BatchMore

_OF_THE_IMAGE = ("pixel_size", "axes", "channel")


def open_segment_widget(viewer: Any) -> SegmentWidget | None:
    """The segment widget that is docked in a viewer's window, if there is one."""
    docked = viewer.window.dock_widgets.values()
    return next((each for each in docked if isinstance(each, SegmentWidget)), None)


def copy_more(source: MoreSettings, target: BatchMore, *, same_image: bool) -> bool:
    """Copy all settings but model and threshold; of the image itself only if it is the same.

    Returns
    -------
    bool
        False where the diameter was left out: it is in another unit there.
    """
    own = {each.name for each in target}.difference(_OF_THE_IMAGE)
    names = [each.name for each in source if each.name in own]
    if same_image:
        names = [*_OF_THE_IMAGE, *names]
    unit = "µm" if source.pixel_size.value else "px"
    same_unit = not source.diameter.value or (same_image or unit == target.diameter_unit)
    for name in names:
        if name != "diameter" or same_unit:
            _copy(source[name], target[name])
    target.preset.value = source.preset.value
    return same_unit


def _copy(source: Any, target: Any) -> None:
    if not isinstance(target, ComboBox) or source.value in target.choices:
        target.value = source.value
