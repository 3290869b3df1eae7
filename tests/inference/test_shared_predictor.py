from __future__ import annotations

import shutil
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, NoWeights
from napari_spheroseg.inference import shared
from napari_spheroseg.inference.memory import Memory, MemoryUse
from napari_spheroseg.inference.shared import forget_shared, forget_unused, shared_predictor
from napari_spheroseg.models import Preparation, library


def test_a_model_without_weights_cannot_predict(waiting):
    with pytest.raises(NoWeights):
        shared_predictor(waiting)


def test_the_shared_predictor_is_dropped_when_nobody_asks_for_it(bright, monkeypatch):
    import time

    first = shared_predictor(bright)
    assert shared_predictor(bright) is first
    monkeypatch.setattr(shared, "IDLE_SECONDS", 0.01)
    assert shared_predictor(bright) is first
    for _ in range(200):
        if not shared._shared:
            break
        time.sleep(0.01)
    assert not shared._shared


def test_two_threads_that_ask_at_once_share_one_predictor(bright):
    gate = threading.Barrier(4)

    def ask(_):
        gate.wait()
        return shared_predictor(str(bright), "cpu")

    with ThreadPoolExecutor(4) as pool:
        predictors = list(pool.map(ask, range(4)))
    assert len({id(each) for each in predictors}) == 1


def test_the_same_model_is_kept_in_memory(bright):
    assert shared_predictor(str(bright), "cpu") is shared_predictor(str(bright), "cpu")


def test_an_opened_model_is_itself_whatever_was_done_to_it(bright):
    opened = models.load(bright)
    shared_predictor(str(bright), "cpu")
    assert shared_predictor(opened, "cpu").model is opened
    assert shared_predictor(opened, "cpu") is shared_predictor(opened, "cpu")
    assert shared_predictor(str(bright), "cpu").model is not opened


def test_another_model_takes_its_place(bright, checkpoint):
    first = shared_predictor(str(bright), "cpu")
    second = shared_predictor(str(checkpoint), "cpu")
    assert second.model.metadata.name == "spheroids"
    assert shared_predictor(str(bright), "cpu") is not first


def test_two_models_of_the_same_weights_keep_their_own_preparation(bright, tmp_path):
    folder = shutil.copytree(bright, tmp_path / "half")
    metadata = library.read_metadata(folder)
    halved = metadata.replace(name="half", preparation=Preparation(scale=0.5))
    library.write_metadata(folder, halved)
    shared_predictor(str(bright), "cpu")
    assert shared_predictor(str(folder), "cpu").model.metadata == halved


def test_a_model_that_was_replaced_is_loaded_again(bright, checkpoint):
    models.install(bright, "mine")
    shared_predictor("mine", "cpu")
    models.install(checkpoint, "mine", replace=True)
    assert shared_predictor("mine", "cpu").model.metadata.source == "spheroids.pth"


def test_what_is_forgotten_is_loaded_again(bright):
    first = shared_predictor(str(bright), "cpu")
    forget_shared()
    assert shared_predictor(str(bright), "cpu") is not first


def test_what_is_forgotten_is_out_of_memory_at_once_and_the_gpu_gets_it_back(bright, monkeypatch):
    first = weakref.ref(shared_predictor(str(bright), "cpu"))
    given = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given.append(first()))
    forget_shared()
    assert given == [None]


def test_where_cuda_is_not_used_nothing_is_given_back(bright, monkeypatch):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: pytest.fail("it would start CUDA"))
    forget_shared()


def test_what_somebody_holds_is_not_forgotten_as_unused(bright, restorer):
    held = shared_predictor(str(bright), "cpu")
    unused = weakref.ref(shared_predictor(str(restorer()), "cpu"))
    assert forget_unused()
    assert unused() is None
    assert shared_predictor(str(bright), "cpu") is held
    assert not forget_unused()


@pytest.mark.parametrize(("free", "stays"), [(1.5, False), (1.7, True)])
def test_where_ram_is_short_what_nobody_uses_goes_at_the_next_request(
    free, stays, bright, restorer, monkeypatch
):
    unused = weakref.ref(shared_predictor(str(restorer()), "cpu"))
    wanted = weakref.ref(shared_predictor(str(bright), "cpu"))
    use = MemoryUse(Memory(total=16, free=free, used=16 - free, by_process=1))
    monkeypatch.setattr(shared, "memory_use", lambda device: use)
    assert shared_predictor(str(bright), "cpu") is wanted()
    assert (unused() is not None) == stays


def test_a_model_for_something_else_is_refused(bright):
    with pytest.raises(BadSetting, match="is a model for segmentation"):
        shared_predictor(bright, task="focus")
    shared_predictor(bright)
    with pytest.raises(BadSetting, match="is a model for segmentation"):
        shared_predictor(bright, task="focus")
