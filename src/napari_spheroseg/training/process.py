"""A training run from beginning to end, in this process."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SpherosegError, reason
from ..extras import require
from .runs import Run
from .settings import Machine

if TYPE_CHECKING:
    from ..models import ModelMetadata
    from .pairs import Dataset

Tell = Callable[[str], Any]
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")  # Lightning's own, torchrun's, Slurm's


def train_here(run: Run, tell: Tell = lambda _: None) -> ModelMetadata | None:
    """Train in this process until the end, a stop, or an error; then write the model.

    Where several processes train together, each comes here; the first alone holds the run, tells
    and writes.

    Parameters
    ----------
    run : Run
        New, or one that stopped: it goes on exactly there.
    tell : callable
        Called with a sentence now and then.

    Returns
    -------
    ModelMetadata or None
        Of the model in ``run.model``; None where it was stopped, and in a process that helps.

    Raises
    ------
    SpherosegError
        It cannot go on; checkpoints are kept, and the status says why.
    """
    if _helps(run.settings.machine):
        with _signals(run.stop):
            _learn(run, lambda _: None, leads=False)
        return None
    with run.held(), _signals(run.stop):
        steps = run.settings.steps
        run.write_status(run.status.replace(state="running", message="Reading", steps=steps))
        try:
            metadata = _train(run, tell)
        except Exception as error:
            _failed(run, error)
            raise
        state = "stopped" if metadata is None else "finished"
        message = "Can be resumed" if metadata is None else f"The model is '{metadata.name}'"
        run.write_status(run.status.replace(state=state, message=message))
        return metadata


def _helps(machine: Machine) -> bool:
    """Whether this process was started to train beside the first of several."""
    if machine.devices in (1, "1") and machine.num_nodes == 1:
        return False  # the environment may speak of others, such as single runs side by side
    return any(os.environ.get(name, "0") != "0" for name in _RANKS)


def _train(run: Run, tell: Tell) -> ModelMetadata | None:
    require_trainer()
    from .trained import write_model

    learnt = _learn(run, tell, leads=True)
    if learnt is None:
        return None
    tell("Measuring and writing the model")
    return write_model(run, *learnt)


def _learn(run: Run, tell: Tell, *, leads: bool) -> tuple[ModelMetadata, Dataset] | None:
    """Train until the best checkpoint is there; None where it was stopped."""
    from .check import check_data
    from .loop import Stopped
    from .pairs import find_pairs
    from .trainer import fit
    from .watch import Watch

    settings = run.settings
    check = check_data(find_pairs(settings.data, settings.seed))
    for problem in check.problems:
        tell(problem)
    check.raise_if_unusable()
    dataset = check.usable
    tell(check.summary)
    watching = (Watch(run, dataset.part("val"), settings.steps),) if leads else ()
    try:
        metadata = fit(
            settings, dataset, run.folder, callbacks=watching, stop=lambda: run.wants_to_stop
        )
    except Stopped:
        return None
    return metadata, dataset


def require_trainer() -> None:
    """Check that what training needs is installed.

    Raises
    ------
    MissingPackage
        It is not; the hint names the extra.
    """
    for package in ("lightning", "monai"):
        require(package, "train", "Training")


def _failed(run: Run, error: Exception) -> None:
    message = reason(error)
    try:
        run.write_status(run.status.replace(state="failed", message=" ".join(message.split())))
    except SpherosegError:  # the disk is full: the error itself is raised all the same
        logging.getLogger(__name__).warning("The status could not be written")


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Turn an interruption into a graceful stop; the second one ends at once."""
    asked = 0

    def on_signal(number: int, _: Any) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise KeyboardInterrupt
        stop()

    wanted = [signal.SIGINT, signal.SIGTERM]
    try:
        before = {number: signal.signal(number, on_signal) for number in wanted}
    except ValueError:  # not the main thread: nobody sends it signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(folder: str) -> int:
    """Train a run's folder, with its log on stderr; 0 finished or stopped, 1 failed."""
    quiet()
    logging.basicConfig(format="%(asctime)s %(message)s")
    log = logging.getLogger("napari_spheroseg")
    log.setLevel(logging.INFO)
    try:
        train_here(Run.open(Path(folder)), tell=log.info)
    except SpherosegError as error:
        log.error(error)
        return 1
    except Exception:
        log.exception("Unexpected error")
        return 1
    return 0


def quiet() -> None:
    """Keep Lightning's advice out of the log."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic on CUDA
    warnings.filterwarnings("ignore", module=r"lightning|monai|torch")
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
