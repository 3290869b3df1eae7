"""The learning rate of the first steps, where a schedule waits for a plateau."""

import itertools

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import nn

from napari_spheroseg.training.learning import Learner
from napari_spheroseg.training.loop import Stopped, best_weights, fit
from napari_spheroseg.training.settings import CPU, Learning

SETTINGS = Learning(
    epochs=2, steps_per_epoch=3, batch_size=4, learning_rate=0.05, warm_up=4, schedule="plateau"
)


class Doubled(torch.utils.data.Dataset):
    """Numbers, and twice as much."""

    def __len__(self):
        return 4

    def __getitem__(self, number):
        seen = np.random.default_rng([0, number]).random(3).astype(np.float32)
        return seen, 2 * seen


class Validated(Learner):
    """Its validation always says the same: a plateau."""

    def validation_step(self, batch, number):
        self.log("val_loss", 1.0)


class Rates(pl.Callback):
    """The learning rate in each step, that which was said before, and the optimiser's after."""

    def __init__(self):
        self.used, self.said, self.kept = [], [], []

    def on_train_batch_start(self, trainer, task, *_):
        self.said.append(task.learning_rate)

    def on_before_optimizer_step(self, trainer, task, optimizer):
        self.used.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer, *_):
        self.kept.append(trainer.optimizers[0].param_groups[0]["lr"])


def learn(folder, settings=SETTINGS, stop=lambda: False):
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    task, rates = Validated(nn.Linear(3, 3), settings, nn.functional.mse_loss), Rates()
    fit(task, Doubled(), Doubled(), folder, machine=CPU, callbacks=(rates,), stop=stop)
    return rates


def test_the_rate_rises_over_the_first_steps(tmp_path):
    rates = learn(tmp_path)
    parts = [0.2, 0.4, 0.6, 0.8, 1, 1]
    assert rates.used == rates.said == [pytest.approx(0.05 * part) for part in parts]


def test_the_optimiser_keeps_the_rate_that_the_plateau_decides(tmp_path):
    assert learn(tmp_path).kept == [0.05] * 6
    patient = SETTINGS.replace(epochs=9, steps_per_epoch=1)
    assert learn(tmp_path / "long", patient).kept[-1] == pytest.approx(0.005)


def test_a_training_that_stops_while_it_warms_up_ends_with_the_same_weights(tmp_path):
    learn(tmp_path / "whole")
    asked = itertools.cycle([False, True])
    for _ in range(3):
        with pytest.raises(Stopped):
            learn(tmp_path / "stopped", stop=lambda: next(asked))
    learn(tmp_path / "stopped")
    whole, stopped = (best_weights(tmp_path / name) for name in ("whole", "stopped"))
    assert all(torch.equal(whole[key], stopped[key]) for key in whole)
