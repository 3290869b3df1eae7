"""How time and memory grow with the size of an image, and with the number of frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..models import Model
from ..synthetic import spheroids
from .case import CaseFailed, in_own_process
from .results import Growth
from .settings import BenchmarkSettings

_SIDE = 512


def grow(model: Model, settings: BenchmarkSettings, threads: int, folder: Path) -> Iterator[Growth]:
    """Segment ever larger images, then ever more frames, each in a process of its own.

    Images are one field of 512 x 512 px, repeated: objects keep their size, and become more.

    Parameters
    ----------
    model : Model
    settings : BenchmarkSettings
    threads : int
    folder : Path
        For images and results; each is deleted before the next.
    """
    field = spheroids((_SIDE, _SIDE), seed=1).image
    warm = folder / "warm.tif"
    tifffile.imwrite(warm, field)
    backend = next((name for name in settings.backends if name not in ("auto", "all")), "auto")
    amounts = [("size", each) for each in settings.grow_sizes]
    amounts += [("frames", each) for each in settings.grow_frames]
    for kind, amount in amounts:
        path = folder / f"{kind}.tif"
        _write(path, field, kind, amount)
        try:
            found = in_own_process(
                "segment",
                model=model.reference,
                device=settings.device,
                backend=backend,
                threads=threads,
                warm=str(warm),
                path=str(path),
                out=str(folder / "grown"),
            )
        except CaseFailed as error:
            yield Growth(model.metadata.name, kind, amount, error=str(error))
        else:
            known = ("seconds", "memory_gb", "device_gb", "objects")
            yield Growth(model.metadata.name, kind, amount, **{name: found[name] for name in known})
        finally:
            path.unlink(missing_ok=True)


def _write(path: Path, field: NDArray[np.uint16], kind: str, amount: int) -> None:
    if kind == "frames":
        stack = np.broadcast_to(field, (amount, *field.shape))
        tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "TYX"})
        return
    times = -(-amount // _SIDE)
    tifffile.imwrite(path, np.tile(field, (times, times))[:amount, :amount])
