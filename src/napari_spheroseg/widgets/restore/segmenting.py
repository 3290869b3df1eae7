"""What a segmentation makes of restoring, and the way to segment restored images."""

from __future__ import annotations

from magicgui.widgets import ComboBox, Container, PushButton
from napari.components import ViewerModel
from psygnal import Signal

from ...errors import BadSetting
from ...inference.frames import Index
from ...segmentation.difference import Difference
from ..batch.from_segment import open_segment_widget
from ..offered import offered_models
from ..parts import row, text
from ..where import FIELDS
from .choices import Choices

PLUGIN, SEGMENT = "napari-spheroseg", "Segment spheroids"
CAUTION = (
    "Sharp or slightly blurred images can be segmented a little worse once they are restored: "
    "compare first."
)
"""What measurements in docs/restore.md say."""


class WithSegmentation(Container):
    """A segmentation model, and two buttons.

    Parameters
    ----------
    begin_with : str
        Name of the model to begin with.

    Attributes
    ----------
    segmenter : ComboBox
    compare : PushButton
        Segments the slice on screen before and after.
    then_segment : PushButton
        Runs restoring and segmenting as one.
    caution : Label
        That restoring is not always for the better.
    sentence : Label
        What the segmentation makes of restoring.
    other : Signal
        Another difference is known, or asked for.
    """

    other = Signal()

    def __init__(self, begin_with: str) -> None:
        self._differences: dict[tuple[str, Index], Difference] = {}
        self.segmenter = ComboBox(
            name="segmenter",
            label="Segment with",
            choices=lambda _: offered_models("segmentation"),
            tooltip="Model for the two buttons below",
        )
        if begin_with in self.segmenter.choices:
            self.segmenter.value = begin_with
        self.compare = PushButton(
            name="compare",
            text="Compare segmentation",
            tooltip="Segment the slice on screen before and after, and say how area and number of "
            "objects change",
        )
        self.then_segment = PushButton(
            name="then_segment",
            text="Restore, then segment",
            tooltip="One pipeline, in the widget Segment spheroids: each slice is restored with "
            "the model's own scaling, then segmented. Its recipe says so.",
        )
        self.caution, self.sentence = text("caution"), text("sentence")
        self.caution.value = CAUTION
        self.form = Container(widgets=[self.segmenter], labels=True)
        self.form.margins = (0, 0, 0, 0)
        super().__init__(
            widgets=[
                self.form,
                self.caution,
                row(self.compare, self.then_segment),
                self.sentence,
            ],
            labels=False,
        )
        self.margins = (0, 0, 0, 0)
        self.segmenter.changed.connect(self.other.emit)

    def forget(self) -> None:
        """The image, or its restoration, is another one."""
        self._differences = {}

    def add(self, index: Index, model: str, difference: Difference) -> None:
        """What segmenting a slice before and after gave."""
        self._differences[model, index] = difference
        self.other.emit()

    def show(self, index: Index | None) -> Difference | None:
        """Say what is known of a slice; that is also given back."""
        difference = self._differences.get((self.segmenter.value, index))
        self.sentence.value = "" if difference is None else difference.sentence
        self.sentence.visible = difference is not None
        return difference


def run_segment_widget(viewer: ViewerModel, choices: Choices, segmenter: str) -> None:
    """Run the widget Segment spheroids with the focus restored first; it is opened if need be.

    Parameters
    ----------
    viewer : napari.Viewer
    choices : Choices
        Image, slices, and the model that restores.
    segmenter : str
        Name of the model that segments.

    Raises
    ------
    SpherosegError
        There is no image or model, or that widget is at work.
    """
    frames, restorer = choices.new_frames(), choices.restorer
    widget = open_segment_widget(viewer)
    if widget is None:
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, SEGMENT, tabify=True)
    if widget.run.text != "Run":
        raise BadSetting(f"The widget {SEGMENT} is at work", hint="Wait for it, or cancel it.")
    widget.image.value, widget.frames.value = choices.image.value, choices.frames.value
    if widget.model.value != segmenter:  # which would fill in what the model recommends
        widget.model.value = segmenter
    more = widget.more
    more.axes.value = frames.axes
    more.channel.value = choices.channel.value
    for name in FIELDS:
        more[name].value = choices.more[name].value
    more.restore.value = restorer
    widget.run.native.click()
