"""What the user set on our Preferences page (npe2 ``configurations`` in napari.yaml)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preferences:
    """Defaults of new widgets.

    Attributes
    ----------
    model : str
    device : str
    threads : int
        For networks on the CPU; 0 leaves the choice to torch.
    units : str
        "micrometres" where the pixel size is known, or always "pixels".
    """

    model: str = "unet"
    device: str = "auto"
    threads: int = 0
    units: str = "micrometres"


def preferences() -> Preferences:
    """The current ones; defaults where napari does not know our page (not installed by npe2)."""
    from napari.settings import get_plugin_settings

    try:
        page = get_plugin_settings("napari-spheroseg").segmentation
    except KeyError:
        return Preferences()
    return Preferences(page.model, page.device, page.threads, page.units)
