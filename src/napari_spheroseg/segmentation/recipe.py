"""How a result was made, complete enough to make it again."""

from __future__ import annotations

import math
from typing import Any, Self

from pydantic import Field, create_model

from ..errors import BadSetting
from ..models import ModelMetadata, Preparation
from ..settings import Settings
from .measure import PixelSize, pixel_pair
from .settings import PostProcessing


class _Source(Settings):
    """What was segmented, and by what."""

    model: str = Field(description="Name or path of the model.")
    axes: str | None = Field(None, description="Axes of the image; None while it is not known.")
    channel: int | None = Field(None, description="Channel that was segmented; None for all.")
    pixel_size: tuple[float, float] | None = Field(None, description="µm, height and width.")
    diameter_um: float | None = Field(
        None, gt=0, description="Usual diameter of the objects in µm; needs the pixel size."
    )
    frames: tuple[tuple[int, ...], ...] | None = Field(
        None, description="Positions along the leading axes; None for all."
    )
    region: tuple[int, int, int, int] | None = Field(
        None,
        description="Part of the image: first row, row after the last, first column, column after "
        "the last; None for all.",
    )
    restore: str | None = Field(
        None,
        title="Restore focus",
        description="Name or path of a restoration model: each frame is restored before the model "
        "looks at it, while intensities are measured on the image as it is. None: it is not.",
    )
    made_with: dict[str, Any] = Field({}, description="Versions, device, checksum of the weights.")


def _fields(settings: type[Settings]) -> dict[str, Any]:
    return {name: (field.annotation, field) for name, field in settings.model_fields.items()}


class Recipe(
    create_model(  # type: ignore[misc]
        "_Recipe", __base__=_Source, **_fields(Preparation), **_fields(PostProcessing)
    )
):
    """A flat list of every setting: ``segment(image, **recipe)`` makes the result again.

    It has all fields of `Preparation` and `PostProcessing`, the model's name, the axes, the
    channel and the pixel size, and in `made_with` what a rerun does not set but should match.
    """

    def preparation(self) -> Preparation:
        """The part that prepares the image; a diameter in µm has become one in pixels."""
        values = {name: getattr(self, name) for name in Preparation.model_fields}
        if self.diameter_um is not None:
            if self.pixel_size is None:
                raise BadSetting(
                    "A diameter in µm needs the pixel size",
                    hint="Give pixel_size, or diameter in pixels.",
                )
            values["diameter"] = self.diameter_um / math.sqrt(math.prod(self.pixel_size))
        return Preparation(**values)

    def post_processing(self) -> PostProcessing:
        """The part that turns probability into objects."""
        return PostProcessing(**{name: getattr(self, name) for name in PostProcessing.model_fields})

    @classmethod
    def of(
        cls,
        model: ModelMetadata,
        reference: str,
        threshold: float,
        pixel_size: PixelSize,
        settings: dict[str, Any],
    ) -> Self:
        """Complete settings: what the user said, else what the model recommends.

        Parameters
        ----------
        model : ModelMetadata
            Recommends preparation and post-processing.
        reference : str
            Name or path that the model is asked for by.
        threshold, pixel_size
            As in `segment`.
        settings : dict
            Any other field that the user set.

        Raises
        ------
        BadSetting
            A name is unknown or a value out of bounds.
        """
        sizes = {"size", "long_side", "scale"} & set(settings)
        own = dict.fromkeys(("size", "long_side", "best_diameter"), None) if sizes else {}
        values = {
            **dict(model.preparation),
            **own,
            **dict(PostProcessing(**model.post_processing)),
            **settings,
            "model": reference,
            "threshold": threshold,
            "pixel_size": pixel_pair(pixel_size),
        }
        recipe = cls(**values)
        recipe.preparation()  # these two know which values exclude each other
        recipe.post_processing()
        return recipe
