"""Objects cut out of their image, as published and as our own models may want them."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_spheroseg.classification.crops import crops, objects_of, shrink, shrunk_shape
from napari_spheroseg.errors import BadImage, BadSetting
from napari_spheroseg.models import Preparation
from napari_spheroseg.models.metadata import Crop


def cut(image, labels, **settings):
    """All crops of a plane, by the labels of their objects."""
    objects = objects_of(labels)
    batches = list(crops(image[None], objects, Crop(**settings)))
    return dict(zip(objects.names.tolist(), np.concatenate(batches)[:, 0], strict=True))


@pytest.mark.parametrize("shape", [(65, 64), (64, 65), (98, 30), (200, 3), (257, 311), (1, 400)])
def test_shrinking_agrees_with_torch(shape):
    seen = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
    size = shrunk_shape(shape, (64, 64))
    expected = F.interpolate(
        torch.from_numpy(seen)[None],
        size=size,
        mode="bilinear",
        align_corners=False,
        antialias=False,
    )[0].numpy()
    assert np.abs(shrink(seen, size) - expected).max() < 1e-6


def test_sides_are_truncated_and_one_at_least():
    assert shrunk_shape((98, 97), (64, 64)) == (63, 63)
    assert shrunk_shape((300, 2), (64, 64)) == (64, 1)


def test_small_objects_are_not_enlarged():
    assert shrunk_shape((10, 64), (64, 64)) == (10, 64)


def test_what_is_outside_of_an_object_is_zero(image, labels):
    outer = cut(image, labels, size=60)[31]
    assert (outer[16 + 8 : 16 + 18, 10 + 10 : 10 + 15] == 0).all()  # where the inner object lies
    inner = cut(image, labels, size=60)[32]
    np.testing.assert_array_equal(inner[25:35, 27:32], image[30:40, 40:45])


def test_an_object_stands_in_the_middle_and_the_odd_pixel_is_left_at_the_end(image, labels):
    crop = cut(image, labels, size=16)[12]  # 5 x 5
    assert (crop[5:10, 5:10] == image[0:5, 60:65]).all()
    assert crop.astype(bool).sum() == 25


def test_an_object_of_one_pixel_is_a_crop(image, labels):
    crop = cut(image, labels, size=16)[7]
    assert crop[7, 7] == image[2, 3]
    assert np.count_nonzero(crop) == 1


def test_memory_is_bounded_by_the_batch(image, labels):
    shapes = [each.shape for each in crops(image[None], objects_of(labels), Crop(batch=4, size=8))]
    assert shapes == [(4, 1, 8, 8), (2, 1, 8, 8)]


def test_context_can_be_kept(image, labels):
    crop = cut(image, labels, size=16, mask_outside=False, margin=2)[12]
    np.testing.assert_array_equal(crop[4:11, 3:12], image[0:7, 58:67])


def test_where_the_object_is_can_be_a_channel(image, labels):
    settings = Crop(size=16, mask_channel=True, margin=2)
    (batch,) = crops(image[None], objects_of(labels), settings)
    seen, mask = batch[list(objects_of(labels).names).index(12)]
    np.testing.assert_array_equal(seen[4:11, 3:12], image[0:7, 58:67])
    np.testing.assert_array_equal(mask[4:11, 3:12], labels[0:7, 58:67] == 12)
    assert mask.sum() == (labels == 12).sum()


def test_each_crop_can_have_its_own_grey_values(image, labels):
    settings = Crop(size=40, normalise="object")
    preparation = Preparation(intensity="percentile", low=0, high=100)
    (dark,) = crops(0.01 * image[None] + 3, objects_of(labels), settings, preparation)
    (bright,) = crops(image[None], objects_of(labels), settings, preparation)
    np.testing.assert_allclose(dark, bright, atol=1e-3)
    assert bright.max() == 1


def test_without_a_size_boxes_must_agree(image, labels):
    with pytest.raises(BadSetting, match=r"no size.*1 × 1 px.*35 × 10 px"):
        cut(image, labels, size=None)


def test_without_a_size_crops_are_as_large_as_the_objects(image, labels):
    alone = np.where(labels == 12, 12, 0)
    assert cut(image, alone, size=None)[12].shape == (5, 5)


def test_labels_of_another_shape_are_refused(image, labels):
    with pytest.raises(BadImage, match="shape"):
        list(crops(image[None, :50], objects_of(labels), Crop()))
