"""The loop in which every network here learns: from samples to the best weights."""

from __future__ import annotations

import json
import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..errors import BadSetting, SpherosegError, brief
from .learning import Learner
from .settings import Machine


class Stopped(Exception):
    """Somebody asked to stop; everything is saved."""


class Keeper(pl.Callback):
    """Saves ``last.ckpt`` after every epoch and on a stop, and ``best.ckpt`` when it is better.

    Each is written beside and renamed, so that a full disk or a crash loses neither. Of several
    processes the first does so; they stop after the same step.

    Parameters
    ----------
    folder : Path
    monitor : {"dice", "loss"}, optional
        What is best; None: the last.
    stop : callable
        Asked after every step.
    """

    def __init__(self, folder: Path, monitor: str | None, stop: Callable[[], bool]) -> None:
        self.folder, self.monitor, self.stop = folder, monitor, stop
        self.best = -float("inf")

    def state_dict(self) -> dict[str, Any]:
        """Score of the best epoch so far."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Score of the best epoch so far."""
        self.best = state["best"]

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stop where that is asked for; after the last batch of an epoch, its validation is due."""
        if not trainer.is_last_batch and self._asked_to_stop(trainer):
            self._save(trainer, "last.ckpt")
            raise Stopped

    def on_train_epoch_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        """Save."""
        if self.monitor is None:
            score = float(trainer.global_step)
        else:
            score = float(trainer.callback_metrics[f"val_{self.monitor}"])
            score *= -1 if self.monitor == "loss" else 1
        if score > self.best:  # never where it is no number
            self.best = score
            self._save(trainer, "best.ckpt")
        self._save(trainer, "last.ckpt")
        if self._asked_to_stop(trainer):
            raise Stopped

    def _asked_to_stop(self, trainer: pl.Trainer) -> bool:
        return bool(trainer.strategy.reduce_boolean_decision(self.stop(), all=False))

    def _save(self, trainer: pl.Trainer, name: str) -> None:
        beside = self.folder / f".{name}.part"
        try:
            trainer.save_checkpoint(beside)  # all take part in it
            if trainer.is_global_zero:
                beside.replace(self.folder / name)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise SpherosegError(
                f"{self.folder / name} cannot be written: {error.strerror or error}",
                hint="Make room and resume; what was saved before is still there.",
            ) from error


class Log(pl.Callback):
    """Writes the scores of every epoch as a line of JSON.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @rank_zero_only
    def on_train_epoch_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        """Append a line."""
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": trainer.global_step, **scores}) + "\n")


class InOrder(Sampler[int]):
    """Numbers of the samples of an epoch, from the step that training is at.

    What a step sees follows from its number, so that a run that was interrupted goes on with the
    samples that it would have seen.

    Parameters
    ----------
    steps : int
        In an epoch.
    batch : int
        Samples in the batch of one process.
    trainer : Trainer
        Knows how many steps are done, which process this is, and of how many.
    """

    def __init__(self, steps: int, batch: int, trainer: pl.Trainer) -> None:
        self.steps, self.batch, self.trainer = steps, batch, trainer

    def __len__(self) -> int:
        return self.steps * self.batch

    def __iter__(self) -> Iterator[int]:
        first = self.trainer.global_step
        for step in range(first, first - first % self.steps + self.steps):
            start = (step * self.trainer.world_size + self.trainer.global_rank) * self.batch
            yield from range(start, start + self.batch)


def fit(
    task: Learner,
    samples: Dataset[Any],
    validation: Dataset[Any] | None,
    folder: Path,
    *,
    monitor: str = "loss",
    machine: Machine | None = None,
    callbacks: tuple[pl.Callback, ...] = (),
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Learn until the last epoch, or until a callback says that it is enough.

    Goes on where ``folder/last.ckpt`` stopped, if that is there; `best_weights` are what counts.

    Parameters
    ----------
    task : Learner
    samples : Dataset
        Of any number, each decided by its number alone; the first map is what the network sees.
    validation : Dataset, optional
        Without it the last epoch is the best.
    folder : Path
        Checkpoints are kept here.
    monitor : {"loss", "dice"}
        What is best in validation.
    machine : Machine, optional
    callbacks : tuple of Callback
        Lightning's, run before checkpoints are saved.
    stop : callable
        Asked after every step.

    Raises
    ------
    BadSetting
        Lightning cannot run as `machine` says.
    Stopped
        `stop` said so; ``last.ckpt`` holds everything.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)  # importing it set it to INFO
    warnings.filterwarnings("ignore", module="lightning")  # advice, such as to use more processes
    settings, machine = task.settings, machine or Machine()
    if machine.channels_last:
        task.to(memory_format=torch.channels_last)
    if machine.compile:
        task.network.compile()
    strict, on_interrupt = torch.get_deterministic_debug_mode(), signal.getsignal(signal.SIGINT)
    trainer = _trainer(
        machine,
        max_epochs=settings.epochs,
        gradient_clip_val=settings.clip,
        callbacks=[*callbacks, Keeper(folder, None if validation is None else monitor, stop)],
        deterministic="warn",
        use_distributed_sampler=False,  # InOrder divides the samples itself
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    order = InOrder(settings.steps_per_epoch, settings.batch_size, trainer)
    # processes stay, for they keep the images that they opened
    loading: dict[str, Any] = {"num_workers": machine.workers}
    loading["persistent_workers"] = machine.workers > 0
    last = folder / "last.ckpt"
    try:
        trainer.fit(
            task,
            DataLoader(samples, settings.batch_size, sampler=order, **loading),
            None if validation is None else DataLoader(validation, 1, **loading),
            ckpt_path=last if last.exists() else None,
            weights_only=True,
        )
    except Stopped:
        raise
    except SystemExit as end:  # so it ends on Ctrl+C, which it does not hear any more
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from end
    except Exception:
        if (launcher := trainer.strategy.launcher) is not None:
            # the other processes may wait for this one, and hear nothing meanwhile
            launcher.kill(getattr(signal, "SIGKILL", signal.SIGTERM))
        raise
    finally:
        torch.set_deterministic_debug_mode(strict)  # the trainer set it for the whole process


def _trainer(machine: Machine, **options: Any) -> pl.Trainer:
    """Lightning's trainer on a machine that there is."""
    strict = torch.get_deterministic_debug_mode()
    asked = machine.model_dump(exclude={"channels_last", "workers", "compile", "cache_gb"})
    try:
        trainer = pl.Trainer(**asked, **options)
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        torch.set_deterministic_debug_mode(strict)  # it may have been set before it failed
        raise BadSetting(
            f"Training cannot run as machine says: {brief(error)}",
            hint="Leave accelerator, devices, strategy or precision out; then they are chosen.",
        ) from error
    if isinstance(trainer.strategy, DDPStrategy):
        # published networks have layers that nothing uses, and a frozen encoder does not learn
        trainer.strategy._ddp_kwargs.setdefault("find_unused_parameters", True)
    return trainer


def best_weights(folder: Path) -> dict[str, Tensor]:
    """The averaged weights of ``best.ckpt``."""
    checkpoint = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=True)
    prefix = "average.module."
    return {
        key.removeprefix(prefix): value
        for key, value in checkpoint["state_dict"].items()
        if key.startswith(prefix)
    }
