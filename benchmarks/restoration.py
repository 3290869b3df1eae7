"""What focus restoration does to images whose focus is known, as tables in Markdown.

    python benchmarks/restoration.py DATA [--model nafnet] [--parts blur stacks masks]

DATA holds manifest.csv and manifest_unlabelled.csv.

blur: images of the test part, defocused by a kernel and recorded with noise; PSNR and SSIM to the
sharp image of the blurred one, of Wiener's filter and of Richardson-Lucy's with a kernel whose
width is wrong by 20 %, either way, and of the model. The strength of the two filters is the best
for a radius on the val part; "at best" it is the best for each image and width, by the sharp image,
which nobody has. By default, what the focus detector finds in focus is left as it is.
stacks: planes of real stacks against the sharpest plane of their field, registered to it.
masks: segmentation of the blurred images before and after.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.registration import phase_cross_correlation
from skimage.restoration import richardson_lucy, wiener

import napari_spheroseg as ss
from napari_spheroseg.inference.frames import as_grey
from napari_spheroseg.restoration.defocus import camera, defocus, diffraction, disc, gaussian

Image = NDArray[Any]
KERNELS: dict[str, Callable[[float], Image]] = {
    "disc": disc,
    "gaussian": lambda radius: gaussian(radius / 2),
    "diffraction": diffraction,
}
RADII = (1.0, 2.0, 4.0, 6.0)
PHOTONS, READ_NOISE = 3000.0, 3.0
PER_SOURCE = 5
WHERE = {0: "sharpest", 1: "next to it"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nafnet")
    parser.add_argument("--segment", default="unet")
    parser.add_argument("--per-source", type=int, default=PER_SOURCE)
    parser.add_argument("--side", type=int, default=768, help="px of an image that are looked at")
    parser.add_argument("--part", default="test")
    parser.add_argument("--parts", nargs="*", default=["blur", "stacks", "masks"])
    options = parser.parse_args()
    for name in options.parts:
        PARTS[name](options)


def blur_table(options: argparse.Namespace) -> None:
    chosen = choose_strengths(options)
    rows: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    for source, kind, radius, sharp, seen in defocused(options, options.part):
        scores = [*score(sharp, seen)]
        for name in FILTERS:
            found = filtered(name, sharp, seen, kind, radius)
            scores += [*found[:, FILTERS[name][1].index(chosen[name, radius])].mean(axis=0)]
            scores += [*found.max(axis=(0, 1))]
        for settings in ({"spare_sharp": False}, {}):
            scores += [*score(sharp, restored(seen, options.model, **settings))]
        for group in (source, "all", "all, " + kind):
            rows[group, f"{radius:g}"].append(scores)
    columns = ["blurred", *(f"{name}{how}" for name in FILTERS for how in ("", ", at best"))]
    print("| source | radius (px) | " + " | ".join([*columns, "restored", "default"]) + " |")
    print("| --- | --- |" + " --- |" * (len(columns) + 2))
    for (source, radius_), scored in sorted(rows.items()):
        mean = np.mean(scored, axis=0).reshape(-1, 2)
        cells = " | ".join(f"{psnr:.2f} dB, {ssim:.3f}" for psnr, ssim in mean)
        print(f"| {source} | {radius_} | {cells} |")


def choose_strengths(options: argparse.Namespace) -> dict[tuple[str, float], float]:
    """Of each filter, the strength with the best PSNR on the val part, for each radius."""
    found: dict[tuple[str, float], list[Image]] = defaultdict(list)
    for _, kind, radius, sharp, seen in defocused(options, "val"):
        for name in FILTERS:
            found[name, radius].append(
                filtered(name, sharp, seen, kind, radius)[..., 0].mean(axis=0)
            )
    return {
        key: FILTERS[key[0]][1][int(np.mean(psnr, axis=0).argmax())] for key, psnr in found.items()
    }


def defocused(
    options: argparse.Namespace, part: str
) -> Iterator[tuple[str, str, float, Image, Image]]:
    """Source, kernel, radius, sharp image and what the microscope would have seen."""
    for source, _, sharp, _ in images(options, part):
        for kind, kernel in KERNELS.items():
            for radius in RADII:
                yield source, kind, radius, sharp, blurred(sharp, kernel(radius))


def filtered(name: str, sharp: Image, seen: Image, kind: str, radius: float) -> Image:
    """PSNR and SSIM of a filter, (2 widths, strengths, 2)."""
    run, strengths = FILTERS[name]
    kernels = [KERNELS[kind](radius * factor) for factor in (0.8, 1.2)]
    return np.array([[score(sharp, run(seen, k, each)) for each in strengths] for k in kernels])


def _lucy(seen: Image, kernel: Image, steps: float) -> Image:
    return np.asarray(richardson_lucy(np.clip(seen, 1e-6, None), kernel, int(steps), clip=False))


FILTERS: dict[str, tuple[Callable[[Image, Image, float], Image], tuple[float, ...]]] = {
    "Wiener": (wiener, (0.003, 0.02, 0.1, 0.5)),
    "Richardson-Lucy": (_lucy, (5, 15)),
}


def stack_table(options: argparse.Namespace) -> None:
    gains: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for source, _, planes in stacks(options.data):
        best = int(np.argmax([variance_of_laplacian(plane) for plane in planes]))
        for z, plane in enumerate(planes):
            moved = register(planes[best], plane, plane)
            after = register(planes[best], plane, restored(plane, options.model))
            gain = score(planes[best], after)[1] - score(planes[best], moved)[1]
            gains[source][WHERE.get(abs(z - best), "two or more away")].append(gain)
    print("| stacks | plane | planes | mean gain of SSIM | least |")
    print("| --- | --- | --- | --- | --- |")
    for source, own in sorted(gains.items()):
        for where, found in own.items():
            mean, least = np.mean(found), np.min(found)
            print(f"| {source} | {where} | {len(found)} | {mean:+.4f} | {least:+.4f} |")


def mask_table(options: argparse.Namespace) -> None:
    rows: dict[tuple[str, float], list[tuple[float, float]]] = defaultdict(list)
    for source, _, sharp, mask in images(options, options.part):
        for radius in (0.0, *RADII, 9.0):
            seen = sharp if radius == 0 else blurred(sharp, disc(radius))
            after = restored(seen, options.model)
            pair = tuple(
                iou(ss.segment(each.astype(np.float32), options.segment).labels, mask)
                for each in (seen, after)
            )
            rows[source, radius].append((pair[0], pair[1]))
            rows["all", radius].append((pair[0], pair[1]))
    print("| source | radius (px) | IoU before | after | gain |")
    print("| --- | --- | --- | --- | --- |")
    for (source, radius), pairs in sorted(rows.items()):
        before, after = np.mean(pairs, axis=0)
        print(f"| {source} | {radius:g} | {before:.3f} | {after:.3f} | {after - before:+.3f} |")


PARTS = {"blur": blur_table, "stacks": stack_table, "masks": mask_table}


def images(options: argparse.Namespace, part: str) -> Iterator[tuple[str, str, Image, Image]]:
    """Source, name, plane in [0, 1] and mask of the first images of each source."""
    count: dict[str, int] = defaultdict(int)
    with (options.data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["part"] != part or count[row["source"]] >= options.per_source:
                continue
            count[row["source"]] += 1
            plane = as_grey(np.asarray(ss.read_image(options.data / row["file"]).data))
            mask = np.asarray(ss.read_image(options.data / row["mask_file"]).data)
            half = options.side // 2
            middle = tuple(slice(max(0, n // 2 - half), n // 2 + half) for n in plane.shape)
            plane = plane[middle].astype(np.float64)
            low, high = plane.min(), plane.max()
            yield row["source"], row["file"], (plane - low) / (high - low), mask[middle] > 0


def stacks(data: Path) -> Iterator[tuple[str, str, list[Image]]]:
    """Source, field and planes of the real stacks."""
    fields: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    with (data / "manifest_unlabelled.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["z"] and "DAPI" not in row["file"]:
                field = Path(row["file"]).parent.name
                fields[row["source"], field].append((float(row["z"]), row["file"]))
    for (source, field), planes in sorted(fields.items()):
        if len(planes) > 2:
            yield (
                source,
                field,
                [
                    as_grey(np.asarray(ss.read_image(data / name).data))
                    for _, name in sorted(planes)
                ],
            )


def blurred(sharp: Image, kernel: Image) -> Image:
    """Out of focus, and with the noise of a camera."""
    return camera(defocus(sharp, kernel), PHOTONS, READ_NOISE, np.random.default_rng(3))


def restored(plane: Image, model: str, **settings: Any) -> Image:
    return np.asarray(ss.restore_focus(plane, model, **settings))


def score(sharp: Image, found: Image) -> tuple[float, float]:
    low, high = np.percentile(sharp, (0.5, 99.5))
    span = float(high - low)
    sharp, found = sharp.astype(np.float64), np.asarray(found, np.float64)
    return (
        float(peak_signal_noise_ratio(sharp, found, data_range=span)),
        float(structural_similarity(sharp, found, data_range=span)),
    )


def variance_of_laplacian(plane: Image) -> float:
    import cv2

    smooth = cv2.GaussianBlur(plane.astype(np.float32), (0, 0), 1)
    return float(cv2.Laplacian(smooth, cv2.CV_32F).var() / plane.mean() ** 2)


def register(reference: Image, plane: Image, found: Image) -> Image:
    """What was found of a plane, moved by whole pixels to where the reference is."""
    shift, *_ = phase_cross_correlation(reference.astype(np.float32), plane.astype(np.float32))
    steps = [int(s) if abs(s) < 16 else 0 for s in shift]
    return np.roll(found, steps, axis=(0, 1))


def iou(labels: Image, mask: Image) -> float:
    both, either = (labels > 0) & mask, (labels > 0) | mask
    return float(both.sum() / either.sum()) if either.any() else 1.0


if __name__ == "__main__":
    main()
