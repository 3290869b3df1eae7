from itertools import permutations

import numpy as np
import pytest

from napari_spheroseg.errors import BadImage
from napari_spheroseg.training.metrics import (
    IOUS,
    NAMES,
    object_scores,
    overlaps,
    pixel_scores,
    score,
)

EMPTY = np.zeros((20, 20), np.int32)


def boxes(*corners, shape=(20, 20)):
    """Labels of rectangles, given as (top, left, bottom, right)."""
    labels = np.zeros(shape, np.int32)
    for number, (top, left, bottom, right) in enumerate(corners, start=1):
        labels[top:bottom, left:right] = number
    return labels


def crowd(seed, count=25, shape=(96, 96)):
    """Touching discs of all sizes, and the same moved, cut and partly lost."""
    random = np.random.default_rng(seed)
    y, x = np.indices(shape)
    truth, found = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for number in range(1, count + 1):
        centre, radius = random.uniform(0, shape[0], 2), random.uniform(3, 14)
        truth[np.hypot(y - centre[0], x - centre[1]) < radius] = number
        if random.random() < 0.85:
            centre, radius = centre + random.normal(0, 1.5, 2), radius * random.uniform(0.7, 1.2)
            found[np.hypot(y - centre[0], x - centre[1]) < radius] = 3 * number  # with gaps
    found[:, ::37] = 0
    return truth, found


# ---------------------------------------------------------------- pixels


def test_pixel_scores_of_two_boxes_are_those_counted_by_hand():
    found = pixel_scores(boxes((0, 0, 10, 10)), boxes((0, 5, 10, 15)))
    assert found["pixel_iou"] == pytest.approx(50 / 150)
    assert found["pixel_dice"] == pytest.approx(100 / 200)
    assert found["pixel_accuracy"] == pytest.approx(300 / 400)
    assert found["pixel_precision"] == found["pixel_recall"] == found["pixel_f1"] == 0.5


@pytest.mark.parametrize("seed", range(3))
def test_pixel_scores_agree_with_torchmetrics(seed):
    classification = pytest.importorskip("torchmetrics.functional.classification")
    import torch

    truth, found = crowd(seed)
    both = [torch.from_numpy((each > 0).astype(np.int64)).ravel() for each in (found, truth)]
    ours = pixel_scores(truth, found)
    for name, theirs in {
        "iou": "jaccard_index",
        "dice": "f1_score",
        "f1": "f1_score",
        "accuracy": "accuracy",
        "precision": "precision",
        "recall": "recall",
    }.items():
        expected = getattr(classification, f"binary_{theirs}")(*both)
        assert ours[f"pixel_{name}"] == pytest.approx(float(expected), abs=1e-6)


# ---------------------------------------------------------------- objects


@pytest.mark.parametrize("iou", IOUS)
@pytest.mark.parametrize("seed", range(3))
def test_matches_agree_with_monai_at_every_iou(seed, iou):
    quality = pytest.importorskip("monai.metrics").compute_panoptic_quality
    import torch

    truth, found = crowd(seed)
    hits, false, missed, total = quality(
        torch.from_numpy(found),
        torch.from_numpy(truth),
        match_iou_threshold=iou,
        output_confusion_matrix=True,
    ).tolist()
    table = overlaps(truth, found)
    matched = table.matched(iou)
    assert len(matched) == hits
    assert table.found_count - len(matched) == false
    assert table.true_count - len(matched) == missed
    assert matched.sum() == pytest.approx(total, abs=1e-4)
    ap = object_scores(truth, found)[f"ap_{round(100 * iou)}"]
    assert ap == pytest.approx(hits / (hits + false + missed))


@pytest.mark.parametrize("seed", range(3))
def test_iou_of_every_pair_is_that_of_the_two_masks(seed):
    truth, found = crowd(seed)
    table = overlaps(truth, found)
    expected = {
        (i, j): ((truth == i) & (found == j)).sum() / ((truth == i) | (found == j)).sum()
        for i in np.unique(truth[truth > 0])
        for j in np.unique(found[found > 0])
    }
    pairs = dict(zip(zip(table.true, table.found, strict=True), table.iou, strict=True))
    assert pairs == pytest.approx({pair: iou for pair, iou in expected.items() if iou > 0})


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("least", [0.05, 0.2, 0.5])
def test_the_best_of_all_possible_matchings_is_found(seed, least):
    """Against all permutations: most pairs first, then the highest IoU."""
    random = np.random.default_rng(seed)
    truth, found = (
        np.kron(random.integers(0, 6, (4, 4)), np.ones((2, 2), int)),
        random.integers(0, 6, (8, 8)),
    )
    table = overlaps(truth, found)
    iou = np.zeros((6, 6))
    iou[table.true, table.found] = table.iou
    kept = np.where(iou >= least, iou, 0)[1:, 1:]
    best = max(
        (np.count_nonzero(kept[range(5), order]), kept[range(5), order].sum())
        for order in permutations(range(5))
    )
    matched = table.matched(least)
    assert (len(matched), matched.sum()) == (best[0], pytest.approx(best[1]))


def test_two_halves_of_an_object_match_it_only_once():
    scores = object_scores(boxes((0, 0, 10, 10)), boxes((0, 0, 10, 5), (0, 5, 10, 10)))
    assert scores["objects_matched"] == 1
    assert scores["false_positive_rate"] == 0.5


def test_object_scores_are_those_counted_by_hand():
    truth = boxes((0, 0, 5, 4), (10, 0, 15, 4), (0, 10, 5, 14))
    found = boxes((0, 0, 5, 4), (10, 0, 15, 3), (10, 10, 15, 14), (16, 16, 19, 19))
    scores = object_scores(truth, found)
    assert scores == pytest.approx(
        {
            "objects_true": 3,
            "objects_found": 4,
            "objects_matched": 2,
            "object_f1": 4 / 7,
            "object_precision": 2 / 4,
            "detection_rate": 2 / 3,
            "false_positive_rate": 2 / 4,
            "mean_matched_iou": (1 + 0.75) / 2,
            **{f"ap_{at}": 2 / 5 for at in (50, 55, 60, 65, 70, 75)},
            **{f"ap_{at}": 1 / 6 for at in (80, 85, 90, 95)},
            "mean_ap": (6 * 2 / 5 + 4 / 6) / 10,
            "count_error": 1,
            "relative_count_error": 1 / 3,
        }
    )


def test_numbers_and_their_order_do_not_matter():
    truth, found = crowd(0)
    names = np.random.default_rng(0).permutation(1000)[: found.max() + 1] + 1
    renamed = np.where(found, names[found], 0)
    assert object_scores(truth, renamed) == pytest.approx(object_scores(truth, found))


def test_the_truth_itself_is_perfect():
    scores = score(*2 * (crowd(0)[0],))
    errors = {"count_error", "relative_count_error", "false_positive_rate"}
    counts = {"objects_true", "objects_found", "objects_matched"}
    assert all(scores[name] == (name not in errors) for name in set(scores) - counts)


# ---------------------------------------------------------------- nothing there


def test_nothing_found_where_nothing_is_counts_as_perfect():
    scores = score(EMPTY, EMPTY)
    zeros = {name for name, value in scores.items() if value == 0}
    assert zeros == {
        "objects_true",
        "objects_found",
        "objects_matched",
        "false_positive_rate",
        "count_error",
        "relative_count_error",
    }
    assert all(value == 1 for name, value in scores.items() if name not in zeros)


@pytest.mark.parametrize(
    ("truth", "found", "undefined"),
    [
        (
            boxes((0, 0, 5, 5)),
            EMPTY,
            {"pixel_precision", "object_precision", "false_positive_rate", "mean_matched_iou"},
        ),
        (
            EMPTY,
            boxes((0, 0, 5, 5)),
            {"pixel_recall", "detection_rate", "mean_matched_iou", "relative_count_error"},
        ),
    ],
    ids=["nothing found", "nothing true"],
)
def test_what_has_nothing_to_be_divided_by_is_nan(truth, found, undefined):
    scores = score(truth, found)
    assert {name for name, value in scores.items() if np.isnan(value)} == undefined
    assert scores["pixel_iou"] == scores["object_f1"] == scores["mean_ap"] == 0


def test_objects_of_a_binary_mask_are_not_scored():
    scores = score(*crowd(0), binary=True)
    pixels = {name for name in NAMES if name.startswith("pixel_")}
    assert {name for name, value in scores.items() if not np.isnan(value)} == pixels
    assert tuple(scores) == NAMES


def test_other_shapes_are_refused():
    with pytest.raises(BadImage, match=r"\(20, 20\)"):
        score(EMPTY, EMPTY[1:])
