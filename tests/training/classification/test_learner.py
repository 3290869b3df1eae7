import numpy as np
import pytest
import torch

from napari_spheroseg import networks
from napari_spheroseg.errors import SpherosegError
from napari_spheroseg.training.classification.bank import Bank
from napari_spheroseg.training.classification.learner import Learner, probabilities, vary
from napari_spheroseg.training.classification.settings import Learning

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


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.values(), second.values(), strict=True))


def test_a_step_changes_the_weights_and_their_mean(bank):
    network = small()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    learner = Learner(network, bank, LEARNING)
    learner.step()
    assert not same(before, network.state_dict())
    assert not same(before, learner.average.state_dict())


def test_a_rare_class_is_learnt_too(bank):
    learner = Learner(small(), bank, LEARNING)
    while learner.done < LEARNING.steps:
        learner.step()
    said = probabilities(learner.average, bank.crops).argmax(axis=1)
    assert np.array_equal(said, bank.kinds)


def test_a_training_that_was_interrupted_ends_where_it_would_have_ended(bank):
    whole, first = (Learner(small(), bank, LEARNING) for _ in range(2))
    for _ in range(6):
        whole.step()
    for _ in range(3):
        first.step()
    second = Learner(small(), bank, LEARNING)
    second.load_state_dict(first.state_dict())
    for _ in range(3):
        second.step()
    assert same(whole.average.state_dict(), second.average.state_dict())


def test_a_loss_that_is_no_number_is_told(bank):
    broken = Bank(bank.crops * np.float16("nan"), bank.kinds, bank.sources)
    with pytest.raises(SpherosegError, match="step 0"):
        Learner(small(), broken, LEARNING).step()


def test_outside_of_an_object_stays_0_when_crops_are_varied(bank):
    crops = torch.from_numpy(bank.crops[:4].astype(np.float32))
    varied = vary(crops, np.random.default_rng(0))
    assert torch.equal(varied == 0, crops == 0)
    assert 0 <= varied.min() <= varied.max() <= 1


def test_probabilities_of_an_object_add_up_to_1(bank):
    assert probabilities(small(), bank.crops).sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_mask_is_turned_with_its_crop_and_not_varied_otherwise(bank):
    grey = torch.from_numpy(bank.crops[:4].astype(np.float32))
    masked = torch.cat([grey, (grey > 0).float()], dim=1)
    varied = vary(masked, np.random.default_rng(0), has_mask=True)
    assert torch.equal(varied[:, 1:], (varied[:, :1] > 0).float())
    assert not torch.equal(varied[:, :1], grey)
