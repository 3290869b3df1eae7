"""Processes that share a device book its memory before they use it: first come, first served.

Who holds and who waits stands in one JSON file a device, in the order of their turns. Whoever
looks into it holds its lock, and drops what dead processes left there.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Annotated, TypeAlias

import psutil
from filelock import FileLock, Timeout
from pydantic import Field, TypeAdapter, ValidationError

from ..errors import BadSetting, Busy, Cancelled, OutOfMemory, UnreadableFile
from ..readwrite.atomic import write_text
from .devices import choose
from .memory import cuda_number, total_memory

logger = logging.getLogger(__name__)

SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two looks at the file; they grow while one waits."""
PATIENCE_TO_LEAVE = 10.0
"""Seconds for which leaving waits for the lock, which others hold for milliseconds."""
SLACK = 1e-6
"""GB by which a sum of decimal fractions may miss the total."""
SAME_START = 1.5
"""Seconds between two readings of one start: the boot time is known to a second."""

Owner: TypeAlias = tuple[int, str]
_local = threading.local()


@dataclass(frozen=True)
class Booking:
    """Memory that a thread holds or waits for.

    Attributes
    ----------
    gigabytes : float
    pid : int
    started : float
        When the process started, which tells it from a later one of the same `pid`: seconds
        since the machine's start on Linux, since 1970 elsewhere.
    thread, ticket : str
        Unique names of the thread and of this booking.
    since : float
        Seconds since 1970 from which on it holds or waits.
    is_held : bool
        False while it waits.
    """

    gigabytes: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    pid: Annotated[int, Field(gt=0)]
    started: float
    thread: str
    ticket: str
    since: float
    is_held: bool = False

    @classmethod
    def of_this_thread(cls, gigabytes: float) -> Booking:
        """One that waits from now on."""
        # the system would give a thread's number to another once it has ended
        _local.name = getattr(_local, "name", None) or uuid.uuid4().hex
        pid = os.getpid()
        return cls(gigabytes, pid, _started(pid), _local.name, uuid.uuid4().hex, time.time())

    @property
    def owner(self) -> Owner:
        """The thread among all threads; a fork has the name of its parent's."""
        return self.pid, self.thread

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        try:
            if psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE:
                return False  # its memory is free, though nobody has asked how it ended
            return abs(_started(self.pid) - self.started) < SAME_START
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True

    def __str__(self) -> str:
        who = "this process" if self.pid == os.getpid() else f"process {self.pid}"
        when = time.strftime("%H:%M:%S", time.localtime(self.since))
        does = "has held" if self.is_held else "has waited for"
        return f"{who} {does} {self.gigabytes:g} GB since {when}"


_Bookings = TypeAdapter(list[Booking])


@contextlib.contextmanager
def reserve(
    device: str,
    gigabytes: float,
    *,
    timeout: float = 600,
    total: float | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Iterator[None]:
    """Book a device's memory for the block, and wait for it in a fair queue.

    What is booked is a promise among the processes of one user on one machine, not an
    allocation: memory that is used unbooked is not seen. A booking lasts until its block or its
    process ends, however long that takes.

    Reservations of one thread within each other add up. The inner one goes before all that hold
    nothing yet, so that it never waits for somebody who waits for the outer one; where it could
    only wait forever, it is an error at once. Threads count as strangers to each other: do not
    wait, within a reservation, for a thread that reserves.

    Parameters
    ----------
    device : str
        As `devices.choose` takes it. "mps" shares the machine's memory with "cpu".
    gigabytes : float
        1e9 bytes each; 0 does nothing.
    timeout : float
        Seconds after which waiting ends; may be infinite.
    total : float, optional
        GB to share, the same in all processes; by default all that the device has.
    cancel : callable, optional
        Asked at least every second while waiting; true ends it.

    Raises
    ------
    BadSetting
        A number is of the wrong type or out of bounds.
    NoDevice
        The device is not there.
    OutOfMemory
        The device has less in total, or less beside what the same thread holds.
    Busy
        Others held it until `timeout`, or would wait for this thread as it for them.
    Cancelled
        `cancel` said so.
    UnreadableFile
        The file of bookings cannot be read or written.
    """
    _check(device, gigabytes, timeout, total)
    if gigabytes == 0:
        yield
        return
    device = choose(device)
    total = total_memory(device) if total is None else float(total)
    path = _path(device)
    booking = Booking.of_this_thread(float(gigabytes))
    try:
        _wait(path, booking, total, timeout, cancel)
        yield
    finally:
        _leave(path, booking)


def bookings(device: str) -> list[Booking]:
    """Who holds and who waits, in the order of their turns.

    Raises
    ------
    NoDevice, UnreadableFile, Busy
        See `reserve`.
    """
    try:
        with _opened(_path(choose(device)), PATIENCE_TO_LEAVE) as entries:
            return list(entries)
    except Timeout:
        raise Busy(f"The bookings of {device} stay locked by another process") from None


def reservations_folder() -> Path:
    """Folder of the bookings; ``SPHEROSEG_RESERVATIONS`` in the environment moves it."""
    moved = os.environ.get("SPHEROSEG_RESERVATIONS")
    if moved:
        return Path(moved)
    # not the runtime folder, which goes when the user logs out and leaves a run behind
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"napari-spheroseg-{user}"


def _check(device: object, gigabytes: object, timeout: object, total: object) -> None:
    if not isinstance(device, str):
        raise BadSetting(f"A device is a name, not {device!r}", hint="Such as 'cuda:0' or 'cpu'.")
    if not 0 <= _number(gigabytes) < math.inf:
        raise BadSetting(f"{gigabytes!r} GB cannot be reserved", hint="Give 0 or more.")
    if not _number(timeout) > 0:
        raise BadSetting(f"A timeout of {timeout!r} s is none", hint="Give more than 0.")
    if total is not None and not 0 < _number(total) < math.inf:
        raise BadSetting(f"A total of {total!r} GB cannot be shared", hint="Give more than 0.")


def _number(value: object) -> float:
    """Its value; NaN, which is within no bounds, where it is no number."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return float(value) if is_number else math.nan  # type: ignore[arg-type]


def _path(device: str) -> Path:
    name = "cpu"
    if device.startswith("cuda"):
        import torch

        # CUDA_VISIBLE_DEVICES gives one card different numbers in different processes
        number = cuda_number(device)
        properties = torch.cuda.get_device_properties(number)
        name = f"cuda-{getattr(properties, 'uuid', number)}"
    return reservations_folder() / f"{name}.json"


def _wait(
    path: Path,
    booking: Booking,
    total: float,
    timeout: float,
    cancel: Callable[[], bool] | None,
) -> None:
    deadline = time.monotonic() + timeout
    pause = SHORTEST_PAUSE
    before: list[Booking] = []
    while True:
        if cancel is not None and cancel():
            raise Cancelled()
        left = max(deadline - time.monotonic(), 0)
        with contextlib.suppress(Timeout), _opened(path, min(left, LONGEST_PAUSE)) as entries:
            if _admit(entries, booking, total):
                return
            before = _before(entries, booking)
        if left == 0:
            raise _too_late(path, booking, before, timeout)
        if pause == SHORTEST_PAUSE:
            logger.info("Waiting for %g GB of %s", booking.gigabytes, path.stem)
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _leave(path: Path, booking: Booking) -> None:
    if os.getpid() != booking.pid:  # a fork that leaves the block of its parent
        return
    try:
        with _opened(path, PATIENCE_TO_LEAVE) as entries:
            entries[:] = [entry for entry in entries if entry.ticket != booking.ticket]
    except (Timeout, UnreadableFile) as error:
        logger.warning("%g GB stay booked until this process ends: %s", booking.gigabytes, error)


def _admit(entries: list[Booking], booking: Booking, total: float) -> bool:
    """Let it have its memory if that is free and it is its turn; else let it stand in the queue."""
    mine = sum(e.gigabytes for e in entries if e.is_held and e.owner == booking.owner)
    if mine + booking.gigabytes > total + SLACK:
        beside = f", of which this thread holds {mine:g} GB" if mine else ""
        raise OutOfMemory(
            f"{booking.gigabytes:g} GB cannot be had: there are {total:.4g} GB{beside}",
            hint="Ask for less, or use another device.",
        )
    tickets = [entry.ticket for entry in entries]
    if booking.ticket not in tickets:  # it came just now, or the file was damaged meanwhile
        entries.insert(0 if mine else len(entries), booking)
        tickets = [entry.ticket for entry in entries]
    if booking.owner in _stuck(entries, total):
        raise Busy(
            f"{booking.gigabytes:g} GB more will not be free: others wait for the {mine:g} GB "
            "that this thread holds, and hold what it needs",
            hint="Reserve all that is needed at once.",
        )
    place = tickets.index(booking.ticket)
    is_turn = bool(mine) or all(entry.is_held for entry in entries[:place])
    free = total - sum(entry.gigabytes for entry in entries if entry.is_held)
    if not is_turn or booking.gigabytes > free + SLACK:
        return False
    entries[place] = replace(booking, is_held=True, since=time.time())
    return True


def _stuck(entries: list[Booking], total: float) -> set[Owner]:
    """Threads that hold memory and wait for each other, so that none would ever let go."""
    held: dict[Owner, float] = {}
    for entry in entries:
        if entry.is_held:
            held[entry.owner] = held.get(entry.owner, 0) + entry.gigabytes
    wanted = {entry.owner: entry.gigabytes for entry in entries if not entry.is_held}
    free = total - sum(held.values())
    while ending := [owner for owner in held if wanted.get(owner, 0) <= free + SLACK]:
        free += sum(held.pop(owner) for owner in ending)
    return set(held)


def _before(entries: list[Booking], booking: Booking) -> list[Booking]:
    """Those that it waits for: all that hold, and whose turn is earlier."""
    place = next(i for i, entry in enumerate(entries) if entry.ticket == booking.ticket)
    return [e for i, e in enumerate(entries) if e.is_held or i < place]


def _too_late(path: Path, booking: Booking, before: list[Booking], timeout: float) -> Busy:
    who = ", ".join(str(entry) for entry in before) or "another process keeps the bookings locked"
    return Busy(
        f"{booking.gigabytes:g} GB of {path.stem} were not free within {timeout:g} s: {who}",
        hint="Let them finish or end them, ask for less, or wait longer.",
    )


@contextlib.contextmanager
def _opened(path: Path, timeout: float) -> Iterator[list[Booking]]:
    """The bookings of living processes, alone; what is changed in the list is written.

    Raises
    ------
    filelock.Timeout
        Another process holds the lock.
    """
    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=timeout, poll_interval=0.01)
    except Timeout:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        written = _read(path)
        entries = [entry for entry in written if entry.is_alive]
        yield entries
        if entries != written:
            write_text(path, _Bookings.dump_json(entries, indent=2).decode() + "\n")
    finally:
        lock.release()


def _read(path: Path) -> list[Booking]:
    try:
        return _Bookings.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValidationError:
        aside = path.with_suffix(".damaged")
    logger.warning("%s is damaged: it counts as empty, and is kept as %s", path, aside.name)
    with contextlib.suppress(OSError):  # what cannot be kept will be written over
        path.replace(aside)
    return []


def _unreadable(path: Path, error: OSError) -> UnreadableFile:
    return UnreadableFile(
        f"The bookings {path} cannot be read: {error.strerror or error}",
        hint="Check the folder's permissions, or set SPHEROSEG_RESERVATIONS to another.",
    )


def _started(pid: int) -> float:
    # Linux tells both times by the clock as it is now, and whoever sets it moves both. psutil
    # before 7 keeps the boot time that it was last asked for: so it is asked first.
    boot = psutil.boot_time() if psutil.LINUX else 0.0
    return float(psutil.Process(pid).create_time() - boot)
