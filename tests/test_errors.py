import inspect
import pickle

import pytest

from napari_spheroseg import errors
from napari_spheroseg.errors import SpherosegError

ALL = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if each.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_is_ours(kind):
    assert issubclass(kind, SpherosegError)


@pytest.mark.parametrize("kind", ALL)
def test_the_hint_is_part_of_the_message(kind):
    assert str(kind("It broke", hint="Mend it.")) == "It broke. Mend it."


@pytest.mark.parametrize("kind", ALL)
def test_without_a_hint_the_message_stands_alone(kind):
    assert str(kind("It broke")) == "It broke"


def test_a_question_mark_is_not_followed_by_a_stop():
    assert (
        str(SpherosegError("Did you mean this?", hint="Or that.")) == "Did you mean this? Or that."
    )


def test_an_error_survives_where_dask_has_its_own_way_to_pickle():
    pytest.importorskip("distributed")
    copy = pickle.loads(pickle.dumps(errors.OutOfMemory("It broke", hint="Mend it.")))
    assert str(copy) == "It broke. Mend it."


@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_the_way_from_another_process(kind):
    copy = pickle.loads(pickle.dumps(kind("It broke", hint="Mend it.")))
    assert (type(copy), str(copy), copy.hint) == (kind, "It broke. Mend it.", "Mend it.")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.UnknownName, KeyError),
        (errors.BadSetting, ValueError),
        (errors.BadImage, ValueError),
        (errors.UnreadableFile, OSError),
        (errors.NoDevice, RuntimeError),
        (errors.MissingPackage, ImportError),
        (errors.OutOfMemory, MemoryError),
    ],
)
def test_an_error_is_also_the_builtin_that_a_script_would_catch(kind, builtin):
    assert issubclass(kind, builtin)
