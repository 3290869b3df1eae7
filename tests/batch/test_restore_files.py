import json

import numpy as np
import pytest
import tifffile

from napari_spheroseg.batch.carry import ChangedRecipe
from napari_spheroseg.batch.cluster import connect
from napari_spheroseg.batch.restore import restore_files
from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.errors import BadSetting
from napari_spheroseg.readwrite.images import read_image

HOW = {"device": "cpu", "backend": "torch"}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def paths(tmp_path, image):
    """A plane with a pixel size, a stack of two, and a file that is no image."""
    place = tmp_path / "in"
    place.mkdir()
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.4}
    tifffile.imwrite(place / "a.tif", image, ome=True, metadata={"axes": "YX", **size})
    tifffile.imwrite(place / "b.tif", np.stack([image] * 2), metadata={"axes": "ZYX"})
    (place / "c.tif").write_bytes(b"")
    return sorted(place.iterdir())


@pytest.fixture
def run(paths, out, restorer):
    model = str(restorer(0.25))

    def restore(files=None, **settings):
        return list(restore_files(files or paths, out, **{"model": model} | HOW | settings))

    return restore


def test_each_file_becomes_one_with_its_type_axes_and_pixel_size(run, out, image):
    states = {item.name: item.state for item in run()}
    assert states == {"a.tif": "done", "b.tif": "done", "c.tif": "failed"}
    plane, stack = (read_image(out / f"{stem}_restored.tif") for stem in "ab")
    assert (plane.axes, plane.pixel_size, plane.data.dtype) == ("YX", (0.4, 0.5), np.uint16)
    assert np.abs(plane.data.astype(int) - image - 725).max() <= 1
    assert (stack.axes, stack.data.shape) == ("ZYX", (2, *image.shape))


def test_the_record_tells_model_recipe_and_what_failed(run, out):
    run()
    record = json.loads((out / "run.json").read_text())
    assert record["task"] == "restoration"
    assert record["recipe"]["made_with"]["sha256"]
    assert [each["state"] for each in record["images"]] == ["done", "done", "failed"]
    assert "objects" not in record["images"][0]
    assert sorted(path.name for path in out.iterdir()) == [
        "a_restored.tif",
        "b_restored.tif",
        "journal.sqlite",
        "run.json",
    ]


def test_what_is_done_is_not_done_again(run, out):
    run()
    before = (out / "a_restored.tif").stat().st_mtime_ns
    assert sorted(item.state for item in run()) == ["failed", "skipped", "skipped"]
    assert (out / "a_restored.tif").stat().st_mtime_ns == before


def test_results_of_two_recipes_are_not_mixed(run, out):
    run()
    with pytest.raises(ChangedRecipe, match="rescale True"):
        run(rescale=False)
    run(rescale=False, existing="resume")
    assert read_image(out / "a_restored.tif").data.dtype == np.uint16
    run(rescale=False, existing="overwrite")
    assert read_image(out / "a_restored.tif").data.dtype == np.float32


def test_results_of_two_tasks_are_not_mixed(run, out, paths, bright):
    run()
    with pytest.raises(BadSetting, match="results of a restoration"):
        list(segment_files(paths, out, str(bright), **HOW))


def test_results_of_another_task_cannot_be_gone_on_with(run, out, paths, bright):
    run(paths[:1])
    with pytest.raises(BadSetting, match="results of a restoration"):
        list(segment_files(paths, out, str(bright), existing="resume", **HOW))
    assert (out / "a_restored.tif").exists()


def test_a_constant_image_is_told_of(run, tmp_path, out):
    path = tmp_path / "flat.tif"
    tifffile.imwrite(path, np.full((20, 30), 7, np.uint8))
    (item,) = run([path])
    assert "constant" in item.warnings[0]
    assert np.array_equal(read_image(out / "flat_restored.tif").data, np.full((20, 30), 7))


def test_a_channel_of_a_stack_is_restored_alone(run, tmp_path, out, image):
    path = tmp_path / "many.tif"
    tifffile.imwrite(path, np.stack([image] * 3), ome=True, metadata={"axes": "CYX"})
    run([path], channel=2)
    assert read_image(out / "many_restored.tif").axes == "YX"


def test_workers_restore_the_same(run, paths, out, image):
    pytest.importorskip("distributed")
    with connect(1) as client:
        items = run(paths[:1], client=client)
    assert [item.state for item in items] == ["done"]
    assert np.abs(read_image(out / "a_restored.tif").data.astype(int) - image - 725).max() <= 1


def test_a_segmentation_that_restores_first_is_carried_on_only_with_the_same_weights(
    paths, out, bright, restorer
):
    dim = {"intensity": "fixed", "low": 0, "high": 6500}
    settings = {"restore": str(restorer(0.25)), **dim, **HOW}
    first = list(segment_files(paths[:1], out, str(bright), **settings))
    assert first[0].objects == 3
    with pytest.raises(ChangedRecipe, match="restore"):
        list(segment_files(paths, out, str(bright), **dim, **HOW))
    other = settings | {"restore": str(restorer(0.5))}
    with pytest.raises(ChangedRecipe, match="restore"):
        list(segment_files(paths, out, str(bright), **other))
