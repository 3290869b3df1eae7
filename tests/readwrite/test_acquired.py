"""Where and when an image was taken, as its own file says."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from napari_spheroseg.readwrite.acquired import Acquired, _times, plate_images, read_acquired

IMAGE = '<Image ID="Image:0">{date}<Pixels>{plane}</Pixels></Image>'
DATE = "<AcquisitionDate>2024-01-31T12:00:00</AcquisitionDate>"
MOMENT = 474_084.0  # 2024-01-31 12:00 UTC, in hours since 1970


@pytest.fixture
def write(tmp_path):
    """Write a TIFF with OME-XML of this content."""

    def write(content):
        path = tmp_path / "a.ome.tif"
        text = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{content}</OME>'
        tifffile.imwrite(path, np.zeros((8, 8), np.uint8), description=text, metadata=None)
        return path

    return write


def image(date=DATE, plane=""):
    return IMAGE.format(date=date, plane=plane)


def plate(*samples):
    refs = "".join(f'<WellSample><ImageRef ID="{each}"/></WellSample>' for each in samples)
    other = '<Well Row="0" Column="0"><WellSample><ImageRef ID="Image:9"/></WellSample></Well>'
    return f'<Plate ID="Plate:0">{other}<Well Row="1" Column="2">{refs}</Well></Plate>'


def test_the_well_counts_from_1(write):
    assert read_acquired(write(plate("Image:0") + image(date=""))) == Acquired(2, 3)


def test_of_several_fields_in_a_well_it_is_told_which(write):
    assert read_acquired(write(plate("Image:4", "Image:0") + image())).field == "2"


def test_an_image_that_no_well_names_has_none(write):
    found = read_acquired(write(plate("Image:7") + image()))
    assert (found.row, found.column) == (None, None)


@pytest.mark.parametrize(
    ("plane", "late"),
    [
        ("", 0),
        ('<Plane DeltaT="1800"/>', 0.5),
        ('<Plane DeltaT="90" DeltaTUnit="min"/><Plane DeltaT="9e9"/>', 1.5),
    ],
)
def test_the_moment_is_that_of_the_first_plane(write, plane, late):
    assert read_acquired(write(image(plane=plane))).moment == pytest.approx(MOMENT + late, abs=1e-6)


def test_a_date_with_a_zone_is_the_same_moment(write):
    date = DATE.replace("12:00:00", "14:00:00+02:00")
    assert read_acquired(write(image(date))).moment == pytest.approx(MOMENT, abs=1e-6)


@pytest.mark.parametrize("date", ["", "<AcquisitionDate>yesterday</AcquisitionDate>"])
def test_what_is_no_date_is_none(write, date):
    assert read_acquired(write(image(date))).moment is None


def test_files_that_say_nothing_or_cannot_be_read_say_nothing(tmp_path):
    (tmp_path / "broken.tif").write_bytes(b"no image")
    (tmp_path / "a.png").write_bytes(b"")
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((8, 8), np.uint8))
    (tmp_path / "a.zarr").mkdir()
    for name in ("broken.tif", "a.png", "plain.tif", "a.zarr", "missing.tif"):
        assert read_acquired(tmp_path / name) == Acquired()


@pytest.mark.parametrize("newer", [False, True])
def test_an_image_of_a_zarr_plate_is_in_its_well(tmp_path, newer):
    wells = [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}]
    wells += [{"path": "B/3", "rowIndex": 1, "columnIndex": 2}]
    fields = [{"path": "0"}, {"path": "1"}]
    (tmp_path / "p.zarr" / "B" / "3" / "1").mkdir(parents=True)
    for folder, said in (("", {"plate": {"wells": wells}}), ("B/3", {"well": {"images": fields}})):
        name = "zarr.json" if newer else ".zattrs"
        said = {"attributes": {"ome": said}} if newer else said
        (tmp_path / "p.zarr" / folder / name).write_text(json.dumps(said))
    assert read_acquired(tmp_path / "p.zarr" / "B" / "3" / "1") == Acquired(2, 3, "1")


def test_times_of_a_stack_are_those_of_its_first_planes():
    late = {0: 10, 1: 70, 2: 190}
    planes = [
        f'<Plane TheT="{t}" TheC="{c}" TheZ="0" DeltaT="{seconds + c}"/>'
        for t, seconds in late.items()
        for c in (1, 0)
    ]
    root = ElementTree.fromstring(
        f'<Image><Pixels SizeT="3" TimeIncrement="9">{"".join(planes)}</Pixels></Image>'
    )
    assert _times(root) == pytest.approx([0, 1 / 60, 3 / 60], abs=1e-6)


@pytest.mark.parametrize(
    ("pixels", "times"),
    [
        ('SizeT="3" TimeIncrement="15" TimeIncrementUnit="min"', (0, 0.25, 0.5)),
        ('SizeT="3"', None),
        ('SizeT="1" TimeIncrement="15"', None),
        ("", None),
        ('SizeT="3" TimeIncrement="15" TimeIncrementUnit="fortnight"', None),
        ('SizeT="1000000000000" TimeIncrement="15"', None),  # that many fit no memory
        ('SizeT="1000000000000"', None),
    ],
)
def test_without_times_of_planes_the_increment_counts(pixels, times):
    assert _times(ElementTree.fromstring(f"<Image><Pixels {pixels}/></Image>")) == times


def test_times_of_an_unknown_unit_are_no_reason_to_lose_the_well(write):
    pixels = '<Plane DeltaT="9" DeltaTUnit="fortnight"/>'
    assert read_acquired(write(plate("Image:0") + image(plane=pixels))) == Acquired(
        2, 3, moment=MOMENT
    )


def test_a_plate_stands_for_its_fields(tmp_path):
    plate = tmp_path / "p.zarr"
    wells = [{"path": "B/3", "rowIndex": 1, "columnIndex": 2}, {"path": "C/1"}]
    (plate / "B" / "3").mkdir(parents=True)
    (plate / ".zattrs").write_text(json.dumps({"plate": {"wells": wells}}))
    fields = [{"path": "0"}, {"path": "1"}]
    (plate / "B" / "3" / ".zattrs").write_text(json.dumps({"well": {"images": fields}}))
    assert plate_images(plate) == [plate / "B" / "3" / "0", plate / "B" / "3" / "1"]
    assert plate_images(plate / "B") == []
    assert plate_images(tmp_path) == []
