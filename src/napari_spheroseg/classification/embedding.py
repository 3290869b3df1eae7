"""What a network sees in an object, before it decides: the input of its last layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting
from ..inference.prepare import prepare
from ..models import Model, load
from .crops import Objects, crops
from .judge import grey_channels
from .settings import ClassifySettings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Embedding:
    """A classifier's network as a source of features.

    Attributes
    ----------
    model : Model
        Of the network ``flexresnet``, with a global mean before its last layer.
    """

    model: Model

    @classmethod
    def of(cls, name: str | None) -> Embedding | None:
        """The embedding of a model's name; None where there is no name.

        Raises
        ------
        BadSetting
            Its network has no embedding.
        """
        if name is None:
            return None
        model = load(name)
        metadata = model.metadata
        if metadata.network != "flexresnet" or not metadata.arguments.get("use_global_pool", True):
            raise BadSetting(
                f"'{metadata.name}' has no embedding of objects",
                hint="Choose a classifier whose network is flexresnet.",
            )
        return cls(model)

    def table(self, plane: NDArray[Any], objects: Objects) -> pd.DataFrame:
        """Columns ``embedding_0``, ``embedding_1``... of the objects of a frame."""
        import pandas as pd
        import torch

        settings, metadata = ClassifySettings(), self.model.metadata
        preparation, crop = settings.preparation(metadata), settings.crop(metadata)
        network: Any = self.model.network
        width = network.classifier[-1].in_features
        found = [np.zeros((0, width), np.float32)]
        if len(objects) and np.isfinite(plane).any():
            by_itself = crop.normalise == "object"
            image = grey_channels(plane, preparation) if by_itself else prepare(plane, preparation)
            device = next(network.parameters()).device
            with torch.inference_mode():
                for batch in crops(image, objects, crop, preparation):
                    # smaller crops are padded as the network itself pads them
                    short = [(0, max(0, network.min_size - side)) for side in batch.shape[2:]]
                    padded = torch.from_numpy(np.pad(batch, [(0, 0), (0, 0), *short])).to(device)
                    found.append(network.features(padded).mean(dim=(2, 3)).cpu().numpy())
        values = np.concatenate(found)
        if len(values) < len(objects):
            values = np.full((len(objects), width), np.nan, np.float32)
        return pd.DataFrame(values, columns=[f"embedding_{at}" for at in range(width)])
