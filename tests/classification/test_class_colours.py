"""Classes as colours."""

import pandas as pd
import pytest

from napari_spheroseg.classification.colours import UNKNOWN, best_probability, class_colours
from napari_spheroseg.classification.examples import ObjectClass

CLASSES = (ObjectClass(name="a", colour="#ff0000"), ObjectClass(name="b", colour="#0000ff"))


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "label": [4, 5, 9, 11],
            "class": ["a", "b", "b", None],
            "probability_a": [0.8, 0.4, 0.0, None],
            "probability_b": [0.2, 0.6, 1.0, None],
        }
    )


def test_colour_is_the_class_and_opacity_the_probability(table):
    colours = class_colours(table, CLASSES)
    assert colours[4] == pytest.approx((1, 0, 0, 0.8))
    assert colours[5] == pytest.approx((0, 0, 1, 0.6))
    assert colours[None] == UNKNOWN
    assert 11 not in colours


def test_what_somebody_said_is_opaque(table):
    assert class_colours(table, CLASSES, sure={5})[5][3] == 1


def test_others_are_hidden_where_one_class_is_wanted(table):
    colours = class_colours(table, CLASSES, only="b")
    assert colours[4][3] == colours[None][3] == 0
    assert colours[9][3] == 1


def test_without_probabilities_all_are_opaque(table):
    assert class_colours(table[["label", "class"]], CLASSES)[4][3] == 1


def test_the_best_probability_is_that_of_the_class(table):
    found = best_probability(table)
    assert list(found[:3]) == [0.8, 0.6, 1.0]
    assert pd.isna(found[3])
