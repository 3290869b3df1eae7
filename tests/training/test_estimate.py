"""How long a training will take."""

import pytest

from napari_spheroseg.errors import SpherosegError
from napari_spheroseg.training.estimate import (
    Pace,
    estimate_seconds,
    learns_alike,
    paces_of,
    timed,
)
from napari_spheroseg.training.pace import measure_pace
from napari_spheroseg.training.runs import Run


def test_the_first_pace_of_the_same_network_counts_by_pixels(tiny):
    other = tiny.replace(arguments={"features": [4]})
    paces = [Pace(other, 9.0), Pace(tiny, 2.0), Pace(tiny, 7.0)]
    longer = tiny.replace(epochs=5, batch_size=4, crop=128)
    assert estimate_seconds(tiny, paces) == 12 * 2
    assert estimate_seconds(longer, paces) == 20 * 2 * 8


def test_without_a_pace_of_the_network_nothing_is_said(tiny):
    frozen = tiny.replace(freeze_encoder=True)
    assert estimate_seconds(tiny, []) is None
    assert estimate_seconds(tiny, [Pace(frozen, 2.0)]) is None


def test_where_a_model_is_gone_nothing_is_alike(tiny):
    gone = tiny.replace(network=None, arguments={}, start="gone")
    assert not learns_alike(gone, gone)
    assert learns_alike(tiny, tiny.replace(epochs=1, crop=128))


def test_runs_that_were_damaged_or_have_no_pace_are_left_out(tiny, tmp_path):
    runs = [Run.create(tiny, tmp_path / name) for name in ("early", "damaged", "whole")]
    for run in runs[1:]:
        run.write_status(run.status.replace(seconds_per_step=2.0))
    (runs[1].folder / "settings.json").write_text("{")
    assert list(paces_of(runs)) == [Pace(runs[2].settings, 2.0)]


def test_no_larger_samples_are_timed_than_usual(tiny):
    large = timed(tiny.replace(batch_size=64, crop=1024))
    assert (large.batch_size, large.crop) == (4, 256)
    assert (timed(tiny).batch_size, timed(tiny).crop) == (tiny.batch_size, tiny.crop)


def test_a_few_steps_are_timed_without_the_data(tiny, tmp_path):
    nowhere = tiny.data.replace(images=tmp_path / "gone", masks=tmp_path / "gone")
    assert 0 < measure_pace(tiny.replace(data=nowhere)) < 30


def test_what_cannot_be_trained_is_not_timed(tiny):
    with pytest.raises(SpherosegError):
        measure_pace(tiny.replace(network="flexresnet", arguments={}))
