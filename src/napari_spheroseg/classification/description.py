"""What classes are learnt from: measured features, and what a network sees of an object."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting
from ..inference.frames import Frames, as_grey
from ..segmentation.measure import PixelSize, insert_place
from ..steps import run_to_end
from .crops import Objects, objects_of
from .embedding import Embedding
from .examples import TeachSettings
from .features import check_labels, plane_features_steps
from .judge import Judged

if TYPE_CHECKING:
    import pandas as pd

EMBEDDING = "embedding_sha256"
"""What a description's ``attrs`` call the checksum of the network that saw its objects."""


def describe(
    labels: Any,
    image: Any,
    settings: TeachSettings | None = None,
    *,
    pixel_size: PixelSize = None,
    axes: str | None = None,
    channel: int | None = None,
    region: tuple[int, int, int, int] | None = None,
) -> pd.DataFrame:
    """What classes are learnt from: `features`, and the embedding where the settings name one.

    Parameters
    ----------
    labels, image, pixel_size, axes, channel, region
        As in `features`.
    settings : TeachSettings, optional

    Returns
    -------
    DataFrame
        One row an object: ``label``, place, features, ``embedding_<i>``.
    """
    settings = settings or TeachSettings()
    frames = Frames.of(image, axes, channel, region)
    labels = check_labels(frames, labels)
    embedding = Embedding.of(settings.embedding)
    tables = []
    for index in frames.indices():
        objects = objects_of(np.asarray(labels[index]))
        table = run_to_end(describe_steps(objects, frames[index], pixel_size, embedding))
        insert_place(table, frames.leading_axes, index)
        tables.append(table)
    return together(tables)


def together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Descriptions of several frames as one; it knows the embedding that all of them have."""
    import pandas as pd

    table = pd.concat(tables, ignore_index=True)
    seen = {each.attrs.get(EMBEDDING) for each in tables}
    table.attrs = {EMBEDDING: seen.pop()} if len(seen) == 1 else {}
    return table


def describe_steps(
    objects: Objects,
    plane: NDArray[Any] | None,
    pixel_size: PixelSize,
    embedding: Embedding | None,
) -> Generator[Judged, None, pd.DataFrame]:
    """`describe` the objects of a plane; it can be stopped after every part of the work."""
    import pandas as pd

    grey = None if plane is None else as_grey(plane)
    table = yield from plane_features_steps(objects, grey, pixel_size)
    if embedding is None or plane is None:
        return table
    seen = yield from embedding.steps(plane, objects)
    table = pd.concat([table, seen], axis=1)
    table.attrs[EMBEDDING] = embedding.sha256
    return table


def check_weights(table: pd.DataFrame, embedding: Embedding | None) -> None:
    """Refuse a table that says that a network of other weights saw its objects.

    Raises
    ------
    BadSetting
        It does.
    """
    seen = table.attrs.get(EMBEDDING)
    if embedding is not None and seen is not None and seen != embedding.sha256:
        raise BadSetting(
            f"The objects were described with other weights of '{embedding.model.metadata.name}'",
            hint="Describe them again.",
        )
