import sys

import pytest

from napari_spheroseg.errors import UnknownName
from napari_spheroseg.registry import Registry


@pytest.fixture
def registry():
    return Registry("colour", {"red": "colorsys:rgb_to_hsv", "violet": "no_such_module:thing"})


def test_a_name_gives_what_it_stands_for(registry):
    import colorsys

    assert registry["red"] is colorsys.rgb_to_hsv


def test_nothing_is_imported_before_it_is_asked_for(registry, monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    assert list(registry) == ["red", "violet"]
    assert "colorsys" not in sys.modules


def test_a_near_name_is_proposed(registry):
    with pytest.raises(UnknownName, match="no colour 'violett'; did you mean 'violet'"):
        registry["violett"]


def test_all_names_are_told_where_none_is_near(registry):
    with pytest.raises(UnknownName, match=r"There are: red, violet"):
        registry["42"]


def test_an_unknown_name_is_a_key_error_so_that_get_works(registry):
    assert registry.get("blue", "default") == "default"


def test_membership_imports_nothing(registry):
    assert "violet" in registry
    assert "blue" not in registry
    assert len(registry) == 2
