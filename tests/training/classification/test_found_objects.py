import numpy as np
import pytest

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.models import Preparation
from napari_spheroseg.synthetic import spheroids
from napari_spheroseg.training.classification.bank import fill, found_maker, samples
from napari_spheroseg.training.classification.blurred import out_of_focus
from napari_spheroseg.training.classification.cells import DrawnCells
from napari_spheroseg.training.classification.examples import Variation, crop_of, varied, window
from napari_spheroseg.training.classification.found_cells import FoundCells
from napari_spheroseg.training.classification.found_spheroids import (
    FoundSpheroids,
    bent,
    broken,
    solidity_of,
)
from napari_spheroseg.training.classification.planes import Plane, read_planes, width_of
from napari_spheroseg.training.classification.settings import ClassifierSettings
from napari_spheroseg.training.classification.spheroids import outline
from napari_spheroseg.training.pairs import Pair

PLAIN = Preparation()


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def plane():
    """A row of four blocks that touch, one that stands alone, and a speck; all on ground."""
    labels = np.zeros((96, 128), np.int32)
    for number in range(4):
        labels[20:32, 16 + 12 * number : 28 + 12 * number] = number + 1
    labels[60:72, 90:102] = 5
    image = np.where(labels > 0, 0.8, 0.3).astype(np.float32)
    image += rng().normal(0, 0.01, image.shape).astype(np.float32)
    image[80:84, 20:24] = 0.9
    return Plane(image, labels, "blocks")


@pytest.fixture(scope="module")
def discs():
    drawn = spheroids((256, 256), 4, seed=1, radius=(0.07, 0.1))
    return Plane(drawn.image.astype(np.float32) / 4095, drawn.labels, "discs")


@pytest.fixture(scope="module")
def example(discs):
    return window(discs.image, discs.labels == 1, "discs", 0.4)


def test_objects_that_touch_are_neighbours_and_others_are_not(plane):
    assert plane.neighbours == {1: [2], 2: [1, 3], 3: [2, 4], 4: [3], 5: []}


@pytest.mark.parametrize("seed", range(6))
def test_a_group_is_of_objects_that_touch(plane, seed):
    group = plane.group(3, rng(seed))
    assert group == [5] or (len(group) == 3 and max(group) - min(group) == 2)


def test_the_width_of_a_rod_is_its_shorter_side():
    rod = np.zeros((20, 60), bool)
    rod[6:14, 5:55] = True
    assert width_of(rod) == pytest.approx(8, abs=1)


@pytest.mark.parametrize(
    ("kind", "least", "most"), [("single-cell", 1, 1), ("joint-cell", 2, 2), ("clump", 3, 4)]
)
def test_found_cells_are_of_as_many_outlines_as_their_class_says(plane, kind, least, most):
    maker = FoundCells([plane], [], PLAIN)
    for seed in range(6):
        found = maker.draw(kind, rng(seed))
        assert least <= found.mask.sum() / 144 <= most


def test_found_noise_lies_on_no_cell(plane):
    maker = FoundCells([plane], [plane], PLAIN)
    for seed in range(8):
        found = maker.draw("noise", rng(seed))
        assert found.image[found.mask].mean() < 0.6 or found.mask.sum() < 40  # ground, or the speck


def test_a_plane_out_of_focus_gives_no_sharp_cell(plane):
    blurred = Plane(plane.image * 0, plane.labels, "blocks", is_sharp=False)
    maker = FoundCells([plane, blurred], [], PLAIN)
    assert all(maker.draw("single-cell", rng(seed)).image.max() > 0 for seed in range(8))
    names = {maker.draw("off-focus", rng(seed)).source for seed in range(12)}
    assert names == {"blocks out of focus", "blocks blurred"}


def test_blur_widens_a_mask_and_flattens_the_image(example):
    image, mask = out_of_focus(example.image, example.mask, rng(1), 40.0, (0.3, 0.3))
    assert image.std() < example.image.std()
    assert mask.any()


@pytest.mark.parametrize("kind", FoundSpheroids.kinds)
def test_found_spheroids_give_every_class(discs, kind):
    found = FoundSpheroids([discs], PLAIN).draw(kind, rng(2))
    assert found.mask.any()
    assert found.image.shape == found.mask.shape


def test_a_bent_outline_fills_less_of_its_hull(example):
    assert solidity_of(bent(example, outline(rng(), True)).mask) < solidity_of(example.mask) - 0.05


def test_an_object_that_fell_apart_is_no_disc_any_more(example):
    assert all(solidity_of(broken(example, rng(seed)).mask) < 0.95 for seed in range(6))


# ---------------------------------------------------------------- variation and crops


@pytest.mark.parametrize("seed", range(10))
def test_a_varied_object_has_a_box_of_the_size_that_is_allowed(example, seed):
    settings = Variation(diameter=(20, 40), scale=(0.1, 10))
    _, mask = varied(example, rng(seed), settings)
    sides = [np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 for axis in (0, 1)]
    assert 14 <= max(sides) <= 62  # turned and stretched, a box may be longer than it was


def test_a_varied_object_of_one_pixel_is_still_there():
    one = np.zeros((20, 20), bool)
    one[10, 10] = True
    found = window(np.ones((20, 20), np.float32), one, "dot")
    assert all(varied(found, rng(seed), Variation())[1].any() for seed in range(20))


def test_a_crop_is_that_of_the_whole_image(discs):
    settings = ClassifierSettings(name="a", title="A", objects="cells", sources={})
    from napari_spheroseg.classification.crops import crops, objects_of

    whole = next(crops(discs.image[None], objects_of(discs.labels), settings.crop))
    for number in range(len(discs.boxes)):
        found = window(discs.image, discs.labels == number + 1, "discs")
        crop = crop_of(found.image, found.mask, settings.crop, settings.preparation)
        assert np.array_equal(crop, whole[number])


# ---------------------------------------------------------------- banks and files


@pytest.fixture
def settings():
    return ClassifierSettings(name="a", title="A", objects="cells", sources={"images": 1})


def test_classes_of_a_bank_take_turns_and_follow_from_the_seed(settings):
    maker = DrawnCells(settings.preparation)
    first, second = (fill(samples({maker: 1.0}, settings, 10, 4)) for _ in range(2))
    assert first.kinds.tolist() == [0, 1, 2, 3, 4] * 2
    assert np.array_equal(first.crops, second.crops)
    assert first.crops.shape == (10, 1, 64, 64)


def test_example_number_n_does_not_depend_on_how_many_there_are(settings):
    maker = DrawnCells(settings.preparation)
    few, many = (list(samples({maker: 1.0}, settings, count, 4)) for count in (3, 6))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(few, many[:3], strict=True))


@pytest.fixture
def manifest(save_drawn, tmp_path):
    pairs = [
        *save_drawn(2, "train", group="kept"),
        *save_drawn(1, "train", first=2, group="held"),
        *save_drawn(1, "test", first=3, group="test"),
        *save_drawn(1, "val", first=4, group="val"),
    ]
    lines = ["file,mask_file,source,part,group"]
    lines += [f"{p.image},{p.mask},{p.source},{p.part},{p.group}" for p in pairs]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return tmp_path / "manifest.csv"


def test_nothing_is_learnt_from_images_that_are_held_out(manifest, settings, monkeypatch):
    asked = []

    def note(pairs, *arguments):
        asked.append(sorted(pair.group for pair in pairs))
        return []

    monkeypatch.setattr("napari_spheroseg.training.classification.bank.read_planes", note)
    held = settings.replace(held_out=("held",))
    found_maker(held, manifest, "train")
    found_maker(held, manifest, "held out")
    assert asked[0] == ["kept", "kept"]
    assert asked[3] == ["held", "test"]


def test_objects_that_are_too_thin_are_left_out(save):
    labels = np.zeros((64, 64), np.uint8)
    labels[10:30, 10:30] = 1
    labels[40:42, 5:60] = 2
    pair = save("a.png", (labels * 90).astype(np.uint8), labels)
    planes = read_planes([Pair(pair.image, pair.mask, "images", binary=False)], PLAIN, 3.0)
    assert [len(each.boxes) for each in planes] == [1]


def test_settings_that_are_no_yaml_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("name: [")
    with pytest.raises(UnreadableFile, match="YAML"):
        ClassifierSettings.read(tmp_path / "a.yaml")
