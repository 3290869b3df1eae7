"""Before and after in the restore widget: swipe, measures, segmentation, and the way onward."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spheroseg.restoration.compare import psnr
from napari_spheroseg.widgets.batch.from_segment import open_segment_widget
from napari_spheroseg.widgets.image_layers import images_of

PLACE = {"scale": (0.65, 0.65), "translate": (100, 50), "units": ("um", "um")}
MIDDLE = 80  # half the columns of the image


@pytest.fixture
def restored(focus, image):
    """The widget with an image that was restored."""
    focus.viewer.add_image(image, name="plate", **PLACE)
    focus.run()
    return focus


@pytest.fixture
def one_restored(focus, stack):
    """The widget with a stack of which the first slice was restored."""
    focus.viewer.add_image(stack, name="movie", scale=(3, 0.5, 0.5))
    focus.viewer.dims.set_current_step(0, 0)
    focus.run()
    return focus


# --- swipe -------------------------------------------------------------------------------------


def test_the_swipe_shows_the_restored_image_left_of_the_line(restored):
    restored.widget.swipe.value = 50
    left, whole = restored.layer("plate swipe"), restored.layer("plate restored")
    np.testing.assert_array_equal(left.data, whole.data[:, :MIDDLE])
    assert np.shares_memory(left.data, whole.data)
    assert (left.visible, whole.visible) == (True, False)
    assert restored.layer("plate").visible


def test_the_swipe_is_no_image_that_a_widget_offers(restored):
    restored.widget.swipe.value = 50
    names = [layer.name for layer in images_of(restored.viewer.layers)]
    assert "plate swipe" in restored.names
    assert sorted(names) == ["plate", "plate restored"]


def test_the_line_stands_where_the_image_has_its_middle(restored):
    restored.widget.swipe.value = 50
    left = restored.layer("plate swipe")
    edge = left.data_to_world((0, MIDDLE - 0.5))
    np.testing.assert_allclose(edge, restored.layer("plate").data_to_world((0, MIDDLE - 0.5)))
    assert left.bounding_box.visible


def test_at_the_right_end_the_restored_image_alone_is_there(restored):
    restored.widget.swipe.value = 50
    restored.widget.swipe.value = 100
    assert "plate swipe" not in restored.names
    assert restored.layer("plate restored").visible


def test_at_the_left_end_the_original_alone_is_there(restored):
    restored.widget.swipe.value = 0
    assert not restored.layer("plate swipe").visible
    assert not restored.layer("plate restored").visible


def test_both_halves_keep_the_same_contrast(restored):
    restored.widget.swipe.value = 50
    restored.layer("plate").contrast_limits = (0, 999)
    assert restored.layer("plate swipe").contrast_limits == [0, 999]


def test_what_would_cover_both_is_hidden_while_swiping(restored, image):
    cover = restored.viewer.add_image(image, name="cover")
    restored.widget.swipe.value = 50
    assert not cover.visible
    restored.widget.swipe.value = 100
    assert cover.visible


def test_removing_the_swipe_layer_ends_the_swipe(restored):
    restored.widget.swipe.value = 50
    restored.viewer.layers.remove("plate swipe")
    assert restored.widget.swipe.value == 100
    assert restored.layer("plate restored").visible


def test_a_new_run_is_seen_left_of_the_line(restored):
    restored.widget.swipe.value = 50
    restored.widget.more.rescale.value = False
    restored.run()
    left = restored.layer("plate swipe")
    assert np.shares_memory(left.data, restored.layer("plate restored").data)


def test_choosing_another_image_ends_the_swipe(restored, image):
    restored.widget.swipe.value = 50
    restored.widget.image.value = restored.viewer.add_image(image, name="other")
    assert "plate swipe" not in restored.names
    assert restored.widget.swipe.value == 100


def test_the_layers_that_only_show_something_are_no_images_to_restore(restored):
    restored.widget.swipe.value = 50
    names = [layer.name for layer in restored.widget.image.choices]
    assert names == ["plate", "plate restored"]


def test_slices_that_were_not_restored_show_the_original(one_restored):
    one_restored.widget.swipe.value = 60
    for index, is_seen in ((0, True), (1, False), (0, True)):
        one_restored.viewer.dims.set_current_step(0, index)
        assert one_restored.layer("movie swipe").visible is is_seen
    one_restored.widget.swipe.value = 100
    for index, is_seen in ((1, False), (0, True)):
        one_restored.viewer.dims.set_current_step(0, index)
        assert one_restored.layer("movie restored").visible is is_seen


def test_a_restored_layer_that_the_user_hid_stays_hidden(one_restored):
    one_restored.layer("movie restored").visible = False
    for index in (1, 0):
        one_restored.viewer.dims.set_current_step(0, index)
    assert not one_restored.layer("movie restored").visible


# --- measures ----------------------------------------------------------------------------------


def test_the_table_has_sharpness_before_and_after(restored):
    names = ["Tenengrad", "Brenner", "Laplacian"]
    texts = restored.widget.table.texts
    assert list(texts) == [f"Sharpness ({name})" for name in names]
    assert all(before == after for before, after in texts.values())  # it only grew brighter


def test_a_reference_adds_psnr_and_ssim(restored, image):
    sharp = image // 2
    restored.viewer.add_image(sharp, name="sharp")
    restored.widget.reference.value = restored.layer("sharp")
    restored.settle()
    before, after = restored.widget.table.texts["PSNR (dB)"]
    assert before == f"{psnr(sharp, image):.4g}"
    assert after == f"{psnr(sharp, restored.layer('plate restored').data):.4g}"
    assert "SSIM" in restored.widget.table.texts


def test_a_reference_that_does_not_fit_is_told_beside_the_table(restored, image, notices):
    restored.viewer.add_image(image[:50], name="small")
    restored.widget.reference.value = restored.layer("small")
    restored.settle()
    assert "shape" in restored.widget.comparison.note.value
    assert "PSNR (dB)" not in restored.widget.table.texts
    assert not any("shape" in message for _, message in notices())


def test_the_table_is_that_of_the_slice_on_screen(one_restored):
    assert one_restored.widget.table.texts
    one_restored.viewer.dims.set_current_step(0, 1)
    one_restored.settle()
    assert one_restored.widget.table.texts == {}
    assert not one_restored.widget.compare.enabled
    one_restored.viewer.dims.set_current_step(0, 0)
    one_restored.settle()
    assert one_restored.widget.table.texts


# --- segmentation ------------------------------------------------------------------------------


def test_area_and_count_before_and_after_are_said_in_a_sentence(restored):
    restored.run("compare")
    texts = restored.widget.table.texts
    assert texts["Objects"] == ("3", "3")
    before, after = texts["Area (µm²)"]
    assert before == after
    assert "leaves the segmentation as it was" in restored.widget.segmenting.sentence.value


def test_a_change_of_the_segmentation_is_said(restored):
    half = restored.widget.results.shown[restored.layer("plate")].restoration.planes[()]
    half[:, :MIDDLE] = half.min()
    restored.run("compare")
    assert "objects 3 → 2" in restored.widget.segmenting.sentence.value
    restored.run()  # it is another restoration now
    assert restored.widget.segmenting.sentence.value == ""


def test_restore_then_segment_is_one_run_of_the_segment_widget(restored, image):
    restored.press("then_segment")
    segment = open_segment_widget(restored.viewer)
    restored.wait(lambda: "plate labels" in restored.names and segment.run.text == "Run")
    recipe = restored.layer("plate labels").metadata["spheroseg"]
    assert (recipe["restore"], recipe["model"]) == ("sharpen", "bright")
    assert recipe["made_with"]["restoration"]
    assert restored.layer("plate polygons").nshapes == 3
    restored.press("then_segment")
    restored.wait(lambda: segment.run.text == "Run")
    assert restored.names.count("plate labels") == 1


def test_the_channel_and_the_slice_go_along_into_the_segment_widget(focus, image):
    stack = np.stack([np.stack([image[::-1], image])] * 2)
    focus.viewer.add_image(stack, name="TCYX")
    focus.widget.more.axes.value = "TCYX"
    focus.widget.channel.value = 1
    focus.viewer.dims.set_current_step(0, 1)
    focus.press("then_segment")
    segment = open_segment_widget(focus.viewer)
    focus.wait(lambda: "TCYX labels" in focus.names and segment.run.text == "Run")
    recipe = focus.layer("TCYX labels").metadata["spheroseg"]
    assert (recipe["axes"], recipe["channel"], recipe["frames"]) == ("TCYX", 1, [[1]])


def test_the_widget_says_where_restoring_can_harm_a_segmentation(focus):
    caution = focus.widget.segmenting.caution
    assert "can be segmented a little worse" in caution.value
    assert caution.native.wordWrap()
    assert caution.native.isVisibleTo(focus.widget.native)
