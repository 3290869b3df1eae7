"""Labels in time to tracks."""

import sys

import numpy as np
import pytest

from napari_spheroseg import measure
from napari_spheroseg.errors import BadImage, BadSetting, MissingPackage
from napari_spheroseg.tracking.overlap import best_pairs
from napari_spheroseg.tracking.run import link, link_tables
from napari_spheroseg.tracking.settings import Tracking

SHAPE = (96, 128)
METHODS = ("overlap", "motion")


@pytest.fixture(params=METHODS)
def settings(request):
    """Settings of every method, for claims about all."""
    if request.param == "motion":
        pytest.importorskip("laptrack")
    return Tracking(method=request.param, max_distance=20)


@pytest.fixture
def frame(disc):
    """Labels of discs: ``{label: (y, x, radius)}``, a later one over an earlier one."""

    def draw(discs):
        labels = np.zeros(SHAPE, np.int32)
        for label, (y, x, radius) in discs.items():
            labels[disc(SHAPE, (y, x), radius)] = label
        return labels

    return draw


def tracks(frames, settings=None):
    return list(link(frames, settings))


def test_moving_discs_keep_their_tracks_whatever_their_labels(frame, settings):
    frames = [
        frame({1: (20, 20 + 4 * t, 8), 2: (70, 100 - 4 * t, 8)})
        if t % 2
        else frame({2: (20, 20 + 4 * t, 8), 1: (70, 100 - 4 * t, 8)})
        for t in range(6)
    ]
    even, odd = {1: 1, 2: 2}, {1: 2, 2: 1}
    assert tracks(frames, settings) == [even, odd] * 3


@pytest.mark.parametrize("growth", [1.42, 2, 3])
def test_a_disc_that_grows_around_itself_keeps_its_track(frame, settings, growth):
    assert tracks([frame({1: (48, 64, 10 * growth**t)}) for t in range(2)], settings)[1] == {1: 1}


def test_a_disc_that_is_missed_in_one_frame_comes_back_as_itself(frame, settings):
    both, one = frame({1: (20, 20, 8), 2: (70, 90, 8)}), frame({1: (20, 20, 8)})
    assert tracks([both, one, both], settings)[2] == {1: 1, 2: 2}


def test_a_disc_that_is_missed_for_longer_than_the_gap_begins_a_track(frame, settings):
    both, one = frame({1: (20, 20, 8), 2: (70, 90, 8)}), frame({1: (20, 20, 8)})
    assert tracks([both, one, one, both], settings)[3] == {1: 1, 2: 3}
    assert tracks([both, one, one, both], settings.replace(max_gap=2))[3] == {1: 1, 2: 2}
    assert tracks([both, one, both], settings.replace(max_gap=0))[2] == {1: 1, 2: 3}


def test_a_merged_object_goes_on_as_its_largest_parent(frame, settings):
    parts = {1: (48, 40, 10), 2: (48, 62, 16)}
    apart, merged = frame(parts), (frame(parts) > 0).astype(np.int32)
    assert tracks([apart, merged, merged], settings) == [{1: 1, 2: 2}, {1: 2}, {1: 2}]


def test_the_largest_part_of_an_object_that_splits_goes_on(frame, settings):
    parts = {1: (48, 40, 10), 2: (48, 62, 16)}
    apart, merged = frame(parts), (frame(parts) > 0).astype(np.int32)
    assert tracks([merged, apart], settings) == [{1: 1}, {1: 2, 2: 1}]


def test_objects_that_touch_for_a_frame_are_themselves_again_afterwards(frame):
    parts = {1: (48, 40, 10), 2: (48, 62, 16)}
    apart, merged = frame(parts), (frame(parts) > 0).astype(np.int32)
    assert tracks([apart, merged, apart]) == [{1: 1, 2: 2}, {1: 2}, {1: 1, 2: 2}]


def test_debris_that_splits_off_takes_no_track_from_parents_that_merge(frame):
    before = frame({1: (48, 40, 15), 2: (48, 69, 14)})
    after = (before > 0).astype(np.int32)
    after[48 - 2 : 48 + 3, 25:28] = 2
    assert tracks([before, after])[1] == {1: 1, 2: 3}


def test_objects_that_enter_begin_tracks(frame, settings):
    first, both = frame({5: (20, 20, 8)}), frame({5: (70, 90, 8), 9: (20, 22, 8)})
    assert tracks([first, both], settings) == [{5: 1}, {5: 2, 9: 1}]


def test_frames_without_objects_have_no_tracks(frame, settings):
    empty, one = frame({}), frame({3: (20, 20, 8)})
    assert tracks([empty, empty], settings) == [{}, {}]
    assert tracks([empty, one, empty, one, empty], settings) == [{}, {3: 1}, {}, {3: 1}, {}]


def test_no_frames_are_no_tracks(settings):
    assert tracks([], settings) == []


def test_a_number_is_never_used_for_two_tracks(frame, settings):
    frames = [frame({1: (20, 20, 8)}), frame({}), frame({}), frame({1: (70, 90, 8)})]
    assert tracks(frames, settings) == [{1: 1}, {}, {}, {1: 2}]


def test_objects_that_crowd_and_shift_are_linked_so_that_none_is_lost():
    """Each covers more of its neighbour's place than of its own: the nearest alone would be wrong.

    Five strips of 40 px, moved by 21.
    """
    strips = np.zeros((8, 240), np.int32)
    strips[:, :200] = np.repeat(np.arange(1, 6), 40)
    moved = np.roll(strips, 21, axis=1)
    assert tracks([strips, moved])[1] == {i: i for i in range(1, 6)}


def test_large_and_many_numbers_are_followed(frame):
    first = frame({2_000_000_000: (20, 20, 8), 7: (70, 90, 8)})
    assert tracks([first, first])[1] == {7: 1, 2_000_000_000: 2}
    squares = np.kron(np.arange(1, 1025).reshape(32, 32), np.ones((4, 4), np.int32))
    assert tracks([squares, squares[:, ::-1]])[1] == {
        int(a): int(b) for a, b in zip(squares[:, ::-1].flat, squares.flat, strict=True)
    }


def test_overlap_reads_frame_by_frame(frame):
    read = []

    def frames():
        for t in range(3):
            read.append(t)
            yield frame({1: (20, 20, 8)})

    links = link(frames())
    next(links)
    assert read == [0]


def test_the_same_frames_give_the_same_tracks(settings):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 30, (6, 8)).repeat(8, 0).repeat(8, 1) for _ in range(8)]
    assert tracks(frames, settings) == tracks(frames, settings)


def test_motion_follows_what_moves_by_more_than_its_size(frame):
    pytest.importorskip("laptrack")
    frames = [frame({1: (20, 10 + 18 * t, 4), 2: (70, 110 - 18 * t, 4)}) for t in range(6)]
    assert tracks(frames, Tracking(method="motion", max_distance=18))[5] == {1: 1, 2: 2}
    assert tracks(frames, Tracking(method="motion", max_distance=17))[1] == {1: 3, 2: 4}


def test_measured_tables_are_followed_as_their_labels_are(frame):
    pytest.importorskip("laptrack")
    frames = [frame({1: (20, 10 + 9 * t, 6), 4: (70, 110 - 9 * t, 6)}) for t in range(6)]
    settings = Tracking(method="motion", max_distance=10)
    for pixel_size in (None, 0.1, (0.5, 3)):
        tables = [measure(each, pixel_size=pixel_size) for each in frames]
        assert list(link_tables(tables, settings, pixel_size)) == tracks(frames, settings)


def test_tables_in_another_unit_are_refused(frame):
    pytest.importorskip("laptrack")
    table = measure(frame({1: (20, 20, 8)}), pixel_size=0.5)
    with pytest.raises(BadSetting, match="centroid_y_px"):
        list(link_tables([table]))


def test_tables_hold_no_overlap():
    with pytest.raises(BadSetting, match="'motion'"):
        link_tables([], Tracking(method="overlap"))


def test_without_the_extra_motion_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "laptrack", None)
    with pytest.raises(MissingPackage, match=r"napari-spheroseg\[tracking\]"):
        link([], Tracking(method="motion"))


def test_overlap_needs_no_extra(frame, monkeypatch):
    monkeypatch.setitem(sys.modules, "laptrack", None)
    assert tracks([frame({1: (20, 20, 8)})]) == [{1: 1}]


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4)), np.zeros((2, 4, 4), int), np.zeros((0, 4), int)]
)
def test_what_is_no_plane_of_labels_is_refused(wrong, settings):
    with pytest.raises(BadImage, match="time-lapse"):
        tracks([wrong], settings)


def test_a_frame_of_another_shape_is_refused():
    with pytest.raises(BadImage, match="follows"):
        tracks([np.zeros((4, 4), int), np.zeros((4, 5), int)])


def test_settings_out_of_bounds_are_refused():
    with pytest.raises(BadSetting, match="min_overlap"):
        Tracking(min_overlap=0)


def test_the_best_pairs_have_the_largest_sum():
    rows, columns = np.array([0, 0, 1, 3]), np.array([0, 1, 0, 2])
    best = best_pairs(rows, columns, np.array([0.9, 0.8, 0.7, 0.1]))
    assert [each.tolist() for each in best] == [[0, 1, 3], [1, 0, 2]]
