"""What every training here has in common: order, checkpoints, the best weights."""

import itertools
import json
import math
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from napari_spheroseg.errors import BadSetting, SpherosegError
from napari_spheroseg.training.learning import Learner
from napari_spheroseg.training.loop import InOrder, Keeper, Log, Stopped, best_weights, fit
from napari_spheroseg.training.settings import CPU, Learning

SHORT = Learning(epochs=2, steps_per_epoch=3, batch_size=4, learning_rate=0.05, warm_up=0)


class Doubled(torch.utils.data.Dataset):
    """Numbers, and twice as much."""

    def __getitem__(self, number):
        seen = np.random.default_rng([0, number]).random(3).astype(np.float32)
        return seen, 2 * seen


def learner(settings=SHORT):
    torch.manual_seed(0)
    return Learner(nn.Linear(3, 3), settings, nn.functional.mse_loss)


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


# ---------------------------------------------------------------- order


def at(step, rank=0, world=1):
    """A trainer that has done so many steps."""
    return SimpleNamespace(global_step=step, global_rank=rank, world_size=world)


def numbers(step, *, steps=5, batch=3, **process):
    return list(InOrder(steps, batch, at(step, **process)))


def test_epochs_follow_each_other_without_gap_or_repetition():
    seen = [n for epoch in range(4) for n in numbers(5 * epoch)]
    assert seen == list(range(4 * 5 * 3))


@pytest.mark.parametrize("stopped", [1, 3, 4, 7])
def test_after_an_interruption_come_the_numbers_that_would_have_come(stopped):
    whole = [n for epoch in range(3) for n in numbers(5 * epoch)]
    end = (stopped // 5 + 1) * 5
    resumed = numbers(stopped) + [n for first in range(end, 15, 5) for n in numbers(first)]
    assert resumed == whole[stopped * 3 :]


def test_the_step_is_asked_for_when_an_epoch_begins():
    trainer = at(0)
    order = InOrder(5, 2, trainer)
    first = [*order]
    trainer.global_step = 5
    assert [*first, *order] == list(range(20))


def test_the_length_is_that_of_a_whole_epoch():
    assert len(InOrder(5, 3, at(0))) == len(numbers(0)) == 15


@pytest.mark.parametrize("world", [2, 3])
def test_processes_get_numbers_of_their_own_and_together_all(world):
    shares = [numbers(0, rank=rank, world=world) for rank in range(world)]
    assert sorted(itertools.chain(*shares)) == list(range(5 * 3 * world))
    assert {len(share) for share in shares} == {15}


# ---------------------------------------------------------------- checkpoints


def test_a_score_that_is_no_number_is_never_the_best(tmp_path):
    keeper = Keeper(tmp_path, "loss", lambda: False)
    for epoch, loss in enumerate([0.9, math.nan, 0.8, 0.85]):
        trainer = SimpleNamespace(
            callback_metrics={"val_loss": loss},
            is_global_zero=True,
            strategy=SimpleNamespace(reduce_boolean_decision=lambda wish, all: wish),
            save_checkpoint=lambda path, epoch=epoch: path.write_text(str(epoch)),
        )
        keeper.on_train_epoch_end(trainer, None)
    assert (tmp_path / "best.ckpt").read_text() == "2"
    assert (tmp_path / "last.ckpt").read_text() == "3"
    assert keeper.state_dict() == {"best": -0.8}


def test_without_validation_the_last_epoch_is_the_best(tmp_path):
    task = learner()
    fit(task, Doubled(), None, tmp_path, machine=CPU)
    assert same(best_weights(tmp_path), task.average.module.state_dict())


def test_a_training_that_was_stopped_and_built_anew_ends_with_the_same_weights(tmp_path):
    asked = itertools.cycle([False, True])
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    fit(learner(), Doubled(), None, tmp_path / "whole", machine=CPU)
    for _ in range(3):
        with pytest.raises(Stopped):
            fit(
                learner(),
                Doubled(),
                None,
                tmp_path / "stopped",
                machine=CPU,
                stop=lambda: next(asked),
            )
    fit(learner(), Doubled(), None, tmp_path / "stopped", machine=CPU)
    assert same(best_weights(tmp_path / "whole"), best_weights(tmp_path / "stopped"))


def test_the_log_holds_a_line_of_scores_an_epoch(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    fit(learner(), Doubled(), None, tmp_path, machine=CPU, callbacks=(log,))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6]
    assert lines[1]["loss"] < lines[0]["loss"]


def test_the_process_is_as_strict_about_determinism_as_before(tmp_path):
    before = torch.get_deterministic_debug_mode()
    fit(learner(SHORT.replace(epochs=1)), Doubled(), None, tmp_path, machine=CPU)
    assert torch.get_deterministic_debug_mode() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"precision": "8-bit"},
        {"precision": "transformer-engine"},
        {"strategy": "by hand"},
        {"strategy": "single_tpu"},
        {"strategy": "fsdp"},
        {"accelerator": "abacus"},
        {"accelerator": "tpu"},
        {"devices": 0},
        {"devices": "some"},
    ],
    ids=str,
)
def test_a_machine_that_there_is_not_is_told_in_a_sentence_with_a_hint(wrong, tmp_path):
    strict = torch.get_deterministic_debug_mode()
    with pytest.raises(BadSetting, match=r"cannot run as machine says: .* Leave accelerator"):
        fit(learner(), Doubled(), None, tmp_path, machine=CPU.replace(**wrong))
    assert torch.get_deterministic_debug_mode() == strict
    assert not list(tmp_path.iterdir())


def test_an_interruption_is_passed_on_and_the_next_one_is_heard(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(learner(), Doubled(), None, tmp_path, machine=CPU, stop=interrupt)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_loss_that_is_no_number_is_told(tmp_path):
    task = learner()
    nn.init.constant_(task.network.bias, math.nan)
    with pytest.raises(SpherosegError, match="loss became nan at step 0"):
        fit(task, Doubled(), None, tmp_path, machine=CPU)


# ---------------------------------------------------------------- the average


def averages(**changes):
    """Of a weight that is 0 before the first step and n after step n."""
    task = learner(SHORT.replace(average=0.9, **changes))
    nn.init.zeros_(task.network.bias)
    for step in range(1, 300):
        nn.init.constant_(task.network.bias, step)
        task.average.update_parameters(task.network)
        yield task.average.module.bias[0].item()


def test_an_average_that_grows_follows_the_few_steps_that_there_are():
    plain, growing = list(averages()), list(averages(average_grows=True))
    assert plain[0] == growing[0] == 1
    assert plain[4] < growing[4] < 5
    assert plain[4] == pytest.approx(1 + sum(1 - 0.9**n for n in range(1, 5)), abs=1e-4)
    assert plain[-1] == pytest.approx(growing[-1], abs=0.01)


@pytest.mark.parametrize("grows", [False, True])
def test_statistics_of_norms_are_averaged_only_where_the_average_grows(grows):
    network = nn.BatchNorm1d(3)
    task = Learner(network, SHORT.replace(average=0.9, average_grows=grows), nn.functional.mse_loss)
    task.average.update_parameters(network)
    network.running_mean.fill_(1)
    task.average.update_parameters(network)
    mean = float(task.average.module.running_mean[0])
    assert mean == (pytest.approx(1 - 2 / 12) if grows else 1)
