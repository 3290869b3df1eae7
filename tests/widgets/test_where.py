"""Device, backend and precision: in every widget that runs a network."""

from __future__ import annotations

import pytest

from napari_spheroseg.widgets.batch.settings import BatchMore
from napari_spheroseg.widgets.preferences import Preferences
from napari_spheroseg.widgets.restore.settings import RestoreMore
from napari_spheroseg.widgets.segment.more_settings import MoreSettings
from napari_spheroseg.widgets.where import FIELDS, where_of


@pytest.mark.parametrize("form", [MoreSettings, BatchMore, RestoreMore])
def test_a_form_begins_with_what_is_preferred_and_chooses_the_rest_itself(form, qtbot):
    assert where_of(form(Preferences(device="cpu"))) == ("cpu", "auto", "auto")


@pytest.mark.parametrize("form", [MoreSettings, BatchMore, RestoreMore])
def test_a_form_offers_all_that_there_is(form, qtbot):
    opened = form(Preferences())
    offered = [opened[name].choices for name in FIELDS]
    assert offered == [
        ("auto", "cuda", "mps", "cpu"),
        ("auto", "openvino", "onnxruntime", "torch"),
        ("auto", "float32", "bfloat16", "float16"),
    ]


def test_the_segment_widget_runs_where_it_was_told_to(session, image):
    session.viewer.add_image(image, name="plate")
    more = session.widget.more
    more.device.value, more.backend.value, more.precision.value = "cpu", "torch", "float32"
    session.run()
    made = session.layer("plate labels").metadata["spheroseg"]["made_with"]
    assert (made["device"], made["backend"], made["precision"]) == ("cpu", "torch", "float32")


def test_what_a_backend_cannot_compute_in_is_said(session, image, notices):
    pytest.importorskip("onnxruntime")
    session.viewer.add_image(image, name="plate")
    session.widget.more.backend.value = "onnxruntime"
    session.widget.more.precision.value = "float16"
    session.run()
    assert "ONNX Runtime computes in float32" in notices()[-1][1]
    assert session.names == ["plate"]
