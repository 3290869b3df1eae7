"""What is known of objects beside their measures goes when they are others."""

import numpy as np
import pandas as pd
import pytest

import napari_spheroseg as ss


@pytest.fixture
def classified(bright, image):
    result = ss.segment(image, str(bright), device="cpu")
    classes = pd.DataFrame({"label": result.table["label"], "class": "round"})
    return result.with_columns(classes, classification={"model": "rounds"})


def test_columns_are_in_the_table_and_their_maker_in_the_recipe(classified):
    assert set(classified.table["class"]) == {"round"}
    assert classified.recipe["made_with"]["classification"] == {"model": "rounds"}


@pytest.mark.parametrize(
    "change", [lambda r: r.at(threshold=0.6), lambda r: r.corrected(np.array(r.labels))]
)
def test_with_the_objects_their_classes_go_and_what_the_recipe_says_of_them(classified, change):
    changed = change(classified)
    assert "class" not in changed.table
    assert "classification" not in changed.recipe["made_with"]
