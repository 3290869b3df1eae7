import numpy as np
import pytest

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.polygon import Polygon
from napari_spheroseg.readwrite.drawn import draw_outlines, thumbnail, write_outlines
from napari_spheroseg.readwrite.images import read_image

SQUARE = np.array([(20, 20), (20, 60), (60, 60), (60, 20)], np.float32)
HOLE = np.array([(35, 35), (35, 45), (45, 45), (45, 35)], np.float32)


@pytest.fixture
def plane():
    return np.linspace(100, 4000, 80 * 100).reshape(80, 100).astype(np.uint16)


def coloured(picture):
    """Pixels that are not grey."""
    return np.ptp(picture.astype(int), axis=-1) > 20


def test_outlines_and_holes_are_drawn_and_nothing_else(plane):
    lines = coloured(draw_outlines(plane, [Polygon(1, SQUARE, (HOLE,))]))
    assert lines[20, 20:61].all()
    assert lines[35, 35:46].all()
    assert not lines[25:32].any(axis=0)[25:56].any()
    assert not lines[:15].any()


def test_without_polygons_the_picture_is_grey(plane):
    assert not coloured(draw_outlines(plane, [])).any()


def test_neighbours_have_different_colours(plane):
    drawn = draw_outlines(plane, [Polygon(1, SQUARE), Polygon(2, HOLE)])
    assert drawn[20, 40].tolist() != drawn[35, 40].tolist()


@pytest.mark.parametrize(("side", "width"), [(200, 1), (1400, 1), (1500, 3), (6000, 3)])
def test_lines_are_wider_on_large_images(side, width):
    row = np.array([(40, 5), (40, side - 5), (70, side - 5)], np.float32)
    drawn = draw_outlines(np.zeros((80, side), np.uint8), [Polygon(1, row)])
    assert drawn[30:50, side * 3 // 4, 2].sum() / 255 == pytest.approx(width, abs=0.8)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_any_grey_values_are_stretched_to_black_and_white(dtype):
    plane = np.zeros((40, 40), dtype)
    plane[:20] = 1
    drawn = draw_outlines(plane, [])
    assert (drawn.dtype, drawn.shape) == (np.uint8, (40, 40, 3))
    assert (drawn[:20] == 255).all()
    assert (drawn[20:] == 0).all()


def test_a_few_hot_pixels_do_not_darken_the_image(plane):
    plane[0, :3] = 65535
    assert np.median(draw_outlines(plane, [])) == pytest.approx(127, abs=5)


def test_what_is_not_a_number_is_black():
    plane = np.full((20, 20), np.nan, np.float32)
    assert not draw_outlines(plane, []).any()
    plane[5:] = np.linspace(0, 1, 15)[:, None]
    assert draw_outlines(plane, [])[-1].min() == 255
    assert not draw_outlines(plane, [])[:5].any()


def test_a_constant_image_can_be_drawn():
    assert draw_outlines(np.full((20, 20), 7, np.uint8), []).shape == (20, 20, 3)


def test_the_image_itself_is_not_drawn_on(plane):
    rgb = np.stack([plane] * 3, axis=-1).astype(np.uint8)
    before = rgb.copy()
    draw_outlines(rgb, [Polygon(1, SQUARE)])
    assert np.array_equal(rgb, before)


def test_the_png_holds_what_is_drawn_in_its_colours(tmp_path, plane):
    polygons = [Polygon(1, SQUARE)]
    write_outlines(tmp_path / "a.png", plane, polygons)
    assert np.array_equal(read_image(tmp_path / "a.png").data, draw_outlines(plane, polygons))


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, plane):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFile):
        write_outlines(tmp_path / "file" / "a.png", plane, [])


# ---------------------------------------------------------------- thumbnails


@pytest.mark.parametrize(
    ("shape", "small"),
    [
        ((960, 480), (96, 48)),
        ((480, 960), (48, 96)),
        ((24, 48), (48, 96)),
        ((3, 3000), (1, 96)),
        ((200, 100, 3), (96, 48)),
    ],
)
def test_the_longer_side_is_as_asked(shape, small):
    drawn = thumbnail(np.zeros(shape, np.uint16), [])
    assert (drawn.dtype, drawn.shape) == (np.uint8, (*small, 3))


@pytest.mark.parametrize("dtype", [bool, np.uint32, np.int64, np.float16])
def test_a_thumbnail_of_any_grey_values(dtype):
    plane = np.zeros((200, 200), dtype)
    plane[:100] = 1
    drawn = thumbnail(plane, [])
    assert drawn[:40].min() >= 254
    assert drawn[60:].max() == 0


@pytest.mark.parametrize("factor", [1, 4, 10])
def test_outlines_shrink_with_the_image(factor, disc):
    side = 96 * factor
    plane = disc((side, side), (side / 2, side / 2), side / 4).astype(np.uint8)
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = side / 2 - 0.5 + side / 4 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    lines = coloured(thumbnail(plane, [Polygon(1, ring.astype(np.float32))]))
    ys, xs = np.nonzero(lines)
    assert np.hypot(ys - 47.5, xs - 47.5) == pytest.approx(24, abs=1.6)
