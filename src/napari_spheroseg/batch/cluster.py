"""A batch on many processes: the same stages, done by the workers of dask.distributed."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadSetting, NoDevice, SpherosegError, WrongWeights, reason
from ..extras import require
from ..inference import devices
from ..steps import run_to_end
from .items import Done, Item, Source
from .lane import Lane
from .pipeline import Event
from .stages import Todo, read
from .task import Task

if TYPE_CHECKING:
    from distributed import Client

_AHEAD = 2  # images a thread of a worker: one is done while another waits
_PATIENCE = 30.0  # seconds to find the scheduler
_TICK = 0.5  # seconds after which the caller can stop


@dataclass(frozen=True)
class Where:
    """How workers open the model.

    Attributes
    ----------
    device, backend, precision : str
        As in `segment`.
    """

    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"


@contextmanager
def connect(workers: int = 0, scheduler: str = "") -> Iterator[Client]:
    """Workers on this machine, or those of a scheduler.

    Parameters
    ----------
    workers : int
        Processes to start here; they share its processors, and its GPUs one by one.
    scheduler : str
        Address of a running one, like ``tcp://node01:8786``, or path of its scheduler file.

    Yields
    ------
    Client
        Of dask.distributed.

    Raises
    ------
    MissingPackage
        dask.distributed is not installed.
    NoDevice
        There is no scheduler.
    BadSetting
        Both are given, or neither.
    """
    if bool(workers) == bool(scheduler) or workers < 0:
        raise BadSetting("Give a number of workers, or the address of a scheduler")
    require("distributed", "cluster", "Work on several workers")
    from distributed import Client, LocalCluster

    if workers:
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,  # it would pause and kill workers by its own reckoning
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    how = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        client = Client(**how, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise NoDevice(
            f"There is no scheduler at {scheduler}: {error}", hint="Check the address."
        ) from error
    with client:
        yield client


def run_there(todo: Iterable[Todo], job: Task, where: Where, client: Client) -> Generator[Event]:
    """Do with images, on workers, what the job says.

    Parameters
    ----------
    todo : iterable of (Source, Item)
        Files that the workers can read, too.
    job : Task
        Its folder is one that the workers can write.
    where : Where
    client : Client
        From `connect`, or one's own.

    Yields
    ------
    Event
        When an image is given to a worker, and when it is done or has failed. Those of a worker
        that is lost go to others.

    Raises
    ------
    SpherosegError
        The connection to the scheduler is lost.
    """
    from distributed import wait

    job = replace(job, folder=Path(os.path.abspath(job.folder)))  # noqa: PTH100 - drives may be slow
    coming = iter(todo)
    running: dict[Any, Item] = {}
    try:
        while True:
            room = _AHEAD * max(sum(client.nthreads().values()), 1) - len(running)
            for source, item in islice(coming, max(room, 0)):
                arguments = (source, item, job, where, _neighbours(client))
                future = client.submit(_work, *arguments, pure=False)
                running[future] = item
                yield Event(item.running())
            if not running:
                break
            try:
                ended = wait(list(running), timeout=_TICK, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                yield Event(next(iter(running.values())).running())
                continue
            for future in ended:
                yield _told(running.pop(future), future)
    except OSError as error:
        raise SpherosegError(
            f"The connection to the scheduler is lost: {error}",
            hint="What is done is noted; run the same again.",
        ) from error
    finally:
        client.cancel(list(running))


def _told(item: Item, future: Any) -> Event:
    try:
        done, problem = future.result()
    except Exception as error:  # the workers that it was given to died
        return Event(item.failed(error))
    if problem:
        return Event(replace(item, state="failed", error=problem))
    return Event(item.finished(done), done=done)


def _neighbours(client: Client) -> int:
    """Most tasks that run on one machine at a time."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    tasks = Counter[str]()
    for worker in workers:
        tasks[worker["host"]] += worker["nthreads"]
    return max(tasks.values(), default=1)


def _work(source: Source, item: Item, job: Task, where: Where, neighbours: int) -> tuple[Done, str]:
    """All stages of an image, in a worker; what was done, or why it was not."""
    lane = Lane(job.settings.timeout)
    try:
        predictor = _predictor(job, where, neighbours)
        image = lane.result(lane.submit(read, source, job), f"Reading {item.title}")
        clock = time.perf_counter()
        result = run_to_end(job.predict(image.image, item, predictor))
        seconds = image.seconds + time.perf_counter() - clock
        writing = lane.submit(job.finish, result, item, image.mark, seconds)
        done = lane.result(writing, f"Writing the results of {item.title}")
        return replace(done, taken=image.taken), ""
    except Exception as error:
        return Done(), reason(error)
    finally:
        lane.close()


def _predictor(job: Task, where: Where, neighbours: int) -> Any:
    """The model that this worker holds; it is opened once."""
    from dask.system import CPU_COUNT

    devices.use_threads(max(1, CPU_COUNT // neighbours))
    recipe = job.recipe
    predictor = job.open(_device(where.device), where.backend, where.precision)
    if job.checksum(predictor) != recipe.made_with["sha256"]:
        raise WrongWeights(
            f"A worker has other weights of '{recipe.model}'",
            hint="Install the same model on all machines.",
        )
    return predictor


def _device(device: str) -> str:
    """Of several GPUs each worker has its own; dask-cuda sees to that itself."""
    from distributed import get_worker

    name = get_worker().name
    if device not in ("auto", "cuda") or not isinstance(name, int) or not devices.may_have_gpu():
        return device
    import torch

    if "CUDA_VISIBLE_DEVICES" in os.environ or torch.cuda.device_count() < 2:
        return device
    return f"cuda:{name % torch.cuda.device_count()}"
