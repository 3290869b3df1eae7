"""Examples as somebody gives them one by one: with classes that are renamed, and with undo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..errors import BadSetting
from ..inference.frames import Index
from .examples import COLOURS, ObjectClass, check_classes

Place = tuple[Index, int]
"""An object: its place along the leading axes, () where there are none, and its label."""


class Lesson:
    """Classes, and the examples of them.

    Parameters
    ----------
    classes : iterable of ObjectClass, optional

    Attributes
    ----------
    classes : list of ObjectClass
    examples : dict of (index, label) to str
        Names of their classes.
    """

    def __init__(self, classes: Iterable[ObjectClass] = ()) -> None:
        self.classes = list(classes)
        self.examples: dict[Place, str] = {}
        self._before: list[tuple[Place, str | None]] = []

    @property
    def counts(self) -> Counter[str]:
        """Number of examples, by class."""
        return Counter(self.examples.values())

    def named(self, name: str) -> ObjectClass:
        """A class by its name.

        Raises
        ------
        BadSetting
            There is none.
        """
        for each in self.classes:
            if each.name == name:
                return each
        raise BadSetting(f"There is no class '{name}'", hint="Define it first.")

    def add(self, name: str = "") -> ObjectClass:
        """Another class, with a colour and a key that no other has where there are any left.

        Raises
        ------
        BadSetting
            There is one of this name.
        """
        names, keys = ({getattr(each, what) for each in self.classes} for what in ("name", "key"))
        used = Counter(each.colour for each in self.classes)
        number = 1
        while not name and f"class {number}" in names:
            number += 1
        added = ObjectClass(
            name=name or f"class {number}",
            colour=min(COLOURS, key=lambda colour: used[colour]),
            key=next((key for key in "123456789" if key not in keys), ""),
        )
        check_classes([*self.classes, added])
        self.classes.append(added)
        return added

    def change(self, name: str, /, **fields: str) -> ObjectClass:
        """Give a class another name, colour or key; its examples stay its own.

        Raises
        ------
        BadSetting
            Another class has the name or the key, or they cannot be used.
        """
        changed = self.named(name).replace(**fields)
        classes = [changed if each.name == name else each for each in self.classes]
        check_classes(classes)
        self.classes = classes
        self.examples = {k: _renamed(v, name, changed.name) for k, v in self.examples.items()}
        self._before = [
            (key, None if was is None else _renamed(was, name, changed.name))
            for key, was in self._before
        ]
        return changed

    def remove(self, name: str) -> None:
        """Forget a class and its examples."""
        self.classes = [each for each in self.classes if each.name != name]
        self.examples = {key: each for key, each in self.examples.items() if each != name}
        self._before = [(key, was) for key, was in self._before if was != name]

    def give(self, key: Place, name: str) -> None:
        """An object is an example of a class, and no longer of another.

        Raises
        ------
        BadSetting
            There is no such class.
        """
        self.named(name)
        if self.examples.get(key) == name:
            return
        self._before.append((key, self.examples.get(key)))
        self.examples[key] = name

    def take_back(self) -> Place | None:
        """Undo the last example; the object that it was, None where there is none left."""
        while self._before:
            key, was = self._before.pop()
            if self.examples.get(key) == was:
                continue  # the example went with its class
            if was is None:
                del self.examples[key]
            else:
                self.examples[key] = was
            return key
        return None


def _renamed(name: str, old: str, new: str) -> str:
    return new if name == old else name
