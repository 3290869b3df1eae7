import dataclasses
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from napari_spheroseg.errors import BadImage, BadSetting
from napari_spheroseg.models import Preparation
from napari_spheroseg.training.check import (
    check_data,
    check_steps,
    sample_pictures,
    write_sample_pictures,
)
from napari_spheroseg.training.look import EMPTY, INVERTED, LOOSE, SPECKS
from napari_spheroseg.training.pairs import Dataset
from napari_spheroseg.training.settings import TrainingSettings


@pytest.fixture
def good(save_drawn):
    """Four pairs to learn from, two to validate with."""
    return (*save_drawn(4), *save_drawn(2, "val", first=10))


def check(*pairs, left_out=()):
    return check_data(Dataset(pairs, tuple(left_out)))


def test_good_data_have_no_problem(good):
    found = check(*good)
    assert found.problems == ()
    assert found.usable == Dataset(good)
    found.raise_if_unusable()


def test_the_table_says_what_the_files_hold(save, disc):
    mask = np.zeros((40, 60), np.uint8)
    mask[disc(mask.shape, (20, 20), 10)], mask[disc(mask.shape, (20, 45), 5)] = 1, 2
    (row,) = check(save("a.png", mask * 100, mask, source="mice", part="val")).pairs.to_dict(
        "records"
    )
    assert row["file"].endswith("a.png")
    assert (row["source"], row["part"], row["dtype"]) == ("mice", "val", "uint8")
    assert (row["height"], row["width"], row["objects"]) == (40, 60, 2)
    assert row["foreground"] == pytest.approx((mask > 0).mean())
    assert row["diameter_px"] == pytest.approx(15, rel=0.1)  # between those of 10 and 20
    assert (row["problem"], row["usable"]) == ("", True)


def test_the_summary_tells_numbers_sizes_and_balance(good):
    found = check(*good)
    objects = found.pairs.groupby("part")["objects"].sum()
    lines = found.summary.splitlines()
    assert lines[0] == "Images: 4 to learn from, 2 to validate with; 0 left out"
    assert lines[1] == "Sizes: 128 × 128 px; uint16"
    assert f"{objects['train']} objects" in lines[2]
    assert f"{objects['val']} objects" in lines[3]
    assert "% foreground" in lines[2]


def test_the_summary_counts_sources(save_drawn):
    pairs = (*save_drawn(3, source="mice"), *save_drawn(1, "val", first=5, source="rats"))
    assert "Sources: 3 × mice, 1 × rats" in check(*pairs).summary


# ---------------------------------------------------------------- pairs that cannot be used


def test_one_unreadable_file_is_left_out_and_the_others_are_used(good):
    good[1].image.write_bytes(b"no picture")
    found = check(*good)
    assert found.usable.pairs == (good[0], *good[2:])
    (problem,) = found.problems
    assert problem.startswith("Left out:")
    assert good[1].image.name in problem
    assert found.pairs["usable"].tolist() == [True, False, True, True, True, True]
    assert found.pairs["height"].isna().sum() == 1
    found.raise_if_unusable()


def test_a_missing_mask_is_left_out(good):
    good[0].mask.unlink()
    assert good[0] not in check(*good).usable.pairs


def test_sizes_that_differ_are_told(good, save):
    one = save("thin.tif", np.zeros((30, 40), np.uint8), np.ones((30, 20), np.uint8), part="train")
    found = check(one, *good)
    assert found.usable.pairs == good
    assert "thin.tif is 40 × 30 pixels and its mask thin.tif 20 × 30" in found.problems[0]


@pytest.mark.parametrize("value", [np.uint8(7), np.float32(np.nan)])
def test_an_image_in_which_nothing_is_to_be_seen_is_left_out(value, good, save):
    mask = np.eye(64, dtype=np.uint8)
    one = save("flat.tif", np.full((64, 64), value), mask, part="train")
    found = check(*good, one)
    assert found.usable.pairs == good
    assert found.problems == ("Left out: flat.tif is constant: there is nothing to see in it",)


def test_files_without_a_partner_are_told(good):
    assert check(*good, left_out=["x.png has no mask"]).problems == ("Left out: x.png has no mask",)


def test_pairs_to_test_with_are_kept_and_not_read(good, save_drawn):
    (test,) = save_drawn(1, "test", first=20)
    test.image.unlink()
    found = check(*good, test)
    assert test in found.usable.pairs
    assert len(found.pairs) == len(good)


# ---------------------------------------------------------------- pairs that are odd


def test_an_empty_mask_is_told_and_learnt_from(good, save_drawn):
    (one,) = save_drawn(1, first=20, change=np.zeros_like)
    found = check(*good, one)
    assert found.problems == (f"{EMPTY}: {one.name}",)
    assert one in found.usable.pairs


def test_a_mask_of_nearly_all_foreground_is_told(good, save, disc):
    image = good[0].read()[0]
    one = save("full.tif", image, (~disc(image.shape, (64, 64), 12)).astype(np.uint8), part="train")
    assert any(p == f"{INVERTED}: full.tif" for p in check(*good, one).problems)


def test_a_mask_with_soft_edges_is_told(good, save_drawn):
    def soften(labels):
        return cv2.GaussianBlur((labels > 0) * 60000.0, (0, 0), 3)

    (one,) = save_drawn(1, first=20, change=soften)
    assert f"{SPECKS}: {one.name}" in check(*good, one).problems


def test_the_mask_of_another_image_is_told(good):
    for one, other in ((good[0], good[1]), (good[4], good[5])):
        shutil.copy(other.mask, one.mask)
    hints = dict(zip(good, check(*good).pairs["problem"], strict=True))
    assert [LOOSE in hints[pair] for pair in good] == [True, False, False, False, True, False]


def test_masks_that_all_lie_off_alike_are_told_with_the_way_back(save_drawn):
    def move(labels):
        return np.roll(labels, (-5, 3), (0, 1))

    pairs = save_drawn(8, change=move, source="mice") + save_drawn(4, "val", first=9, source="rats")
    (problem,) = (p for p in check(*pairs).problems if "lie off" in p)
    assert problem.startswith("The masks of 'mice'")
    assert problem.endswith("5 px down and 3 px to the left")


def test_many_files_of_one_oddity_make_one_sentence(good, save_drawn):
    found = check(*good, *save_drawn(8, first=20, change=np.zeros_like))
    (problem,) = found.problems
    assert problem.endswith("train24.tif and 3 more")


def test_the_same_image_on_both_sides_is_told(good, save):
    image, labels = good[0].read()
    again = save("again.tif", image, labels.astype(np.uint8), part="val")
    (problem,) = check(*good, again).problems
    assert "same image" in problem
    assert problem.endswith("train0.tif and again.tif")


def test_the_same_image_twice_to_learn_from_is_no_problem(good, save):
    image, labels = good[0].read()
    again = save("again.tif", image, labels.astype(np.uint8), part="train")
    assert check(*good, again).problems == ()


@pytest.mark.parametrize(
    ("count", "named"),
    [(1, "well0"), (3, "well0, well1, well2"), (5, "well0, well1, well2 and 2 more")],
)
def test_groups_on_both_sides_are_told(count, named, good):
    groups = [f"well{n}" for n in range(5)]
    pairs = [
        dataclasses.replace(good[0 if part == "train" else 4], group=group, part=part)
        for part, own in (("train", groups), ("val", groups[:count]), ("test", groups))
        for group in own
    ]
    (problem,) = (p for p in check(*pairs).problems if "roup" in p)
    assert problem == f"Groups to learn from and to validate with, so scores lie: {named}"


def test_pairs_without_a_group_are_none_together(good):
    pairs = [dataclasses.replace(pair, group="a" if pair.part == "val" else "") for pair in good]
    assert check(*pairs).problems == ()
    assert check(*good).problems == ()


# ---------------------------------------------------------------- nothing to learn from


@pytest.mark.parametrize(("kept", "to"), [("val", "learn from"), ("train", "validate with")])
def test_a_part_without_pairs_is_refused(kept, to, good):
    found = check(*(pair for pair in good if pair.part == kept))
    with pytest.raises(BadSetting, match=f"no image with a mask to {to}"):
        found.raise_if_unusable()


def test_no_pair_at_all_is_refused():
    found = check()
    assert found.pairs.empty
    assert found.summary == "Images: 0 to learn from, 0 to validate with; 0 left out"
    with pytest.raises(BadSetting, match="column part"):
        found.raise_if_unusable()


def test_a_part_of_which_nothing_can_be_read_is_refused_with_the_reason(good):
    for pair in good[4:]:
        pair.mask.write_bytes(b"")
    with pytest.raises(BadImage, match=r"None of the 2 images to validate with.*val10\.tif"):
        check(*good).raise_if_unusable()


@pytest.mark.parametrize(("part", "to"), [("train", "learn from"), ("val", "validate with")])
def test_masks_that_are_all_background_are_refused(part, to, good, save_drawn):
    others = [pair for pair in good if pair.part != part]
    empty = save_drawn(3, part, first=30, change=np.zeros_like)
    with pytest.raises(BadImage, match=f"All masks to {to} are empty. Draw some objects"):
        check(*others, *empty).raise_if_unusable()


# ---------------------------------------------------------------- how it is watched


def test_progress_is_told_after_every_pair(good):
    told = []
    check_data(Dataset(good), progress=lambda *numbers: told.append(numbers))
    assert told == [(n, 6) for n in range(1, 7)]


def test_whoever_stops_iterating_cancels(good):
    steps = check_steps(Dataset(good))
    assert next(steps).pair == good[0]
    good[1].image.unlink()  # nobody reads it any more
    steps.close()


def test_the_check_needs_neither_torch_nor_monai_nor_lightning():
    code = (
        "import sys, napari_spheroseg.training.check\n"
        "assert not {'torch', 'monai', 'lightning'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------- pictures of samples


@pytest.fixture
def settings(folders):
    return TrainingSettings(name="mine", data=folders, network="unet", crop=64)


@pytest.mark.parametrize(("count", "shape"), [(1, (64, 64)), (3, (64, 200)), (6, (132, 268))])
def test_samples_stand_in_rows_of_four(count, shape, good, settings):
    sheet = sample_pictures(Dataset(good), settings, Preparation(), count)
    assert sheet.shape == (*shape, 3)
    assert sheet.dtype == np.uint8


def test_outlines_are_drawn_in_colour_on_grey(good, settings):
    settings = settings.replace(augmentation={"diameter": [30, 40]})
    sheet = sample_pictures(Dataset(good), settings, Preparation(), 4).astype(int)
    coloured = np.ptp(sheet, axis=-1) > 0
    assert 0.005 < coloured.mean() < 0.2
    assert np.all(sheet[coloured] == (255, 215, 0))


def test_pictures_are_in_grey_values_though_the_network_takes_others(good, settings):
    dataset, colour = Dataset(good), Preparation(channels=3)
    plain = sample_pictures(dataset, settings, colour, 2)
    imagenet = colour.replace(normalise="imagenet")
    assert np.array_equal(sample_pictures(dataset, settings, imagenet, 2), plain)


def test_the_picture_that_is_written_is_the_one_that_is_made(good, settings, tmp_path):
    path = tmp_path / "new" / "samples.png"
    write_sample_pictures(path, Dataset(good), settings, Preparation(), 2)
    written = cv2.imread(str(path))[..., ::-1]
    assert np.array_equal(written, sample_pictures(Dataset(good), settings, Preparation(), 2))
