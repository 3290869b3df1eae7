import cv2
import numpy as np
import pytest

from napari_spheroseg.readwrite.pictures import draw_overlay, write_overlay
from napari_spheroseg.segmentation.polygons import outline


@pytest.fixture
def polygons(image, disc):
    ring = (image > 1000) & ~disc(image.shape, (40, 40), 10)
    return outline(cv2.connectedComponents(ring.astype(np.uint8))[1])


def coloured(overlay):
    return (overlay != overlay[..., :1]).any(axis=-1)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "bool", "RGB"])
def test_an_overlay_is_a_colour_picture_of_the_image(kind, image, polygons):
    plane = np.stack([image] * 3, axis=-1) if kind == "RGB" else (image // 12).astype(kind)
    overlay = draw_overlay(plane, polygons)
    assert (overlay.shape, overlay.dtype) == ((*image.shape, 3), np.uint8)


def test_without_objects_the_overlay_is_grey(image):
    assert not coloured(draw_overlay(image, [])).any()


def test_lines_run_along_the_outlines(image, polygons):
    drawn = coloured(draw_overlay(image, polygons))
    for polygon in polygons:
        for ring in polygon.rings:
            rows, columns = np.rint(ring).astype(int).T
            assert drawn[rows, columns].mean() > 0.95


def test_holes_have_another_colour(image, polygons):
    overlay = draw_overlay(image, polygons)
    (ringed,) = [polygon for polygon in polygons if polygon.holes]
    at = [tuple(np.rint(ring[0]).astype(int)) for ring in ringed.rings]
    assert not np.array_equal(overlay[at[0]], overlay[at[1]])


def test_an_overlay_is_written_as_png(image, polygons, tmp_path):
    write_overlay(tmp_path / "new" / "a.png", image, polygons)
    assert np.array_equal(
        cv2.imread(str(tmp_path / "new" / "a.png")), draw_overlay(image, polygons)
    )


def test_a_constant_image_has_an_overlay(polygons):
    assert draw_overlay(np.full((128, 160), 7, np.uint16), polygons).shape == (128, 160, 3)
