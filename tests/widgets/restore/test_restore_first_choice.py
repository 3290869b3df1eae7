"""``Restore focus first`` in the segment widget, and in the batch widget that shares it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.widgets.batch.from_segment import copy_more
from napari_spheroseg.widgets.batch.settings import BatchMore
from napari_spheroseg.widgets.news import news
from napari_spheroseg.widgets.preferences import Preferences
from napari_spheroseg.widgets.segment.more_settings import MoreSettings


@pytest.fixture
def sharpen(restorer, models_folder):
    """Name of a model that restores."""
    shutil.copytree(restorer(0.25), models_folder / "sharpen")
    return "sharpen"


def test_nothing_is_restored_unless_it_is_asked_for(sharpen, qtbot):
    more = MoreSettings(Preferences())
    assert more.restore.value == ""
    assert "restore" not in more.run_settings()


def test_the_recipe_says_what_restored_the_image_first(sharpen, session, image):
    news.models_changed.emit()
    session.viewer.add_image(image, name="plate")
    session.widget.more.restore.value = sharpen
    session.run()
    labels = session.layer("plate labels")
    recipe = labels.metadata["spheroseg"]
    assert recipe["restore"] == sharpen
    np.testing.assert_array_equal(ss.segment(image, **recipe).labels, labels.data)


def test_a_batch_restores_as_the_segment_widget_does(sharpen, qtbot):
    source, target = MoreSettings(Preferences()), BatchMore(Preferences())
    source.restore.value = sharpen
    copy_more(source, target, same_image=False)
    assert target.for_files()["restore"] == sharpen
