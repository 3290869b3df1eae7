"""Examples given one by one."""

import pytest

from napari_spheroseg.classification.examples import object_classes
from napari_spheroseg.classification.lesson import Lesson
from napari_spheroseg.errors import BadSetting

A, B = ((), 1), ((), 2)


@pytest.fixture
def lesson():
    return Lesson(object_classes(["disc", "rod"]))


def test_undo_goes_back_through_corrections(lesson):
    lesson.give(A, "disc")
    lesson.give(A, "rod")
    assert lesson.take_back() == A
    assert lesson.examples == {A: "disc"}
    assert lesson.take_back() == A
    assert lesson.examples == {}
    assert lesson.take_back() is None


def test_the_same_example_twice_is_one_to_undo(lesson):
    lesson.give(A, "disc")
    lesson.give(A, "disc")
    lesson.take_back()
    assert lesson.examples == {}


def test_a_new_class_has_a_name_key_and_colour_of_its_own(lesson):
    added = [lesson.add() for _ in range(3)]
    assert [each.name for each in added] == ["class 1", "class 2", "class 3"]
    assert len({each.key for each in lesson.classes}) == 5
    assert len({each.colour for each in lesson.classes}) == 5


def test_from_the_tenth_class_on_there_is_no_key():
    lesson = Lesson()
    keys = [lesson.add().key for _ in range(12)]
    assert keys == [*"123456789", "", "", ""]


def test_a_renamed_class_keeps_its_examples_through_undo(lesson):
    lesson.give(A, "disc")
    lesson.give(A, "rod")
    lesson.change("disc", name="ball")
    lesson.take_back()
    assert lesson.examples == {A: "ball"}


def test_names_and_keys_are_not_given_twice(lesson):
    for field, value in (("name", "rod"), ("key", "2")):
        with pytest.raises(BadSetting, match="Two classes"):
            lesson.change("disc", **{field: value})
    with pytest.raises(BadSetting, match="Two classes"):
        lesson.add("rod")


def test_a_class_must_have_a_name(lesson):
    with pytest.raises(BadSetting):
        lesson.change("disc", name="")


def test_a_removed_class_takes_its_examples_along(lesson):
    lesson.give(A, "disc")
    lesson.give(B, "rod")
    lesson.remove("rod")
    assert lesson.examples == {A: "disc"}
    assert lesson.take_back() == A
    assert lesson.take_back() is None


def test_an_example_needs_a_class_that_is_there(lesson):
    with pytest.raises(BadSetting, match="no class 'ring'"):
        lesson.give(A, "ring")
