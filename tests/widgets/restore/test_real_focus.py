"""What the restore widget offers before restoring: planes of a stack, and where focus is."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spheroseg.restoration.defocus import defocus, gaussian
from napari_spheroseg.widgets.restore.place import plane_placement
from napari_spheroseg.widgets.restore.stepped import stepped


@pytest.fixture(scope="module")
def planes():
    """Five planes of noise; the fourth is sharp."""
    sharp = np.random.default_rng(0).random((64, 80)).astype(np.float32)
    blurred = [defocus(sharp, gaussian(1 + abs(z - 3))) for z in range(5)]
    return np.stack([*blurred[:3], sharp, blurred[4]])


@pytest.fixture
def depth(focus, planes):
    """The widget with a stack whose first axis is said to be depth."""
    place = {"scale": (2, 0.5, 0.5), "translate": (0, 10, 20), "units": ("um",) * 3}
    focus.viewer.add_image(planes, name="stack", axis_labels=("z", "y", "x"), **place)
    focus.viewer.dims.set_current_step(0, 0)
    return focus


def test_a_stack_through_depth_offers_its_planes(depth):
    assert depth.widget.depth.value == "Z"
    assert depth.widget.sharpest.enabled
    assert "Real focus beats restored focus" in depth.widget.choices.real_focus.said.value


def test_the_offer_stays_when_layers_are_added(depth, image):
    depth.viewer.add_image(image, name="other")
    assert depth.widget.depth.value == "Z"


def test_the_user_can_say_which_axis_is_depth(focus, planes):
    focus.viewer.add_image(planes, name="stack")
    assert focus.widget.depth.value == ""
    assert not focus.widget.sharpest.enabled
    focus.widget.depth.value = "T"
    focus.run("sharpest")
    np.testing.assert_array_equal(focus.layer("stack sharpest plane").data, planes[3])


def test_a_single_plane_offers_none(focus, image):
    focus.viewer.add_image(image, name="plate")
    assert focus.widget.depth.choices == ("",)


def test_the_sharpest_plane_becomes_a_layer_and_the_slider_goes_there(depth, planes):
    depth.run("sharpest")
    found = depth.layer("stack sharpest plane")
    np.testing.assert_array_equal(found.data, planes[3])
    np.testing.assert_allclose(found.scale, (0.5, 0.5))
    np.testing.assert_allclose(found.translate, (10, 20))
    assert depth.viewer.dims.current_step[0] == 3
    assert "Plane 3" in depth.widget.summary.value
    assert found.metadata["spheroseg"]["at"] == [3]


def test_the_extended_depth_of_field_becomes_a_layer(depth, planes):
    depth.run("fused")
    found = depth.layer("stack extended depth of field")
    assert (found.data.shape, found.data.dtype) == (planes[0].shape, planes.dtype)
    depth.run("fused")
    assert depth.names.count("stack extended depth of field") == 1


def test_the_sharpest_plane_is_a_reference(depth):
    depth.run()
    depth.widget.reference.value = "sharpest plane"
    depth.settle()
    assert "SSIM" in depth.widget.table.texts


def test_a_restored_slice_is_not_covered_by_planes_of_the_stack(depth):
    depth.run("sharpest")
    depth.run()
    assert not depth.layer("stack sharpest plane").visible
    assert depth.layer("stack restored").visible


def test_the_focus_map_lies_over_the_image(depth, planes):
    depth.run("focus_map")
    found, image = depth.layer("stack focus map"), depth.layer("stack")
    assert found.data.shape == planes.shape
    assert [np.isfinite(plane).any() for plane in found.data] == [True, *[False] * 4]
    np.testing.assert_allclose(found.scale, image.scale)
    assert "Focus score" in depth.widget.summary.value
    depth.viewer.dims.set_current_step(0, 1)
    depth.run("focus_map")
    assert [np.isfinite(plane).any() for plane in found.data] == [True, True, *[False] * 3]


def test_a_plane_of_a_turned_layer_is_turned_as_well(make_napari_viewer, planes):
    viewer = make_napari_viewer()
    layer = viewer.add_image(planes, scale=(1, 2, 3), rotate=(0, 30, 0), translate=(0, 5, 7))
    turned = np.eye(4)
    turned[1:3, 1:3] = [[0.8, -0.6], [0.6, 0.8]]
    layer.affine = turned
    flat = viewer.add_image(planes[0], **plane_placement(layer))
    corner = layer.data_to_world((0, 10, 20))
    np.testing.assert_allclose(flat.data_to_world((10, 20)), np.asarray(corner)[1:])


# --- a function that reports, as a generator -----------------------------------------------------


def test_reports_become_steps_and_the_result_is_returned():
    def work(report):
        report(1, 2)
        report(2, 2)
        return "done"

    steps = stepped(work)
    assert [(next(steps).done) for _ in range(2)] == [1, 2]
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == "done"


def test_who_stops_iterating_ends_the_function_at_its_next_report():
    import threading

    ended, go_on = threading.Event(), threading.Event()

    def work(report):
        report(1, 2)
        go_on.wait(5)
        try:
            report(2, 2)
        finally:
            ended.set()

    steps = stepped(work)
    next(steps)
    steps.close()
    go_on.set()
    assert ended.wait(5)


def test_an_error_of_the_function_is_raised():
    def work(report):
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        next(stepped(work))
