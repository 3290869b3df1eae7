"""What can be done with classes: delete objects, a layer of classes, a table."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import Container, PushButton
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog

from ...classification.examples import ObjectClass, place_columns
from ...errors import BadSetting
from ...readwrite.atomic import replacing
from ..work import Work
from .pair import Pair
from .results import Results

if TYPE_CHECKING:
    import pandas as pd

_PLACED = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
Steps = Generator[Any, None, Callable[[], Any]]


class Deeds(Container):
    """Buttons below the tables.

    Parameters
    ----------
    viewer : ViewerModel
    results : Results
        What is shown, and which class is chosen.

    Attributes
    ----------
    delete, as_layer, save : PushButton
    """

    def __init__(self, viewer: ViewerModel, results: Results) -> None:
        self._viewer, self._results = viewer, results
        self._work = Work(lambda _: None, self._on_result, lambda: None)
        self.delete = PushButton(
            text="Delete objects",
            tooltip="Take the objects of the chosen class out of the labels; Ctrl+Z on the labels "
            "layer brings them back",
        )
        self.as_layer = PushButton(
            text="Classes as layer", tooltip="A Labels layer whose numbers are the classes"
        )
        self.save = PushButton(text="Save table…", tooltip="Objects, classes and measures as CSV")
        super().__init__(
            widgets=[self.delete, self.as_layer, self.save], layout="horizontal", labels=False
        )
        self.margins = (0, 0, 0, 0)
        self.delete.changed.connect(self._delete)
        self.as_layer.changed.connect(self._add_layer)
        self.save.changed.connect(self._ask_and_save)
        results.classes.chosen.connect(self.refresh)

    def refresh(self) -> None:
        """Enable what can be done."""
        self.as_layer.enabled = self.save.enabled = self._results.table is not None
        self.delete.enabled = self.save.enabled and bool(self._results.classes.selected)

    def save_to(self, path: str | Path) -> None:
        """Write objects, classes and measures as CSV."""
        if self._results.pair is not None:
            features = self._results.pair.labels.features.copy()
            self._start(partial(_write, features, Path(path)))

    def abandon(self) -> None:
        """Stop."""
        self._work.abandon()

    def _start(self, steps: Callable[[], Steps]) -> None:
        if not self._work.running:
            self._work.start(steps)

    def _on_result(self, then: Callable[[], Any]) -> Iterator[None]:
        then()
        yield

    def _ask_and_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self.native, "Save table of objects", "classes.csv", "CSV (*.csv)"
        )
        if path:
            self.save_to(path)

    def _delete(self) -> None:
        pair, table = self._results.pair, self._results.table
        if pair is None or table is None:
            return
        if not isinstance(pair.labels.data, np.ndarray):
            hint = "Open them as one array in memory."
            show_error(str(BadSetting("These labels cannot be changed", hint=hint)))
            return
        name = self._results.classes.selected
        rows = table[table["class"] == name]
        erase = partial(_erase, pair.labels, name, len(rows))
        self._start(partial(_then, partial(_find, pair, rows), erase))

    def _add_layer(self) -> None:
        pair, table = self._results.pair, self._results.table
        if pair is not None and table is not None:
            classes = self._results.known
            steps = partial(_map, pair, table, tuple(each.name for each in classes))
            self._start(partial(_then, steps, partial(self._show_layer, pair.labels, classes)))

    def _show_layer(self, of: Labels, classes: tuple[ObjectClass, ...], data: Any) -> None:
        import pandas as pd

        name = f"{of.name} classes"
        colours = {number: each.colour for number, each in enumerate(classes, start=1)}
        colormap = DirectLabelColormap(color_dict={None: "transparent", **colours})
        table = pd.DataFrame({"index": list(colours), "class": [each.name for each in classes]})
        layers = self._viewer.layers
        if name in layers and isinstance(layers[name], Labels):
            layer = layers[name]
            layer.data, layer.features, layer.colormap = data, table, colormap
            return
        same = {what: getattr(of, what) for what in _PLACED}
        active = layers.selection.active
        self._viewer.add_layer(Labels(data, name=name, features=table, colormap=colormap, **same))
        layers.selection.active = active  # clicks and keys go on being for the labels


def _then(steps: Callable[[], Generator[Any, None, Any]], do: Callable[[Any], Any]) -> Steps:
    """What is to be done in the GUI thread with what the worker found."""
    return partial(do, (yield from steps()))


def _find(pair: Pair, rows: pd.DataFrame) -> Generator[Any, None, Any]:
    """Indices of the pixels of objects, into the layer's data."""
    place = place_columns(rows)
    wanted: dict[tuple[int, ...], list[int]] = {}
    for at, label in zip(rows[place].to_numpy(np.int64).tolist(), rows["label"], strict=True):
        wanted.setdefault(tuple(at), []).append(int(label))
    subject, found = pair.subject, [np.zeros(0, np.intp)]
    for index, labels in wanted.items():
        yield
        inside = np.nonzero(np.isin(np.asarray(subject.labels[index]), labels))
        leading = (np.full(len(inside[0]), position) for position in index)
        found.append(np.ravel_multi_index((*leading, *inside), subject.frames.shape))
    return np.unravel_index(np.concatenate(found), pair.labels.data.shape)


def _erase(layer: Labels, name: str, count: int, indices: Any) -> None:
    layer.data_setitem(indices, 0)
    show_info(f"Deleted {count} objects of '{name}'. Ctrl+Z on '{layer.name}' undoes it.")


def _map(pair: Pair, table: pd.DataFrame, names: tuple[str, ...]) -> Generator[Any, None, Any]:
    """Classes in the place of the objects' numbers, of the shape of the layer's data."""
    from ...classification.result import class_map

    yield
    axes = pair.subject.frames.leading_axes
    found = class_map(pair.subject.labels, table, names, axes)
    return found.reshape(pair.labels.data.shape)


def _write(features: pd.DataFrame, path: Path) -> Steps:
    yield
    with replacing(path) as temporary:
        features.rename(columns={"index": "label"}).to_csv(temporary, index=False)
    return partial(show_info, f"Saved {path.name}.")
