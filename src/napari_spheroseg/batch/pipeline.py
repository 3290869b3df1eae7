"""A batch on this machine: one image is read and another written while a third is predicted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ..inference.predictor import Predictor
from ..steps import Steps
from .items import Done, Item
from .lane import Lane
from .stages import Read, Todo, read
from .task import Task

_AHEAD = 2  # images that are read or wait to be predicted
_BEHIND = 2  # results that are written or wait for it


@dataclass(frozen=True)
class Event:
    """News of an image.

    Attributes
    ----------
    item : Item
        With its state of now.
    tiles, of_tiles : int
        How far it is, while it runs.
    done : Done or None
        What is left of it.
    result : Segmentation, LargeSegmentation, Restoration or None
        What was made, where this process found it.
    """

    item: Item
    tiles: int = 0
    of_tiles: int = 0
    done: Done | None = None
    result: Any = None


def run_here(todo: Iterable[Todo], job: Task, predictor: Predictor) -> Generator[Event]:
    """Do with images, one after the other, what the job says.

    Parameters
    ----------
    todo : iterable of (Source, Item)
    job : Task
    predictor : Predictor
        The model, on its device.

    Yields
    ------
    Event
        After every tile, and when an image is done or has failed. When the caller stops, those
        that are just being written are not told of: they are to be done again.
    """
    reader, writer = Lane(job.settings.timeout), Lane(job.settings.timeout)
    coming = iter(todo)
    ahead: deque[tuple[Item, Future[Read]]] = deque()
    behind: deque[_Written] = deque()
    try:
        while True:
            for source, item in islice(coming, _AHEAD - len(ahead)):
                ahead.append((item, reader.submit(read, source, job)))
            if not ahead:
                break
            item, future = ahead.popleft()
            try:
                image = reader.result(future, f"Reading {item.title}")
                clock = time.perf_counter()
                steps = Steps(job.predict(image.image, item, predictor))
                for step in steps:
                    yield Event(item.running(), step.done, step.total)
                    while behind and behind[0].future.done():
                        yield _end(behind.popleft(), writer)
            except Exception as error:  # whatever one image does, the others have their turn
                yield Event(item.failed(error))
                continue
            seconds = image.seconds + time.perf_counter() - clock
            future_done = writer.submit(job.finish, steps.result, item, image.mark, seconds)
            behind.append(_Written(item, steps.result, future_done, image.taken))
            while len(behind) > _BEHIND:
                yield _end(behind.popleft(), writer)
        while behind:
            yield _end(behind.popleft(), writer)
    finally:
        reader.close()
        writer.close()


@dataclass(frozen=True, eq=False)
class _Written:
    item: Item
    result: Any
    future: Future[Done]
    taken: Mapping[str, Any]


def _end(written: _Written, writer: Lane) -> Event:
    item = written.item
    try:
        done = writer.result(written.future, f"Writing the results of {item.title}")
    except Exception as error:  # a full disk is one image's failure, too
        return Event(item.failed(error))
    done = replace(done, taken=written.taken)
    return Event(item.finished(done), done=done, result=written.result)
