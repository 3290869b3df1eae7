"""What a network sees in an object, before it decides: the input of its last layer."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting, SpherosegError
from ..inference.prepare import prepare
from ..models import Model, available, load
from .crops import Objects, crops
from .judge import Judged, grey_channels
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

    @property
    def sha256(self) -> str | None:
        """Checksum of its weights: two of the same see the same, whatever they are called."""
        return self.model.metadata.sha256

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

    @classmethod
    def of_weights(cls, name: str, sha256: str | None) -> Embedding:
        """The embedding of these very weights, under this name or whatever they are called now.

        Raises
        ------
        BadSetting
            No model at hand has them.
        """
        with contextlib.suppress(SpherosegError):  # the name may be that of another model now
            found = cls.of(name)
            if found is not None and found.sha256 == sha256:
                return found
        for each in available():
            if each.network == "flexresnet" and each.sha256 == sha256:
                return cls(load(each.name))
        raise BadSetting(
            f"No model here has the weights of '{name}' that it was taught with",
            hint="Install those, or teach it again.",
        )

    def steps(self, plane: NDArray[Any], objects: Objects) -> Generator[Judged, None, pd.DataFrame]:
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
            done = 0
            for batch in crops(image, objects, crop, preparation):
                # smaller crops are padded as the network itself pads them
                short = [(0, max(0, network.min_size - side)) for side in batch.shape[2:]]
                padded = torch.from_numpy(np.pad(batch, [(0, 0), (0, 0), *short])).to(device)
                with torch.inference_mode():
                    found.append(network.features(padded).mean(dim=(2, 3)).cpu().numpy())
                done += len(batch)
                yield Judged(done, len(objects))
        values = np.concatenate(found)
        if len(values) < len(objects):
            values = np.full((len(objects), width), np.nan, np.float32)
        return pd.DataFrame(values, columns=[f"embedding_{at}" for at in range(width)])
