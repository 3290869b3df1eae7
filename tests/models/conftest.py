"""What the fuzzers share: how bytes are mutated, and bounds that are watched meanwhile.

``SPHEROSEG_FUZZ`` in the environment raises the number of cases of each test: 60, unless told.
"""

import os
import struct

import psutil
import pytest
import torch

from napari_spheroseg import networks

MOST_MEMORY = 500e6


@pytest.fixture(scope="session")
def cases():
    """How many files a test tries."""
    return int(os.environ.get("SPHEROSEG_FUZZ", "60"))


@pytest.fixture(scope="session")
def network():
    """A U-Net of 2 and 3 channels."""
    torch.manual_seed(0)
    return networks.create("unet", features=[2, 3]).eval()


@pytest.fixture
def watched(tmp_path):
    """A folder to load from, of which nothing may leave; memory may not grow beyond bounds."""
    inside = tmp_path / "inside"
    inside.mkdir()
    before = psutil.Process().memory_info().rss
    yield inside
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert psutil.Process().memory_info().rss - before < MOST_MEMORY


@pytest.fixture(scope="session")
def mutated():
    """The function that damages bytes."""
    return mutate


def mutate(content, draw):
    """Bytes cut, flipped, doubled, or overwritten by extreme numbers."""
    changed = bytearray(content)
    kind = draw.randrange(5)
    if kind == 0:
        return bytes(changed[: draw.randrange(len(changed))])
    if kind == 1:
        at = draw.randrange(len(changed))
        return bytes(changed[:at] + changed[at // 2 : at] + changed[at:])
    near = draw.choice([len(changed), min(len(changed), 2000)])
    for _ in range(draw.choice([1, 4, 20])):
        at = draw.randrange(near)
        if kind == 2:
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 3:
            changed[-1 - at] = draw.randrange(256)  # a zip's directory lies at its end
        else:
            number = draw.choice([-1, 1 << 31, 1 << 40, (1 << 63) - 1])
            changed[at : at + 8] = struct.pack("<q", number)
    return bytes(changed)
