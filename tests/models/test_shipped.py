"""The model that ships works out of the box."""

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.models import library


@pytest.fixture(scope="module", params=["brightfield", "fluorescence"])
def sample(request):
    return ss.synthetic.spheroids(modality=request.param, seed=1)


@pytest.fixture(scope="module")
def result(sample):
    return ss.segment(sample.image, "unet", pixel_size=sample.pixel_size, device="cpu")


def test_the_shipped_unet_outlines_the_sample(sample, result):
    truth, found = sample.labels > 0, result.labels > 0
    assert (truth & found).sum() / (truth | found).sum() > 0.8


def test_every_object_that_the_shipped_unet_finds_has_a_polygon_and_a_row(result):
    numbers = np.unique(result.labels[result.labels > 0]).tolist()
    assert result.table["label"].tolist() == numbers
    assert sorted({polygon.id for polygon in result.polygons}) == numbers


def test_the_shipped_unet_measures_in_micrometres(sample, result):
    assert result.table["area_um2"].sum() == pytest.approx(
        (result.labels > 0).sum() * sample.pixel_size**2
    )


def test_the_shipped_unet_is_the_one_that_its_metadata_describe():
    metadata = ss.models.load("unet").metadata
    assert metadata.network == "unet"
    assert metadata.name == "unet"
    assert library.sha256_of(library.shipped_folder() / "unet" / library.WEIGHTS) == metadata.sha256


def test_the_shipped_unet_names_what_it_learnt_from_and_under_which_licence():
    metadata = ss.models.info("unet")
    assert metadata.licence
    assert metadata.training_data
    assert all(source.licence for source in metadata.training_data)
