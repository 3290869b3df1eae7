from pathlib import Path

import pytest

from napari_spheroseg.batch.find import find_images, output_stems
from napari_spheroseg.errors import SpherosegError


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def found(folder, *inputs):
    return [str(path.relative_to(folder)) for path in find_images(inputs)]


def test_a_folder_stands_for_its_images_by_name(tmp_path):
    make(tmp_path, "b.tif", "a.png", "c.JPG", "d.bmp", "e.tiff")
    assert found(tmp_path, tmp_path) == ["a.png", "b.tif", "c.JPG", "d.bmp", "e.tiff"]


@pytest.mark.parametrize("name", ["Thumbs.db", ".hidden.tif", "a.txt", "b_labels.tif", "c.czi"])
def test_what_is_no_image_in_a_folder_is_passed_over(name, tmp_path):
    make(tmp_path, "a.tif", name)
    assert found(tmp_path, tmp_path) == ["a.tif"]


def test_subfolders_are_not_searched(tmp_path):
    make(tmp_path, "a.tif", "deep/b.tif")
    (tmp_path / "c.tif").mkdir()
    assert found(tmp_path, tmp_path) == ["a.tif"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.tif", ["a.tif", "b.tif"]),
        ("?.png", ["c.png"]),
        ("**/*.tif", ["a.tif", "b.tif", "deep/d.tif"]),
        ("[ab].tif", ["a.tif", "b.tif"]),
    ],
)
def test_a_pattern_stands_for_its_matches(pattern, expected, tmp_path):
    make(tmp_path, "a.tif", "b.tif", "c.png", "deep/d.tif", "notes.txt")
    assert found(tmp_path, str(tmp_path / pattern)) == expected


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path):
    make(tmp_path, "a[1].tif", "a1.tif")
    assert found(tmp_path, str(tmp_path / "a[1].tif")) == ["a[1].tif"]


def test_a_file_is_taken_whatever_it_is(tmp_path):
    make(tmp_path, "a_labels.tif", "b.txt")
    inputs = [tmp_path / "b.txt", tmp_path / "a_labels.tif"]
    assert find_images(inputs) == inputs


def test_a_missing_file_is_returned_and_fails_by_itself(tmp_path):
    assert find_images([tmp_path / "nowhere.tif"]) == [tmp_path / "nowhere.tif"]


def test_every_file_comes_once(tmp_path):
    make(tmp_path, "a.tif", "b.tif")
    assert found(tmp_path, tmp_path / "b.tif", tmp_path, str(tmp_path / "*.tif")) == [
        "b.tif",
        "a.tif",
    ]


@pytest.mark.parametrize("what", ["", "*.tif"])
def test_a_folder_or_pattern_without_images_is_an_error(what, tmp_path):
    make(tmp_path, "notes.txt")
    with pytest.raises(SpherosegError, match=r"holds no image.*\.tif"):
        find_images([str(tmp_path / what)])


# ---------------------------------------------------------------- names of results


def test_a_stem_that_is_alone_is_kept():
    paths = [Path("a/x.tif"), Path("a/y.png")]
    assert output_stems(paths) == {paths[0]: "x", paths[1]: "y"}


def test_files_of_the_same_name_are_told_apart_by_their_folders():
    assert list(output_stems([Path("a/x.tif"), Path("b/x.tif")]).values()) == ["a_x", "b_x"]


def test_files_of_the_same_folder_are_told_apart_by_their_suffix():
    names = list(output_stems([Path("a/x.tif"), Path("a/x.png")]).values())
    assert names == ["a_x_tif", "a_x_png"]


@pytest.mark.parametrize(
    "paths",
    [
        ["p/a/x.tif", "q/a/x.tif"],
        ["p/a/x.tif", "q/a/x.tif", "r/a/x.tif", "x.tif"],
        ["a/x.tif", "b/x.tif", "a_x.tif"],
        ["a/x.tif", "a/x.png", "a/x_1.tif", "a/x_2.tif"],
        ["p/a/x.tif", "q/a/x.tif", "x_1.tif"],
        ["p/a/x.tif", "q/a/x.tif", "x_1.tif", "b/x_1.tif", "b/x_2.tif"],
        ["a/x.tif", "a/X.tif"],
    ],
)
def test_no_two_files_share_a_name_of_results(paths):
    stems = output_stems([Path(path) for path in paths])
    # on some systems X and x are the same file
    assert len({stem.lower() for stem in stems.values()}) == len(paths)


def test_names_of_results_do_not_depend_on_the_order_of_inputs():
    paths = [Path("a/x.tif"), Path("b/x.tif"), Path("c/y.tif")]
    assert output_stems(paths) == output_stems(paths[::-1])


def test_a_long_name_leaves_room_for_what_follows_it(tmp_path):
    paths = [tmp_path / f"{'日' * 83}{end}.tif" for end in "ab"]
    stems = list(output_stems(paths).values())
    assert len(set(stems)) == 2
    assert all(len(f"{stem}_polygons.geojson".encode()) < 256 for stem in stems)
    assert all(set(stem) <= set("日_2") for stem in stems)
