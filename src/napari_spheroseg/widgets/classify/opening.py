"""Classifiers from a file: choose it, say which of several, allow one that could run code."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from ...classification.offers import ENDINGS, Offer, offers_of
from ..work import Work

_FILES = " ".join(f"*{ending}" for ending in ENDINGS)


class Opening:
    """Looks into a file in a thread, and asks the user.

    Parameters
    ----------
    parent : QWidget
        Of the dialogs.

    Attributes
    ----------
    opened : Signal(Offer)
        A classifier was chosen; one that could run code was allowed.
    """

    opened = Signal(Offer)

    def __init__(self, parent: QWidget) -> None:
        self._parent = parent
        self._found: list[Offer] = []
        self._work = Work(lambda _: None, self._on_found, self._on_end)

    @property
    def running(self) -> bool:
        """Whether a file is looked into."""
        return self._work.running

    def start(self) -> None:
        """Ask for a file."""
        if not self._work.running and (path := self.ask_file()):
            self.look_into(path)

    def look_into(self, path: str | Path) -> None:
        """Offer the classifiers of a file."""
        self._work.start(partial(_look, Path(path)), title=f"Opening {Path(path).name}")

    def ask_file(self) -> str:
        """A path; empty where the user wants none."""
        chosen, _ = QFileDialog.getOpenFileName(
            self._parent, "Open a classifier", "", f"Classifiers ({_FILES});;All files (*)"
        )
        return str(chosen)

    def ask_which(self, titles: list[str]) -> str:
        """One of several; empty where the user wants none."""
        chosen, is_chosen = QInputDialog.getItem(
            self._parent, "Open a classifier", "The file holds several:", titles, 0, False
        )
        return str(chosen) if is_chosen else ""

    def ask_allow(self, offer: Offer) -> bool:
        """Whether a file that could run code may be opened."""
        answers = QMessageBox.StandardButton
        answer = QMessageBox.warning(
            self._parent,
            "This file could run code",
            f"Opening {offer.title} could run code on this computer, for that is how pickles "
            "work. Open it only if you trust who made it.\n\nNo other file is allowed by that, and "
            f"this one until the widget is closed. Its SHA-256 is\n{offer.unsafe}",
            answers.Open | answers.Cancel,
            answers.Cancel,
        )
        return bool(answer == answers.Open)

    def abandon(self) -> None:
        """Stop, and tell nobody."""
        self._work.abandon()

    def _on_found(self, found: list[Offer]) -> Iterator[None]:
        self._found = found
        yield

    def _on_end(self) -> None:
        found, self._found = self._found, []
        titles = [each.title for each in found]
        title = self.ask_which(titles) if len(titles) > 1 else "".join(titles)
        for each in found:
            if each.title == title and (each.unsafe is None or self.ask_allow(each)):
                self.opened.emit(each)


def _look(path: Path) -> Generator[Any, None, list[Offer]]:
    yield
    return offers_of(path)
