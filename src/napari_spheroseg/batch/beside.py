"""The models that run beside that of a segmentation: what classifies, and what judges focus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..classification.judge import Judge
from ..errors import WrongWeights
from ..inference.predictor import Predictor
from ..restoration.detector import open_detector
from .classes import judge_of
from .settings import BatchSettings

_CLASSIFIER = "classify_weights"


def checksums(settings: BatchSettings, predictor: Predictor) -> dict[str, str | None]:
    """Open them where there are any; their checksums, by what they are called in a record.

    Parameters
    ----------
    settings : BatchSettings
    predictor : Predictor
        That of the segmentation: they run where it runs.

    Raises
    ------
    SpherosegError
        One of them cannot be opened.
    """
    found = {}
    if settings.classify is not None:
        judge = judge_of(settings.classify, predictor.device)
        found[_CLASSIFIER] = judge.recipe["sha256"]
    if settings.focus:
        device, backend, _ = predictor.asked
        detector = open_detector(device=device, backend=backend)
        found["focus_weights"] = detector.model.metadata.sha256
    return found


def classifier(
    settings: BatchSettings, made_with: Mapping[str, Any], begun_with: Mapping[str, str | None]
) -> Judge:
    """What classifies the objects of an image, on the device of its segmentation.

    Parameters
    ----------
    settings : BatchSettings
        With `classify`.
    made_with : mapping
        Of the segmentation.
    begun_with : mapping
        From `checksums`, where the batch began.

    Raises
    ------
    WrongWeights
        Another model has taken its name since.
    """
    assert settings.classify is not None
    judge = judge_of(settings.classify, made_with.get("device", "auto"))
    sha256 = judge.recipe["sha256"]
    if begun_with.get(_CLASSIFIER, sha256) != sha256:
        raise WrongWeights(
            f"Another classifier is called '{settings.classify}' since the batch began",
            hint="Install the first one again, or begin anew (--overwrite).",
        )
    return judge


def compare(here: Mapping[str, str | None], asked: Mapping[str, str | None]) -> None:
    """Refuse to work with other models than those that a batch began with.

    Parameters
    ----------
    here, asked : mapping
        From `checksums`: in this process, and where the batch began.

    Raises
    ------
    WrongWeights
        One has other weights.
    """
    for name, sha256 in asked.items():
        if here[name] != sha256:
            raise WrongWeights(
                f"A worker has other {name.replace('_', ' ')}",
                hint="Install the same models on all machines.",
            )
