"""Memory and time of images of growing size, read, segmented and written by window.

    python benchmarks/large_images.py [--sides 2048 4096 8192] [--model unet] [--folder DIR]

For each side an image of uint16 with spheroids at a constant density, 2000 at 16384 by 16384, is
drawn block by block into a zarr, and segmented in a process of its own. Prints, as JSON, the peak
of its resident memory and the seconds that it took, for each megapixel, too; on a busy machine
the seconds of the processor say more than those of the clock. Model and libraries
are loaded, and the network run once, before the clock starts. With --one-piece the image is also
segmented as a whole, and whether the labels are equal up to their numbers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

DENSITY = 2000 / 16384**2
SPHEROIDS = (60, 120)  # smallest and largest radius (px)
BLOCK = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[2048, 4096, 8192, 16384])
    parser.add_argument("--model", default="unet")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--folder", type=Path, help="For images and results; else a temporary one.")
    parser.add_argument("--one-piece", action="store_true", help="Compare; for what fits.")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        print(json.dumps(measure(options.run, options.model, options.backend, options.one_piece)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = []
        for side in options.sides:
            path = Path(folder) / f"{side}.zarr"
            planted = draw(path, side)
            rows.append({"side": side, "planted": planted, **in_a_process(path, options)})
            print(json.dumps(rows[-1]), file=sys.stderr)
        print(json.dumps(rows, indent=2))


def in_a_process(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--run", str(path), "--model", options.model]
    command += ["--backend", options.backend, *(["--one-piece"] if options.one_piece else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def draw(path: Path, side: int) -> int:
    """Glowing bodies on a dark, noisy ground; those of a block may reach into the next ones."""
    import zarr

    rng = np.random.default_rng(side)
    count = round(DENSITY * side**2)
    centres = rng.uniform(0, side, (count, 2))
    radii = rng.uniform(*SPHEROIDS, count)
    chunk = min(BLOCK, side)
    image = zarr.create_array(str(path), shape=(side, side), chunks=(chunk, chunk), dtype="uint16")
    for y in range(0, side, chunk):
        for x in range(0, side, chunk):
            block = np.full((chunk, chunk), 300, np.float32)
            near = np.abs(centres - (y + chunk / 2, x + chunk / 2)).max(axis=1)
            for i in np.flatnonzero(near < chunk / 2 + radii):
                dy = np.arange(y, y + chunk)[:, None] - centres[i, 0]
                dx = np.arange(x, x + chunk)[None] - centres[i, 1]
                depth = np.clip(1 - np.hypot(dy, dx) / radii[i], 0, 1)
                block = np.maximum(block, 300 + 3000 * np.sqrt(depth))
            block += rng.normal(0, 40, block.shape)
            image[y : y + chunk, x : x + chunk] = np.clip(block, 0, 65535).astype(np.uint16)
    return count


def measure(path: Path, model: str, backend: str, one_piece: bool) -> dict[str, Any]:
    import zarr

    import napari_spheroseg as ss
    from napari_spheroseg.inference.memory import peak_memory

    how: dict[str, Any] = {"model": model, "backend": backend}
    ss.segment(np.eye(512, dtype=np.float32), **how)
    before = peak_memory()
    start, work = time.perf_counter(), time.process_time()
    found = ss.segment_large(path, path.with_suffix(".results"), **how)
    seconds, work = time.perf_counter() - start, time.process_time() - work
    height, width = found.labels.shape
    result = {
        "objects": len(found.table),
        "peak_gb": round(peak_memory(), 3),
        "peak_before_gb": round(before, 3),
        "seconds": round(seconds, 1),
        "seconds_per_megapixel": round(seconds / (height * width / 1e6), 3),
        "cpu_seconds_per_megapixel": round(work / (height * width / 1e6), 3),
    }
    if one_piece:
        start = time.perf_counter()
        whole = ss.segment(zarr.open_array(str(path), mode="r")[:], **how).labels
        result["one_piece_seconds"] = round(time.perf_counter() - start, 1)
        result["one_piece_peak_gb"] = round(peak_memory(), 3)
        result["equal"] = equal(whole, found.labels[:])
    return result


def equal(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether labels are equal but for their numbers."""
    pairs = np.unique(first.astype(np.int64) * (int(second.max()) + 1) + second)
    return len(pairs) == len(np.unique(first)) == len(np.unique(second))


if __name__ == "__main__":
    main()
