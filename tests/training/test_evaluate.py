import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest
import tifffile

import napari_spheroseg as ss
from napari_spheroseg.errors import BadSetting, Cancelled, UnknownName, UnreadableFile
from napari_spheroseg.training.evaluate import SWEEP
from napari_spheroseg.training.metrics import NAMES, score
from napari_spheroseg.training.pairs import Dataset, Pair


@pytest.fixture
def truth(image):
    return cv2.connectedComponents((image > 1000).astype(np.uint8))[1].astype(np.uint16)


@pytest.fixture
def folders(tmp_path, image, truth):
    """Three images: one found as it is, one with an object too few, one with one too many."""
    places = tmp_path / "images", tmp_path / "masks"
    for place in places:
        place.mkdir()
    masks = {
        "a": truth,
        "b": truth + 4 * np.pad(np.ones((20, 20), np.uint16), ((100, 8), (0, 140))),
        "c": np.where(truth == 2, 0, truth),
    }
    for name, mask in masks.items():
        tifffile.imwrite(places[0] / f"{name}.tif", image)
        tifffile.imwrite(places[1] / f"{name}_mask.tif", mask)
    return places


@pytest.fixture
def manifest(folders, tmp_path):
    """Of a and b the test part, each a source; of c another part."""
    rows = [
        ("images/a.tif", "masks/a_mask.tif", "good", "test", "instance"),
        ("images/b.tif", "masks/b_mask.tif", "bad", "test", "instance"),
        ("images/c.tif", "masks/c_mask.tif", "bad", "train", "instance"),
    ]
    path = tmp_path / "manifest.csv"
    columns = ["file", "mask_file", "source", "part", "mask_kind"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


@pytest.fixture
def evaluate(bright):
    def run(data, **settings):
        return ss.evaluate(bright, data, **{"device": "cpu", "thresholds": [0.5]} | settings)

    return run


def change(manifest, column, value):
    table = pd.read_csv(manifest)
    table[column] = value
    table.to_csv(manifest, index=False)
    return manifest


# ---------------------------------------------------------------- scores


def test_scores_of_an_image_are_those_of_segment_against_its_mask(evaluate, folders, bright, image):
    images = evaluate(folders).images.set_index("file")
    found = ss.segment(image, str(bright), device="cpu").labels
    for name in "abc":
        _, truth = Pair(folders[0] / f"{name}.tif", folders[1] / f"{name}_mask.tif").read()
        expected = score(truth, found)
        assert images.loc[f"{name}.tif", list(NAMES)].to_dict() == pytest.approx(
            expected, nan_ok=True
        )


def test_objects_too_many_and_too_few_are_counted(evaluate, folders):
    images = evaluate(folders).images
    assert images["count_error"].tolist() == [0, -1, 1]
    assert images["detection_rate"].tolist() == [1, 3 / 4, 1]
    assert images["false_positive_rate"].tolist() == [0, 0, pytest.approx(1 / 3)]


def test_overall_each_source_counts_the_same(evaluate, manifest):
    result = evaluate(manifest, part="all")
    sources = result.sources.set_index("source")
    by_file = result.images.set_index("file")["object_f1"]
    assert sources["images"].to_dict() == {"good": 1, "bad": 2}
    assert sources.loc["bad", "object_f1"] == pytest.approx(
        (by_file["b.tif"] + by_file["c.tif"]) / 2
    )
    assert result.overall["object_f1"] == pytest.approx(sources["object_f1"].mean())


def test_objects_of_binary_masks_are_not_scored(evaluate, manifest):
    result = evaluate(change(manifest, "mask_kind", "binary"))
    assert result.images["object_f1"].isna().all()
    assert result.images["pixel_dice"].notna().all()
    assert np.isnan(result.overall["mean_ap"])
    assert result.best_threshold == 0.5


def test_settings_arrive(evaluate, folders):
    assert (evaluate(folders, min_area=10_000).images["objects_found"] == 0).all()


# ---------------------------------------------------------------- thresholds


def test_the_network_runs_once_for_all_thresholds(model, folders):
    runs = []
    model.network.register_forward_hook(lambda *_: runs.append(1))
    ss.evaluate(model, folders, device="cpu", backend="torch")
    assert len(runs) == 3


def test_the_sweep_at_the_threshold_says_what_the_scores_say(evaluate, folders):
    result = evaluate(folders, threshold=0.7, thresholds=[0.3, 0.7])
    (row,) = result.sweep[result.sweep["threshold"] == 0.7].to_dict("records")
    names = ("pixel_iou", "pixel_dice", "object_f1")
    assert {name: row[name] for name in names} == pytest.approx(
        {name: result.overall[name] for name in names}
    )


def test_the_best_threshold_is_where_truth_was_drawn(evaluate, tmp_path, disc):
    """Discs that fade outwards, whose mask ends where the model's probability is 0.8."""
    y, x = np.indices((96, 96))
    steepness = 40  # of the model's logit, by brightness
    logit = 3 - np.hypot(y - 48, x - 48) / 5
    image = 0.5 + logit / steepness
    image[0, :2] = 0, 1
    mask = logit > np.log(0.8 / 0.2)
    for name, array in (("image", image.astype(np.float32)), ("mask", mask.astype(np.uint8))):
        tifffile.imwrite(tmp_path / f"{name}.tif", array)
    pair = Pair(tmp_path / "image.tif", tmp_path / "mask.tif")
    result = evaluate([pair], thresholds=None, intensity="fixed", low=0, high=1)
    assert result.sweep["threshold"].tolist() == list(SWEEP)
    assert result.best_threshold == 0.8


def test_of_equal_thresholds_the_middle_one_is_best(evaluate, folders):
    assert evaluate(folders, thresholds=[0.1, 0.4, 0.9]).best_threshold == 0.4


def test_the_sweep_begins_where_objects_grow_down_to(evaluate, folders):
    result = evaluate(folders, low_threshold=0.4, thresholds=None)
    assert result.sweep["threshold"].min() == 0.4


def test_a_threshold_out_of_bounds_is_refused_before_anything_runs(evaluate, folders):
    with pytest.raises(BadSetting, match="threshold"):
        evaluate(folders, thresholds=[0.5, 1.5])


# ---------------------------------------------------------------- which images


def test_of_a_manifest_only_the_part_is_scored(evaluate, manifest):
    assert evaluate(manifest).images["file"].tolist() == ["a.tif", "b.tif"]
    assert evaluate(manifest, part="train").images["file"].tolist() == ["c.tif"]


def test_where_no_part_is_named_all_images_are_scored(evaluate, manifest):
    assert len(evaluate(change(manifest, "part", "")).images) == 3


def test_one_image_is_enough(evaluate, folders):
    (folders[0] / "b.tif").unlink()
    (folders[0] / "c.tif").unlink()
    result = evaluate(folders)
    assert result.images["file"].tolist() == ["a.tif"]
    assert result.left_out == ("b_mask.tif has no image", "c_mask.tif has no image")


def test_pairs_are_taken_as_they_are_and_a_dataset_by_its_part(evaluate, folders):
    pairs = [
        Pair(folders[0] / f"{name}.tif", folders[1] / f"{name}_mask.tif", part=part)
        for name, part in (("a", "train"), ("b", "test"))
    ]
    assert len(evaluate(pairs).images) == 2
    assert evaluate(Dataset(tuple(pairs))).images["file"].tolist() == ["b.tif"]


@pytest.mark.parametrize("part", ["val", "tset"])
def test_a_part_without_images_is_refused_and_the_others_named(evaluate, manifest, part):
    with pytest.raises(BadSetting, match=rf"'{part}'.* test, train, all\."):
        evaluate(manifest, part=part)


def test_no_pairs_are_refused(evaluate):
    with pytest.raises(BadSetting, match="no image"):
        evaluate([])


def test_a_folder_of_images_alone_is_refused(evaluate, folders):
    with pytest.raises(BadSetting, match="masks"):
        evaluate(folders[0])


def test_a_missing_folder_of_masks_is_named(evaluate, folders):
    with pytest.raises(UnreadableFile, match="nowhere"):
        evaluate((folders[0], folders[0] / "nowhere"))


def test_images_of_one_name_keep_their_folders(evaluate, folders, image, truth):
    pairs = []
    for place in ("x", "y"):
        (folders[0] / place).mkdir()
        tifffile.imwrite(folders[0] / place / "a.tif", image)
        pairs.append(Pair(folders[0] / place / "a.tif", folders[1] / "a_mask.tif"))
    assert evaluate(pairs).images["file"].tolist() == [str(pair.image) for pair in pairs]


# ---------------------------------------------------------------- failures


def test_one_image_that_cannot_be_read_does_not_stop_the_others(evaluate, folders):
    (folders[0] / "b.tif").write_bytes(b"")
    result = evaluate(folders)
    assert result.failures["file"].tolist() == ["b.tif"]
    assert "b.tif" in result.failures["error"].item()
    assert result.images["pixel_iou"].isna().tolist() == [False, True, False]
    assert result.sources[["images", "failed"]].to_numpy().tolist() == [[2, 1]]


def test_a_mask_of_another_size_is_a_failure_that_says_so(evaluate, folders, truth):
    tifffile.imwrite(folders[1] / "a_mask.tif", truth[1:])
    assert "160 × 127" in evaluate(folders).failures["error"].item()


def test_an_error_of_any_kind_ends_one_image_only(evaluate, folders, image):
    tifffile.imwrite(folders[0] / "a.tif", np.full(image.shape, np.nan, np.float32))
    tifffile.imwrite(folders[0] / "b.tif", image.astype(np.complex64))
    assert evaluate(folders).failures["file"].tolist() == ["a.tif", "b.tif"]


def test_where_all_images_fail_nothing_is_invented(evaluate, folders):
    for path in folders[0].iterdir():
        path.write_bytes(b"")
    result = evaluate(folders)
    assert len(result.failures) == 3
    assert np.isnan(list(result.overall.values())).all()
    assert np.isnan(result.best_threshold)
    assert result.worst == ()


def test_an_unknown_model_is_refused(manifest):
    with pytest.raises(UnknownName):
        ss.evaluate("no_such_model", manifest)


# ---------------------------------------------------------------- the run


def test_the_worst_cases_of_each_source_are_kept(evaluate, folders):
    kept = evaluate(folders, worst=2).worst
    assert len(kept) == 2
    assert kept[0].quality <= kept[1].quality < 1
    assert {case.file for case in kept} == {"b.tif", "c.tif"}
    assert evaluate(folders, worst=0).worst == ()


def test_progress_is_told_after_every_image(evaluate, folders):
    told = []
    evaluate(folders, progress=lambda *now: told.append(now), thresholds=())
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_cancel_stops_after_the_image_at_hand(evaluate, folders):
    told = []
    with pytest.raises(Cancelled):
        evaluate(folders, progress=lambda *now: told.append(now), cancel=lambda: len(told) == 2)
    assert told == [(1, 3), (2, 3)]


def test_the_recipe_segments_in_the_same_way(evaluate, folders, image):
    result = evaluate(folders, threshold=0.7, min_area=400)
    again = ss.segment(image, **result.recipe, device="cpu")
    assert len(again.table) == result.images["objects_found"][0]


def test_evaluating_needs_nothing_that_only_training_needs():
    code = "import sys, napari_spheroseg as ss; ss.evaluate\n"
    code += "assert not {'lightning', 'monai', 'torchmetrics'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
