"""One hierarchy of errors; each says what happened, and its hint says what to do next."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any


class SpherosegError(Exception):
    """Base of all errors that this package raises on purpose.

    Parameters
    ----------
    message : str
        What happened, as one sentence.
    hint : str, optional
        What the user can do about it, as one sentence.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> Any:  # the usual one loses the hint on the way from another process
        return partial(type(self), hint=self.hint), (self.message,), self.__dict__

    def __str__(self) -> str:
        if not self.hint:
            return self.message
        stop = "" if self.message.endswith(("?", "!", ".")) else "."
        return f"{self.message}{stop} {self.hint}"


class UnknownName(SpherosegError, KeyError):
    """A name that no registry or library holds."""

    __str__ = SpherosegError.__str__


class BadSetting(SpherosegError, ValueError):
    """A setting that does not exist, or a value outside its bounds."""


class NameTaken(BadSetting):
    """A name for something new that something else has already."""


class BadImage(SpherosegError, ValueError):
    """An image that cannot be segmented: empty, complex, all NaN, of unclear axes."""


class UnreadableFile(SpherosegError, OSError):
    """A file that is missing, damaged, or of a format that we do not read."""


class WrongWeights(SpherosegError, ValueError):
    """Weights that do not fit the network, are damaged, or fail their checksum."""


class NoWeights(SpherosegError, LookupError):
    """A model that is known by name but has no weights installed yet."""


class UnsafeFile(SpherosegError, ValueError):
    """A file that would run code when opened."""


class NoDevice(SpherosegError, RuntimeError):
    """A device or backend that was asked for by name and is not there."""


class MissingPackage(NoDevice, ImportError):
    """A package that something needs is not installed; the hint is the command that installs it."""


class Cancelled(SpherosegError):
    """The caller asked to stop."""

    def __init__(self, message: str = "Cancelled", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)


class OutOfMemory(SpherosegError, MemoryError):
    """A device has too little memory for what was asked of it."""


class Busy(SpherosegError, TimeoutError):
    """Others have what was asked for, and did not give it back in time."""


def brief(error: Exception | str) -> str:
    """The beginning of what another package says, as one line."""
    return " ".join(str(error).split())[:200]


def reason(error: Exception) -> str:
    """What to tell; an error that is not ours is named, and goes to the log with its traceback."""
    if isinstance(error, SpherosegError):
        return str(error)
    logging.getLogger("napari_spheroseg").error("Unexpected error", exc_info=error)
    return f"{type(error).__name__}: {error}"
