"""Segmenting what is on screen, in a real viewer; and outlines where napari draws slowly."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from napari_spheroseg.widgets.segment import outlines

VIEW = "Current view only"
PLACES = {
    "as it is": {},
    "scaled and moved": {"scale": (0.65, 0.5), "translate": (100, 50), "units": ("um", "um")},
    "turned": {"scale": (2, 2), "rotate": 30, "translate": (7, -9)},
    "sheared": {"shear": [0.3]},
    "with an affine": {"affine": [[0, -1, 5], [1, 0, 3], [0, 0, 1]], "scale": (2, 1)},
}


@pytest.fixture
def one_disc(session, image):
    """An image of which one disc of three, that at (90, 110), is on screen."""
    layer = session.viewer.add_image(image, name="plate")
    session.widget.region.value = VIEW
    session.look_at(layer, (90, 110), 44)
    return layer


def test_only_what_is_on_screen_is_segmented(session, one_disc):
    session.run()
    labels = session.layer("plate labels")
    assert labels.data.max() == 1
    assert labels.data.shape[0] in (44, 45)
    assert labels.metadata["spheroseg"]["region"][0] in (67, 68)
    assert session.layer("plate polygons").nshapes == 1
    assert "in a part of" in session.widget.summary.value


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_the_results_lie_exactly_over_that_part(session, image, place):
    layer = session.viewer.add_image(image, name="plate", **place)
    session.widget.region.value = VIEW
    session.look_at(layer, (90, 110), 44)
    session.run()
    labels, polygons = session.layer("plate labels"), session.layer("plate polygons")
    y0, y1, x0, x1 = labels.metadata["spheroseg"]["region"]
    assert labels.data.shape == (y1 - y0, x1 - x0) < image.shape
    for corner in ((0, 0), (y1 - y0, x1 - x0)):
        there = layer.data_to_world((corner[0] + y0, corner[1] + x0))
        np.testing.assert_allclose(labels.data_to_world(corner), there, atol=1e-6)
    np.testing.assert_array_equal(labels.data > 0, image[y0:y1, x0:x1] > 1000)
    middle = polygons.data[-1].mean(axis=0)
    np.testing.assert_allclose(
        polygons.data_to_world(middle), layer.data_to_world((90, 110)), atol=0.5
    )


def test_the_view_is_that_of_the_canvas(session, one_disc):
    canvas = session.viewer.window._qt_viewer.canvas
    corners = [one_disc.world_to_data(each) for each in canvas._viewbox_corners_in_world]
    session.run()
    y0, y1, x0, x1 = session.layer("plate labels").metadata["spheroseg"]["region"]
    low, high = np.clip(np.sort(corners, axis=0), -0.5, np.array(one_disc.data.shape) - 0.5)
    assert (y0, x0) == pytest.approx(low, abs=1)
    assert (y1, x1) == pytest.approx(high + 0.5, abs=1)


def test_an_image_that_is_wholly_in_view_needs_no_region(session, image):
    layer = session.viewer.add_image(image, name="plate")
    session.widget.region.value = VIEW
    session.look_at(layer, (64, 80), 500)
    session.run()
    labels = session.layer("plate labels")
    assert labels.data.shape == image.shape
    assert labels.metadata["spheroseg"]["region"] is None


def test_the_threshold_moves_in_the_part_without_inference(session, monkeypatch):
    ramp = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (64, 1))
    layer = session.viewer.add_image(ramp, name="ramp")
    session.widget.region.value = VIEW
    session.look_at(layer, (32, 64), 60)
    session.run()
    labels = session.layer("ramp labels")
    before, shape = (labels.data > 0).sum(), labels.data.shape

    def no_inference(*_):
        raise AssertionError("the network ran again")

    monkeypatch.setattr("napari_spheroseg.inference.predictor.Predictor.predict", no_inference)
    session.viewer.reset_view()  # the part stays that of the run
    session.widget.threshold.value = 0.9
    session.settle()
    assert 0 < (labels.data > 0).sum() < before
    assert labels.data.shape == shape


def test_another_view_moves_the_same_layers(session, one_disc):
    session.run()
    before = list(session.viewer.layers)
    session.look_at(one_disc, (40, 40), 44)
    session.run()
    assert list(session.viewer.layers) == before
    labels = session.layer("plate labels")
    y0, _, x0, _ = labels.metadata["spheroseg"]["region"]
    np.testing.assert_allclose(labels.translate, (y0, x0))
    assert labels.features["centroid_y_px"].max() == pytest.approx(40, abs=0.5)
    session.widget.region.value = "Whole image"
    session.run()
    np.testing.assert_allclose(session.layer("plate labels").translate, (0, 0))
    assert session.layer("plate labels").data.shape == one_disc.data.shape


def test_every_slice_of_a_movie_has_the_same_part(session, stack):
    layer = session.viewer.add_image(stack, name="movie")
    session.widget.frames.value = "Every slice"
    session.widget.region.value = VIEW
    session.look_at(layer, (30, 120), 30)
    session.run()
    labels = session.layer("movie labels")
    assert labels.data.shape[0] == 3
    assert labels.data.shape[1] in (30, 31)
    assert [plane.max() > 0 for plane in labels.data] == [True, True, False]
    np.testing.assert_allclose(labels.translate[1:], labels.metadata["spheroseg"]["region"][::2])


def test_a_polygon_that_is_moved_in_a_part_takes_its_label_along(session, one_disc):
    session.run()
    polygons, labels = session.layer("plate polygons"), session.layer("plate labels")
    area = (labels.data > 0).sum()
    y0, _, x0, _ = labels.metadata["spheroseg"]["region"]
    polygons.data = [polygons.data[0] - (3, 0)]
    session.wait(lambda: labels.data[90 - 16 - y0, 110 - x0] > 0, 10)
    session.settle()
    assert (labels.data > 0).sum() == pytest.approx(area, rel=0.02)


def test_of_a_huge_multiscale_image_the_part_is_read_at_full_resolution(session):
    import dask.array

    read = []

    def block(block_info):
        (y, _), (x, _) = block_info[None]["array-location"]
        read.append((y, x))
        part = np.full((1000, 1000), 100, np.uint16)
        part[480:520, 480:520] = 3000
        return part

    huge = dask.array.map_blocks(
        block,
        chunks=((1000,) * 20, (1000,) * 20),
        dtype=np.uint16,
        meta=np.empty((0, 0), np.uint16),
    )
    small = np.full((200, 200), 100, np.uint16)
    layer = session.viewer.add_image(
        [huge, small], name="slide", multiscale=True, contrast_limits=(0, 3000)
    )
    session.widget.region.value = VIEW
    session.look_at(layer, (12_500, 11_500), 200)
    read.clear()  # napari itself looked at the image
    session.run()
    labels = session.layer("slide labels")
    assert max(labels.data.shape) < 400
    assert (labels.data > 0).sum() == 40 * 40
    assert labels.features["centroid_y_px"][0] == pytest.approx(12_499.5)
    assert set(read) <= {(12_000, 11_000)}


# --- what may go wrong -----------------------------------------------------------------------


def test_nothing_on_screen_gives_a_notice_and_the_widget_stays_usable(session, one_disc, notices):
    session.look_at(one_disc, (5000, 5000), 44)
    session.run()
    assert any("Nothing of 'plate' is on screen" in message for _, message in notices())
    assert session.names == ["plate"]
    assert session.widget.run.text == "Run"
    session.look_at(one_disc, (90, 110), 44)
    session.run()
    assert session.layer("plate labels").data.max() == 1


def test_a_3d_view_gives_a_notice(session, stack, notices):
    session.viewer.add_image(stack, name="movie")
    session.viewer.dims.ndisplay = 3
    session.widget.region.value = VIEW
    session.run()
    assert any("rows and columns" in message for _, message in notices())
    assert session.names == ["movie"]


def test_rolled_axes_give_a_notice(session, stack, notices):
    session.viewer.add_image(stack, name="movie")
    session.viewer.dims.order = (1, 0, 2)
    session.widget.region.value = VIEW
    session.run()
    assert any("rows and columns" in message for _, message in notices())


def test_saved_files_say_which_part_they_are_of(session, one_disc, tmp_path):
    session.run()
    y0, y1, x0, x1 = session.layer("plate labels").metadata["spheroseg"]["region"]
    session.widget.actions.save_to(tmp_path)
    assert (tmp_path / f"plate_y{y0}-{y1}_x{x0}-{x1}_labels.tif").is_file()


# --- outlines where napari draws slowly --------------------------------------------------------


@pytest.fixture
def without_bermuda(monkeypatch):
    """As if no compiled backend were installed; few corners count as many."""
    for module in ("bermuda", "PartSegCore_compiled_backend"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(outlines, "_CORNERS", 30)
    outlines._tell_once.cache_clear()
    yield
    outlines._tell_once.cache_clear()


def test_without_bermuda_fewer_corners_are_shown_and_the_user_is_told_once(
    without_bermuda, session, image, notices
):
    session.viewer.add_image(image, name="plate")
    session.run()
    result = session.widget._current().segmentation
    shown, exact = session.layer("plate polygons").data, result.polygons
    assert sum(map(len, shown)) < sum(len(each.outer) for each in exact) / 2
    session.widget.threshold.value = 0.3
    session.settle()
    told = [message for _, message in notices() if "pip install bermuda" in message]
    assert len(told) == 1
    assert "napari-spheroseg[all]" in told[0]


def test_polygons_that_nobody_moved_keep_all_their_corners(without_bermuda, session, image):
    session.viewer.add_image(image, name="plate")
    session.widget.more.tolerance.value = 0  # polygons from which labels can be made again
    session.run()
    polygons, labels = session.layer("plate polygons"), session.layer("plate labels")
    before = labels.data == 1
    which = list(polygons.features["label"]).index(1)
    rings = [ring + (0 if i == which else 2) for i, ring in enumerate(polygons.data)]
    polygons.data = rings
    session.wait(lambda: session.widget._update.running, 5)
    session.settle()
    np.testing.assert_array_equal(labels.data == 1, before)


def test_with_bermuda_all_corners_are_shown(session, image, monkeypatch):
    pytest.importorskip("bermuda")
    monkeypatch.setattr(outlines, "_CORNERS", 30)
    session.viewer.add_image(image, name="plate")
    session.run()
    result = session.widget._current().segmentation
    shown = session.layer("plate polygons").data
    assert [len(ring) for ring in shown] == [len(each.outer) for each in result.polygons]
