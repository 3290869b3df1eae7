"""Taught classifiers as models: a folder with model.json and a skops file."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from ..errors import NameTaken, UnreadableFile, WrongWeights
from ..models import Model, ModelMetadata
from ..models.formats.skops_file import dump_skops, load_skops
from ..models.library import entries, user_folder, write_metadata
from ..models.places import place_of
from ..models.staging import commit, name_taken, staged, written_to
from .check import Check
from .embedding import Embedding
from .examples import ObjectClass, TeachSettings
from .teach import TaughtClassifier


def save(
    classifier: TaughtClassifier, name: str, *, title: str = "", replace: bool = False
) -> ModelMetadata:
    """Install a taught classifier as a model, to be run by its name.

    Parameters
    ----------
    classifier : TaughtClassifier
    name : str
        What to call the model: letters, digits, ``_``, ``.`` and ``-``.
    title : str
        What it is called on screen; by default its name.
    replace : bool
        Overwrite an installed model of this name; one that ships or is shared stays, but is no
        longer run by it.

    Returns
    -------
    ModelMetadata

    Raises
    ------
    NameTaken
        A model of this name is installed, ships or is shared.
    BadSetting
        It is no usable name.
    UnreadableFile
        The models folder cannot be written.
    MissingPackage
        skops is not installed.
    """
    content = dump_skops(classifier.estimator)
    metadata = _metadata(classifier, name, title, hashlib.sha256(content).hexdigest())
    check_name(name, replace=replace)
    folder = user_folder()
    with written_to(folder), staged(folder) as stage:
        (stage / name).mkdir()
        (stage / name / metadata.weights_file).write_bytes(content)
        write_metadata(stage / name, metadata)
        commit(stage, replace=replace)
    return metadata


def check_name(name: str, *, replace: bool) -> None:
    """Refuse to cover another model, be it one that ships or is shared, unless that is asked for.

    Raises
    ------
    NameTaken
        There is such a model.
    """
    found = entries().get(name)
    if found is None or replace:
        return
    if (place := place_of(found[1])) == "installed":
        raise name_taken(name)
    said = "ships with the package" if place == "shipped" else "is shared in your lab"
    raise NameTaken(
        f"A model '{name}' {said}, and yours would take its place",
        hint="Choose another name, or ask to replace it.",
    )


def _metadata(classifier: TaughtClassifier, name: str, title: str, sha256: str) -> ModelMetadata:
    accuracy = classifier.check.accuracy
    embedding = classifier.embedding
    count = sum(classifier.examples.values())
    return ModelMetadata(
        name=name,
        title=title or name,
        task="classification",
        network=classifier.settings.method,
        arguments={
            "settings": classifier.settings.model_dump(mode="json"),
            "features": list(classifier.features),
            "classes": [each.model_dump(mode="json") for each in classifier.objects],
            "examples": dict(classifier.examples),
            "embedding_sha256": None if embedding is None else embedding.sha256,
        },
        outputs=classifier.classes,
        metrics={} if math.isnan(accuracy) else {"cross_validated_accuracy": accuracy},
        description=f"Taught by {count} examples of {len(classifier.classes)} classes.",
        sha256=sha256,
    )


def open_taught(model: Model) -> TaughtClassifier:
    """A taught classifier from its model.

    Raises
    ------
    BadSetting
        The network whose embedding it was taught with is not there.
    UnreadableFile, WrongWeights, UnsafeFile, MissingPackage
        Its file is damaged, not the one that was saved, of strange types, or needs a package.
    """
    metadata = model.metadata
    estimator = load_skops(model.content(), metadata.weights_file)
    given = metadata.arguments
    try:
        settings = TeachSettings(**given["settings"])
        objects = tuple(ObjectClass(**each) for each in given["classes"])
        features = tuple(map(str, given["features"]))
        examples = {str(name): int(count) for name, count in given["examples"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableFile(
            f"The model.json of '{metadata.name}' does not describe a taught classifier",
            hint="Save it again, or get the files again.",
        ) from error
    _compare(metadata, estimator, len(features), tuple(each.name for each in objects))
    embedding = None
    if settings.embedding is not None:
        embedding = Embedding.of_weights(settings.embedding, given.get("embedding_sha256"))
    accuracy = float(metadata.metrics.get("cross_validated_accuracy", math.nan))
    return TaughtClassifier(
        objects=objects,
        features=features,
        estimator=estimator,
        settings=settings,
        examples=examples,
        check=Check(accuracy=accuracy, reason="As it was saved"),
        reference=model.reference or metadata.name,
        sha256=metadata.sha256,
        embedding=embedding,
    )


def _compare(
    metadata: ModelMetadata, estimator: Any, features: int, names: tuple[str, ...]
) -> None:
    """Refuse a file that is another classifier than the metadata say."""
    told = getattr(estimator, "classes_", ())
    takes = getattr(estimator, "n_features_in_", -1)
    if takes != features or list(told) != list(range(len(names))) or names != metadata.outputs:
        raise WrongWeights(
            f"The file of '{metadata.name}' is not the classifier that its model.json describes",
            hint="Save it again, or get the files again.",
        )
