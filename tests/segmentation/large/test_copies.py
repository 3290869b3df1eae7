"""Results of a large image, copied to where somebody wants to keep them."""

from __future__ import annotations

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.readwrite.omezarr import open_levels
from napari_spheroseg.segmentation.large.copies import copy_steps
from napari_spheroseg.steps import run_to_end

pytest.importorskip("zarr")
NAMES = ["plate_labels.ome.zarr", "plate_measurements.csv", "plate_polygons.geojson"]


@pytest.fixture
def result(bright, image, tmp_path):
    return ss.segment_large(image, tmp_path / "made", str(bright), device="cpu")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_labels_polygons_and_table_get_the_new_name(result, tmp_path):
    kept = tmp_path / "kept"
    written = run_to_end(copy_steps(result, kept, "plate"))
    assert names(kept) == sorted(path.name for path in written) == NAMES
    np.testing.assert_array_equal(open_levels(kept / NAMES[0])[0][:], result.labels[:])


def test_what_is_there_already_is_replaced(result, tmp_path):
    kept = tmp_path / "kept"
    (kept / NAMES[0] / "0").mkdir(parents=True)
    (kept / NAMES[0] / "stale").write_text("of before")
    (kept / "plate.tif").write_text("an image")
    run_to_end(copy_steps(result, kept, "plate"))
    assert names(kept) == sorted([*NAMES, "plate.tif"])
    assert not (kept / NAMES[0] / "stale").exists()


def test_other_results_of_the_folder_are_not_copied(result, tmp_path):
    (tmp_path / "made" / "image_b_labels.ome.zarr").mkdir()
    (tmp_path / "made" / "other_polygons.geojson").write_text("{}")
    run_to_end(copy_steps(result, tmp_path / "kept", "plate"))
    assert names(tmp_path / "kept") == NAMES


def test_cancelling_leaves_nothing_behind(result, tmp_path):
    steps = copy_steps(result, tmp_path / "kept", "plate")
    next(steps)
    steps.close()
    assert names(tmp_path / "kept") == []


def test_labels_that_are_a_tiff_keep_their_ending(bright, image, tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "slide.tif", image)
    made = ss.segment_large(tmp_path / "slide.tif", tmp_path / "made", str(bright), device="cpu")
    run_to_end(copy_steps(made, tmp_path / "kept", "plate"))
    assert "plate_labels.tif" in names(tmp_path / "kept")


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(result, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UnreadableFile, match="cannot be written"):
        run_to_end(copy_steps(result, tmp_path / "file", "plate"))
