"""How much nearer to the sharp image a model brings one that was defocused."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from ...restoration.compare import psnr, ssim
from ...restoration.run import restore_focus
from .samples import RestorationValidation, SharpImages, find_sharp
from .settings import RestorationTraining


def gains(
    model: Path, settings: RestorationTraining, data: Path, part: str
) -> dict[str, dict[str, float]]:
    """Scores before and after, by source, and their mean over sources; nothing is spared.

    Parameters
    ----------
    model : Path
        Folder of the model.
    settings : RestorationTraining
        How images are defocused.
    data : Path
        Folder with the manifests.
    part : str
        Of the images: ``val`` or ``test``.

    Returns
    -------
    dict
        For every source and ``mean``: ``psnr_before``, ``psnr_after`` (dB), ``ssim_before``,
        ``ssim_after``.
    """
    scores: dict[str, dict[str, float]] = {}
    for source, files in find_sharp(data, settings.sources, part).items():
        images = SharpImages({source: files}, settings.preparation)
        pieces = RestorationValidation(images, settings, tries=8)
        measured: dict[str, list[float]] = defaultdict(list)
        for number in range(len(pieces)):
            blurred, sharp = (np.asarray(each[0]) for each in pieces[number])
            after = restore_focus(blurred, str(model), spare_sharp=False)
            for when, image in (("before", blurred), ("after", after)):
                measured[f"psnr_{when}"].append(psnr(sharp, image))
                measured[f"ssim_{when}"].append(ssim(sharp, image))
        scores[source] = {name: round(float(np.nanmean(own)), 3) for name, own in measured.items()}
    scores["mean"] = {
        name: round(float(np.mean([each[name] for each in scores.values()])), 3)
        for name in next(iter(scores.values()))
    }
    return scores
