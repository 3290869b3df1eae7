"""How well objects are in focus, beside their segmentation: in the table, and as a warning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import napari_spheroseg as ss
from napari_spheroseg.restoration import detector as detectors
from napari_spheroseg.segmentation.focus import focus_warning, judge_steps, scale_for
from napari_spheroseg.steps import run_to_end


@pytest.fixture
def scene(image):
    """The three discs with texture, so that they can be in focus or not."""
    rough = gaussian_filter(np.random.default_rng(0).random(image.shape), 1)
    return np.where(image > 1000, 2000 + 4000 * rough, 100 + 10 * rough).astype(np.uint16)


@pytest.fixture
def segment(bright):
    def run(image, **settings):
        return ss.segment(image, str(bright), device="cpu", **settings)

    return run


def judged(result, known=None):
    return run_to_end(judge_steps(result, "cpu", "auto", known))


def scored(result, *scores):
    """The result with other scores of its frames, the same all over each."""
    focus = judged(result)
    fields = {
        index: replace(field, tiles=np.full_like(field.tiles, score), held=np.ones_like(field.held))
        for (index, field), score in zip(focus.fields.items(), scores, strict=True)
    }
    return result.with_focus(replace(focus, fields=fields, threshold=0.5))


def test_the_table_says_how_well_objects_are_in_focus_where_that_is_asked_for(segment, scene):
    result = segment(scene, focus=True)
    assert result.table["focus_score"].between(0, 1).all()
    assert 0 <= result.focus.score <= 1
    assert "focus_score" not in segment(scene).table


def test_focus_is_judged_frame_by_frame(segment, scene):
    result = segment(np.stack([scene, scene]), focus=True)
    assert result.focus.score.shape == (2,)
    assert result.table["focus_score"].notna().all()


def test_objects_are_not_computed_again_when_their_focus_is_known(segment, scene):
    result = segment(scene)
    labels, polygons, plane = result.labels, result.polygons, result.plane(())
    with_focus = result.with_focus(judged(result))
    assert with_focus.labels is labels
    assert with_focus.polygons is polygons
    assert with_focus.plane(()) is plane
    without = with_focus.with_focus(None)
    assert "focus_score" not in without.table


def test_frames_that_were_judged_before_are_not_judged_again(segment, scene, monkeypatch):
    stack = np.stack([scene, scene, scene])
    first = judged(segment(stack, frames=[(0,), (1,)]))
    seen = []
    original = detectors.judge_plane

    def watched(*arguments, **more):
        seen.append(1)
        return (yield from original(*arguments, **more))

    monkeypatch.setattr(detectors, "judge_plane", watched)
    every = judged(segment(stack), first)
    assert len(seen) == 1
    assert list(every.fields) == [(0,), (1,), (2,)]
    assert list(judged(segment(stack, frames=[(1,)]), every).fields) == [(1,)]
    assert len(seen) == 1


def test_what_was_found_in_another_image_does_not_count(segment, scene, monkeypatch):
    first = judged(segment(scene))
    another = judged(segment(gaussian_filter(scene, 6)), first)
    assert another.score < first.score


@pytest.mark.parametrize(("score", "said"), [(0.2, "3 of 3 objects are out of focus"), (0.9, "")])
def test_objects_out_of_focus_are_told(segment, scene, score, said):
    assert focus_warning(scored(segment(scene), score)).startswith(said)
    assert bool(focus_warning(scored(segment(scene), score))) == bool(said)


def test_frames_out_of_focus_are_named(segment, scene):
    result = segment(np.stack([scene] * 3), axes="TYX")
    told = focus_warning(scored(result, 0.9, 0.1, 0.2))
    assert told.startswith("6 of 9 objects are out of focus")
    assert told.endswith("Out of focus on the whole: t 1, t 2.")


def test_of_many_frames_out_of_focus_the_first_are_named(segment, scene):
    result = segment(np.stack([scene] * 8), axes="ZYX")
    assert focus_warning(scored(result, *[0.1] * 8)).endswith("z 4 and 3 more.")


def test_an_image_without_objects_is_told_to_be_out_of_focus(segment, scene):
    result = segment(scene, min_area=100_000)
    assert focus_warning(scored(result, 0.1)) == "The image is out of focus."
    assert focus_warning(scored(result, 0.9)) == ""


def test_nothing_is_told_where_nobody_looked(segment, scene):
    assert focus_warning(segment(scene)) == ""


def test_large_objects_are_judged_where_they_are_smaller(segment, scene):
    small, large = (segment(np.kron(scene, np.ones((n, n)))) for n in (1, 4))
    assert scale_for(large) < scale_for(small) <= 1
    assert judged(large).recipe["scale"] == scale_for(large)
    assert scale_for(segment(np.zeros((64, 64)))) == 1


def test_scores_at_another_scale_are_not_taken_over(segment, scene):
    result = segment(np.kron(scene, np.ones((4, 4))))
    other = replace(judged(result), recipe={"scale": 1.0})
    assert judged(result, other).recipe["scale"] == scale_for(result)
