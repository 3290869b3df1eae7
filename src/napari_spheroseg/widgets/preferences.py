"""What new widgets begin with: of our Preferences page (npe2) and of the library of models."""

from __future__ import annotations

from dataclasses import dataclass

from ..models import default


@dataclass(frozen=True)
class Preferences:
    """Defaults of new widgets.

    Attributes
    ----------
    model : str
        The library's default for segmentation, which the Model manager and the command line set:
        there is no second one on the Preferences page.
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

    model = default()
    try:
        page = get_plugin_settings("napari-spheroseg").segmentation
    except KeyError:
        return Preferences(model)
    return Preferences(model, page.device, page.threads, page.units)
