"""Trainings in which several processes learn together."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from napari_spheroseg import models
from napari_spheroseg.training.learning import Learner
from napari_spheroseg.training.loop import fit
from napari_spheroseg.training.process import train_here
from napari_spheroseg.training.runs import Run
from napari_spheroseg.training.settings import Learning, Machine
from napari_spheroseg.training.start import train

TWO = Machine(accelerator="cpu", devices=2, strategy="ddp")
FORKED = TWO.replace(strategy="ddp_fork")
needs_fork = pytest.mark.skipif(sys.platform != "linux", reason="processes cannot be forked")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Two processes have little room beside each other."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


class Doubled(torch.utils.data.Dataset):
    """Numbers, and twice as much."""

    def __init__(self, broken=()):
        self.broken = broken

    def __getitem__(self, number):
        seen = np.random.default_rng([0, number]).random(3).astype(np.float32)
        return seen, seen * (np.nan if number in self.broken else 2)


def learn(folder, samples, stop=lambda: False):
    torch.manual_seed(0)
    settings = Learning(epochs=2, steps_per_epoch=3, batch_size=4, warm_up=0)
    task = Learner(nn.Linear(3, 3), settings, nn.functional.mse_loss)
    fit(task, samples, None, folder, machine=FORKED, stop=stop)


def test_two_processes_leave_one_model_one_picture_and_one_line_of_metrics(tiny, tmp_path):
    arguments = {"features": [4, 8], "keep_unused": True}  # as published networks have them
    settings = tiny.replace(epochs=1, steps_per_epoch=2, arguments=arguments, machine=TWO)
    run = train(settings, tmp_path / "run")
    assert run.status.state == "finished"
    assert models.load(run.model).metadata.name == "tiny"
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    assert (len(lines), len(run.pictures), run.metrics[0]["step"]) == (1, 1, 2)
    assert (run.folder / "log.txt").read_text().count("to learn from, 2 to validate with") == 1
    assert not list(run.folder.glob(".*.part"))


@needs_fork
def test_a_stop_that_one_process_sees_first_stops_all_after_the_same_step(tmp_path):
    with pytest.raises(torch.multiprocessing.ProcessRaisedException, match=r"loop\.Stopped"):
        learn(tmp_path, Doubled(), stop=lambda: torch.distributed.get_rank() == 1)
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert last["global_step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


@needs_fork
def test_a_loss_that_is_no_number_in_one_process_ends_all_in_words(tmp_path):
    second = range(4, 8)  # numbers that the second process learns from first
    with pytest.raises(torch.multiprocessing.ProcessRaisedException, match="smaller learning rate"):
        learn(tmp_path, Doubled(broken=second))


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"])
def test_a_process_that_helps_neither_waits_for_the_run_nor_writes(
    name, tiny, tmp_path, monkeypatch
):
    monkeypatch.setenv(name, "1")
    learnt = []
    monkeypatch.setattr(
        "napari_spheroseg.training.trainer.fit", lambda *_, **options: learnt.append(options)
    )
    run = Run.create(tiny.replace(machine=TWO), tmp_path / "run")
    status = run.status
    with run.held():
        assert train_here(run) is None
    assert learnt[0]["callbacks"] == ()
    assert run.status == status
    assert not run.model.exists()


def test_a_run_of_one_process_is_held_whatever_the_environment_counts(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "3")
    run = Run.create(tiny.replace(epochs=1, steps_per_epoch=1), tmp_path / "run")
    assert train_here(run) is not None
    assert run.model.is_dir()
