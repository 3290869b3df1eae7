"""Classes in the features of a Labels layer, for tables, plots and other plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels

from ...classification.matching import has_classes, joined, without_classes
from .session import Outcome

if TYPE_CHECKING:
    import pandas as pd


def publish(layer: Labels, table: pd.DataFrame | None, outcome: Outcome | None) -> None:
    """Write class and probabilities beside the features that are there.

    Parameters
    ----------
    layer : napari.layers.Labels
    table : DataFrame or None
        Objects that are there now; None takes classes out again.
    outcome : Outcome or None
        How they were found, for ``layer.metadata``.
    """
    features = layer.features
    if table is None:
        if has_classes(features):
            layer.features = without_classes(features)
        layer.metadata.pop("spheroseg_classes", None)
        return
    found = joined(features, table)
    if not found.equals(features):
        layer.features = found
    if outcome is not None:
        layer.metadata["spheroseg_classes"] = outcome.recipe
