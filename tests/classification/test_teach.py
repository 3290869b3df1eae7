"""Classes that are taught by examples."""

import shutil
import time

import numpy as np
import pytest

from napari_spheroseg.classification.examples import ObjectClass, TeachSettings, object_classes
from napari_spheroseg.classification.run import classify_steps
from napari_spheroseg.classification.teach import describe, most_uncertain, teach
from napari_spheroseg.errors import BadSetting, Cancelled
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.models import library
from napari_spheroseg.steps import run_to_end


@pytest.fixture(scope="module")
def drawn(draw_kinds):
    image, labels, kinds = draw_kinds(25, seed=1)
    return describe(labels, image), kinds


def some(kinds, each):
    """So many examples of each kind."""
    found = {}
    for kind in sorted(set(kinds.values())):
        found |= dict.fromkeys([n for n, k in kinds.items() if k == kind][:each], kind)
    return found


@pytest.mark.parametrize("method", ["forest", "logistic"])
def test_five_examples_of_each_of_four_kinds_are_enough(drawn, method):
    table, kinds = drawn
    examples = some(kinds, 5)
    taught = teach(table, examples, settings=TeachSettings(method=method))
    told = taught.predict(table).set_index("label")["class"]
    others = [label for label in kinds if label not in examples]
    assert np.mean([told[label] == kinds[label] for label in others]) >= 0.9


def test_it_tells_another_image(drawn, draw_kinds):
    table, kinds = drawn
    taught = teach(table, some(kinds, 5))
    image, labels, others = draw_kinds(10, seed=2)
    told = taught.predict(describe(labels, 3 * image + 10)).set_index("label")["class"]
    assert np.mean([told[label] == kind for label, kind in others.items()]) >= 0.9


def test_the_same_examples_in_another_order_teach_the_same(drawn):
    table, kinds = drawn
    examples = some(kinds, 4)
    one = teach(table, examples).predict(table)
    other = teach(table, dict(reversed(examples.items()))).predict(table)
    assert one.equals(other)


def test_200_examples_are_learnt_and_checked_within_a_second(draw_kinds):
    image, labels, kinds = draw_kinds(50, seed=3)
    table = describe(labels, image)
    teach(table, some(kinds, 3))  # imports
    clock = time.process_time()
    teach(table, kinds, check=False).predict(table)
    assert time.process_time() - clock < 1


def test_probabilities_add_up_and_belong_to_the_class(drawn):
    table, kinds = drawn
    told = teach(table, some(kinds, 3)).predict(table)
    likely = told.filter(like="probability_")
    assert likely.sum(axis=1).to_numpy() == pytest.approx(1)
    assert ("probability_" + told["class"]).tolist() == likely.idxmax(axis=1).tolist()


def test_a_check_says_how_well_examples_are_told(drawn):
    table, kinds = drawn
    check = teach(table, some(kinds, 8)).check
    assert check.accuracy >= 0.8
    assert check.confusion.to_numpy().sum(axis=1).tolist() == [8] * 4
    assert check.importance.sum() == pytest.approx(1)
    assert check.importance.is_monotonic_decreasing


def test_of_few_examples_nothing_is_said_and_why(drawn):
    table, kinds = drawn
    check = teach(table, some(kinds, 2)).check
    assert np.isnan(check.accuracy)
    assert check.confusion is None
    assert "2 examples: 3 of each are needed" in check.reason


def test_without_an_example_there_is_a_clear_error(drawn):
    with pytest.raises(BadSetting, match="no example yet"):
        teach(drawn[0], {})


def test_one_class_only_is_a_clear_error(drawn):
    with pytest.raises(BadSetting, match="All examples are of the class 'a'"):
        teach(drawn[0], {1: "a", 2: "a"}, object_classes("ab"))


def test_an_example_that_is_no_object_is_a_clear_error(drawn):
    with pytest.raises(BadSetting, match="no object 999"):
        teach(drawn[0], {1: "a", 999: "b"})


def test_an_example_of_a_class_that_is_not_defined_is_a_clear_error(drawn):
    with pytest.raises(BadSetting, match="no class 'c'"):
        teach(drawn[0], {1: "a", 2: "c"}, object_classes("ab"))


def test_a_class_without_examples_is_not_learnt(drawn):
    taught = teach(drawn[0], {1: "a", 2: "b"}, object_classes("abc"))
    assert taught.classes == ("a", "b")


def test_100_classes_can_be_taught(drawn):
    table, kinds = drawn
    taught = teach(table, {label: f"class {label}" for label in kinds})
    assert len(taught.classes) == 100
    assert taught.predict(table)["class"].nunique() == 100


def test_two_classes_of_one_name_or_key_are_refused(drawn):
    for twice in (
        [ObjectClass(name="a"), ObjectClass(name="a")],
        [ObjectClass(name="a", key="1"), ObjectClass(name="b", key="1")],
    ):
        with pytest.raises(BadSetting, match="Two classes"):
            teach(drawn[0], {1: "a", 2: "b"}, twice)


def test_classes_have_colours_and_keys_of_their_own():
    classes = object_classes(map(str, range(10)))
    assert len({each.colour for each in classes}) == 10
    assert [each.key for each in classes] == [*"123456789", ""]


def test_the_most_uncertain_come_first_and_examples_not_at_all(drawn):
    table, kinds = drawn
    examples = some(kinds, 3)
    told = teach(table, examples).predict(table)
    asked = most_uncertain(told, 5, examples)
    assert not set(asked) & set(examples)
    likely = np.sort(told.set_index("label").filter(like="probability_"), axis=1)
    margin = dict(zip(told["label"], likely[:, -1] - likely[:, -2], strict=True))
    left = [value for label, value in margin.items() if label not in examples]
    assert [margin[label] for label in asked] == sorted(left)[:5]


def test_objects_of_a_stack_are_named_with_their_frame(draw_kinds):
    image, labels, kinds = draw_kinds(5, seed=4)
    table = describe(np.stack([labels, labels]), np.stack([image, image]))
    examples = {((1,), label): kind for label, kind in some(kinds, 2).items()}
    told = teach(table, examples).predict(table)
    assert list(told)[:3] == ["label", "t", "class"]
    assert most_uncertain(told, 1)[0][0] in ((0,), (1,))
    with pytest.raises(BadSetting, match="Name objects by"):
        teach(table, {1: "a", 2: "b"})


def test_a_feature_that_is_missing_is_named(drawn):
    table, kinds = drawn
    taught = teach(table, some(kinds, 3))
    with pytest.raises(BadSetting, match="'solidity'"):
        taught.predict(table.drop(columns="solidity"))


def test_a_table_of_another_embedding_is_refused(drawn):
    table, kinds = drawn
    settings = TeachSettings(embedding="cell_classifier")
    with pytest.raises(BadSetting, match="the table has none"):
        teach(table, some(kinds, 3), settings=settings)
    with pytest.raises(BadSetting, match="no embedding, and the table has one"):
        teach(table.assign(embedding_0=1.0), some(kinds, 3))


def test_what_a_network_sees_can_be_learnt_from(classifier_folder, draw_kinds):
    image, labels, kinds = draw_kinds(5, seed=5)
    settings = TeachSettings(embedding=str(classifier_folder))
    table = describe(labels, image, settings)
    assert table.filter(like="embedding_").shape == (20, 8)
    assert table.notna().all().all()
    assert teach(table, some(kinds, 3), settings=settings).features[-1] == "embedding_7"


def test_objects_that_other_weights_saw_are_refused(classifier_folder, tmp_path, draw_kinds):
    image, labels, kinds = draw_kinds(3, seed=1)
    folder = shutil.copytree(classifier_folder, tmp_path / "eye")
    settings = TeachSettings(embedding=str(folder), trees=5)
    table = describe(labels, image, settings)
    taught = teach(table, kinds, settings=settings)
    metadata = library.read_metadata(folder)
    library.write_metadata(folder, metadata.replace(sha256="0" * 64))
    with pytest.raises(BadSetting, match="other weights"):
        teach(table, kinds, settings=settings)
    table.attrs = {"embedding_sha256": "0" * 64}
    with pytest.raises(BadSetting, match="Describe them again"):
        taught.predict(table)


def test_a_hundred_classes_of_one_example_each_are_learnt_without_a_warning(drawn, recwarn):
    table, _ = drawn
    examples = {label: f"class {label}" for label in table["label"]}
    told = teach(table, examples, settings=TeachSettings(trees=10)).predict(table)
    assert len(told) == len(table) == 100
    assert len(told.columns) == 102
    assert not recwarn


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ([1, 2], "Examples cannot be a list"),
        ({1: None, 2: "b"}, "class of 1 cannot be None"),
        ({"one": "a", 2: "b"}, "An object cannot be 'one'"),
        ({(1, 2, 3): "a", 2: "b"}, "An object cannot be"),
    ],
)
def test_what_are_no_examples_is_said(drawn, examples, said):
    with pytest.raises(BadSetting, match=said):
        teach(drawn[0], examples)


def test_a_taught_classifier_can_be_cancelled_within_a_frame(draw_kinds):
    image, labels, kinds = draw_kinds(3, seed=1)
    taught = teach(describe(labels, image), kinds, settings=TeachSettings(trees=5))
    seen = []
    steps = classify_steps(Frames.of(image), labels, taught)
    with pytest.raises(Cancelled):
        run_to_end(steps, lambda *step: seen.append(step), lambda: len(seen) == 2)
    assert seen == [(0, 12), (0, 12)]
