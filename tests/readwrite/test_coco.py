import contextlib
import io
import json

import numpy as np
import pytest

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.readwrite.coco import CocoImage, merge_coco, write_coco

coco = pytest.importorskip("pycocotools.coco")

SHAPE = (60, 80)


@pytest.fixture
def labels(disc):
    """A ring, a disc in its hole, a bar from top to bottom, one pixel at each end of the image."""
    values = np.zeros(SHAPE, np.int32)
    values[disc(SHAPE, (30, 30), 25) & ~disc(SHAPE, (30, 30), 15)] = 1
    values[disc(SHAPE, (30, 30), 8)] = 2
    values[:, 70:75] = 7
    values[0, 0] = values[-1, -1] = 9
    return values


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a_coco.json"


def load(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return coco.COCO(str(path))


def painted(dataset, image):
    """Labels as pycocotools decodes them."""
    size = dataset.imgs[image]
    values = np.zeros((size["height"], size["width"]), np.int32)
    for each in dataset.loadAnns(dataset.getAnnIds(imgIds=[image])):
        values[dataset.annToMask(each) > 0] = each["label"]
    return values


def test_pycocotools_decodes_every_pixel_and_hole(path, labels):
    write_coco(path, [CocoImage("a.tif", labels)])
    assert np.array_equal(painted(load(path), 1), labels)


def test_boxes_and_areas_are_those_that_pycocotools_computes(path, labels):
    from pycocotools import mask

    write_coco(path, [CocoImage("a.tif", labels)])
    dataset = load(path)
    for each in dataset.anns.values():
        encoded = dataset.annToRLE(each)
        assert each["area"] == mask.area(encoded) == (labels == each["label"]).sum()
        assert each["bbox"] == mask.toBbox(encoded).tolist()
        assert each["iscrowd"] == 0


def test_random_labels_are_decoded_exactly(path):
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (1, 7), (7, 1), (13, 17)):
        labels = rng.integers(0, 4, shape).astype(np.int32)
        write_coco(path, [CocoImage("a.tif", labels)])
        assert np.array_equal(painted(load(path), 1), labels)


def test_an_image_full_of_one_object_is_decoded(path):
    write_coco(path, [CocoImage("a.tif", np.ones(SHAPE, np.int32))])
    assert painted(load(path), 1).all()


def test_the_labels_of_a_region_lie_in_the_whole_image(path, labels):
    write_coco(path, [CocoImage("a.tif", labels, (100, 200), (20, 50))])
    whole = np.zeros((100, 200), np.int32)
    whole[20:80, 50:130] = labels
    assert np.array_equal(painted(load(path), 1), whole)


def test_each_image_has_its_own_annotations_and_every_number_is_unique(path, labels):
    images = [
        CocoImage(f"a_{t}.tif", labels * (t != 1), more={"frame": {"t": t}}) for t in range(3)
    ]
    write_coco(path, images)
    dataset = load(path)
    assert [each["frame"] for each in dataset.imgs.values()] == [{"t": 0}, {"t": 1}, {"t": 2}]
    assert [len(dataset.getAnnIds(imgIds=[number])) for number in (1, 2, 3)] == [4, 0, 4]
    assert sorted(dataset.anns) == list(range(1, 9))


def test_the_category_is_spheroid(path, labels):
    write_coco(path, [CocoImage("a.tif", labels)])
    assert [each["name"] for each in load(path).cats.values()] == ["spheroid"]


def test_an_image_without_objects_is_an_image(path):
    write_coco(path, [CocoImage("a.tif", np.zeros(SHAPE, np.int32))])
    assert (len(load(path).imgs), len(load(path).anns)) == (1, 0)


# ---------------------------------------------------------------- merging


def test_merged_files_hold_the_labels_of_each(tmp_path, labels):
    several = [labels, labels[::-1].copy(), np.zeros((9, 9), np.int32)]
    files = [tmp_path / f"{number}.json" for number in range(3)]
    for file, values in zip(files, several, strict=True):
        write_coco(file, [CocoImage(f"{file.stem}.tif", values)])
    merge_coco(files, tmp_path / "all.json")
    dataset = load(tmp_path / "all.json")
    assert [each["file_name"] for each in dataset.imgs.values()] == ["0.tif", "1.tif", "2.tif"]
    for number, values in enumerate(several, start=1):
        assert np.array_equal(painted(dataset, number), values)


def test_categories_of_one_name_become_one(tmp_path, labels):
    for name, category in (("a", "spheroid"), ("b", "debris"), ("c", "spheroid")):
        write_coco(tmp_path / name, [CocoImage(name, labels)], category)
    merge_coco([tmp_path / name for name in "abc"], tmp_path / "all.json")
    dataset = load(tmp_path / "all.json")
    names = {number: each["name"] for number, each in dataset.cats.items()}
    assert names == {1: "spheroid", 2: "debris"}
    found = [dataset.loadAnns(dataset.getAnnIds(imgIds=[i]))[0]["category_id"] for i in (1, 2, 3)]
    assert found == [1, 2, 1]


def test_numbers_of_others_need_not_count_from_one(tmp_path, labels, path):
    write_coco(path, [CocoImage("a.tif", labels)])
    content = json.loads(path.read_text())
    content["images"][0]["id"] = 4711
    for number, each in enumerate(content["annotations"]):
        each |= {"image_id": 4711, "id": 900 + number}
    path.write_text(json.dumps(content))
    merge_coco([path, path], tmp_path / "all.json")
    assert np.array_equal(painted(load(tmp_path / "all.json"), 2), labels)


def test_the_result_may_take_the_place_of_an_input(path, labels):
    write_coco(path, [CocoImage("a.tif", labels)])
    merge_coco([path, path], path)
    assert len(load(path).imgs) == 2


def test_nothing_merged_is_an_empty_dataset(path):
    merge_coco([], path)
    assert json.loads(path.read_text()) == {"images": [], "annotations": [], "categories": []}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"images": 3, "annotations": [], "categories": []}',
        '{"images": [{}], "annotations": [], "categories": []}',
        '{"images": [{"id": 1}, {"id": 1}], "annotations": [], "categories": []}',
        '{"images": [], "annotations": [{"id": 1}], "categories": []}',
        '{"images": [], "annotations": [{"id": 1, "image_id": 1, "category_id": 1}],'
        ' "categories": []}',
    ],
)
def test_what_is_no_coco_file_is_refused_and_nothing_is_written(text, tmp_path):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(UnreadableFile, match=r"bad\.json is no COCO file"):
        merge_coco([tmp_path / "bad.json"], tmp_path / "all.json")
    assert [each.name for each in tmp_path.iterdir()] == ["bad.json"]


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="cannot be read"):
        merge_coco([tmp_path / "nowhere.json"], tmp_path / "all.json")
