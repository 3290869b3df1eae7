import sys

import dask.array
import numpy as np
import pytest
import tifffile
import zarr
from safetensors.torch import load_file, save_file

import napari_spheroseg as ss
from napari_spheroseg.errors import BadImage, BadSetting, Cancelled, MissingPackage, SpherosegError
from napari_spheroseg.inference.predictor import Predictor
from napari_spheroseg.models import library
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.readwrite.geojson import read_geojson
from napari_spheroseg.readwrite.images import open_image
from napari_spheroseg.segmentation.large import scale
from napari_spheroseg.segmentation.large.room import Scratch

DEVICE = {"device": "cpu", "backend": "torch"}
QUICK = {**DEVICE, "tile": 64}


@pytest.fixture(scope="module")
def field(disc):
    """Discs of many sizes, some touching each other or the edge, on noise."""
    rng = np.random.default_rng(0)
    plane = np.full((150, 200), 100, np.uint16)
    for _ in range(22):
        centre = rng.uniform((0, 0), plane.shape)
        plane[disc(plane.shape, centre, rng.uniform(3, 16))] = 3000
    return plane + rng.integers(0, 300, plane.shape).astype(np.uint16)


@pytest.fixture(scope="module")
def rings(disc):
    """Rings within a ring that is larger than any window, and islands in their holes."""
    plane = np.full((150, 200), 100, np.uint16)

    def ring(y, x, radius, width):
        plane[disc(plane.shape, (y, x), radius)] = 3000
        plane[disc(plane.shape, (y, x), radius - width)] = 100

    ring(75, 90, 70, 6)
    ring(60, 70, 30, 5)
    ring(110, 110, 14, 4)
    for y, x in ((60, 70), (110, 110), (75, 130), (20, 180)):
        plane[disc(plane.shape, (y, x), 5)] = 3000
    return plane


@pytest.fixture
def both(bright, tmp_path):
    """The result in one piece, and that by window."""

    def segment(image, block=32, model=bright, **settings):
        settings = QUICK | settings
        one = ss.segment(image, str(model), **settings)
        return one, ss.segment_large(image, tmp_path / "out", str(model), block=block, **settings)

    return segment


def assert_equal(one, large):
    """Labels, polygons and table are equal but for the numbers of the objects."""
    labels = np.asarray(large.labels[:])
    assert labels.shape == one.labels.shape
    pairs = np.unique(np.stack([one.labels.ravel(), labels.ravel()]), axis=1).T.tolist()
    count = len(one.table)
    assert len(pairs) == count + 1
    other = dict(pairs)
    assert other[0] == 0
    assert sorted(other.values()) == list(range(count + 1))
    rows = large.table.set_index("label").loc[[other[n] for n in one.table["label"]]]
    expected = one.table.set_index("label")
    assert list(rows.columns) == list(expected.columns)
    assert np.allclose(rows.to_numpy(float), expected.to_numpy(float), equal_nan=True)
    theirs = {(p.id, *p.outer.min(axis=0)): p for p in large.polygons}
    assert len(theirs) == len(one.polygons)
    for polygon in one.polygons:
        match = theirs[(other[polygon.id], *polygon.outer.min(axis=0))]
        assert np.array_equal(match.outer, polygon.outer)
        assert len(match.holes) == len(polygon.holes)
        assert match.parent == (None if polygon.parent is None else other[polygon.parent])
        assert match.mean_probability == pytest.approx(polygon.mean_probability)
        assert match.frame == polygon.frame


@pytest.mark.parametrize("block", [16, 37, 1024])
def test_labels_are_those_of_one_piece(block, both, field):
    assert_equal(*both(field, block))


def test_numbers_do_not_depend_on_windows(bright, field, tmp_path):
    first, second = (
        ss.segment_large(field, tmp_path / str(block), str(bright), block=block, **QUICK)
        for block in (24, 500)
    )
    assert np.array_equal(first.labels[:], second.labels[:])
    assert first.table.equals(second.table)
    assert [p.id for p in first.polygons] == [p.id for p in second.polygons]


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": 0.6, "overlap": 0.4},
        {"scale": 1.7, "tile": 128},
        {"long_side": 100},
        {"size": (96, 96), "tile": None},
        {"scale": 0.05, "multiple": 128},  # whole tiles of nothing but padding
        {"interpolation": "lanczos", "scale": 0.5},
        {"test_time_augmentation": True, "multiple": 48},
        {"intensity": "fixed", "low": 0, "high": 3000},
    ],
    ids=str,
)
def test_preparation_is_that_of_one_piece(settings, both, field):
    assert_equal(*both(field, **settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"fill_holes": True},
        {"opening": 3, "closing": 2},
        {"low_threshold": 0.1, "threshold": 0.7, "scale": 0.4},
        {"split_touching": True, "split_depth": 0.05},
        {"exclude_edge": True, "min_circularity": 0.7, "min_solidity": 0.8},
        {"min_area": 0, "max_area": 600, "min_probability": 0.9},
        {"tolerance": 0, "pixel_size": (0.5, 0.7)},
    ],
    ids=str,
)
def test_post_processing_is_that_of_one_piece(settings, both, field):
    assert_equal(*both(field, **settings))


@pytest.mark.parametrize("settings", [{}, {"fill_holes": True}, {"closing": 3, "scale": 0.5}])
def test_rings_with_islands_larger_than_windows_are_whole(settings, both, rings):
    one, large = both(rings, **settings)
    assert_equal(one, large)


def test_parents_reach_over_windows(both, rings):
    one, large = both(rings, 16)
    assert sum(polygon.parent is not None for polygon in one.polygons) >= 4
    assert_equal(one, large)


@pytest.fixture
def with_distance(bright, tmp_path):
    """The bright model with a second output, that follows the brightness more gently."""
    metadata = library.read_metadata(bright)
    state = load_file(bright / library.WEIGHTS)
    for name in ("final_conv.weight", "final_conv.bias"):
        state[name] = state[name].repeat(2, *[1] * (state[name].ndim - 1))
        state[name][1] /= 8
    folder = tmp_path / "distance"
    folder.mkdir()
    save_file(state, folder / library.WEIGHTS)
    changes = {
        "name": "distance",
        "arguments": {**metadata.arguments, "out_channels": 2},
        "outputs": ("foreground", "distance"),
        "sha256": sha256_of(folder / library.WEIGHTS),
    }
    library.write_metadata(folder, metadata.replace(**changes))
    return folder


def test_touching_objects_are_split_by_distance_as_in_one_piece(both, with_distance):
    y, x = np.mgrid[:150, :200]
    plane = np.full(y.shape, 200.0)
    rng = np.random.default_rng(2)
    for centre in rng.uniform((0, 0), y.shape, (30, 2)):
        plane = np.maximum(plane, 4000 - 110 * np.hypot(y - centre[0], x - centre[1]))
    settings = {"split_touching": True, "split_depth": 0.05, "threshold": 0.4}
    one, large = both(plane.astype(np.uint16), 24, with_distance, **settings)
    joined = one.at(split_touching=False)
    assert len(one.table) > len(joined.table) + 5
    assert_equal(one, large)


def test_the_scale_is_found_as_in_one_piece(both, field):
    settings = {"long_side": 100, "best_diameter": (30.0, 40.0)}
    one, large = both(field, **settings)
    assert_equal(one, large)


def test_a_given_diameter_is_followed_as_in_one_piece(both, field):
    assert_equal(*both(field, best_diameter=(10.0, 14.0), diameter=24, long_side=100))


@pytest.mark.parametrize(("radius", "step"), [(5, 16), (14, 40), (60, 150)])
def test_the_scale_of_a_very_large_plane_is_found_on_samples(
    radius, step, bright, disc, tmp_path, monkeypatch
):
    monkeypatch.setattr(scale, "LARGE", 1000)
    plane = np.full((300, 300), 100, np.uint16)
    for y in range(step // 2, 300, step):
        for x in range(step // 2, 300, step):
            plane[disc(plane.shape, (y, x), radius)] = 3000
    seen = []
    better = scale.better_scale
    monkeypatch.setattr(scale, "better_scale", lambda *a, **k: seen.append(a[0]) or better(*a, **k))
    how = {"long_side": 32, "best_diameter": (10.0, 14.0), **QUICK}
    found = ss.segment_large(plane, tmp_path, str(bright), **how)
    assert seen == [pytest.approx(2 * radius, rel=0.2)]
    assert len(found.table) == len(range(step // 2, 300, step)) ** 2


def test_samples_of_a_very_large_plane_without_objects_are_no_error(bright, tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "LARGE", 1000)
    plane = np.random.default_rng(0).integers(0, 9, (200, 200)).astype(np.uint16)
    how = {"long_side": 32, "best_diameter": (10.0, 14.0), "threshold": 1.0, **QUICK}
    assert len(ss.segment_large(plane, tmp_path, str(bright), **how).table) == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, bool, np.int32])
def test_types_are_those_of_one_piece(dtype, both, field):
    plane = field > 1000 if dtype is bool else (field // 16).astype(dtype)
    assert_equal(*both(plane, scale=0.6))


def test_rgb_is_that_of_one_piece(both, field):
    plane = np.stack([field, field // 2, field // 3], axis=-1)
    assert_equal(*both(plane, scale=0.6))


def test_what_is_no_number_is_as_in_one_piece(both, field):
    plane = field.astype(np.float32)
    plane[60:64, 30:90], plane[5, 5] = np.nan, np.inf
    assert_equal(*both(plane, scale=0.6))


def test_a_region_is_segmented_alone_and_keeps_its_place(bright, field, tmp_path):
    region, size = (20, 130, 30, 190), {"pixel_size": 0.5, "block": 32}
    part = ss.segment_large(field, tmp_path / "a", str(bright), region=region, **QUICK, **size)
    alone = ss.segment_large(field[20:130, 30:190], tmp_path / "b", str(bright), **QUICK, **size)
    assert np.array_equal(part.labels[:], alone.labels[:])
    assert np.allclose(part.table["centroid_y_um"], alone.table["centroid_y_um"] + 20 * 0.5)
    assert np.allclose(part.table["centroid_x_um"], alone.table["centroid_x_um"] + 30 * 0.5)
    assert np.array_equal(part.polygons[0].outer, np.add(alone.polygons[0].outer, (20, 30)))
    assert part.to_layers()[0][1]["translate"].tolist() == [10, 15]
    assert part.recipe["region"] == list(region)


def test_a_stack_is_done_plane_after_plane(both, field):
    stack = np.stack([field, np.full_like(field, 7), field[::-1]])
    one, large = both(stack, axes="TYX")
    assert_equal(one, large)
    assert large.warnings == one.warnings


def test_frames_are_those_that_were_asked_for(both, field):
    stack = np.stack([field, field[:, ::-1], field[::-1]])
    one, large = both(stack, frames=((2,),))
    assert_equal(one, large)
    assert large.recipe["frames"] == [[2]]


def test_a_channel_is_that_of_one_piece(both, field):
    stack = np.stack([np.zeros_like(field), field])
    assert_equal(*both(stack, axes="CYX", channel=1))


def test_nothing_is_found_in_a_constant_image(both):
    one, large = both(np.full((64, 80), 9, np.uint16))
    assert not large.labels[:].any()
    assert large.warnings == one.warnings
    assert list(large.table.columns) == list(one.table.columns)


# ---------------------------------------------------------------- files


@pytest.fixture
def result(bright, field, tmp_path):
    return ss.segment_large(field, tmp_path / "out", str(bright), block=64, **QUICK)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_results_lie_in_the_folder(result, tmp_path):
    assert names(tmp_path / "out") == [
        "image_labels.ome.zarr",
        "image_measurements.csv",
        "image_polygons.geojson",
    ]
    written = read_geojson(tmp_path / "out" / "image_polygons.geojson")
    assert len(written.polygons) == len(result.polygons)
    assert written.recipe == result.recipe


def test_another_run_takes_the_place_of_the_first(result, bright, field, tmp_path):
    before = names(tmp_path / "out")
    again = ss.segment_large(field[:100], tmp_path / "out", str(bright), **QUICK)
    assert again.labels.shape == (100, 200)
    assert names(tmp_path / "out") == before


@pytest.mark.parametrize("call", ["write_geojson", "write_label_pyramid"])
def test_what_cannot_be_written_leaves_the_results_that_were_there(
    call, result, bright, field, tmp_path, monkeypatch
):
    from napari_spheroseg.segmentation.large import output

    def full(*_):
        raise OSError(28, "No space left on device")

    before = names(tmp_path / "out"), (tmp_path / "out" / "image_polygons.geojson").read_bytes()
    labels = result.labels[:]
    monkeypatch.setattr(output, call, full)
    for folder in ("out", "new"):
        with pytest.raises(SpherosegError, match="No space left"):
            ss.segment_large(field[:100], tmp_path / folder, str(bright), **QUICK)
    after = names(tmp_path / "out"), (tmp_path / "out" / "image_polygons.geojson").read_bytes()
    assert after == before
    assert np.array_equal(result.labels[:], labels)
    assert names(tmp_path / "new") == []


def test_a_recipe_makes_the_result_again(result, field, tmp_path):
    again = ss.segment_large(field, tmp_path / "again", **result.recipe, **DEVICE)
    assert np.array_equal(again.labels[:], result.labels[:])


@pytest.mark.parametrize("chunks", [(40, 30), (150, 200), (7, 200)])
def test_dask_is_read_by_window(chunks, bright, field, result, tmp_path):
    lazy = dask.array.from_array(field, chunks=chunks)
    found = ss.segment_large(lazy, tmp_path / "dask", str(bright), block=64, **QUICK)
    assert np.array_equal(found.labels[:], result.labels[:])


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_is_read_by_window(version, bright, field, result, tmp_path):
    path = tmp_path / "plain.zarr"
    array = zarr.create_array(
        str(path), shape=field.shape, chunks=(64, 64), dtype=field.dtype, zarr_format=version
    )
    array[:] = field
    for image in (array, path):
        found = ss.segment_large(image, tmp_path / "zarr", str(bright), block=64, **QUICK)
        assert np.array_equal(found.labels[:], result.labels[:])


@pytest.mark.parametrize("how", [{"tile": (64, 64)}, {"rowsperstrip": 8}, {"compression": "zlib"}])
def test_of_a_tiff_labels_are_a_tiled_tiff(how, bright, field, result, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "napari_spheroseg.segmentation.large.run.open_image", lambda path: open_image(path, 0)
    )
    size = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "a.tif", field, ome=True, metadata=size, **how)
    found = ss.segment_large(tmp_path / "a.tif", tmp_path / "tiff", str(bright), block=64, **QUICK)
    assert np.array_equal(found.labels[:], result.labels[:])
    assert found.path.name == "a_labels.tif"
    with tifffile.TiffFile(found.path) as file:
        assert file.is_bigtiff
        assert file.pages[0].is_tiled
        assert np.array_equal(file.asarray(), result.labels[:])
    assert open_image(found.path).pixel_size == (0.5, 0.5)
    assert "area_um2" in found.table


# ---------------------------------------------------------------- layers


def test_the_layer_is_a_pyramid_that_is_read_when_shown(bright, tmp_path, disc):
    plane = np.where(disc((600, 700), (300, 300), 100), 3000, 10).astype(np.uint16)
    found = ss.segment_large(plane, tmp_path, str(bright), pixel_size=0.5, **QUICK | {"tile": 256})
    ((data, arguments, kind),) = found.to_layers("slide")
    assert kind == "labels"
    assert [level.shape for level in data] == [(600, 700), (300, 350)]
    assert all(isinstance(level, zarr.Array) for level in data)
    assert np.array_equal(data[1][:], found.labels[::2, ::2])
    assert arguments["multiscale"]
    assert arguments["name"] == "slide labels"
    assert arguments["scale"] == [0.5, 0.5]
    assert arguments["features"]["index"].tolist() == [1]


def test_a_layer_keeps_the_place_of_the_channel(bright, field, tmp_path):
    stack = np.stack([field, field])[:, None]
    found = ss.segment_large(stack, tmp_path, str(bright), axes="TCYX", channel=0, **QUICK)
    ((data, arguments, _),) = found.to_layers()
    assert data.shape == (2, 1, *field.shape)
    assert len(arguments["scale"]) == 4


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("after", [1, 5, 12, 25])
def test_cancelling_leaves_nothing_behind(after, bright, field, tmp_path):
    asked = []

    def cancel():
        asked.append(1)
        return len(asked) >= after

    with pytest.raises(Cancelled):
        ss.segment_large(field, tmp_path / "out", str(bright), cancel=cancel, block=32, **QUICK)
    assert names(tmp_path / "out") == []


def test_progress_grows_and_ends(bright, field, tmp_path):
    seen = []
    tell = lambda done, total: seen.append((done, total))  # noqa: E731
    ss.segment_large(field, tmp_path, str(bright), progress=tell, block=32, **QUICK)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert all(done < total for done, total in seen[:-1])
    assert seen[-1][0] == seen[-1][1]


def test_a_full_disk_is_an_error_with_a_hint_and_leaves_nothing(
    bright, field, tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Scratch, "__setitem__", full)
    with pytest.raises(SpherosegError, match=r"No space.*free space"):
        ss.segment_large(field, tmp_path / "out", str(bright), **QUICK)
    assert names(tmp_path / "out") == []


def test_without_zarr_the_error_names_the_extra(bright, field, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingPackage, match=r"napari-spheroseg\[large\]"):
        ss.segment_large(field, tmp_path, str(bright), **QUICK)


def test_an_image_without_a_number_is_refused(bright, tmp_path):
    with pytest.raises(BadImage, match="No value"):
        ss.segment_large(np.full((64, 64), np.nan), tmp_path, str(bright), **QUICK)


def test_a_frame_that_is_not_there_is_refused(bright, field, tmp_path):
    with pytest.raises(BadSetting, match="no frame"):
        ss.segment_large(field[None], tmp_path, str(bright), frames=((3,),), **QUICK)


def test_windows_that_are_too_small_are_refused(bright, field, tmp_path):
    with pytest.raises(BadSetting, match="too small"):
        ss.segment_large(field, tmp_path, str(bright), block=2, **QUICK)


def test_objects_that_fit_no_memory_are_left_out_and_told(bright, rings, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_spheroseg.segmentation.large.objects._LARGEST", 5000)
    found = ss.segment_large(rings, tmp_path, str(bright), block=32, **QUICK)
    assert len(found.table) == 6
    assert "left out" in found.warnings[0]


def test_when_memory_runs_out_smaller_tiles_are_tried(both, field, monkeypatch):
    monkeypatch.setattr("napari_spheroseg.inference.predictor.SMALLEST_TILE", 32)
    real = Predictor._run

    def run(self, tiles):
        if tiles.shape[-1] > 64:
            from napari_spheroseg.errors import OutOfMemory

            raise OutOfMemory("The device is full")
        return real(self, tiles)

    monkeypatch.setattr(Predictor, "_run", run)
    one, large = both(field, tile=128)
    assert_equal(one, large)
    assert large.warnings == one.warnings != ()
