"""How an image was restored, complete enough to do it again."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import Field, create_model, field_validator

from ..models import ModelMetadata, Preparation
from ..settings import Settings

OWN_WAY = ("spare_sharp", "keep_range")
"""Fields that a model may recommend beside its preparation."""


class _Source(Settings):
    """What was restored, and by what."""

    recommended_by_model: ClassVar[bool] = True

    model: str = Field(description="Name or path of the model.")
    axes: str | None = Field(None, description="Axes of the image; None while it is not known.")
    channel: int | None = Field(None, description="Channel that was restored; None for all.")
    pixel_size: tuple[float, float] | None = Field(None, description="µm, height and width.")
    frames: tuple[tuple[int, ...], ...] | None = Field(
        None, description="Positions along the leading axes; None for all."
    )
    region: tuple[int, int, int, int] | None = Field(
        None,
        description="Part of the image: first row, row after the last, first column, column after "
        "the last; None for all.",
    )
    rescale: bool = Field(
        True,
        title="Back to grey values",
        description="Return to the grey values and the type of the image; otherwise the result is "
        "in the network's range, as float32.",
    )
    spare_sharp: bool = Field(
        False,
        title="Spare what is in focus",
        description="Planes that the focus detector finds in focus stay as they are, and doubtful "
        "ones are restored in part; only where the result returns to grey values.",
    )
    keep_range: bool = Field(
        False,
        title="Keep the range",
        description="No value is darker or brighter than all of the plane it was made from; only "
        "where the result returns to grey values.",
    )
    made_with: dict[str, Any] = Field({}, description="Versions, device, checksum of the weights.")

    @field_validator("pixel_size", mode="before")
    @classmethod
    def _pair(cls, value: object) -> object:
        return (value, value) if isinstance(value, int | float) else value


class RestorationRecipe(
    create_model(  # type: ignore[misc]
        "_RestorationRecipe",
        __base__=_Source,
        **{name: (field.annotation, field) for name, field in Preparation.model_fields.items()},
    )
):
    """A flat list of every setting: ``restore_focus(image, **recipe)`` makes the result again.

    It has all fields of `Preparation`, the model's name, the axes and the channel, and in
    `made_with` what a rerun does not set but should match.
    """

    def preparation(self) -> Preparation:
        """The part that prepares the image."""
        return Preparation(**{name: getattr(self, name) for name in Preparation.model_fields})

    @classmethod
    def of(cls, model: ModelMetadata, reference: str, settings: dict[str, Any]) -> Self:
        """Complete settings: what the user said, else what the model recommends.

        Parameters
        ----------
        model : ModelMetadata
            Recommends the preparation, and what to spare.
        reference : str
            Name or path that the model is asked for by.
        settings : dict
            Any other field that the user set.

        Raises
        ------
        BadSetting
            A name is unknown or a value out of bounds.
        """
        sizes = {"size", "long_side", "scale"} & set(settings)
        own = dict.fromkeys(("size", "long_side", "best_diameter"), None) if sizes else {}
        own_way = {k: v for k, v in model.post_processing.items() if k in OWN_WAY}
        recommended = {**dict(model.preparation), **own_way}
        recipe = cls(**{**recommended, **own, **settings, "model": reference})
        recipe.preparation()  # it knows which values exclude each other
        return recipe
