"""Which file of labels belongs to which image."""

import numpy as np
import pytest
import zarr

from napari_spheroseg.batch.labelled import find_labels


@pytest.mark.parametrize("version", [2, 3])
def test_labels_may_lie_within_the_zarr_of_their_image(tmp_path, version):
    path = tmp_path / "a.zarr" / "labels" / "nuclei"
    group = zarr.create_group(str(path), zarr_format=version)
    group.create_array("0", shape=(8, 8), dtype=np.int32)
    assert find_labels(tmp_path / "a.zarr", str(path)) == path
