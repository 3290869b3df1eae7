import json

import numpy as np
import pytest
import torch

from napari_spheroseg import networks
from napari_spheroseg.errors import BadSetting, SpherosegError
from napari_spheroseg.training.classification.bank import Bank
from napari_spheroseg.training.classification.settings import Learning
from napari_spheroseg.training.classification.task import Crops, CropTask, probabilities, vary
from napari_spheroseg.training.loop import Log, Stopped, best_weights
from napari_spheroseg.training.loop import fit as learn
from napari_spheroseg.training.settings import CPU

LEARNING = Learning(steps=30, batch_size=16, warm_up=2, learning_rate=1e-2, average=0.5)


def small():
    torch.manual_seed(0)
    return networks.create(
        "flexresnet", num_classes=2, min_size=16, initial_filters=4, num_blocks=1, norm="batch"
    )


@pytest.fixture(scope="module")
def bank():
    """Bright and dark squares; the dark ones are much rarer."""
    kinds = np.array([0] * 30 + [1] * 3)
    crops = np.zeros((33, 1, 16, 16), np.float16)
    crops[:, :, 4:12, 4:12] = np.where(kinds, 0.2, 0.8)[:, None, None, None]
    return Bank(crops, kinds, ("squares",) * 33)


def fit(network, bank, learning, folder, **options):
    crops = Crops(bank, learning.seed)
    learn(CropTask(network, learning), crops, None, folder, machine=CPU, **options)
    return best_weights(folder)


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.values(), second.values(), strict=True))


def test_a_step_changes_the_weights_and_their_mean(bank, tmp_path):
    network = small()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    mean = fit(network, bank, LEARNING.replace(steps=1), tmp_path)
    assert not same(before, network.state_dict())
    assert not same(before, mean)


def test_a_rare_class_is_learnt_too(bank, tmp_path):
    network = small()
    network.load_state_dict(fit(network, bank, LEARNING, tmp_path))
    said = probabilities(network, bank.crops).argmax(axis=1)
    assert np.array_equal(said, bank.kinds)


def test_a_training_that_was_interrupted_ends_where_it_would_have_ended(bank, tmp_path):
    short = LEARNING.replace(steps=6)
    (tmp_path / "whole").mkdir()
    whole = fit(small(), bank, short, tmp_path / "whole")
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        fit(small(), bank, short, tmp_path, stop=lambda: next(asked))
    assert same(whole, fit(small(), bank, short, tmp_path))


def test_a_crop_follows_from_the_seed_and_its_number(bank):
    crops, others = Crops(bank, 3), Crops(bank, 4)
    assert np.array_equal(crops[7][0], Crops(bank, 3)[7][0])
    assert not np.array_equal(crops[7][0], crops[8][0])
    assert not all(np.array_equal(crops[n][0], others[n][0]) for n in range(4))


def test_a_rare_class_is_drawn_as_often(bank):
    kinds = [int(Crops(bank, 0)[number][1]) for number in range(400)]
    assert np.mean(kinds) == pytest.approx(0.5, abs=0.08)


def test_steps_are_divided_into_epochs_that_are_saved_often():
    for steps, epochs in {6000: 120, 30: 1, 96: 2, 53: 53}.items():
        learning = Learning(steps=steps)
        assert (learning.steps, learning.epochs) == (steps, epochs)


def test_no_steps_are_refused():
    with pytest.raises(BadSetting, match="epochs = 0"):
        Learning(steps=0)


def test_a_loss_that_is_no_number_is_told(bank, tmp_path):
    broken = Bank(bank.crops * np.float16("nan"), bank.kinds, bank.sources)
    with pytest.raises(SpherosegError, match="step 0"):
        fit(small(), broken, LEARNING, tmp_path)


def test_the_loss_falls(bank, tmp_path):
    learning = LEARNING.replace(epochs=3, steps_per_epoch=6)
    fit(small(), bank, learning, tmp_path, callbacks=(Log(tmp_path / "log.jsonl"),))
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").open()]
    assert losses[-1] < losses[0]


def test_outside_of_an_object_stays_0_when_crops_are_varied(bank):
    crop = bank.crops[0].astype(np.float32)
    varied = vary(crop, np.random.default_rng(0))
    assert np.array_equal(varied == 0, crop == 0)
    assert 0 <= varied.min() <= varied.max() <= 1


def test_probabilities_of_an_object_add_up_to_1(bank):
    assert probabilities(small(), bank.crops).sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_mask_is_turned_with_its_crop_and_not_varied_otherwise(bank):
    grey = bank.crops[0].astype(np.float32)
    grey[:, :, :6] = 0  # no longer the same when it is turned
    turned = set()
    for seed in range(20):
        varied = vary(np.concatenate([grey, grey > 0]), np.random.default_rng(seed), has_mask=True)
        assert np.array_equal(varied[1:], varied[:1] > 0)
        assert not np.array_equal(varied[:1], grey)
        turned.add(varied[1].tobytes())
    assert len(turned) == 4
