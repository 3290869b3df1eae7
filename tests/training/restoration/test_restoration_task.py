import pytest
import torch

from napari_spheroseg.training.restoration.fit import new_network
from napari_spheroseg.training.restoration.task import RestorationTask


def loss(settings, errors):
    """Of two samples whose restored image is wrong by these everywhere."""
    task = RestorationTask(new_network(settings), settings)
    sharp = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    return float(task.loss(sharp + torch.tensor(errors)[:, None, None, None], sharp))


def test_halving_the_error_of_any_sample_gains_as_many_decibels(settings):
    settings = settings.replace(structure_weight=0)

    def decibels(errors):
        return loss(settings.replace(relative_weight=1), errors) - loss(settings, errors)

    gain = decibels([0.4, 0.04]) - decibels([0.2, 0.04])
    assert gain == pytest.approx(decibels([0.4, 0.04]) - decibels([0.4, 0.02]), abs=0.1)
    assert gain == pytest.approx(3.01, abs=0.01)  # 6.02 dB of one of two samples


def test_errors_that_nobody_sees_gain_nothing(settings):
    settings = settings.replace(relative_weight=1, structure_weight=0)
    assert loss(settings, [1e-5, 1e-5]) == pytest.approx(-50, abs=0.01)
