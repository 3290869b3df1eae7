from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from napari_spheroseg.errors import BadImage, BadSetting, UnreadableFile
from napari_spheroseg.training.pairs import Pair, find_pairs, objects, pairs_in_folders, split
from napari_spheroseg.training.settings import Data

PLANE = np.arange(30 * 40, dtype=np.uint8).reshape(30, 40)


@pytest.fixture
def mask(disc):
    """Two discs, numbered."""
    return disc((30, 40), (10, 10), 6) * 1 + disc((30, 40), (18, 28), 8) * 2


def touch(folder, *names):
    """Small images of these names."""
    for name in names:
        cv2.imwrite(str(folder / name), PLANE)


def manifest(tmp_path, *lines, encoding="utf-8"):
    path = tmp_path / "all.csv"
    path.write_text("\n".join(lines) + "\n", encoding)
    return Data(manifest=path)


def pair(stem, **fields):
    return Pair(Path(f"{stem}.png"), Path(f"{stem}_mask.png"), **fields)


# ---------------------------------------------------------------- objects of a mask


@pytest.mark.parametrize("value", [1, 7, 255])
def test_components_of_a_mask_of_one_value_are_objects(value, mask):
    found = objects((mask > 0) * value)
    assert found.dtype == np.int32
    assert np.array_equal(np.unique(found), [0, 1, 2])
    assert np.array_equal(found > 0, mask > 0)


def test_values_of_an_instance_mask_are_objects_though_they_touch():
    touching = np.zeros((10, 20), np.uint16)
    touching[2:8, 2:10], touching[2:8, 10:18] = 700, 40
    found = objects(touching)
    assert (found[4, 4], found[4, 14]) == (2, 1)


def test_a_mask_that_is_said_to_be_binary_has_no_values():
    touching = np.zeros((10, 20), np.uint8)
    touching[2:8, 2:10], touching[2:8, 10:18] = 128, 255
    assert objects(touching, binary=True).max() == 1


def test_an_object_of_an_instance_mask_may_be_in_pieces():
    pieces = np.zeros((10, 20), np.uint8)
    pieces[2:4, 2:4] = pieces[6:8, 12:16] = 5
    assert objects(pieces, binary=False).max() == 1
    assert objects(pieces).max() == 2


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "int64", "float32"])
def test_masks_of_all_types_are_read(dtype, mask):
    found = objects(mask.astype(dtype))
    assert np.array_equal(found > 0, mask > 0)


def test_values_below_zero_are_background(mask):
    assert np.array_equal(objects(np.where(mask == 0, -1, mask)), mask)


def test_an_empty_mask_has_no_object():
    assert objects(np.zeros((5, 5), np.uint8)).max() == 0


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.png", PLANE),
        ("a.tif", PLANE.astype(np.uint16) * 200),
        ("a.tif", PLANE.astype(np.float32) / 255),
        ("a.png", np.stack([PLANE, PLANE // 2, PLANE // 3], axis=-1)),
    ],
    ids=["8 bit", "16 bit", "float", "RGB"],
)
def test_a_pair_is_read_as_its_files_have_it(name, image, mask, save):
    read, labels = save(name, image, mask.astype(np.uint8)).read()
    expected = image[..., ::-1] if image.ndim == 3 else image  # cv2 writes blue first
    assert np.array_equal(read, expected)
    assert read.dtype == image.dtype
    assert np.array_equal(labels, mask)


def test_grey_masks_saved_as_rgb_keep_their_objects(mask, save):
    rgb = np.repeat(mask.astype(np.uint8)[..., None] * 100, 3, axis=-1)
    assert np.array_equal(save("a.png", PLANE, rgb).read()[1], mask)


def test_colours_of_a_mask_tell_objects_apart(mask, save):
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)[mask]
    labels = save("a.png", PLANE, colours).read()[1]
    assert sorted(np.bincount(labels.ravel())) == sorted(np.bincount(mask.ravel()))


def test_sizes_that_differ_are_said(mask, save):
    with pytest.raises(BadImage, match=r"a\.png is 40 × 30 pixels and its mask a\.png 40 × 20"):
        save("a.png", PLANE, mask[:20].astype(np.uint8)).read()


def test_a_stack_is_refused(mask, save):
    with pytest.raises(BadImage, match=r"a.tif is a stack of shape \(5, 30, 40\)"):
        save("a.tif", np.stack([PLANE] * 5), mask.astype(np.uint8)).read()


def test_a_stack_of_one_plane_is_a_plane(mask, folders, save):
    one = save("a.tif", PLANE, mask.astype(np.uint8))
    tifffile.imwrite(one.image, PLANE[None], metadata={"axes": "ZYX"})
    assert one.read()[0].shape == (30, 40)


def test_a_missing_or_damaged_file_is_an_error_of_ours(mask, save):
    one = save("a.png", PLANE, mask.astype(np.uint8))
    one.image.write_bytes(b"no picture")
    with pytest.raises(UnreadableFile, match=r"a\.png"):
        one.read()
    one.image.unlink()
    with pytest.raises(UnreadableFile, match=r"a\.png"):
        one.read()


# ---------------------------------------------------------------- folders


def test_images_find_the_masks_of_their_stem(folders):
    touch(folders.images, "a.png", "b.tif", "c.jpg", "d.png")
    touch(folders.masks, "a.png", "b_mask.png", "c_labels.tif", "d-mask.png")
    found = find_pairs(folders)
    assert [(p.image.name, p.mask.name) for p in found.pairs] == [
        ("a.png", "a.png"),
        ("b.tif", "b_mask.png"),
        ("c.jpg", "c_labels.tif"),
        ("d.png", "d-mask.png"),
    ]
    assert found.left_out == ()


def test_files_without_a_partner_are_listed(folders):
    touch(folders.images, "a.png", "b.png", "lonely.png")
    touch(folders.masks, "a.png", "b.png", "other_mask.png")
    found = find_pairs(folders)
    assert len(found.pairs) == 2
    assert found.left_out == ("lonely.png has no mask", "other_mask.png has no image")


def test_masks_may_stand_beside_their_images(tmp_path):
    touch(tmp_path, "a.png", "a_mask.png", "b.png", "b_labels.png", "c.png")
    found = find_pairs(Data(images=tmp_path, masks=tmp_path))
    assert [p.mask.name for p in found.pairs] == ["a_mask.png", "b_labels.png"]
    assert found.left_out == ("c.png has no mask",)


def test_hidden_files_and_notes_are_no_images(folders):
    touch(folders.images, "a.png", "b.png", ".c.png")
    touch(folders.masks, "a.png", "b.png")
    (folders.images / "notes.txt").write_text("of the day")
    found = find_pairs(folders)
    assert (len(found.pairs), found.left_out) == (2, ())


def test_a_folder_that_is_missing_or_empty_is_named(folders, tmp_path):
    touch(folders.images, "a.png")
    with pytest.raises(UnreadableFile, match=r"masks holds no image"):
        find_pairs(folders)
    with pytest.raises(UnreadableFile, match="There is no folder"):
        find_pairs(Data(images=folders.images, masks=tmp_path / "nothing"))


def test_where_no_stem_matches_the_rule_is_told(folders):
    touch(folders.images, "a.png")
    touch(folders.masks, "b.png")
    with pytest.raises(UnreadableFile, match="A mask has the name of its image"):
        find_pairs(folders)


def test_a_single_image_cannot_be_divided(folders):
    touch(folders.images, "a.png")
    touch(folders.masks, "a.png")
    with pytest.raises(BadSetting, match="There is only one image"):
        find_pairs(folders)


# ---------------------------------------------------------------- manifest


def test_a_manifest_says_source_group_and_part(tmp_path):
    data = manifest(
        tmp_path,
        "file,mask_file,source,group,part,mask_kind",
        "x/a.png,y/a.png,mice,plate 1,Train,binary",
        "x/b.png,y/b.png,rats,plate 2,val,instance",
        "x/c.png,y/c.png,,,test,",
    )
    here = (tmp_path / "x", tmp_path / "y")
    expected = [
        ("a.png", "mice", "plate 1", "train", True),
        ("b.png", "rats", "plate 2", "val", False),
        ("c.png", "images", "", "test", None),
    ]
    assert find_pairs(data).pairs == tuple(
        Pair(here[0] / name, here[1] / name, *rest) for name, *rest in expected
    )


def test_a_manifest_needs_two_columns_only(tmp_path):
    data = manifest(tmp_path, "file,mask_file", "a.png,a_m.png", "b.png,b_m.png")
    assert {p.part for p in find_pairs(data).pairs} == {"train", "val"}


def test_a_manifest_as_excel_writes_it_is_read(tmp_path):
    lines = ("file,mask_file,part", "ä.png,ä_m.png,train")
    data = manifest(tmp_path, *lines, encoding="utf-8-sig")
    assert find_pairs(data).pairs[0].name == "ä.png"


def test_rows_without_a_partner_are_listed(tmp_path):
    lines = ("file,mask_file,part", "a.png,a_m.png,train", "b.png,,train", ",c_m.png,val")
    assert find_pairs(manifest(tmp_path, *lines)).left_out == (
        "b.png has no partner",
        "c_m.png has no partner",
    )


@pytest.mark.parametrize(
    ("lines", "error", "complaint"),
    [
        (["file,part", "a.png,train"], UnreadableFile, "columns file and mask_file"),
        ([""], UnreadableFile, "columns file and mask_file"),
        (["file,mask_file,part", "a,b,training"], BadSetting, "part 'training'"),
    ],
)
def test_a_manifest_that_is_wrong_says_why(lines, error, complaint, tmp_path):
    with pytest.raises(error, match=complaint):
        find_pairs(manifest(tmp_path, *lines))


def test_a_manifest_that_is_missing_is_unreadable(tmp_path):
    with pytest.raises(UnreadableFile, match=r"nothing\.csv cannot be read"):
        find_pairs(Data(manifest=tmp_path / "nothing.csv"))


def test_only_the_sources_that_are_named_are_learnt_from(tmp_path):
    lines = ("file,mask_file,source,part", "a,a,mice,train", "b,b,rats,train", "c,c,mice,val")
    data = manifest(tmp_path, *lines).replace(sources={"mice": 1})
    assert {p.source for p in find_pairs(data).pairs} == {"mice"}
    with pytest.raises(BadSetting, match=r"source 'cats'. There are: \['mice', 'rats'\]"):
        find_pairs(data.replace(sources={"cats": 1}))


def test_pairs_to_learn_from_are_told_apart_by_source(tmp_path):
    lines = ("file,mask_file,source,part", "a,a,mice,train", "b,b,rats,val", "c,c,mice,train")
    by_source = find_pairs(manifest(tmp_path, *lines)).by_source
    assert {name: len(pairs) for name, pairs in by_source.items()} == {"mice": 2}


# ---------------------------------------------------------------- division


@pytest.mark.parametrize("seed", range(25))
def test_a_group_is_never_on_both_sides(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, rng.integers(2, 8), rng.integers(8, 40))
    pairs = [pair(f"i{n}", group=f"g{group}") for n, group in enumerate(groups)]
    parts = split(pairs, float(rng.uniform(0.05, 0.95)), seed)
    sides = {(p.group, p.part) for p in parts}
    assert len(sides) == len({p.group for p in parts})
    assert {part for _, part in sides} == {"train", "val"}


@pytest.mark.parametrize("seed", range(10))
def test_a_group_follows_those_of_its_pairs_whose_part_is_said(seed):
    said = [pair("a", group="1", part="train"), pair("b", group="2", part="test")]
    free = [pair(f"f{n}", group=str(n % 5)) for n in range(20)]
    parts = {p.group: p.part for p in split(said + free, 0.5, seed)[2:]}
    assert (parts["1"], parts["2"]) == ("train", "test")


def test_parts_that_are_said_stay(tmp_path):
    pairs = [pair(f"i{n}", part="val" if n % 3 else "test") for n in range(9)]
    assert split(pairs, 0.5, 0) == pairs


@pytest.mark.parametrize(("share", "expected"), [(0.01, 1), (0.2, 4), (0.5, 10), (0.99, 19)])
def test_about_the_share_that_was_asked_for_validates(share, expected):
    parts = Counter(p.part for p in split([pair(f"i{n}") for n in range(20)], share, 0))
    assert parts == {"val": expected, "train": 20 - expected}


def test_the_division_is_the_same_for_the_same_seed_and_another_for_others():
    pairs = [pair(f"i{n}") for n in range(30)]
    first = split(pairs, 0.3, 1)
    assert split(pairs, 0.3, 1) == first
    assert split(pairs[::-1], 0.3, 1)[::-1] == first
    assert split(pairs, 0.3, 2) != first


def test_one_group_cannot_be_divided():
    with pytest.raises(BadSetting, match="only one group of images"):
        split([pair(f"i{n}", group="plate") for n in range(5)], 0.2, 0)


def test_stems_that_match_alike_stay_together(folders):
    names = [f"plate{plate}_{well}.png" for plate in range(4) for well in "abc"]
    touch(folders.images, *names)
    touch(folders.masks, *names)
    for seed in range(5):
        pairs = find_pairs(folders.replace(group=r"^(plate\d)"), seed).pairs
        assert len({(p.group, p.part) for p in pairs}) == len({p.group for p in pairs}) == 4


def test_a_group_pattern_that_is_no_expression_is_refused(folders):
    touch(folders.images, "a.png", "b.png")
    touch(folders.masks, "a.png", "b.png")
    with pytest.raises(BadSetting, match="no regular expression"):
        find_pairs(folders.replace(group="(["))


def test_a_stem_that_matches_nothing_is_its_own_group(folders):
    touch(folders.images, "a_1.png", "b.png")
    touch(folders.masks, "a_1.png", "b.png")
    pairs = find_pairs(folders.replace(group=r"(\w)_(\d)")).pairs
    assert [replace(p, part="").group for p in pairs] == ["a|1", "b"]


def test_of_two_images_of_one_stem_the_second_is_listed(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    for folder in (images, masks):
        folder.mkdir()
    plane = np.zeros((8, 8), np.uint8)
    for name in ("a.png", "a.tif", "b.png"):
        cv2.imwrite(str(images / name), plane)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(masks / name), plane)
    found = pairs_in_folders(images, masks)
    assert [pair.image.name for pair in found.pairs] == ["a.png", "b.png"]
    assert found.left_out == ("a.tif has the stem of a.png",)
