"""Outlines for the Shapes layer: fewer corners where napari would take minutes for all of them."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import numpy as np
from napari.utils.notifications import show_warning
from napari.utils.triangulation_backend import TriangulationBackend, get_backend

from ...extras import install_command
from ...polygon import Ring
from ...segmentation.polygons import simplify

_CORNERS = 4_000  # about a second without a compiled backend; with one, hundredths
_FEWEST = 8
_COMPILED = {
    TriangulationBackend.bermuda: "bermuda",
    TriangulationBackend.partsegcore: "PartSegCore_compiled_backend",
}


class DisplayedRings:
    """Rings as they are shown, and the way back to the exact ones.

    Where napari triangulates in Python, many corners are left out of what is shown; the user is
    told once. Measures and saved polygons keep all corners.
    """

    def __init__(self) -> None:
        self._exact: dict[bytes, Ring] = {}

    def show(self, rings: list[Ring]) -> list[Ring]:
        """What the layer is to show of these rings, in any number of axes."""
        self._exact = {}
        if sum(map(len, rings)) <= _CORNERS or not napari_is_slow():
            return rings
        _tell_once()
        cap = max(_FEWEST, _CORNERS // len(rings))
        shown = [_coarser(ring, cap) for ring in rings]
        self._exact = {_key(one): ring for one, ring in zip(shown, rings, strict=True)}
        return shown

    def exact(self, shown: list[Ring]) -> list[Ring]:
        """The rings behind those that are shown; one that somebody changed is as it is shown."""
        return [self._exact.get(_key(ring), ring) for ring in shown] if self._exact else shown


def napari_is_slow() -> bool:
    """Whether napari has no compiled backend for outlines, or was told not to use it."""
    wanted = get_backend()
    return not any(
        wanted in (backend, TriangulationBackend.fastest_available) and find_spec(module)
        for backend, module in _COMPILED.items()
    )


def _coarser(ring: Ring, corners: int) -> Ring:
    """At most so many corners, unless the ring loses its shape; leading axes stay."""
    plane, tolerance = ring[:, -2:], 1.0
    while len(plane) > corners and tolerance < np.ptp(ring[:, -2:], axis=0).min() / 4:
        plane, tolerance = simplify(ring[:, -2:], tolerance), tolerance * 1.5
    leading = np.broadcast_to(ring[:1, :-2], (len(plane), ring.shape[1] - 2))
    return np.concatenate([leading, plane], axis=1)


def _key(ring: Ring) -> bytes:
    return np.ascontiguousarray(ring, np.float32).tobytes()


@cache
def _tell_once() -> None:
    install = f"install it with: pip install bermuda, or {install_command('all')}"
    choose = "choose 'Fastest available' as triangulation backend in Preferences ▸ Experimental"
    show_warning(
        "napari draws many outlines slowly without the package 'bermuda', so they are shown with "
        "fewer corners; measures and saved results keep all. To see all of them, "
        f"{choose if find_spec('bermuda') else install}."
    )
