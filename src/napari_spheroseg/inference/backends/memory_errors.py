"""Backends run out of memory in words of their own; here they become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import OutOfMemory

_SAYINGS = (
    "out of memory",
    "bad_alloc",
    "bad allocation",
    "can't allocate memory",
    "failed to allocate",
    "not enough memory",
)


@contextmanager
def told_as_ours(device: str, shape: tuple[int, ...] | None = None) -> Iterator[None]:
    """Turn any backend's out-of-memory error within the block into `OutOfMemory`.

    Parameters
    ----------
    device : str
        Where the network runs.
    shape : tuple of int, optional
        Of the batch (B, C, H, W); without it, the weights were on their way.

    Raises
    ------
    OutOfMemory
        Instead of what the backend raised; any other error passes.
    """
    try:
        yield
    except Exception as error:
        said = str(error).lower()
        if not isinstance(error, MemoryError) and not any(each in said for each in _SAYINGS):
            raise
        if shape is None:
            what, hint = "the weights", "Use a smaller model, or the CPU."
        else:
            what = f"{shape[0]} x {shape[-2]} x {shape[-1]} pixels"
            hint = "Use smaller tiles, or the CPU."
        raise OutOfMemory(f"{device} has too little memory for {what}", hint=hint) from error
