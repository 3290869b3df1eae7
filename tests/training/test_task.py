"""What a network learns with, and what is left as it was: the same for all that segment."""

import re

import pytest
import torch

from napari_spheroseg import networks
from napari_spheroseg.networks.segmenter import Segmenter
from napari_spheroseg.training.task import SegmentationTask
from napari_spheroseg.training.trainer import open_network

SMALL = {
    "hrnet": {"widths": [4, 6, 8, 10], "stem_width": 4, "modules": [1, 1, 1], "blocks": 1},
    "cbam_resunet": {"features": [4, 8]},
    "unet": {"features": [4, 8, 16]},
    "resunet_advanced": {"features": [4, 8], "blocks": [1, 2]},
    "resunet_small": {"features": [4, 6]},
    "monai_unet": {"channels": [2, 4, 6], "strides": [2, 2]},
}
LEARNING = re.compile(
    r"(ups|decoder_blocks|attentions|final_conv|last_layer|(upconv|att|decoder)\d)\."
    r"|model(\.1\.submodule)*\.2\."  # of MONAI: what comes after what is skipped
)


def task_of(tiny, name, **changes):
    settings = tiny.replace(network=name, arguments=SMALL[name], dropout=None, **changes)
    return SegmentationTask(open_network(settings)[0], settings)


def test_these_are_all_networks_that_segment():
    assert {n for n, kind in networks.NETWORKS.items() if issubclass(kind, Segmenter)} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_of_a_frozen_encoder_all_is_frozen_and_the_decoder_learns(name, tiny):
    network = task_of(tiny, name, freeze_encoder=True).network
    learning = {key: each.requires_grad for key, each in network.named_parameters()}
    assert set(learning.values()) == {True, False}
    assert learning == {key: LEARNING.match(key) is not None for key in learning}


@pytest.mark.parametrize("name", SMALL)
def test_without_that_all_learns(name, tiny):
    assert all(each.requires_grad for each in task_of(tiny, name).network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_what_is_frozen_stays_in_evaluation_while_the_rest_trains(name, tiny):
    task = task_of(tiny, name, freeze_encoder=True).train()
    frozen = {each for part in task.network.encoder() for each in part.modules()}
    assert not any(each.training for each in frozen)
    assert all(each.training for each in set(task.network.modules()) - frozen)


@pytest.mark.parametrize("name", SMALL)
def test_the_gradient_reaches_the_decoder_alone(name, tiny):
    task = task_of(tiny, name, freeze_encoder=True)
    torch.manual_seed(0)
    task.loss(task.network(torch.rand(2, 1, 64, 64)), *torch.rand(2, 2, 1, 64, 64)).backward()
    for key, each in task.network.named_parameters():
        assert (each.grad is not None) == each.requires_grad, key
