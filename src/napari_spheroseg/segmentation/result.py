"""A segmentation: probability kept, so that another threshold costs no inference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage
from ..inference.frames import Frames, Index
from ..polygon import Polygon
from ..restoration.focus import FocusScore, object_focus
from .layers import label_arguments, label_placement, placement, shape_arguments
from .measure import column_names
from .plane import Plane, analyse, describe, outlined_anew
from .polygons import moved
from .recipe import Recipe
from .settings import PostProcessing
from .summary import summary

if TYPE_CHECKING:
    import pandas as pd


_MAY_DIFFER = {
    *PostProcessing.model_fields,
    "frames",
}  # in results of one image that are shown together
_BY_HAND = "corrected_by_hand"
_CLASSES = "classification"
_OF_LABELS = {_BY_HAND, "tracking", _CLASSES}  # what no longer holds when labels are computed anew
_WITHOUT_FOCUS = {"labels", "polygons", "offsets"}  # cached, and the same whatever is in focus


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Objects found in an image, as labels, polygons and a table; ids are equal in all three.

    Of a region of an image there are labels and probability of the region alone; polygons and
    centroids have their place in the whole image.

    Attributes
    ----------
    frames : Frames
        The image as it is: where the recipe restores the focus first, the model saw another, while
        intensities are measured on this one.
    maps : mapping of tuple to ndarray
        Outputs of the model, (K, Y, X), of every frame that was predicted; the first is the
        probability.
    settings : Recipe
        How it was made.
    warnings : tuple of str
        What the user should know.
    corrections : ndarray of int32 or None
        Labels that somebody corrected by hand, or that carry the numbers of tracks; they take the
        place of those computed.
    focus : FocusScore or None
        How well the frames are in focus, where that was asked for: the table then says it of
        every object.
    columns : DataFrame or None
        What else is known of the objects, such as their classes: by ``label`` and, in a stack, by
        place. It goes when labels are computed anew.
    """

    frames: Frames
    maps: Mapping[Index, NDArray[np.float32]]
    settings: Recipe
    warnings: tuple[str, ...] = ()
    corrections: NDArray[np.int32] | None = None
    focus: FocusScore | None = None
    columns: pd.DataFrame | None = None
    _planes: dict[Index, Plane] = field(init=False, default_factory=dict, repr=False)
    _same_objects: dict[Index, Plane] = field(init=False, default_factory=dict, repr=False)

    @property
    def recipe(self) -> dict[str, Any]:
        """How the result was made: ``segment(image, **recipe)`` makes it again, bit for bit."""
        recipe: dict[str, Any] = self.settings.model_dump(mode="json")
        return recipe

    @property
    def probability(self) -> NDArray[np.float32]:
        """Probability in [0, 1], shape of the labels; 0 in frames that were not predicted."""
        return self._stack({index: maps[0] for index, maps in self.maps.items()}, np.float32)

    @property
    def planes(self) -> dict[Index, Plane]:
        """Objects of every frame, each numbered from 1."""
        return {index: self.plane(index) for index in sorted(self.maps)}

    def plane(self, index: Index) -> Plane:
        """Objects of one frame, numbered from 1; computed when first asked for."""
        if index not in self._planes:
            self._planes[index] = self._analyse(index)
        return self._planes[index]

    def _analyse(self, index: Index) -> Plane:
        if index in self._same_objects:  # only the tolerance differs
            return outlined_anew(self._same_objects[index], self.settings.tolerance)
        maps = self.maps[index]
        how = (
            self.frames.grey(index),
            self.settings.post_processing(),
            self.settings.pixel_size,
        )
        if self.corrections is not None:
            return describe(self.corrections[index], maps[0], *how)
        return analyse(maps, *how)

    @cached_property
    def offsets(self) -> dict[Index, int]:
        """What is added to the numbers of a frame, so that they are unique in the stack."""
        if self.corrections is not None:
            return dict.fromkeys(self.planes, 0)
        counts = [len(plane.table) for plane in self.planes.values()]
        return dict(zip(self.planes, np.cumsum([0, *counts]).tolist(), strict=False))

    @cached_property
    def labels(self) -> NDArray[np.int32]:
        """int32, leading axes then (Y, X); 0 is background, numbers are unique in a stack."""
        if self.corrections is not None:
            return self.corrections
        return self._stack(
            {
                index: np.where(plane.labels, plane.labels + self.offsets[index], 0)
                if self.offsets[index]
                else plane.labels
                for index, plane in self.planes.items()
            },
            np.int32,
        )

    @cached_property
    def polygons(self) -> list[Polygon]:
        """Outlines in pixels, each in its own frame."""
        names = self._classes()
        return [
            replace(
                moved(each, self.frames.corner) if self.frames.region else each,
                id=each.id + self.offsets[index],
                name=names.get((*index, each.id + self.offsets[index])) or each.name,
                parent=None if each.parent is None else each.parent + self.offsets[index],
                frame=index,
            )
            for index, plane in self.planes.items()
            for each in plane.polygons
        ]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row an object; a stack's table names the frame along each leading axis."""
        import pandas as pd

        size = self.settings.pixel_size or (1.0, 1.0)
        unit = "um" if self.settings.pixel_size else "px"
        centroid = [f"centroid_y_{unit}", f"centroid_x_{unit}"]
        tables = []
        for index, plane in self.planes.items():
            table = plane.table.copy()
            table["label"] += self.offsets[index]
            if self.frames.region:
                table[centroid] += np.multiply(self.frames.corner, size)
            if self.focus is not None and index in self.focus.fields:
                scores = object_focus(self.focus.plane(index), plane.labels)
                table[scores.name] = scores.reindex(plane.table["label"]).to_numpy()
            for axis, position in reversed(list(zip(self.frames.leading_axes, index, strict=True))):
                table.insert(1, axis.lower(), position)
            tables.append(table)
        if not tables:
            return pd.DataFrame(columns=column_names(self.settings.pixel_size))
        table = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
        if self.columns is None:
            return table
        place = [name for name in self.columns if name in table]
        return table.merge(self.columns, "left", on=place, validate="one_to_one")

    def _classes(self) -> dict[Index, str | None]:
        """The class of each object, by place and label, where classes are known."""
        if self.columns is None or "class" not in self.columns:
            return {}
        keys = (self.columns[name] for name in (*self.frames.leading_axes.lower(), "label"))
        return dict(zip(zip(*keys, strict=True), self.columns["class"], strict=True))

    def at(self, **changes: Any) -> Segmentation:
        """The same probability with other post-processing; no inference.

        Parameters
        ----------
        **changes
            Fields of `PostProcessing`: ``threshold``, ``min_area``, ...

        Returns
        -------
        Segmentation
            A new one; nothing is computed until it is asked for.
        """
        wanted = self.settings.post_processing().replace(**changes)
        made_with = {k: v for k, v in self.settings.made_with.items() if k not in _OF_LABELS}
        settings = self.settings.replace(**dict(wanted), made_with=made_with)
        changed = replace(self, settings=settings, corrections=None, columns=None)
        same_objects = self.settings.post_processing().replace(tolerance=wanted.tolerance) == wanted
        if same_objects and self.corrections is None:
            changed._same_objects.update(self._same_objects | self._planes)
        return changed

    def corrected(self, labels: NDArray[Any]) -> Segmentation:
        """The same image with labels that somebody corrected; polygons and table follow them.

        Parameters
        ----------
        labels : ndarray of integers
            Of the shape of `labels`; numbers are kept.

        Raises
        ------
        BadImage
            The shape differs.
        """
        if labels.shape != self.frames.shape:
            raise BadImage(f"Labels have shape {labels.shape}, the image {self.frames.shape}")
        if labels.dtype.kind not in "iub":
            raise BadImage(f"Labels of type {labels.dtype} are no whole numbers")
        made_with = {**self.settings.made_with, _BY_HAND: True}
        made_with.pop(_CLASSES, None)  # its columns go, too
        settings = self.settings.replace(made_with=made_with)
        corrections = np.array(labels, np.int32)
        return replace(self, settings=settings, corrections=corrections, columns=None)

    def with_planes(self, planes: Mapping[Index, Plane], **made_with: Any) -> Segmentation:
        """The same image with these objects, whose numbers already hold for the whole stack.

        Parameters
        ----------
        planes : mapping of tuple to Plane
            One for every frame that was predicted.
        **made_with
            What the recipe says about them.
        """
        settings = self.settings.replace(made_with={**self.settings.made_with, **made_with})
        labels = self._stack({index: plane.labels for index, plane in planes.items()}, np.int32)
        changed = replace(self, settings=settings, corrections=labels, columns=None)
        for index, plane in planes.items():
            changed._planes[index] = replace(plane, labels=labels[index])  # held once
        return changed

    def with_columns(
        self, columns: pd.DataFrame, warnings: tuple[str, ...] = (), **made_with: Any
    ) -> Segmentation:
        """The same objects, of which more is known: `table` and what is exported have it too.

        Parameters
        ----------
        columns : DataFrame
            ``label``, in a stack ``t``, ``z``..., and more; one row an object.
        warnings : tuple of str
            What the user should know of it, beside what is known already.
        **made_with
            What the recipe says about it.
        """
        settings = self.settings.replace(made_with={**self.settings.made_with, **made_with})
        warnings = self.warnings + warnings
        changed = replace(self, settings=settings, columns=columns, warnings=warnings)
        changed._planes.update(self._planes)
        return changed

    def with_focus(self, focus: FocusScore | None) -> Segmentation:
        """The same objects, of which `table` and what is exported say how well they are in focus.

        Parameters
        ----------
        focus : FocusScore or None
            Of the same frames; None: nothing is said of it.
        """
        changed = replace(self, focus=focus)
        changed._planes.update(self._planes)
        changed._same_objects.update(self._same_objects)
        kept = _WITHOUT_FOCUS & set(vars(self))
        vars(changed).update((name, vars(self)[name]) for name in kept)
        return changed

    @property
    def summary(self) -> str:
        """How many objects there are and how large, as one sentence."""
        return summary(self.frames, self.settings.pixel_size, self.table)

    def continues(self, other: Segmentation) -> bool:
        """Whether both are of the same image, and made in the same way but for post-processing."""
        same = [name for name in type(self.settings).model_fields if name not in _MAY_DIFFER]
        return self.frames.data is other.frames.data and all(
            getattr(self.settings, name) == getattr(other.settings, name) for name in same
        )

    def joined(self, other: Segmentation) -> Segmentation:
        """Frames of both, of the same image; where both have one, the other's."""
        maps = {**self.maps, **other.maps}
        whole = len(maps) == math.prod(other.frames.leading_shape)
        settings = other.settings.replace(frames=None if whole else tuple(sorted(maps)))
        return replace(other, maps=maps, settings=settings)

    @cached_property
    def layer_data(self) -> dict[str, dict[str, Any]]:
        """What the Labels and the Shapes layer show: data, features, style."""
        return {
            "labels": label_arguments(self.frames, self.labels, self.table),
            "shapes": shape_arguments(self.frames, self.polygons),
        }

    def to_layers(self, name: str = "image", like: Any = None) -> list[tuple[Any, ...]]:
        """Labels and polygons as napari layer tuples ``(data, arguments, type)``.

        Parameters
        ----------
        name : str
            Of the image; layers are called ``<name> labels`` and ``<name> polygons``.
        like : napari layer, optional
            Image whose scale, translate, units and axis labels they take; without it, those of
            the recipe's pixel size.

        Returns
        -------
        list of tuple
            For ``viewer.add_layer(napari.layers.Layer.create(*each))``.
        """
        where = (self.frames, self.settings.pixel_size, like)
        metadata = {"spheroseg": self.recipe}
        labels = {
            **label_placement(*where),
            **self.layer_data["labels"],
            "metadata": metadata,
            "name": f"{name} labels",
            "opacity": 0.4,
        }
        labels["data"] = labels["data"].copy()  # napari paints on what it is given
        shapes = {
            **placement(*where),
            **self.layer_data["shapes"],
            "metadata": dict(metadata),
            "name": f"{name} polygons",
        }
        return [(labels.pop("data"), labels, "labels"), (shapes.pop("data"), shapes, "shapes")]

    def _stack(self, planes: Mapping[Index, NDArray[Any]], dtype: Any) -> NDArray[Any]:
        if not self.frames.leading_shape:
            return planes[()]
        whole = np.zeros(self.frames.shape, dtype)
        for index in product(*(range(n) for n in self.frames.leading_shape)):
            if index in planes:
                whole[index] = planes[index]
        return whole
