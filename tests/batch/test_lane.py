"""Work in a thread that can be given up."""

import threading
import time

import pytest

from napari_spheroseg.batch.lane import Lane
from napari_spheroseg.errors import UnreadableFile


@pytest.fixture
def lane():
    lane = Lane(timeout=0.2)
    yield lane
    lane.close()


def test_calls_run_in_their_order_beside_the_caller(lane):
    futures = [lane.submit(lambda n=n: (n, threading.current_thread().name)) for n in range(3)]
    found = [lane.result(each, "Counting") for each in futures]
    assert [number for number, _ in found] == [0, 1, 2]
    assert {name for _, name in found} != {threading.current_thread().name}


def test_an_error_arrives_where_the_result_is_asked_for(lane):
    with pytest.raises(ZeroDivisionError):
        lane.result(lane.submit(lambda: 1 / 0), "Dividing")


def test_a_call_that_stalls_is_given_up_and_the_next_goes_on(lane):
    stop = threading.Event()
    stalled, after = lane.submit(stop.wait), lane.submit(lambda: "read")
    start = time.monotonic()
    with pytest.raises(UnreadableFile, match=r"Reading a\.tif took longer than 0\.2 s"):
        lane.result(stalled, "Reading a.tif")
    assert lane.result(after, "Reading b.tif") == "read"
    assert time.monotonic() - start < 5
    stop.set()


def test_a_timeout_of_the_call_itself_is_its_own_error(lane):
    def call():
        raise TimeoutError("the drive says so")

    with pytest.raises(TimeoutError, match="the drive says so"):
        lane.result(lane.submit(call), "Reading")


def test_a_stalled_call_does_not_keep_the_process(lane):
    stop = threading.Event()
    lane.submit(stop.wait)
    assert all(t.daemon for t in threading.enumerate() if t.name == "spheroseg lane")
    stop.set()
