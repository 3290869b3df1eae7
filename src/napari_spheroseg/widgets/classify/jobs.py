"""What the widget does in a worker's thread, as generators; nothing on screen is read there."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import models
from ...classification.examples import ObjectClass, TeachSettings, object_classes
from ...classification.lesson import Place
from ...classification.matching import still_there
from ...classification.settings import ClassifySettings
from ...classification.stock import Box, Stock, Subject, take_stock
from ...errors import BadImage, NameTaken
from ...models import ModelMetadata
from .session import Outcome

if TYPE_CHECKING:
    from ...classification.teach import TaughtClassifier


@dataclass(frozen=True, eq=False)
class RunJob:
    """One press of Run with a model.

    Attributes
    ----------
    subject : Subject
    model, device : str
    threads : int
    allow : str or None
        SHA-256 of a file that the user allowed to be opened, though it could run code.
    """

    subject: Subject
    model: str
    device: str
    threads: int
    allow: str | None = None

    def steps(self) -> Generator[Any, None, Outcome]:
        """Look at the objects, load the model, classify."""
        from ...classification.run import classify_steps, open_judge
        from ...classification.teach import TaughtClassifier

        stock = yield from take_stock(self.subject)
        known = {each.name: each for each in models.known()}.get(self.model)
        if known is None or not known.is_taught:
            if not self.subject.has_image:
                title = Path(self.model).name if known is None else known.title
                raise BadImage(
                    f"'{title}' needs the image of the objects",
                    hint="Choose the image that the labels are of.",
                )
            from ...inference.devices import use_threads

            use_threads(self.threads)
        judge = open_judge(self.model, self.device, allow=self.allow)
        if isinstance(judge, TaughtClassifier) and not self.subject.has_image:
            described = yield from take_stock(self.subject, learn=judge.settings)
            table = judge.predict(described.features)
            return Outcome(table, judge.objects, stock, judge.recipe)
        settings = ClassifySettings(pixel_size=self.subject.pixel_size)
        frames, labels = self.subject.frames, self.subject.labels
        done = yield from classify_steps(frames, labels, judge, settings)
        classes = getattr(judge, "objects", None) or object_classes(done.classes)
        return Outcome(done.table, classes, stock, dict(done.recipe), done.warnings)


@dataclass(frozen=True, eq=False)
class LookJob:
    """Find out which objects there are after an edit.

    Attributes
    ----------
    subject : Subject
    before : Stock
    """

    subject: Subject
    before: Stock

    def steps(self) -> Generator[Any, None, Stock]:
        """Look at the frames that changed."""
        return (yield from take_stock(self.subject, self.before))


@dataclass(frozen=True, eq=False)
class TeachJob:
    """Learn from the examples, and tell all objects.

    Attributes
    ----------
    subject : Subject
    before : Stock or None
    examples : mapping
    boxes : mapping
        Where these objects were when they became examples.
    classes : tuple of ObjectClass
    settings : TeachSettings
    if_changed : bool
        Learn again only where the labels are others than before.
    """

    subject: Subject
    before: Stock | None
    examples: Mapping[Place, str]
    boxes: Mapping[Place, Box | None]
    classes: tuple[ObjectClass, ...]
    settings: TeachSettings
    if_changed: bool = False

    def steps(self) -> Generator[Any, None, Outcome | Stock]:
        """Describe what was not described before, learn, predict; too few examples: describe."""
        from ...classification.estimators import make_estimator
        from ...classification.teach import teach

        make_estimator(self.settings)  # imports scikit-learn before the second example comes
        stock = yield from take_stock(self.subject, self.before, self.settings)
        if self.if_changed and stock is self.before:
            return stock
        there = still_there(self.boxes, stock)
        examples = {key: name for key, name in self.examples.items() if key in there}
        if len(set(examples.values())) < 2:
            return stock
        features = stock.features
        taught = teach(features, examples, self.classes, self.settings, check=False)
        return Outcome(taught.predict(features), self.classes, stock, taught.recipe, (), taught)


@dataclass(frozen=True, eq=False)
class CheckJob:
    """Cross-validate.

    Attributes
    ----------
    stock : Stock
        With features.
    examples : mapping
    classes : tuple of ObjectClass
    settings : TeachSettings
    """

    stock: Stock
    examples: Mapping[Place, str]
    classes: tuple[ObjectClass, ...]
    settings: TeachSettings

    def steps(self) -> Generator[Any, None, TaughtClassifier]:
        """Learn again, with parts left out."""
        from ...classification.teach import teach

        yield
        return teach(self.stock.features, self.examples, self.classes, self.settings)


@dataclass(frozen=True)
class Saved:
    """What became of saving.

    Attributes
    ----------
    metadata : ModelMetadata or None
    taken : str
        Nothing was saved, for a model of this name is there.
    """

    metadata: ModelMetadata | None = None
    taken: str = ""


@dataclass(frozen=True, eq=False)
class SaveJob:
    """Save as a model.

    Attributes
    ----------
    check : CheckJob
    name : str
    overwrite : bool
    """

    check: CheckJob
    name: str
    overwrite: bool = False

    def steps(self) -> Generator[Any, None, Saved]:
        """Learn, cross-validate, write."""
        from ...classification.store import save

        taught = yield from self.check.steps()
        try:
            return Saved(save(taught, self.name, replace=self.overwrite))
        except NameTaken as error:
            return Saved(taken=error.message)

    def over(self) -> SaveJob:
        """The same, whatever is there."""
        return replace(self, overwrite=True)
