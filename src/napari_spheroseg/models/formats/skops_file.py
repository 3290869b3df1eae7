"""scikit-learn's classifiers as skops files: no pickle, and only types that are listed here."""

from __future__ import annotations

from typing import Any
from zipfile import ZIP_DEFLATED

from ...errors import SpherosegError, UnreadableFile, UnsafeFile
from ...extras import require

TRUSTED = ("numpy.dtype", "sklearn.tree._tree.Tree")
"""What skops asks about and classifiers are made of; beside scikit-learn's own estimators, which
skops knows. None of it runs what a file says."""


def dump_skops(estimator: Any) -> bytes:
    """The content of a file.

    Raises
    ------
    MissingPackage
        skops is not installed.
    """
    content: bytes = _skops("A classifier as a file").dumps(estimator, compression=ZIP_DEFLATED)
    return content


def load_skops(content: bytes, name: str, *, allow_all: bool = False) -> Any:
    """What a file holds.

    Parameters
    ----------
    content : bytes
        Of the file.
    name : str
        For messages.
    allow_all : bool
        Types that are not in `TRUSTED` may be made, too.

    Raises
    ------
    UnsafeFile
        It holds other types.
    UnreadableFile
        It is damaged.
    MissingPackage
        skops is not installed.
    """
    sio = _skops(name)
    try:
        asked = sio.get_untrusted_types(data=content)
        strange = sorted(set(asked) - set(TRUSTED))
        if strange and not allow_all:
            raise UnsafeFile(
                f"{name} holds types that are not known to be safe: {', '.join(strange)[:200]}",
                hint="Open it only if you trust who made it.",
            )
        return sio.loads(content, trusted=asked)
    except SpherosegError:
        raise
    except Exception as error:  # whatever a damaged file makes zip, JSON and numpy stumble over
        raise UnreadableFile(
            f"{name} cannot be opened: {str(error)[:160]}", hint="Get the file again."
        ) from error


def _skops(name: str) -> Any:
    for package in ("sklearn", "skops"):  # what the files are made of, and what makes them
        require(package, "classify", name)
    import skops.io

    return skops.io
