"""Models as HiTMicTools describes them: keys, names in its zip, and what their settings mean.

Its zip holds a ``config.yml`` of one entry a key, ``models/`` and ``metadata/``. Its documentation
also shows one folder a model, and settings in other places than its code reads them: both are
understood. https://github.com/phisanti/HiTMicTools
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadSetting, SpherosegError, UnreadableFile
from ..registry import unknown_name
from .archive import parse_json
from .classifiers import check_loadable
from .metadata import ModelMetadata, Preparation
from .model import Model, sha256_of

TRACKER = "tracker"


@dataclass(frozen=True)
class Kind:
    """One of the models that HiTMicTools knows.

    Attributes
    ----------
    stem : str
        Name of its files in the zip.
    alias : str
        What its code calls the type.
    task, network : str
        Ours; no network where it is not one that we build.
    package : str
        What it needs beside torch.
    """

    stem: str
    alias: str
    title: str
    task: str
    network: str = ""
    package: str = ""


_NAFNET, _RFDETR = "nafnet", "rfdetr"
KINDS = {
    "bf_focus": Kind(
        "NAFNet-bf_focus_restoration",
        "focus-restorer-bf",
        "Focus restoration, brightfield",
        "restoration",
        _NAFNET,
    ),
    "fl_focus": Kind(
        "NAFNet-fl_focus_restoration",
        "focus-restorer-fl",
        "Focus restoration, fluorescence",
        "restoration",
        _NAFNET,
    ),
    "segmentation": Kind(
        "MonaiUnet-segmentation", "segmentator", "Cell segmentation", "segmentation", "monai_unet"
    ),
    "cell_classifier": Kind(
        "FlexResNet-cell_classifier",
        "cell-classifier",
        "Cell classifier",
        "classification",
        "flexresnet",
    ),
    "pi_classification": Kind("PIClassifier", "pi-classifier", "PI classifier", "classification"),
    "oof_detector": Kind(
        "RFDETR-oof_detector", "oof-detector", "Out-of-focus detector", "detection", "", _RFDETR
    ),
    "sc_segmenter": Kind(
        "RFDETRSegm-sc_segmenter",
        "sc-segmenter",
        "Single-cell segmenter",
        "detection",
        "",
        _RFDETR,
    ),
}


def key_of(name: str) -> str:
    """The key of a model, from its key or from the type that the code calls it by.

    Raises
    ------
    UnknownName
        It is neither.
    """
    for key, kind in KINDS.items():
        if name in (key, kind.alias):
            return key
    raise unknown_name("type of model", name, list(KINDS))


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
        return tuple(pairs.get(i, f"Unknown_Class_{i}") for i in range(max(pairs, default=-1) + 1))
    if isinstance(classes, list | tuple):
        return tuple(map(str, classes))
    raise BadSetting("classes are numbers and their names")


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
    ``range01`` takes percentiles of the image; the original takes them column by column, and then
    of these, which agrees to about a percent of the range where the objects are spread evenly.

    Raises
    ------
    BadSetting
        A value is out of bounds, or the scaling is one that we do not have.
    """
    scaler = _dict(inferer, "scaler_args")
    method = inferer.get("scale_method", "range01")
    ranges: dict[str, Callable[[], tuple[str, Any, Any]]] = {
        "range01": lambda: ("percentile", scaler.get("pmin", 1), scaler.get("pmax", 99.8)),
        "none": lambda: ("fixed", 0, 1),
        "fixed_range": lambda: ("fixed", 0, 2 ** _bits(scaler) - 1),
    }
    if method not in ranges:
        raise BadSetting(
            f"The scaling '{method}' is not supported",
            hint=f"There are: {', '.join(ranges)}.",
        )
    intensity, low, high = ranges[method]()
    return Preparation(
        channels=channels,
        intensity=intensity,
        low=low,
        high=high,
        tile=inferer.get("patch_size"),
        overlap=inferer.get("overlap_ratio", 0.25),
        multiple=multiple,
    )


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
    from .checkpoints import load_strictly, read_state

    key = key_of(name)
    kind = KINDS[key]
    weights = folder / _path(given, "model_path", key)
    check_loadable(key, weights, kind.network, kind.package)
    described = read_description(folder / _path(given, "model_metadata", key))
    settings = settings_of(given)
    state = read_state(weights)
    network, arguments = _create(kind.network, _dict(described, "model_args"), state, weights.name)
    load_strictly(network, state, weights.name)
    channels = int(arguments.get("in_channels", arguments.get("img_channel", 1)))
    inferer = settings["inferer_args"]
    is_classifier = kind.task == "classification"
    metadata = ModelMetadata(
        name=key,
        title=kind.title,
        task=kind.task,
        network=kind.network,
        arguments=arguments,
        outputs=settings["classes"] or ("foreground",),
        preparation=Preparation(channels=channels, intensity="fixed", low=0, high=1, tile=None)
        if is_classifier
        else preparation_of(inferer, channels, _multiple(arguments)),
        post_processing={"min_area": 20} if kind.task == "segmentation" else {},
        description=f"{kind.title} of a HiTMicTools collection.",
        source=str(described.get("original_name") or weights.name),
        sha256=sha256_of(weights),
    )
    return Model(metadata, None, reference or str(weights), _state=state)


def read_description(path: Path) -> dict[str, Any]:
    """A model's metadata JSON."""
    try:
        with path.open("rb") as file:
            return parse_json(file.read(2**21), path.name)
    except SpherosegError:
        raise
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read", hint="Check the path.") from error


def _create(
    name: str, arguments: dict[str, Any], state: Any, file: str
) -> tuple[Any, dict[str, Any]]:
    """The network of these arguments; where ours has others, of those that its weights tell."""
    from .. import networks
    from .checkpoints import recognise

    try:
        return networks.create(name, **arguments), arguments
    except BadSetting:
        found, told = recognise(state, file)
        if found != name:
            raise
        return networks.create(name, **told), told


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
