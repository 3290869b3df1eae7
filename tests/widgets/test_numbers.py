from __future__ import annotations

import pytest

pytest.importorskip("napari")

from magicgui.widgets import Container
from qtpy.QtCore import QLocale

from napari_spheroseg.segmentation.settings import PostProcessing
from napari_spheroseg.widgets import forms
from napari_spheroseg.widgets.numbers import NumberField

pytestmark = pytest.mark.usefixtures("qtbot")


@pytest.mark.parametrize(
    ("value", "shown"), [(50, "50"), (0, "0"), (0.5, "0.5"), (0.205, "0.205"), (1000, "1000")]
)
def test_a_number_shows_no_digit_that_it_does_not_need(value, shown):
    assert NumberField(value=value, max=10_000).native.text() == shown


def test_a_number_is_as_exact_as_was_asked_for():
    field = NumberField(value=0.3225, decimals=4)
    assert (field.value, field.native.text()) == (0.3225, "0.3225")


def test_digits_are_written_as_the_machine_writes_them():
    field = NumberField(value=0.5)
    field.native.setLocale(QLocale(QLocale.Language.German))
    field.value = 0.25
    assert field.native.text() == "0,25"
    field.native.lineEdit().setText("1,5")
    field.native.interpretText()
    assert field.value == 1.5


def test_a_field_made_from_settings_steps_by_what_its_value_is_made_of():
    names = ["threshold", "min_area", "max_area", "tolerance"]
    form = Container(widgets=forms.fields(PostProcessing, names))
    assert [each.step for each in form] == [0.05, 10, 100, 0.1]


def test_a_number_that_may_be_left_out_shows_off():
    (field,) = forms.fields(PostProcessing, ["max_area"])
    assert field.native.text() == "off"
