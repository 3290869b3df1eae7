"""Small parts that widgets are put together from."""

from __future__ import annotations

import pytest

pytest.importorskip("napari")

from magicgui.widgets import Container, FloatSpinBox

from napari_spheroseg.widgets.parts import align, section, widen


def test_a_section_shows_whether_it_is_open(qtbot):
    box = section("More")
    qtbot.addWidget(box)
    assert box.text() == "▸ More"
    box.expand(animate=False)
    assert box.text() == "▾ More"
    box.collapse(animate=False)
    assert box.text() == "▸ More"


def test_fields_of_two_forms_begin_at_the_same_place(qtbot):
    forms = [
        Container(widgets=[FloatSpinBox(name="a", label=label)], labels=True)
        for label in ("Short", "A label that is much longer than any other that there is")
    ]
    align(*forms)
    widths = {
        form[0].native.parentWidget().layout().itemAt(0).widget().minimumWidth() for form in forms
    }
    assert len(widths) == 1
    assert widths.pop() > 118


@pytest.mark.parametrize(("content", "least"), [(600, 300), (100, 300)])
def test_a_widget_is_as_wide_as_it_should_be_and_as_its_content_needs(qtbot, content, least):
    field = FloatSpinBox(name="a")
    field.native.setMinimumWidth(content)
    form = Container(widgets=[field], labels=False)
    qtbot.addWidget(form.native)
    widen(form, least)
    assert max(content, least) <= form.native.minimumSizeHint().width() < max(content, least) + 50
