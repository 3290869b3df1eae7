"""The models that HiTMicTools knows: keys, names in its zip, and what they are here."""

from __future__ import annotations

from dataclasses import dataclass

from ...registry import unknown_name

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
        What runs it, where it is not one that we build.
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
        "RFDETRSegm-sc_segmenter", "sc-segmenter", "Single-cell segmenter", "detection"
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
