import cv2
import numpy as np
import pytest

from napari_spheroseg.segmentation.large.components import SURE, connect
from napari_spheroseg.segmentation.large.room import room
from napari_spheroseg.steps import Steps


@pytest.fixture
def components(tmp_path):
    def find(mask, block, connectivity=8):
        with room(tmp_path, block) as place:
            steps = Steps(connect(mask.__getitem__, mask.shape, place, connectivity))
            assert len(list(steps)) == place.parts
            found = steps.result
            whole = (slice(0, mask.shape[0]), slice(0, mask.shape[1]))
            return found, found.window(whole)

    return find


def of_the_whole(mask, connectivity=8):
    return cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=connectivity)


@pytest.mark.parametrize("block", [1, 3, 7, 16, 100])
@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("density", [0.2, 0.42, 0.6])
def test_components_do_not_depend_on_windows(block, connectivity, density, components):
    mask = (np.random.default_rng(1).random((30, 41)) < density).astype(np.uint8)
    found, labels = components(mask, block, connectivity)
    count, truth, stats, _ = of_the_whole(mask, connectivity)
    assert len(np.unique(np.stack([labels, truth]).reshape(2, -1), axis=1).T) == count
    order = np.lexsort(found.stats.T)
    assert np.array_equal(found.stats[order], stats[1:][np.lexsort(stats[1:].T)])


def test_a_spiral_through_all_windows_is_one_component(components):
    mask = np.zeros((41, 41), np.uint8)
    for i in range(0, 20, 2):
        mask[i, i : 41 - i] = mask[40 - i, i : 41 - i] = 1
        mask[i : 41 - i, 40 - i] = mask[i + 2 : 41 - i, i] = 1
        mask[i + 2, i : i + 2] = 1
    count = of_the_whole(mask)[0] - 1
    assert len(components(mask, 5)[0].stats) == count


def test_nothing_is_no_component(components):
    found, labels = components(np.zeros((9, 9), np.uint8), 4)
    assert len(found.stats) == 0
    assert not labels.any()


def test_components_that_hold_a_sure_pixel_are_marked(components):
    mask = np.zeros((8, 20), np.uint8)
    mask[2:5, 1:9] = 1
    mask[2:5, 12:19] = 1
    mask[3, 13] = SURE
    assert components(mask, 4)[0].sure.tolist() == [False, True]


def test_components_at_the_edge_of_the_plane_are_known(components):
    mask = np.zeros((12, 12), np.uint8)
    mask[0:2, 4:6] = mask[5:7, 5:7] = mask[9:12, 9:12] = 1
    assert components(mask, 4)[0].touch_edge().tolist() == [True, False, True]
