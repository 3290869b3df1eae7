"""What can be done with the images of a batch."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..readwrite.images import ImageFile
from ..steps import Step
from .items import Done, Item
from .settings import BatchSettings

if TYPE_CHECKING:
    from .journal import Journal


class Task(Protocol):
    """Something that is done with every image of a batch; it may travel to another process.

    Attributes
    ----------
    task : str
        What it is called: "segmentation", "restoration".
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]  # it is a dataclass
    task: ClassVar[str]

    @property
    def folder(self) -> Path:
        """For the results."""

    @property
    def recipe(self) -> Any:
        """Settings with a model and what it was ``made_with``."""

    @property
    def settings(self) -> BatchSettings:
        """How patient it is, and more."""

    @property
    def written(self) -> dict[str, Any]:
        """What results of one folder must share beside the recipe."""

    def open(self, device: str, backend: str, precision: str) -> Any:
        """What runs the recipe's model: a `Predictor`, or a `Judge` of classes."""

    def checksum(self, opened: Any) -> str | None:
        """Of the weights that it runs, by which workers see that all have the same."""

    def predict(self, image: ImageFile, item: Item, predictor: Any) -> Generator[Step, None, Any]:
        """What the model makes of an image."""

    def finish(self, result: Any, item: Item, mark: str, seconds: float) -> Done:
        """The files of a result; where one of them cannot be written, none is left."""

    def summarise(self, journal: Journal) -> list[str]:
        """What is made of all results together; what of it could not be made, and why."""
