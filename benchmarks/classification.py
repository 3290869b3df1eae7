"""Time of cropping and classifying many objects, beside plain PyTorch with a loop over crops.

    python benchmarks/classification.py [--objects 10000] [--threads 2] [--filters 64] [--blocks 2]

Both see the same image, labels and network in one run, with as many threads. The network is
FlexResNet with random weights, by default in the published size, and crops have 64 px. Processor
time is told beside the time on the clock, for a machine that others use, too.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from scipy import ndimage
from torch.nn import functional as F

from napari_spheroseg import models, networks
from napari_spheroseg.classification.crops import crops, objects_of
from napari_spheroseg.classification.judge import NetworkJudge
from napari_spheroseg.classification.run import classify_steps
from napari_spheroseg.inference import devices
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.inference.predictor import Predictor
from napari_spheroseg.inference.prepare import prepare
from napari_spheroseg.models import ModelMetadata, Preparation, library
from napari_spheroseg.models.metadata import Crop
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.steps import run_to_end


def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ellipses of 10 to 90 px, one of a hundred larger than a crop."""
    rng = np.random.default_rng(0)
    side = 96
    across = int(np.ceil(np.sqrt(count)))
    labels = np.zeros((across * side, across * side), np.int32)
    for number in range(1, count + 1):
        y, x = (int((at + 0.5) * side) for at in divmod(number - 1, across))
        size = rng.integers(33, 45) if rng.random() < 0.01 else rng.integers(5, 20)
        axes = (int(size), int(size * rng.uniform(0.4, 1)))
        cv2.ellipse(labels, (x, y), axes, rng.uniform(0, 180), 0, 360, number, -1)
    image = cv2.GaussianBlur(rng.random(labels.shape, dtype=np.float32), (0, 0), 2)
    return image, labels


@torch.inference_mode()
def plain(image, labels, network, size: int, batch: int) -> np.ndarray:
    """Crops one after the other in PyTorch; `batch` of them through the network together."""
    found, waiting = [], []
    plane = torch.from_numpy(image)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        mask = torch.from_numpy(labels[box] == number)
        crop = torch.where(mask, plane[box], 0.0)[None, None]
        height, width = crop.shape[2:]
        if max(height, width) > size:
            scale = size / max(height, width)
            shape = (max(1, int(height * scale)), max(1, int(width * scale)))
            crop = F.interpolate(crop, size=shape, mode="bilinear", align_corners=False)
        down, across = size - crop.shape[2], size - crop.shape[3]
        pads = (across // 2, across - across // 2, down // 2, down - down // 2)
        waiting.append(F.pad(crop, pads))
        if len(waiting) == batch:
            found.append(network(torch.cat(waiting)).softmax(1))
            waiting = []
    if waiting:
        found.append(network(torch.cat(waiting)).softmax(1))
    return torch.cat(found).numpy()


def random_model(folder: Path, filters: int, blocks: int) -> models.Model:
    """FlexResNet with random weights."""
    torch.manual_seed(0)
    arguments = {"initial_filters": filters, "num_blocks": blocks}
    network = networks.create("flexresnet", **arguments)
    save_file(network.state_dict(), folder / library.WEIGHTS)
    metadata = ModelMetadata(
        name="random",
        title="FlexResNet",
        task="classification",
        network="flexresnet",
        arguments=arguments,
        outputs=("single-cell", "clump", "noise", "off-focus", "joint-cell"),
        preparation=Preparation(intensity="fixed", low=0, high=1, tile=None, multiple=1),
        crop=Crop(size=64),
        sha256=sha256_of(folder / library.WEIGHTS),
    )
    library.write_metadata(folder, metadata)
    return models.load(folder)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--objects", type=int, default=10_000)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--filters", type=int, default=64)
    asked.add_argument("--blocks", type=int, default=2)
    given = asked.parse_args()
    devices.use_threads(given.threads)
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    image, labels = draw(given.objects)
    with TemporaryDirectory() as folder:
        model = random_model(Path(folder), given.filters, given.blocks)
        metadata = model.metadata
        crop = metadata.crop or Crop()
        size = crop.size or 64
        prepared = prepare(image, metadata.preparation)
        print(f"{given.objects} objects, {given.threads} threads, {metadata.arguments}, {size} px")

        clock = time.perf_counter()
        for _ in crops(prepared, objects_of(labels), crop, metadata.preparation):
            pass
        print(f"crops alone: {time.perf_counter() - clock:.2f} s")

        def loop(batch: int) -> np.ndarray:
            return plain(prepared[0], labels, network, size, batch)

        # opened, and converted where need be, before the clock starts
        network = model.network
        opened = {each: NetworkJudge(Predictor(model, "cpu", each)) for each in ("torch", "auto")}

        def ours(backend: str) -> np.ndarray:
            judge = opened[backend]
            steps = classify_steps(Frames.of(image), labels, judge)
            return run_to_end(steps).table.filter(like="probability_").to_numpy()

        ways = {
            "loop, crop by crop": lambda: loop(1),
            "loop, batches of 32": lambda: loop(32),
            "ours, torch": lambda: ours("torch"),
            "ours, auto": lambda: ours("auto"),
        }
        seconds, busy, results = {}, {}, {}
        for name, way in ways.items():
            clock, processor = time.perf_counter(), time.process_time()
            results[name] = way()
            seconds[name] = time.perf_counter() - clock
            busy[name] = time.process_time() - processor
            first = next(iter(seconds))
            apart = np.abs(results[name] - results[first]).max()
            print(
                f"{name}: {seconds[name]:.2f} s ({busy[name]:.2f} s of processors), "
                f"{seconds[first] / seconds[name]:.1f} ({busy[first] / busy[name]:.1f}) times as "
                f"fast as the first; probabilities differ by {apart:.1e} at most",
                flush=True,
            )
        tracemalloc.start()
        for _ in crops(prepared, objects_of(labels), crop, metadata.preparation):
            pass
        print(f"memory of crops: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB at most")


if __name__ == "__main__":
    main()
