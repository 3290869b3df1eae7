"""What happens when memory runs out, rung by rung."""

import weakref

import numpy as np
import pytest
import torch

import napari_spheroseg as ss
from napari_spheroseg.errors import BadSetting, OutOfMemory
from napari_spheroseg.inference import devices, memory, plan, predictor, shared
from napari_spheroseg.inference.backends import open_backend
from napari_spheroseg.inference.backends.torch import TorchBackend
from napari_spheroseg.inference.predictor import Predictor
from napari_spheroseg.models import Preparation
from napari_spheroseg.steps import Steps


class Small:
    """A device that computes as torch does, and has memory for so many pixels at once."""

    name = "torch"

    def __init__(self, machine, model, device, precision):
        self._machine = machine
        self._torch = TorchBackend(model, "cpu", "float32")
        self.device = "cuda" if device == "auto" else device
        self.precision = "float32" if precision == "auto" else precision
        if self.precision not in machine.precisions:
            raise BadSetting("not in this precision")
        if self.device not in machine.room_for_weights:
            raise OutOfMemory(f"{self.device} has too little memory for the weights")

    def predict(self, batch):
        self._machine.tried.append((self.device, self.precision, len(batch), batch.shape[-1]))
        bytes_each = 4 if self.precision == "float32" else 2
        if self.device != "cpu" and batch[:, 0].size * bytes_each > self._machine.bytes:
            raise OutOfMemory("cuda has too little memory")
        if self.device == "cpu" and not self._machine.cpu:
            raise OutOfMemory("cpu has too little memory")
        return self._torch.predict(batch)


class Machine:
    def __init__(self):
        self.bytes, self.cpu, self.precisions, self.tried = 1e12, True, ("float32", "bfloat16"), []
        self.room_for_weights = ("cuda", "cpu")


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(
        predictor,
        "open_backend",
        lambda model, backend, device, precision: Small(machine, model, device, precision),
    )
    monkeypatch.setattr(
        predictor,
        "batch_for",
        lambda model, tile, device, tiles: 1 if device == "cpu" else min(4, tiles),
    )
    return machine


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).random((560, 540), np.float32)


def predict(model, plane, **settings):
    own = Predictor(model, precision=settings.pop("precision", "auto"))
    preparation = Preparation(tile=512, **settings)
    steps = Steps(own.predict(plane, preparation))
    progress = list(steps)
    return own, steps.result, progress


RUNGS = [
    (1e12, ()),
    (4 * 512**2 * 2, ("batches of 2",)),
    (4 * 512**2, ("batches of 2", "batches of 1")),
    (4 * 256**2, ("batches of 2", "batches of 1", "tiles of 256 px")),
    (2 * 256**2, ("batches of 2", "batches of 1", "tiles of 256 px", "bfloat16")),
    (9, ("batches of 2", "batches of 1", "tiles of 256 px", "bfloat16", "the CPU")),
]


@pytest.mark.parametrize(("size", "concessions"), RUNGS)
def test_each_rung_gives_up_one_thing_more_and_changes_nothing(
    size, concessions, machine, model, noise
):
    _, truth, _ = predict(model, noise)
    machine.bytes = size
    own, maps, progress = predict(model, noise)
    assert own.concessions.made == concessions
    assert np.abs(maps - truth).max() < 1e-5
    assert progress[-1].done == progress[-1].total


def test_a_half_precision_that_is_not_there_is_passed_over(machine, model, noise):
    machine.bytes, machine.precisions = 9, ("float32",)
    assert predict(model, noise)[0].concessions.made[-2:] == ("tiles of 256 px", "the CPU")


def test_a_precision_that_was_asked_for_is_kept(machine, model, noise):
    machine.bytes = 9
    own, _, _ = predict(model, noise, precision="float32")
    assert own.concessions.made[-2:] == ("tiles of 256 px", "the CPU")
    assert {precision for _, precision, _, _ in machine.tried} == {"float32"}


def test_at_the_end_of_the_ladder_the_error_comes_through(machine, model, noise):
    machine.bytes, machine.cpu = 9, False
    with pytest.raises(OutOfMemory, match="too little memory"):
        predict(model, noise)


def test_the_next_plane_begins_where_the_last_one_ended(machine, model, noise):
    machine.bytes = 4 * 256**2
    own, _, _ = predict(model, noise)
    machine.tried.clear()
    list(own.predict(noise, Preparation(tile=512)))
    assert {(batch, side) for _, _, batch, side in machine.tried} == {(1, 256)}
    assert len(own.concessions.made) == 3


def test_tiles_that_a_multiple_makes_larger_than_the_smallest_end_the_ladder(machine, model):
    machine.bytes, machine.cpu = 9, False
    own = Predictor(model)
    plane = np.random.default_rng(0).random((300, 300), np.float32)
    with pytest.raises(OutOfMemory):  # 256 is rounded up to 300
        list(own.predict(plane, Preparation(multiple=100)))


def test_a_precision_that_was_asked_for_is_kept_on_the_cpu_too(machine, model, noise, monkeypatch):
    opened = []
    plain = predictor.open_backend

    def watched(model, backend, device, precision):
        opened.append((device, precision))
        return plain(model, backend, device, precision)

    monkeypatch.setattr(predictor, "open_backend", watched)
    machine.bytes = 9
    predict(model, noise, precision="float32")
    assert opened == [("auto", "float32"), ("cpu", "float32")]


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_where_there_is_no_room_for_the_weights_the_cpu_runs_and_the_result_says_so(
    backend, machine, model, image
):
    truth = ss.segment(image, model=model, backend=backend)
    machine.room_for_weights = ("cpu",)
    shared.forget_shared()
    result = ss.segment(image, model=model, backend=backend)
    assert result.warnings == ("Memory ran out; it went on with the CPU",)
    assert result.settings.made_with["device"] == "cpu"
    assert np.array_equal(result.labels, truth.labels)


def test_where_not_even_the_cpu_has_room_the_error_comes_through(machine, model):
    machine.room_for_weights = ()
    with pytest.raises(OutOfMemory, match="for the weights"):
        Predictor(model)


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_memory_that_runs_out_while_the_weights_move_is_told_as_ours(backend, model, monkeypatch):
    def runs_out(network, *where, **how):
        if "cuda" in where:
            network.moved = True
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        back.append(where)
        return network

    back = []
    monkeypatch.setattr(devices, "choose", lambda device: "cpu" if device == "cpu" else "cuda")
    monkeypatch.setattr(devices, "may_have_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(type(model.network), "to", runs_out)
    with pytest.raises(OutOfMemory, match="cuda has too little memory for the weights"):
        open_backend(model, backend, "cuda")
    assert back == [("cpu",)]
    own = Predictor(model, "cuda", backend)
    assert own.device == "cpu"
    assert own.concessions.made == ("the CPU",)


def test_models_that_nobody_uses_go_before_anything_is_given_up(
    machine, model, noise, restorer, monkeypatch
):
    idle = weakref.ref(shared.shared_predictor(str(restorer()), "cpu"))
    held = shared.shared_predictor(model)
    plain = Small.predict

    def predict_beside(self, batch):
        if idle() is not None:
            raise OutOfMemory("cuda has too little memory")
        return plain(self, batch)

    monkeypatch.setattr(Small, "predict", predict_beside)
    list(held.predict(noise))
    assert held.concessions.made == ()
    assert list(shared._shared.values()) == [held]


def test_other_errors_do_not_climb(machine, model, noise, monkeypatch):
    def fail(*_):
        raise RuntimeError("misaligned address")

    monkeypatch.setattr(Small, "predict", fail)
    own = Predictor(model)
    with pytest.raises(RuntimeError, match="misaligned"):
        list(own.predict(noise))
    assert own.concessions.made == ()


def test_the_result_says_what_was_done(machine, model, image):
    whole = ss.segment(image, model=model)
    machine.bytes = 9
    shared.forget_shared()
    result = ss.segment(image, model=model)
    assert np.array_equal(result.labels, whole.labels)
    assert result.warnings == ("Memory ran out; it went on with bfloat16, the CPU",)
    assert whole.warnings == ()


# ---------------------------------------------------------------- the plan before the run


def test_memory_grows_with_the_area_of_a_tile(model):
    weights, small = plan.network_bytes(model, (64, 64))
    same, large = plan.network_bytes(model, (128, 192))
    assert weights == same == sum(v.nbytes for v in model.network.state_dict().values())
    assert large == pytest.approx(6 * small, rel=0.01)


def test_a_plan_holds_at_least_the_widest_layer_and_its_input(model):
    _, peak = plan.network_bytes(model, (64, 64))
    assert peak > 2 * 4 * 64 * 64 * 4  # two maps of four channels in float32


@pytest.mark.parametrize(("free", "batch"), [(0.0, 1), (0.001, 2), (100.0, 16)])
def test_a_batch_is_as_large_as_fits(free, batch, model, monkeypatch):
    from napari_spheroseg.inference.memory import Memory, MemoryUse

    use = MemoryUse(Memory(1000, 1000, 0, 0), Memory(100, free, 0, 0))
    monkeypatch.setattr(plan, "memory_use", lambda device: use)
    monkeypatch.setattr(plan, "network_bytes", lambda model, tile: (1e5, 3e5))
    assert plan.batch_for(model, (64, 64), "cuda", 100) == batch


def test_what_torch_keeps_from_the_batch_before_counts_as_free(model, monkeypatch):
    from napari_spheroseg.inference.memory import Memory, MemoryUse

    use = MemoryUse(Memory(1000, 1000, 0, 0), Memory(100, 0.0, 100, 100))
    monkeypatch.setattr(plan, "memory_use", lambda device: use)
    monkeypatch.setattr(memory, "_vram", lambda device: use.vram)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda number: 90e9)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda number: 1e9)
    assert plan.batch_for(model, (64, 64), "cuda:0", 100) == 16


def test_no_more_than_there_are_and_on_a_cpu_one_at_a_time(model):
    assert plan.batch_for(model, (64, 64), "cpu", 100) == 1


def test_a_plan_says_tiles_batch_and_memory(model):
    own = Predictor(model, "cpu")
    small = own.plan((500, 700), Preparation(tile=256))
    large = own.plan((2000, 2800), Preparation(tile=256))
    assert small.tile == large.tile == (256, 256)
    assert (small.tiles, small.batch) == (12, 1)
    assert small.device_gb == large.device_gb > 0
    assert large.host_gb == pytest.approx(16 * small.host_gb, rel=0.1)
