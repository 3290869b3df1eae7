"""Which labels, of which image, and what tells their classes."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, Container
from napari.components import ViewerModel
from napari.layers import Image, Labels
from psygnal import Signal

from ...classification.offers import Offer
from ..image_layers import images_of
from ..news import news
from ..offered import first_model, offered_models
from ..parts import SHORT, align
from .opening import Opening
from .pair import Pair, fitting

TEACH = "Teach your own"
"""The model that is none: classes are learnt from examples. No model can have a name of spaces."""
OPEN = "Open a file…"
"""Another that is none: a file is asked for, and its classifier offered beside the models."""

_CHANGES = ("inserted", "removed", "reordered")


class Choice(Container):
    """Three boxes.

    Parameters
    ----------
    viewer : ViewerModel

    Attributes
    ----------
    labels_layer, image, model : ComboBox
    opening : Opening
        Asks for classifiers in files.
    labels_chosen, image_chosen : Signal
        Others were chosen, by the user or because layers came and went.
    """

    labels_chosen = Signal()
    image_chosen = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._opened: dict[str, Offer] = {}
        self.labels_layer = ComboBox(
            name="labels", label="Labels", choices=self._labels, tooltip="The objects"
        )
        self.image = ComboBox(
            name="image",
            label="Image",
            choices=self._images,
            nullable=True,
            tooltip="What the labels are of. Without it classes are told by shape alone.",
        )
        self.model = ComboBox(
            name="model",
            label="Model",
            choices=self._models,
            tooltip=f"{TEACH}: by examples that you click. {OPEN} A collection, or a classifier of "
            "measurements such as pi_classification",
        )
        self.model.native.setSizeAdjustPolicy(SHORT)  # not as wide as the longest name of a file
        first = first_model("classification")
        if first in self.model.choices:
            self.model.value = first
        super().__init__(widgets=[self.labels_layer, self.image, self.model], labels=True)
        self.margins = (0, 0, 0, 0)
        align(self)
        self.opening = Opening(self.native)
        self.opening.opened.connect(self.offer)
        self._model = self.model.value
        self.model.changed.connect(self._on_model)
        self.refresh()
        active = viewer.layers.selection.active
        if isinstance(active, Labels):
            self.labels_layer.value = active
        self._offer_image()
        self.labels_layer.changed.connect(self._on_labels)
        self.image.changed.connect(self.image_chosen.emit)
        for name in _CHANGES:
            getattr(viewer.layers.events, name).connect(self.refresh)
        news.models_changed.connect(self._offer_models)

    @property
    def is_teaching(self) -> bool:
        """Whether classes are learnt from examples."""
        return bool(self.model.value == TEACH)

    @property
    def allow(self) -> str | None:
        """SHA-256 of the file that the user allowed for the chosen model."""
        offer = self._opened.get(self.model.value)
        return None if offer is None else offer.unsafe

    def offer(self, offer: Offer) -> None:
        """Offer a classifier of a file beside the models, and choose it."""
        self._opened[offer.reference] = offer
        self._offer_models()
        self.model.value = offer.reference

    def pair(self) -> Pair | None:
        """The chosen layers, as they are now; None without labels.

        Raises
        ------
        SpherosegError
            They do not belong together.
        """
        labels = self.labels_layer.value
        if labels is None or labels not in self._viewer.layers:
            return None
        return Pair.of(labels, self.image.value, self._viewer)

    def refresh(self) -> None:
        """Offer the layers that there are now."""
        for layer in self._viewer.layers:
            if isinstance(layer, (Image, Labels)):
                layer.events.name.disconnect(self.refresh)
                layer.events.name.connect(self.refresh)
        before = self.labels_layer.value
        self.labels_layer.reset_choices()
        self.image.reset_choices()
        if self.labels_layer.value is before:  # else its own signal was sent
            self._offer_image()

    def abandon(self) -> None:
        """Listen no more."""
        for name in _CHANGES:
            getattr(self._viewer.layers.events, name).disconnect(self.refresh)
        for layer in self._viewer.layers:
            layer.events.name.disconnect(self.refresh)
        news.models_changed.disconnect(self._offer_models)
        self.opening.abandon()

    def _on_model(self) -> None:
        if self.model.value == OPEN:
            self.model.value = self._model
            self.opening.start()
        self._model = self.model.value

    def _on_labels(self) -> None:
        self._offer_image(anew=True)
        self.labels_chosen.emit()

    def _offer_image(self, anew: bool = False) -> None:
        """The image that the labels are of; one that is chosen and fits stays with its labels."""
        labels = self.labels_layer.value
        if labels is None or labels not in self._viewer.layers:
            return
        images = [image for _, image in self._images()]
        chosen = [] if self.image.value is None else [self.image.value]
        found = fitting(labels, [*chosen, *images], self._viewer)
        if found is not None and (anew or fitting(labels, chosen, self._viewer) is None):
            self.image.value = found

    def _labels(self, _: Any = None) -> list[tuple[str, Labels]]:
        return [(each.name, each) for each in self._viewer.layers if isinstance(each, Labels)]

    def _images(self, _: Any = None) -> list[tuple[str, Image]]:
        return [(each.name, each) for each in images_of(self._viewer.layers)]

    def _offer_models(self) -> None:
        """Offer what there is now; what is new would else stand below all that was there."""
        chosen = self.model.value
        with self.model.changed.blocked():
            self.model.native.clear()
            self.model.reset_choices()
            if chosen in self.model.choices:
                self.model.value = chosen
        if self.model.value != chosen:
            self.model.changed.emit(self.model.value)

    def _models(self, _: Any = None) -> list[tuple[str, str]]:
        opened = [(each.title, each.reference) for each in self._opened.values()]
        return [*offered_models("classification"), *opened, (TEACH, TEACH), (OPEN, OPEN)]
