"""Models as HiTMicTools describes them: where their settings stand, and what they mean.

Its zip holds a ``config.yml`` of one entry a key, ``models/`` and ``metadata/``. Its documentation
also shows one folder a model, and settings in other places than its code reads them: both are
understood. https://github.com/phisanti/HiTMicTools
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import BadSetting, SpherosegError
from ..formats.archive import parse_json, read_text
from ..metadata import Crop, ModelMetadata, Preparation
from ..model import Model, sha256_of
from .classifiers import check_loadable
from .kinds import KINDS, key_of

_BATCH = 1024  # objects that its cell classifier takes together where nothing is said


class UnfitModel(SpherosegError, ValueError):
    """A model that is whole and cannot be run here; the message says why."""


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an entry, each where it belongs.

    Parameters
    ----------
    given : mapping
        An entry of config.yml: ``inferer_args``, ``model_args``, and beside or within them
        ``scaler_args`` and ``classes``.

    Returns
    -------
    dict
        ``inferer_args`` with its ``scaler_args``, ``model_args``, and ``classes``: the names in
        the order of their numbers.

    Raises
    ------
    BadSetting
        One is not of the kind that it should be.
    """
    inferer, model = (_dict(given, name) for name in ("inferer_args", "model_args"))
    scaler = _dict(given, "scaler_args") | _dict(inferer, "scaler_args")
    places = (model, inferer, given)
    classes = next((p[n] for p in places for n in ("classes", "class_dict") if p.get(n)), ())
    return {
        "inferer_args": inferer | {"scaler_args": scaler},
        "model_args": model,
        "classes": class_names(classes),
    }


def class_names(classes: Any) -> tuple[str, ...]:
    """Names of classes from {number: name}, {name: number} or a list.

    A number without a name is called ``Unknown_Class_<number>``.

    Raises
    ------
    BadSetting
        It is none of these.
    """
    if isinstance(classes, Mapping):
        pairs = {}
        for key, value in classes.items():
            number, name = (key, value) if str(key).isdigit() else (value, key)
            if not str(number).isdigit() or int(number) > 1000:
                raise BadSetting(f"classes: {number!r} is no number of a class")
            pairs[int(number)] = str(name)
        return tuple(pairs.get(i, _unknown(i)) for i in range(max(pairs, default=-1) + 1))
    if isinstance(classes, list | tuple):
        return tuple(map(str, classes))
    raise BadSetting("classes are numbers and their names")


def crop_of(model: Mapping[str, Any]) -> Crop:
    """How objects are cut out for a classifier.

    Parameters
    ----------
    model : mapping
        ``model_args`` of config.yml: ``min_size``, ``batch_size``.

    Raises
    ------
    BadSetting
        A value is out of bounds.
    """
    batch = {"batch": model["batch_size"]} if model.get("batch_size") else {}
    return Crop(size=model.get("min_size"), **batch)


def _unknown(number: int) -> str:
    return f"Unknown_Class_{number}"


def _all_classes(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Names of so many classes: those that are told, and numbers for the rest."""
    if len(names) > count:
        raise BadSetting(
            f"The model tells {count} classes, and {len(names)} are named",
            hint="Correct 'classes' in its model_args.",
        )
    return names + tuple(_unknown(number) for number in range(len(names), count))


def preparation_of(inferer: Mapping[str, Any], channels: int, multiple: int) -> Preparation:
    """How an image is prepared for a network that slides over it.

    Parameters
    ----------
    inferer : mapping
        ``patch_size``, ``overlap_ratio``, ``scale_method``, ``scaler_args``.
    channels, multiple : int
        What the network takes.

    Notes
    -----
    ``range01`` takes percentiles of every column, and then of these, and so do we; with ``clip``
    unless told otherwise. ``fixed_range`` and ``none`` do not clip, and ``zscore`` and
    ``combined`` end with mean 0 and deviation 1.

    Raises
    ------
    BadSetting
        A value is out of bounds, or the scaling is one that there is not.
    """
    scaler = _dict(inferer, "scaler_args")
    method = inferer.get("scale_method", "range01")
    if method not in _SCALINGS:
        raise BadSetting(
            f"The scaling '{method}' is not supported",
            hint=f"There are: {', '.join(_SCALINGS)}.",
        )
    return Preparation(
        channels=channels,
        **_SCALINGS[method](scaler),
        tile=inferer.get("patch_size"),
        overlap=inferer.get("overlap_ratio", 0.25),
        multiple=multiple,
    )


def _by_columns(scaler: Mapping[str, Any]) -> dict[str, Any]:
    """Between percentiles: its ``range01``."""
    return {
        "intensity": "columns",
        "low": scaler.get("pmin", 1),
        "high": scaler.get("pmax", 99.8),
        "clip": scaler.get("clip", True),
    }


def _fixed(high: float = 1) -> dict[str, Any]:
    """From 0 to a grey value."""
    return {"intensity": "fixed", "low": 0, "high": high, "clip": False}


_STANDARD = {"normalise": "standard"}
_SCALINGS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "range01": _by_columns,
    "zscore": lambda scaler: _fixed() | _STANDARD,
    "combined": lambda scaler: _by_columns(scaler) | _STANDARD,
    "fixed_range": lambda scaler: _fixed(2 ** _bits(scaler) - 1),
    "none": lambda scaler: _fixed(),
}


def _bits(scaler: Mapping[str, Any]) -> int:
    bits = scaler.get("bit_depth")
    if not isinstance(bits, int) or not 1 <= bits <= 32:
        raise BadSetting("scale_method 'fixed_range' needs bit_depth, from 1 to 32, in scaler_args")
    return bits


def load_described(
    name: str, given: Mapping[str, Any], folder: Path = Path(), reference: str = ""
) -> Model:
    """A model from its files and settings.

    Parameters
    ----------
    name : str
        Its key (``segmentation``) or type (``segmentator``).
    given : mapping
        ``model_path``, ``model_metadata``, ``inferer_args``, ``model_args``...
    folder : Path
        What the paths are relative to.
    reference : str
        What the model is found by.

    Raises
    ------
    UnknownName, BadSetting, UnreadableFile, UnsafeFile, WrongWeights, MissingPackage
        It cannot be loaded.
    """
    from ..formats.checkpoints import read_state

    key = key_of(name)
    kind = KINDS[key]
    weights = folder / _path(given, "model_path", key)
    check_loadable(key, weights, kind)
    described = read_description(folder / _path(given, "model_metadata", key))
    state = read_state(weights)
    network, arguments = _build(kind.network, _dict(described, "model_args"), state, weights.name)
    channels = int(arguments.get("in_channels", arguments.get("img_channel", 1)))
    if channels not in (1, 3):
        raise UnfitModel(
            f"'{key}' takes {channels} channels at once, not grey or RGB",
            hint="Use HiTMicTools for it, or train one that takes a single channel.",
        )
    metadata = ModelMetadata(
        name=key,
        title=kind.title,
        task=kind.task,
        network=kind.network,
        arguments=arguments,
        **_run_as(kind.task, settings_of(given), network, channels, _multiple(arguments)),
        description=f"{kind.title} of a HiTMicTools collection.",
        source=str(described.get("original_name") or weights.name),
        sha256=sha256_of(weights),
    )
    return Model(metadata, None, reference or str(weights), _state=state)


def _run_as(
    task: str, settings: Mapping[str, Any], network: Any, channels: int, multiple: int
) -> dict[str, Any]:
    """What its settings say of how it is run, as fields of the metadata."""
    inferer = settings["inferer_args"]
    precision = "float16" if inferer.get("half_precision") else "auto"
    if task == "classification":
        return {
            "outputs": _all_classes(settings["classes"], network.classifier[-1].out_features),
            "preparation": Preparation(channels=channels, **_fixed(), tile=None, multiple=1),
            "crop": crop_of(settings["model_args"]),
            "precision": precision,
        }
    return {
        "outputs": ("foreground",),  # of several channels the largest counts, as it does there
        "preparation": preparation_of(inferer, channels, multiple),
        "precision": precision,
        "post_processing": {"min_area": 20} if task == "segmentation" else {},
    }


def read_description(path: Path) -> dict[str, Any]:
    """A model's metadata JSON."""
    return parse_json(read_text(path), path.name)


def _build(
    name: str, arguments: dict[str, Any], state: Any, file: str
) -> tuple[Any, dict[str, Any]]:
    """The network of these arguments; where ours has others, of those that its weights tell."""
    from ..formats.fitting import build, recognise

    try:
        return build(name, arguments, state, file), arguments
    except BadSetting:
        found, told = recognise(state, file)
        if found != name:
            raise
        return build(name, told, state, file), told


def _multiple(arguments: Mapping[str, Any]) -> int:
    """What the sides of an image must be a multiple of: as often as the network halves them."""
    if "strides" in arguments:
        return math.prod(arguments["strides"])
    return int(2 ** len(arguments.get("enc_blk_nums", ())))


def _dict(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = given.get(name) or {}
    if not isinstance(found, Mapping):
        raise BadSetting(f"{name} are names and values, not {found!r}"[:200])
    return dict(found)


def _path(given: Mapping[str, Any], name: str, key: str) -> str:
    if not isinstance(given.get(name), str):
        raise BadSetting(f"'{key}' lacks {name}", hint="Give the path of the file.")
    return str(given[name])
