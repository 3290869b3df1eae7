"""The widget ``Restore focus`` in a real viewer: a run, its layer, and what may go wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.models.library import write_metadata
from napari_spheroseg.widgets.news import news

PLACE = {"scale": (0.65, 0.65), "translate": (100, 50), "units": ("um", "um")}
LIFTED = 725  # a quarter of the range of the image


def told(notices, word):
    return any(word in message for _, message in notices())


def test_a_run_adds_the_restored_image_named_after_the_image(focus, image):
    focus.viewer.add_image(image, name="plate")
    focus.run()
    restored = focus.layer("plate restored")
    assert (restored.data.dtype, restored.data.shape) == (image.dtype, image.shape)
    np.testing.assert_allclose(restored.data, image + LIFTED, atol=1)


def test_the_restored_image_lies_where_the_image_lies(focus, image):
    layer = focus.viewer.add_image(image, name="plate", **PLACE)
    focus.run()
    restored = focus.layer("plate restored")
    np.testing.assert_allclose(restored.scale, layer.scale)
    np.testing.assert_allclose(restored.translate, layer.translate)
    assert (restored.units, restored.axis_labels) == (layer.units, layer.axis_labels)


def test_the_recipe_in_the_metadata_restores_again(focus, image):
    focus.viewer.add_image(image, name="plate", **PLACE)
    focus.run()
    restored = focus.layer("plate restored")
    recipe = restored.metadata["spheroseg"]
    assert recipe["pixel_size"] == pytest.approx([0.65, 0.65])
    np.testing.assert_array_equal(ss.restore_focus(image, **recipe), restored.data)


def test_a_second_run_updates_the_same_layer(focus, image):
    focus.viewer.add_image(image, name="plate")
    focus.run()
    before = list(focus.viewer.layers)
    focus.widget.more.intensity.value = "fixed"
    focus.widget.more.low.value, focus.widget.more.high.value = 0, 4000
    focus.run()
    assert list(focus.viewer.layers) == before
    np.testing.assert_allclose(focus.layer("plate restored").data, image + 1000, atol=1)


def test_the_image_stays_the_chosen_and_the_selected_one(focus, image):
    layer = focus.viewer.add_image(image, name="plate")
    focus.run()
    assert focus.widget.image.value is layer
    assert focus.viewer.layers.selection.active is layer


def test_slices_restored_one_by_one_are_collected_in_one_layer(focus, stack):
    focus.viewer.add_image(stack, name="movie")
    for index in (1, 2):
        focus.viewer.dims.set_current_step(0, index)
        focus.run()
    restored = focus.layer("movie restored")
    assert [plane.max() > 0 for plane in restored.data] == [False, True, True]
    assert focus.names.count("movie restored") == 1
    assert restored.metadata["spheroseg"]["frames"] == [[1], [2]]
    assert "2 of 3 slices" in focus.widget.summary.value


def test_other_settings_begin_anew(focus, stack):
    focus.viewer.add_image(stack, name="movie")
    focus.run()
    focus.viewer.dims.set_current_step(0, 2)
    focus.widget.more.low.value = 1
    focus.run()
    restored = focus.layer("movie restored")
    assert [plane.max() > 0 for plane in restored.data] == [False, False, True]


def test_every_slice_is_restored(focus, stack):
    focus.viewer.add_image(stack, name="movie")
    focus.widget.frames.value = "Every slice"
    focus.run()
    np.testing.assert_allclose(focus.layer("movie restored").data, stack + LIFTED, atol=1)


def test_without_rescaling_the_layer_is_in_the_networks_range(focus, image):
    focus.viewer.add_image(image, name="plate")
    focus.run()
    focus.widget.more.rescale.value = False
    focus.run()
    restored = focus.layer("plate restored")
    assert restored.data.dtype == np.float32
    assert restored.data.max() == pytest.approx(1.25)
    assert focus.names.count("plate restored") == 1


def test_one_channel_of_several_is_restored(focus, image):
    focus.viewer.add_image(np.stack([image[::-1], image]), name="channels")
    focus.widget.more.axes.value = "CYX"
    assert focus.widget.channel.choices == (0, 1)
    focus.widget.channel.value = 1
    focus.run()
    restored = focus.layer("channels restored")
    assert restored.data.shape == image.shape
    np.testing.assert_allclose(restored.data, image + LIFTED, atol=1)


def test_a_channel_axis_between_others_keeps_its_place(focus, image):
    stack = np.stack([np.stack([image, image])] * 2)
    focus.viewer.add_image(stack, name="TCYX", scale=(1, 2, 0.5, 0.5))
    focus.widget.more.axes.value = "TCYX"
    focus.widget.channel.value = 1
    focus.run()
    restored = focus.layer("TCYX restored")
    assert restored.data.shape == (2, 1, *image.shape)
    np.testing.assert_allclose(restored.translate, (0, 2, 0, 0))


def test_an_rgb_image_stays_rgb(focus, image):
    rgb = np.stack([(image / 3000 * 200).astype(np.uint8)] * 3, axis=-1)
    focus.viewer.add_image(rgb, name="colour")
    focus.run()
    restored = focus.layer("colour restored")
    assert restored.rgb
    assert restored.data.shape == rgb.shape


def test_lazy_layers_work(focus, stack):
    import dask.array

    focus.viewer.add_image(dask.array.from_array(stack, chunks=(1, 64, 64)), name="lazy")
    focus.widget.frames.value = "Every slice"
    focus.run()
    np.testing.assert_allclose(focus.layer("lazy restored").data, stack + LIFTED, atol=1)


def test_a_multiscale_layer_is_restored_at_full_resolution(focus, image):
    focus.viewer.add_image([image, image[::2, ::2]], name="pyramid", multiscale=True)
    focus.run()
    assert focus.layer("pyramid restored").data.shape == image.shape


# --- models ------------------------------------------------------------------------------------


def test_scaling_is_as_the_model_recommends(focus, restorer, models_folder):
    how = {"intensity": "columns", "low": 1, "high": 99.8, "tile": 256, "overlap": 0.5}
    folder = shutil.copytree(restorer(0.0, **how), models_folder / "published")
    write_metadata(folder, ss.models.info("sharpen").replace(name="published", preparation=how))
    news.models_changed.emit()
    focus.widget.model.value = "published"
    more = focus.widget.more
    assert {name: more[name].value for name in how} == how


def test_only_models_that_restore_are_offered(focus):
    tasks = {ss.models.info(name).task for name in focus.widget.model.choices}
    assert tasks == {"restoration"}
    assert "bright" in focus.widget.segmenter.choices


def test_a_model_that_is_removed_is_no_longer_offered(focus, models_folder):
    shutil.rmtree(models_folder / "sharpen")
    news.models_changed.emit()
    assert "sharpen" not in focus.widget.model.choices


# --- what may go wrong -----------------------------------------------------------------------


def test_run_becomes_cancel_and_cancel_ends_the_run(focus, stack, slow):
    focus.viewer.add_image(np.concatenate([stack] * 10), name="movie")
    focus.widget.frames.value = "Every slice"
    focus.press()
    assert focus.widget.run.text == "Cancel"
    assert not focus.widget.then_segment.enabled
    focus.press()
    focus.wait(focus.idle, 5)
    assert focus.widget.run.text == "Run"
    assert focus.widget.then_segment.enabled
    assert "movie restored" not in focus.names


def test_without_an_image_run_says_so(focus, notices):
    focus.press()
    assert told(notices, "no image")
    assert focus.widget.run.text == "Run"


def test_without_a_model_the_widget_says_what_to_do(focus, image, notices, monkeypatch):
    focus.viewer.add_image(image, name="plate")
    known = [each for each in ss.models.known() if each.task != "restoration"]
    monkeypatch.setattr("napari_spheroseg.models.known", lambda: known)
    news.models_changed.emit()
    assert "Model manager" in focus.widget.summary.value
    for button in ("run", "then_segment"):
        focus.press(button)
    assert [severity for severity, message in notices() if "no model" in message] == ["error"] * 2
    assert focus.widget.run.text == "Run"


def test_an_image_of_nan_gives_a_notice(focus, notices):
    focus.viewer.add_image(np.full((64, 64), np.nan, np.float32), contrast_limits=(0, 1))
    focus.run()
    assert told(notices, "NaN")
    assert focus.widget.run.enabled


def test_a_constant_image_stays_and_says_why(focus, notices):
    focus.viewer.add_image(np.full((64, 64), 7, np.uint8), name="flat")
    focus.run()
    assert (focus.layer("flat restored").data == 7).all()
    assert told(notices, "constant")


def test_settings_that_exclude_each_other_are_told_in_the_words_of_the_form(focus, image, notices):
    focus.viewer.add_image(image, name="plate")
    focus.widget.more.low.value, focus.widget.more.high.value = 90, 10
    focus.press()
    assert told(notices, "'High (1)' must be above 'Low (0)'")
    assert focus.widget.run.text == "Run"


def test_it_scrolls_rather_than_make_a_small_window_larger(focus, image):
    focus.viewer.add_image(image, name="plate")
    focus.run()
    focus.widget.more.collapsible.expand(animate=False)
    assert focus.widget.native.minimumSizeHint().height() < 300


def test_an_image_removed_during_its_run_still_gives_its_result(focus, image, slow, notices):
    layer = focus.viewer.add_image(image, name="plate")
    focus.press()
    focus.viewer.layers.remove(layer)
    focus.settle()
    assert "plate restored" in focus.names
    assert told(notices, "removed")


def test_an_image_that_changed_during_its_run_is_told(focus, image, slow, notices):
    layer = focus.viewer.add_image(image, name="plate")
    focus.press()
    layer.data = image[:64, :64]
    focus.settle()
    assert focus.layer("plate restored").data.shape == image.shape
    assert told(notices, "changed")


def test_choosing_another_image_during_a_run_leaves_it_to_its_own(focus, image, slow):
    focus.viewer.add_image(image, name="plate")
    focus.press()
    focus.widget.image.value = focus.viewer.add_image(image[:64], name="other")
    focus.settle()
    assert "plate restored" in focus.names
    assert focus.widget.table.texts == {}


def test_a_restored_layer_that_was_removed_comes_back_with_the_next_run(focus, image):
    focus.viewer.add_image(image, name="plate")
    focus.run()
    focus.viewer.layers.remove("plate restored")
    assert not focus.widget.compare.enabled
    focus.run()
    assert focus.names.count("plate restored") == 1


def test_images_that_are_gone_are_not_kept_in_memory(focus, image):
    focus.viewer.add_image(image, name="plate")
    focus.run()
    focus.viewer.layers.clear()
    assert not focus.widget.results.shown


def test_an_error_that_nobody_foresaw_ends_in_a_notice(focus, image, notices, monkeypatch):
    def fail(*_):
        raise RuntimeError("CUDA error")
        yield

    monkeypatch.setattr("napari_spheroseg.inference.predictor.Predictor.predict", fail)
    focus.viewer.add_image(image, name="plate")
    focus.run()
    assert focus.widget.run.text == "Run"
    assert told(notices, "RuntimeError")


def test_closing_the_viewer_during_a_run_is_no_error(focus, stack, slow):
    focus.viewer.add_image(np.concatenate([stack] * 4), name="movie")
    focus.widget.frames.value = "Every slice"
    focus.press()
    focus.close()
    focus.wait(lambda: not focus.widget.runner.running, 10)


def test_closing_the_dock_during_a_run_ends_it_and_the_swipe(focus, image, slow):
    focus.viewer.add_image(image, name="plate")
    focus.run()
    focus.widget.swipe.value = 50
    focus.press()
    focus.viewer.window.remove_dock_widget(focus.widget.native)
    focus.wait(lambda: "plate swipe" not in focus.names)
    focus.wait(lambda: not focus.widget.runner.running, 10)
    assert focus.layer("plate restored").visible


def test_opening_the_widget_does_not_import_torch():
    code = (
        "import napari, sys; v = napari.Viewer(show=False);"
        "v.window.add_plugin_dock_widget('napari-spheroseg', 'Restore focus');"
        "v.open_sample('napari-spheroseg', 'brightfield');"
        "assert not {'torch', 'sklearn'} & set(sys.modules); v.close()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_it_runs_where_it_was_told_to(focus, image):
    focus.viewer.add_image(image, name="plate")
    more = focus.widget.more
    more.device.value, more.backend.value, more.precision.value = "cpu", "torch", "float32"
    focus.run()
    made = focus.layer("plate restored").metadata["spheroseg"]["made_with"]
    assert (made["device"], made["backend"], made["precision"]) == ("cpu", "torch", "float32")
