"""Tiles of several frames and views in one batch, and frames under way together."""

import logging
import threading

import numpy as np
import pytest

from napari_spheroseg.errors import BadImage, OutOfMemory
from napari_spheroseg.inference import predictor
from napari_spheroseg.inference.ahead import ahead
from napari_spheroseg.inference.backends.torch import TorchBackend
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.inference.predictor import Predictor
from napari_spheroseg.inference.together import Together
from napari_spheroseg.inference.walk import walk
from napari_spheroseg.models import Preparation

FRAMES = 5


class Gpu:
    """Computes as torch does; the first batch waits until all of `gate` have asked."""

    name, device, precision = "torch", "cuda", "float32"

    def __init__(self, model):
        self._torch = TorchBackend(model, "cpu", "float32")
        self.batches, self.most, self.waits = [], 16, None

    def predict(self, batch):
        self.batches.append(len(batch))
        if self.waits is not None and len(self.batches) == 1:
            self.waits()
        if len(batch) > self.most:
            raise OutOfMemory("cuda has too little memory")
        return self._torch.predict(batch)


@pytest.fixture
def gpu(model, monkeypatch):
    gpu = Gpu(model)

    def opened(model, backend, device, precision):
        return TorchBackend(model, "cpu", "float32") if device == "cpu" else gpu

    monkeypatch.setattr(predictor, "open_backend", opened)
    monkeypatch.setattr(predictor, "batch_for", lambda model, tile, device, tiles: min(16, tiles))
    return gpu


@pytest.fixture(scope="module")
def stack():
    return np.random.default_rng(0).random((FRAMES, 64, 96), np.float32)


def until_waiting(own, count):
    """Wait until so many tiles stand in the queue."""
    end = threading.Event()
    for _ in range(2000):
        with own._together._queue:
            if len(own._together._waiting) >= count:
                return
        end.wait(0.005)
    raise AssertionError("they do not come")


def through(own, stack, preparation=None):
    """Steps and results of a walk."""
    preparation = preparation or Preparation()
    steps = walk(
        Frames.of(stack, "TYX"),
        None,
        lambda plane: own.predict(plane, preparation),
        lambda plane: np.zeros((1, *plane.shape), np.float32),
        own,
        preparation,
    )
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return told, end.value


@pytest.fixture
def truth(model, stack):
    return through(Predictor(model, "cpu", "torch", "float32"), stack)


def test_frames_of_one_shape_share_batches_on_a_gpu(gpu, model, stack, truth):
    own = Predictor(model)
    gpu.waits = lambda: until_waiting(own, FRAMES)
    _, walked = through(own, stack)
    assert gpu.batches == [1, 4]
    for index, maps in truth[1].results.items():
        assert np.abs(walked.results[index] - maps).max() < 1e-5


def test_steps_and_results_come_as_if_there_were_one_frame_at_a_time(gpu, model, stack, truth):
    steps, walked = through(Predictor(model), stack)
    assert steps == truth[0]
    assert list(walked.results) == list(truth[1].results)


def test_on_a_cpu_frames_go_one_at_a_time_and_without_threads(model, stack):
    own = Predictor(model, "cpu")
    assert own.frames_at_once((64, 96), Preparation()) == 1
    here = threading.active_count()
    seen = []

    def see(plane):
        seen.append(threading.active_count())
        return own.predict(plane, Preparation())

    list(walk(Frames.of(stack, "TYX"), None, see, None, own, Preparation()))
    assert seen == [here] * FRAMES


@pytest.mark.parametrize(
    ("free", "tile", "count"), [(100, None, 8), (100, 64, 2), (0.001, None, 1), (0, None, 1)]
)
def test_as_many_frames_are_under_way_as_fill_a_batch_and_fit_in_memory(
    free, tile, count, gpu, model, monkeypatch
):
    from napari_spheroseg.inference.memory import Memory, MemoryUse

    monkeypatch.setattr(predictor, "memory_use", lambda device: MemoryUse(Memory(100, free, 0, 0)))
    shape = (128, 160)
    assert Predictor(model).frames_at_once(shape, Preparation(tile=tile)) == count


def test_a_plan_of_many_frames_counts_the_batch_that_they_share(gpu, model):
    own = Predictor(model)
    assert own.plan((64, 96)).batch == 1
    assert own.plan((64, 96), frames=5).batch == 5
    assert own.plan((64, 96), frames=1000).batch == 8


def test_frames_that_do_not_fit_together_go_on_with_fewer_and_say_so(gpu, model, stack, truth):
    own = Predictor(model)
    gpu.waits, gpu.most = lambda: until_waiting(own, FRAMES), 1
    _, walked = through(own, stack)
    assert gpu.batches == [1, 4, 2, 1, 1, 1, 1]
    assert own.concessions.made == ("batches of 2", "batches of 1")
    assert all(np.array_equal(walked.results[i], truth[1].results[i]) for i in truth[1].results)


def test_frames_that_do_not_fit_at_all_fall_to_the_cpu_once(gpu, model, stack, truth):
    own = Predictor(model, precision="float32")
    gpu.waits, gpu.most = lambda: until_waiting(own, FRAMES), 0
    _, walked = through(own, stack)
    assert own.concessions.made.count("the CPU") == 1
    assert own.device == "cpu"
    assert all(np.array_equal(walked.results[i], truth[1].results[i]) for i in truth[1].results)


def test_tiles_of_other_shapes_are_no_batch(gpu, model):
    own = Predictor(model)
    gpu.waits = lambda: until_waiting(own, 3)
    tiles = [np.zeros((1, 1, *shape), np.float32) for shape in ((32, 32), (32, 48), (32, 32))]
    assert [each.shape[2:] for each in own._run_all(tiles)] == [(32, 32), (32, 48), (32, 32)]
    assert gpu.batches == [2, 1]


def test_views_of_one_shape_are_one_batch_on_a_gpu(gpu, model, stack):
    preparation = Preparation(test_time_augmentation=True)
    tiles = stack[:2, None]
    maps = Predictor(model).maps_of(tiles, preparation)
    assert gpu.batches == [8, 8]  # four views of two tiles, and four that are turned
    on_cpu = Predictor(model, "cpu", "torch", "float32").maps_of(tiles, preparation)
    assert np.abs(maps - on_cpu).max() < 1e-5


def test_an_error_of_one_who_asks_is_nobody_elses():
    turn, started, others = threading.RLock(), threading.Event(), []
    together = Together(turn)

    def network(tiles):
        if tiles.max() > 1:
            raise BadImage("too bright")
        return tiles

    def ask(value):
        try:
            others.append(together.run([np.full((1, 1, 2, 2), value)], network, lambda _: 1, None))
        except BadImage as error:
            others.append(error)
        started.set()

    threads = [threading.Thread(target=ask, args=(value,)) for value in (0.5, 2.0)]
    with turn:
        for each in threads:
            each.start()
    for each in threads:
        each.join(10)
    assert sorted(type(each).__name__ for each in others) == ["BadImage", "list"]
    assert not together._waiting


# ---------------------------------------------------------------- under way together


def counting(number):
    for step in range(3):
        yield number, step
    return number


def test_what_is_done_ahead_comes_in_order():
    for at_once in (1, 2, 4, 9):
        told = []
        for each in ahead(counting, range(7), at_once):
            told += list(each)
            told.append(each.result)
        assert told == [
            it for number in range(7) for it in [*((number, s) for s in range(3)), number]
        ]


def test_no_more_are_under_way_than_was_said():
    begun = []

    def begin(number):
        begun.append(number)
        return counting(number)

    looks = ahead(begin, range(7), 3)
    next(looks)
    assert begun == [0, 1, 2]
    next(looks)
    assert begun == [0, 1, 2, 3]
    looks.close()


def test_whoever_stops_ends_all_that_are_under_way():
    closed, before = [], threading.active_count()

    def endless(number):
        try:
            while True:
                yield number
        finally:
            closed.append(number)

    looks = ahead(endless, range(7), 3)
    steps = iter(next(looks))
    assert next(steps) == 0
    looks.close()
    assert threading.active_count() == before
    assert set(closed) <= {0, 1, 2}
    assert 0 in closed


def test_a_walk_that_is_cancelled_leaves_no_thread(gpu, model, stack):
    before = threading.active_count()
    own = Predictor(model)
    steps = walk(
        Frames.of(stack, "TYX"), None, lambda p: own.predict(p, Preparation()), None, own, None
    )
    next(steps)
    steps.close()
    assert threading.active_count() == before


def test_an_error_of_a_frame_is_raised_at_its_place():
    def begin(number):
        if number == 2:
            raise BadImage("damaged")
        yield number
        return number

    seen = []
    with pytest.raises(BadImage, match="damaged"):  # noqa: PT012
        for each in ahead(begin, range(7), 4):
            seen += list(each)
    assert seen == [0, 1]


# ---------------------------------------------------------------- the plan of a run


def test_a_run_says_its_plan_once(model, stack, caplog):
    own = Predictor(model, "cpu")
    with caplog.at_level(logging.INFO, "napari_spheroseg"):
        through(own, stack)
    (said,) = (each.message for each in caplog.records if "plan of" in each.message)
    assert said.startswith(
        "plan of 'bright' on cpu, for 64 x 96 px: 1 tile of 64 x 96 px, 1 at a time: "
    )
    assert "GB of RAM" in said


def test_where_nobody_listens_no_plan_is_made(model, stack, caplog, monkeypatch):
    monkeypatch.setattr(Predictor, "plan", lambda *_: pytest.fail("that takes time"))
    with caplog.at_level(logging.WARNING, "napari_spheroseg"):
        through(Predictor(model, "cpu"), stack)
