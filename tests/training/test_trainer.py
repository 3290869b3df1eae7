"""Training in this process: what a run keeps, and what it survives."""

import errno
import math
from pathlib import Path
from typing import get_args

import lightning.pytorch as pl
import pytest
import torch
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.errors import BadSetting, SpherosegError
from napari_spheroseg.models import ModelMetadata, Preparation, library
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.training.loop import Stopped
from napari_spheroseg.training.pairs import find_pairs
from napari_spheroseg.training.settings import EarlyStopping, Loss, TrainingSettings
from napari_spheroseg.training.task import SegmentationTask
from napari_spheroseg.training.trainer import fit, open_network

LOSSES = get_args(Loss.model_fields["name"].annotation)
SCHEDULES = get_args(TrainingSettings.model_fields["schedule"].annotation)


@pytest.fixture(scope="module")
def dataset(six_images):
    return find_pairs(six_images)


@pytest.fixture(scope="module")
def undisturbed(tiny, dataset, tmp_path_factory):
    """Folder of a run that nobody stopped."""
    folder = tmp_path_factory.mktemp("undisturbed")
    fit(tiny, dataset, folder)
    return folder


class Steps:
    """Says stop after some steps, and once only."""

    def __init__(self, until):
        self.left = until

    def __call__(self):
        self.left -= 1
        return self.left == 0


class Epochs(pl.Callback):
    """Counts what was trained, and what it scored."""

    def __init__(self):
        self.scores, self.rates = [], []

    def on_train_batch_end(self, trainer, *_):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_epoch_end(self, trainer, _):
        self.scores.append({k: float(v) for k, v in trainer.callback_metrics.items()})


def read(folder, name="last.ckpt"):
    return torch.load(folder / name, map_location="cpu", weights_only=True)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def one_step(settings, **changes):
    return settings.replace(epochs=1, steps_per_epoch=1, batch_size=1, **changes)


# ---------------------------------------------------------------- resuming


@pytest.mark.parametrize("steps", [6, 4, 12], ids=["mid-epoch", "end of epoch", "last step"])
def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    steps, tiny, dataset, undisturbed, tmp_path
):
    with pytest.raises(Stopped):
        fit(tiny, dataset, tmp_path, stop=Steps(steps))
    assert read(tmp_path)["global_step"] == steps
    fit(tiny, dataset, tmp_path)
    for name in ("last.ckpt", "best.ckpt"):
        resumed, whole = read(tmp_path, name), read(undisturbed, name)
        assert resumed["global_step"] == whole["global_step"]
        assert same(resumed["state_dict"], whole["state_dict"])


def test_a_run_may_be_stopped_again_and_again(tiny, dataset, undisturbed, tmp_path):
    for _ in range(5):
        with pytest.raises(Stopped):
            fit(tiny, dataset, tmp_path, stop=Steps(2))
    fit(tiny, dataset, tmp_path)
    assert same(read(tmp_path)["state_dict"], read(undisturbed)["state_dict"])


@pytest.mark.parametrize("schedule", ["plateau", "constant"])
@pytest.mark.parametrize("steps", [1, 2], ids=["mid-epoch", "end of epoch"])
def test_a_resumed_schedule_has_seen_every_epoch_once(schedule, steps, tiny, dataset, tmp_path):
    settings = tiny.replace(schedule=schedule, steps_per_epoch=2, epochs=2)
    for name, stops in (("whole", 0), ("stopped", 1)):
        (tmp_path / name).mkdir()
        for _ in range(stops):
            with pytest.raises(Stopped):
                fit(settings, dataset, tmp_path / name, stop=Steps(steps))
        fit(settings, dataset, tmp_path / name)
    whole, stopped = (read(tmp_path / name) for name in ("whole", "stopped"))
    assert stopped["lr_schedulers"] == whole["lr_schedulers"]


def test_a_stop_at_the_end_of_an_epoch_waits_for_its_validation(tiny, dataset, tmp_path):
    watching = Epochs()
    with pytest.raises(Stopped):
        fit(tiny, dataset, tmp_path, callbacks=(watching,), stop=Steps(4))
    assert len(watching.scores) == 1
    assert (tmp_path / "best.ckpt").is_file()


def test_a_run_that_is_done_has_nothing_left_to_do(tiny, dataset, undisturbed):
    before = read(undisturbed)["state_dict"]
    watching = Epochs()
    fit(tiny, dataset, undisturbed, callbacks=(watching,))
    assert watching.rates == []
    assert same(read(undisturbed)["state_dict"], before)


def test_the_same_seed_gives_the_same_weights(tiny, dataset, undisturbed, tmp_path):
    fit(tiny, dataset, tmp_path)
    assert same(read(tmp_path)["state_dict"], read(undisturbed)["state_dict"])


def test_another_seed_gives_other_weights(tiny, dataset, undisturbed, tmp_path):
    fit(tiny.replace(seed=1), dataset, tmp_path)
    assert not same(read(tmp_path)["state_dict"], read(undisturbed)["state_dict"])


# ---------------------------------------------------------------- what is learnt


def test_the_loss_falls(tiny, dataset, tmp_path):
    watching = Epochs()
    settings = tiny.replace(epochs=6, learning_rate=0.01, dropout=0.0, average=0.5)
    fit(settings, dataset, tmp_path, callbacks=(watching,))
    assert watching.scores[-1]["val_loss"] < watching.scores[0]["val_loss"]


def test_every_epoch_scores_loss_dice_and_iou(tiny, dataset, tmp_path):
    watching = Epochs()
    fit(one_step(tiny), dataset, tmp_path, callbacks=(watching,))
    (scores,) = watching.scores
    assert {"loss", "val_loss", "val_dice", "val_iou"} <= set(scores)
    assert scores["val_iou"] <= scores["val_dice"] <= 1


@pytest.mark.parametrize("instance", [True, False])
def test_a_frozen_encoder_is_left_as_it_was(instance, tiny, dataset, tmp_path):
    arguments = {**tiny.arguments, "use_instance_norm": instance}
    settings = one_step(tiny, freeze_encoder=True, seed=3, arguments=arguments)
    settings = settings.replace(epochs=2)  # the second begins after a validation
    fit(settings, dataset, tmp_path)
    pl.seed_everything(3, verbose=False)
    before = open_network(settings)[0].state_dict()
    after = read(tmp_path)["state_dict"]
    untouched = {k for k, v in before.items() if torch.equal(v, after[f"network.{k}"])}
    frozen = {k for k in before if k.startswith(("init_conv", "downs", "bottleneck"))}
    assert frozen <= untouched
    assert not {k for k in before if k.startswith(("ups", "final_conv"))} & untouched


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_a_step(name, tiny, dataset, tmp_path):
    watching = Epochs()
    fit(one_step(tiny, loss=Loss(name=name)), dataset, tmp_path, callbacks=(watching,))
    assert math.isfinite(watching.scores[0]["loss"])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_trains(schedule, tiny, dataset, tmp_path):
    watching = Epochs()
    settings = tiny.replace(schedule=schedule, epochs=2)
    fit(settings, dataset, tmp_path, callbacks=(watching,))
    assert len(watching.rates) == 8
    assert all(0 < rate <= 1.001 * tiny.learning_rate for rate in watching.rates)


def test_the_cosine_warms_up_and_falls(tiny):
    task = SegmentationTask(open_network(tiny)[0], tiny)
    factors = [task._factor(step) for step in range(tiny.steps + 1)]
    assert factors[0] < factors[1] < factors[2]
    assert factors[2:] == sorted(factors[2:], reverse=True)
    assert 0 < factors[-1] < 0.01


def test_training_stops_early_where_it_no_longer_improves(tiny, dataset, tmp_path):
    watching = Epochs()
    # at this learning rate the averaged weights stand still
    stopping = EarlyStopping(monitor="dice", patience=2)
    settings = tiny.replace(epochs=20, steps_per_epoch=1, early_stopping=stopping)
    settings = settings.replace(learning_rate=1e-30, warm_up=0, weight_decay=0.0)
    fit(settings, dataset, tmp_path, callbacks=(watching,))
    assert len(watching.scores) == 3
    assert read(tmp_path, "best.ckpt")["epoch"] == 0


@pytest.mark.parametrize("monitor", ["dice", "loss"])
def test_the_best_epoch_is_kept(monitor, tiny, dataset, tmp_path):
    watching = Epochs()
    stopping = EarlyStopping(monitor=monitor)
    settings = tiny.replace(early_stopping=stopping, learning_rate=0.05, average=0.0)
    fit(settings, dataset, tmp_path, callbacks=(watching,))
    scores = [each[f"val_{monitor}"] for each in watching.scores]
    best = scores.index(max(scores) if monitor == "dice" else min(scores))
    assert read(tmp_path, "best.ckpt")["epoch"] == best


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("broken", ["writing", "renaming"])
def test_a_full_disk_leaves_what_was_saved_before(broken, tiny, dataset, tmp_path, monkeypatch):
    fit(tiny.replace(epochs=1), dataset, tmp_path)
    kept = read(tmp_path, "best.ckpt")["state_dict"]
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(*_):
        raise full

    def write_half(_, path):
        Path(path).write_bytes(b"half")
        raise full

    with monkeypatch.context() as patch:
        if broken == "writing":
            patch.setattr(pl.Trainer, "save_checkpoint", write_half)
        else:
            patch.setattr(Path, "replace", refuse)
        with pytest.raises(SpherosegError, match=r"ckpt cannot be written: No space left"):
            fit(tiny, dataset, tmp_path)
    assert same(read(tmp_path, "best.ckpt")["state_dict"], kept)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_a_run_goes_on_once_there_is_room(tiny, dataset, undisturbed, tmp_path, monkeypatch):
    save, saved = pl.Trainer.save_checkpoint, []

    def save_some(trainer, path):
        saved.append(path)
        if len(saved) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(trainer, path)

    with monkeypatch.context() as patch:
        patch.setattr(pl.Trainer, "save_checkpoint", save_some)
        with pytest.raises(SpherosegError):
            fit(tiny, dataset, tmp_path)
    fit(tiny, dataset, tmp_path)
    assert same(read(tmp_path)["state_dict"], read(undisturbed)["state_dict"])


def test_a_loss_that_is_no_number_is_an_error_that_says_so(tiny, dataset, tmp_path):
    fit(tiny.replace(epochs=1), dataset, tmp_path)
    checkpoint = read(tmp_path)
    checkpoint["state_dict"]["network.final_conv.bias"].fill_(math.nan)
    torch.save(checkpoint, tmp_path / "last.ckpt")
    with pytest.raises(SpherosegError, match=r"loss became nan at step 4.*learning rate"):
        fit(tiny, dataset, tmp_path)


# ---------------------------------------------------------------- where it begins


@pytest.fixture
def begun(bright, tmp_path):
    """Folder of a model with a preparation of its own."""
    metadata = library.read_metadata(bright)
    folder = tmp_path / "begun"
    folder.mkdir()
    (folder / library.WEIGHTS).write_bytes((bright / library.WEIGHTS).read_bytes())
    preparation = Preparation(long_side=320, low=2, high=98, best_diameter=(30, 50))
    library.write_metadata(folder, metadata.replace(preparation=preparation, metrics={"iou": 1}))
    return folder


def started(tiny, begun, **changes):
    return tiny.replace(network=None, arguments={}, start=str(begun), dropout=None, **changes)


def test_a_model_to_start_from_keeps_its_preparation(tiny, begun, dataset, tmp_path):
    (tmp_path / "run").mkdir()
    metadata = fit(one_step(started(tiny, begun)), dataset, tmp_path / "run")
    assert metadata.preparation == models.load(begun).metadata.preparation
    assert (metadata.name, metadata.outputs) == ("tiny", ("foreground",))
    assert (metadata.metrics, metadata.sha256) == ({}, None)


def test_single_fields_of_the_preparation_may_differ(tiny, begun):
    changed = started(tiny, begun, preparation={"low": 1})
    wanted = models.load(begun).metadata.preparation.replace(low=1)
    assert open_network(changed)[1].preparation == wanted


def test_training_starts_from_the_weights_of_the_model(tiny, begun, dataset, tmp_path):
    (tmp_path / "run").mkdir()
    settings = one_step(started(tiny, begun), learning_rate=1e-12, weight_decay=0.0)
    before = models.load(begun).network.state_dict()
    fit(settings, dataset, tmp_path / "run")
    after = read(tmp_path / "run")["state_dict"]
    for key, value in before.items():
        if "running" not in key and "tracked" not in key:
            assert torch.allclose(value, after[f"network.{key}"], atol=1e-6)


@pytest.fixture
def save_network(tmp_path):
    """The function that writes a model of random weights, and returns its folder."""

    def save(name, arguments):
        torch.manual_seed(0)
        save_file(networks.create(name, **arguments).state_dict(), tmp_path / library.WEIGHTS)
        sha256 = sha256_of(tmp_path / library.WEIGHTS)
        metadata = ModelMetadata(
            name="wet", title="Wet", network=name, arguments=arguments, sha256=sha256
        )
        library.write_metadata(tmp_path, metadata)
        return tmp_path

    return save


def dropouts(network):
    kinds = (torch.nn.Dropout, torch.nn.Dropout2d)
    return {module.p for module in network.modules() if isinstance(module, kinds)}


WITH_DROPOUT = {
    "unet": {"features": [4, 8, 16], "in_channels": 1},
    "cbam_resunet": {"features": [4, 8], "in_channels": 1},
    "resunet_small": {"features": [4, 6], "in_channels": 1},
    "monai_unet": {"channels": [2, 4], "strides": [2]},
}
WITHOUT = {
    "hrnet": {"widths": [4, 6, 8, 10], "stem_width": 4, "modules": [1, 1, 1], "blocks": 1},
    "resunet_advanced": {"features": [4, 8], "blocks": [1, 2]},
}


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_may_differ_from_that_of_the_model(name, tiny, save_network):
    folder = save_network(name, WITH_DROPOUT[name])
    before = models.load(folder).network
    for asked in (None, 0.4):
        network, metadata = open_network(started(tiny, folder).replace(dropout=asked))
        found = dropouts(before) if asked is None else {asked}
        assert dropouts(network) == found
        assert all(module.training for module in network.modules())
        again = networks.create(metadata.network, **metadata.arguments)
        assert dropouts(again) == found
        again.load_state_dict(network.state_dict())
        assert same(again.state_dict(), before.state_dict())


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_a_new_network_drops_what_it_is_told_to(name, tiny):
    settings = tiny.replace(network=name, arguments=WITH_DROPOUT[name], dropout=0.3)
    assert dropouts(open_network(settings)[0]) == {0.3}


@pytest.mark.parametrize("name", WITHOUT)
def test_dropout_that_would_have_no_effect_is_refused(name, tiny, save_network):
    arguments = {**WITHOUT[name], "in_channels": 1}
    new = tiny.replace(network=name, arguments=arguments, dropout=0.3)
    old = started(tiny, save_network(name, arguments)).replace(dropout=0.3)
    for settings in (new, old):
        with pytest.raises(BadSetting, match=f"dropout of network '{name}' cannot be set") as error:
            open_network(settings)
        assert error.value.hint
        open_network(settings.replace(dropout=None))


def test_a_model_for_something_else_is_nothing_to_start_from(tiny, restorer, sizes, detector):
    for folder, task in ((restorer(), "restoration"), (sizes, "classif"), (detector, "focus")):
        with pytest.raises(BadSetting, match=f"is a model for {task}.*Choose one for segmentation"):
            open_network(started(tiny, folder))


def test_a_network_that_does_not_segment_is_refused(tiny, save_network):
    arguments = {"width": 2}
    new = tiny.replace(network="nafnet", arguments=arguments, dropout=None)
    for settings in (new, started(tiny, save_network("nafnet", arguments))):
        with pytest.raises(BadSetting, match=r"'nafnet' does not segment.*hrnet"):
            open_network(settings)


def test_channels_that_the_network_does_not_take_are_refused(tiny, begun):
    for settings in (tiny, started(tiny, begun)):
        with pytest.raises(BadSetting, match="takes 1 channels, and preparation says 3"):
            open_network(settings.replace(preparation={"channels": 3}))


def test_post_processing_of_a_recipe_adds_to_that_of_the_model(tiny, bright):
    before = models.load(bright).metadata.post_processing
    settings = started(tiny, bright).replace(post_processing={"split_depth": 0.4})
    assert open_network(settings)[1].post_processing == {**before, "split_depth": 0.4}
    with pytest.raises(BadSetting, match="split_dept"):
        tiny.replace(post_processing={"split_dept": 0.4})


def test_a_new_network_learns_the_distance_and_splits_by_it(tiny):
    network, metadata = open_network(tiny)
    assert metadata.outputs == ("foreground", "distance")
    assert metadata.post_processing["split_touching"]
    assert network.final_conv.out_channels == 2
    deep = tiny.replace(post_processing={"split_depth": 0.4})
    assert open_network(deep)[1].post_processing == {"split_touching": True, "split_depth": 0.4}
    network, metadata = open_network(tiny.replace(distance=False))
    assert (metadata.outputs, metadata.post_processing) == (("foreground",), {})
    assert network.final_conv.out_channels == 1


def test_a_model_that_is_fine_tuned_is_in_training_mode(bright):
    data = {"images": "images", "masks": "masks"}
    network, _ = open_network(TrainingSettings(name="tuned", start=str(bright), data=data))
    assert all(module.training for module in network.modules())
