"""A registry of lazy factories: names that users see, imported only when one is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from .errors import UnknownName


def unknown_name(kind: str, name: str, known: list[str], hint: str = "") -> UnknownName:
    """Error for a name that is not known, with the near ones and all there are."""
    near = get_close_matches(name, known, n=1)
    suggestion = f"; did you mean '{near[0]}'?" if near else ""
    there_are = f"There are: {', '.join(known)}." if known else ""
    return UnknownName(
        f"There is no {kind} '{name}'{suggestion}", hint=" ".join(filter(None, [there_are, hint]))
    )


class Registry(Mapping[str, Any]):
    """Maps names to objects that are imported on first use.

    Parameters
    ----------
    kind : str
        What the names name ("network", "backend"); appears in error messages.
    entries : dict of str to str
        Name to ``"package.module:attribute"``.

    Examples
    --------
    >>> NETWORKS = Registry("network", {"unet": "napari_spheroseg.networks.unet:UNet"})
    >>> NETWORKS["unet"].__name__
    'UNet'
    """

    def __init__(self, kind: str, entries: dict[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> Any:
        try:
            module, _, attribute = self._entries[name].partition(":")
        except KeyError:
            raise unknown_name(self.kind, name, list(self._entries)) from None
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
