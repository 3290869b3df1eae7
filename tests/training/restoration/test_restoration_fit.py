from __future__ import annotations

import json

import pytest
import torch

from napari_spheroseg.training.loop import Stopped
from napari_spheroseg.training.restoration.fit import fit, new_network


def test_a_new_network_returns_its_input(settings):
    image = torch.rand(1, 1, 32, 32)
    assert torch.equal(new_network(settings)(image), image)


MONAI = {"network": "monai_unet", "arguments": {"channels": [2, 4], "strides": [2]}}


def test_a_network_that_does_not_add_to_its_input_starts_as_it_is(settings):
    weights = new_network(settings.replace(**MONAI)).state_dict()
    assert all(each.abs().max() > 0 for key, each in weights.items() if key.endswith("conv.weight"))


@pytest.mark.parametrize("change", [{}, MONAI], ids=["nafnet", "monai_unet"])
def test_one_step_trains_either_network(change, data, settings, tmp_path):
    settings = settings.replace(steps_per_epoch=1, average=0.0, **change)
    torch.manual_seed(settings.seed)
    before = new_network(settings).state_dict()
    after = fit(settings, data, tmp_path / "run")
    assert any(not torch.equal(before[key], value) for key, value in after.items())


def test_training_changes_the_weights_and_notes_the_scores(data, settings, tmp_path):
    state = fit(settings, data, tmp_path / "run")
    assert state["ending.weight"].abs().max() > 0
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert {"loss", "val_loss", "val_psnr_gain", "val_ssim_gain"} < set(json.loads(lines[-1]))


def test_a_run_that_was_stopped_ends_with_the_same_weights(data, settings, tmp_path):
    settings = settings.replace(steps_per_epoch=3)
    undisturbed = fit(settings, data, tmp_path / "one")
    asked = iter([False, True])
    with pytest.raises(Stopped):
        fit(settings, data, tmp_path / "two", stop=lambda: next(asked))
    resumed = fit(settings, data, tmp_path / "two")
    for key, value in undisturbed.items():
        assert torch.equal(value, resumed[key]), key
