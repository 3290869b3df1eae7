import pytest
import torch

from napari_spheroseg.errors import NoDevice
from napari_spheroseg.inference import devices


def test_auto_is_a_device_that_is_there():
    chosen = devices.choose("auto")
    assert torch.zeros(1, device=chosen).device.type == chosen


def test_the_cpu_is_always_there():
    assert devices.choose("cpu") == "cpu"


@pytest.mark.parametrize("device", ["tpu", "", "cuda:99", "cuda:first", "cpu:1", "mps:3", "CUDA"])
def test_a_device_that_is_not_there_is_an_error_and_never_silently_the_cpu(device):
    with pytest.raises(NoDevice, match="no device"):
        devices.choose(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_without_cuda_asking_for_it_names_what_there_is():
    with pytest.raises(NoDevice, match=r"no device 'cuda'. It has: .*cpu"):
        devices.choose("cuda")
