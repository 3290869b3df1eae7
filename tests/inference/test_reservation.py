import dataclasses
import itertools
import json
import logging
import math
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from napari_spheroseg.errors import BadSetting, Busy, Cancelled, NoDevice, OutOfMemory
from napari_spheroseg.inference import devices, reservation
from napari_spheroseg.inference.reservation import Booking, bookings, reserve

LOGGER = "napari_spheroseg.inference.reservation"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of bookings of its own for every test, and for the processes that it starts."""
    folder = tmp_path / "bookings"
    monkeypatch.setenv("SPHEROSEG_RESERVATIONS", str(folder))
    monkeypatch.setattr(reservation, "LONGEST_PAUSE", 0.05)  # of this process
    return folder


def write(folder, *entries):
    """Bookings as other processes would have left them."""
    folder.mkdir(exist_ok=True)
    (folder / "cpu.json").write_text(json.dumps([dataclasses.asdict(e) for e in entries]))


def booking(gigabytes, pid=None, **changes):
    """One of a thread of a living process that is not this one: by default of the parent."""
    pid = os.getppid() if pid is None else pid
    mine = Booking.of_this_thread(gigabytes)
    changes = {"started": reservation._started(pid), "thread": "theirs", **changes}
    return dataclasses.replace(mine, pid=pid, **changes)


def until(condition, seconds=15.0):
    """Wait for what another thread or process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def waiting():
    return [entry for entry in bookings("cpu") if not entry.is_held]


@contextmanager
def another_thread(function):
    """Runs beside the block, which must let it end; gives what it raised."""
    raised = []

    def work():
        try:
            function()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    yield raised
    thread.join(10)
    assert not thread.is_alive()


# Several processes

WORKER = """
import os, sys, time
from napari_spheroseg.inference.reservation import bookings, reserve

name, gigabytes, seconds, log = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]

def tell(what, *values):
    line = " ".join(map(str, (what, name, gigabytes, *values))) + chr(10)
    handle = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.write(handle, line.encode())
    os.close(handle)

sys.stdin.readline()  # the test says when
with reserve("cpu", gigabytes, total=10, timeout=60):
    mine = [entry for entry in bookings("cpu") if entry.pid == os.getpid()]
    tell("enter", mine[0].since)
    time.sleep(seconds)
    tell("leave")
assert "torch" not in sys.modules
"""


class Worker:
    """A process that reserves once it is told to."""

    def __init__(self, name, gigabytes, seconds, log):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, name, str(gigabytes), str(seconds), str(log)],
            stdin=subprocess.PIPE,
            text=True,
        )

    def queue(self):
        """Let it reserve, and wait until it stands in the queue."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        until(lambda: self.process.pid in [entry.pid for entry in bookings("cpu")])


@pytest.fixture
def start(tmp_path):
    """Function that starts a worker; none outlives the test."""
    log = tmp_path / "log.txt"
    log.touch()
    workers = []

    def start(name, gigabytes, seconds):
        workers.append(Worker(name, gigabytes, seconds, log))
        return workers[-1]

    def tell(line):
        with log.open("a") as file:
            file.write(f"{line}\n")

    start.tell = tell
    start.log = lambda: [line.split() for line in log.read_text().splitlines()]
    yield start
    for worker in workers:
        worker.process.kill()
        worker.process.communicate()


def test_eight_processes_share_what_is_there_in_the_order_of_their_coming(start):
    amounts = {"a": 4, "b": 3, "c": 5, "killed": 8, "d": 6, "e": 2, "f": 7, "g": 1}
    workers = {
        name: start(name, gigabytes, 60 if name == "killed" else 0.1)
        for name, gigabytes in amounts.items()
    }
    with reserve("cpu", 10, total=10):
        for worker in workers.values():
            worker.queue()
    until(lambda: ["enter", "killed"] in [line[:2] for line in start.log()])
    start.tell("leave killed 8.0")
    killed = time.time()
    workers["killed"].process.kill()
    for name, worker in workers.items():
        status = worker.process.wait(15)
        assert name == "killed" or status == 0

    log = start.log()
    entered = {name: float(values[1]) for what, name, *values in log if what == "enter"}
    assert sorted(entered, key=entered.get) == list(amounts)
    assert entered["d"] - killed < 5  # it had waited for the killed one
    changes = [float(line[2]) * (1 if line[0] == "enter" else -1) for line in log]
    held = list(itertools.accumulate(changes))
    assert (max(held) <= 10, held[-1]) == (True, 0)
    assert bookings("cpu") == []


@pytest.mark.skipif(os.name == "nt", reason="a process that ended is gone there")
def test_a_killed_process_frees_its_booking_though_nobody_asked_how_it_ended(start):
    worker = start("killed", 8, 60)
    worker.queue()
    until(lambda: start.log())
    with pytest.raises(Busy), reserve("cpu", 3, total=10, timeout=0.01):
        pass
    worker.process.kill()
    until(lambda: psutil.Process(worker.process.pid).status() == psutil.STATUS_ZOMBIE)
    with reserve("cpu", 10, total=10, timeout=0.01):
        pass


# Who is alive


def test_a_recycled_pid_is_not_taken_for_alive(folder):
    now = booking(8)
    write(folder, dataclasses.replace(now, started=now.started - 60, is_held=True))
    with reserve("cpu", 8, total=10, timeout=0.01):
        pass


def test_a_dead_process_leaves_the_queue_too(folder):
    write(folder, booking(10, pid=os.getppid(), started=1.0))
    with reserve("cpu", 1, total=10, timeout=0.01):
        assert [entry.pid for entry in bookings("cpu")] == [os.getpid()]


def test_a_living_process_keeps_its_booking_however_old(folder):
    write(folder, booking(8, since=0.0, is_held=True))
    with pytest.raises(Busy), reserve("cpu", 8, total=10, timeout=0.01):
        pass
    assert [entry.gigabytes for entry in bookings("cpu")] == [8]


@pytest.mark.skipif(not psutil.LINUX, reason="elsewhere the start is told by the clock of then")
def test_setting_the_clock_ends_no_booking(monkeypatch):
    mine = Booking.of_this_thread(1)
    boot = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + 3600)
    assert mine.is_alive


# The queue


def test_a_small_request_does_not_overtake_a_large_one(folder):
    write(folder, booking(4, is_held=True), booking(8, thread="other"))
    with pytest.raises(Busy), reserve("cpu", 1, total=10, timeout=0.01):
        pass


def test_the_timeout_says_who_holds_how_much_and_what_to_do(folder):
    pid = os.getppid()
    write(folder, booking(7, is_held=True), booking(2, thread="other"))
    with (
        pytest.raises(Busy, match=r"5 GB of cpu were not free within 0\.01 s") as caught,
        reserve("cpu", 5, total=10, timeout=0.01),
    ):
        pass
    assert f"process {pid} has held 7 GB since" in str(caught.value)
    assert f"process {pid} has waited for 2 GB since" in str(caught.value)
    assert "ask for less" in caught.value.hint


def test_who_gave_up_no_longer_stands_in_the_queue(folder):
    write(folder, booking(8, is_held=True))
    with pytest.raises(Busy), reserve("cpu", 8, total=10, timeout=0.01):
        pass
    assert waiting() == []


def test_cancel_ends_the_waiting(folder):
    write(folder, booking(8, is_held=True))
    answers = iter([False, False, True])
    with (
        pytest.raises(Cancelled),
        reserve("cpu", 8, total=10, timeout=60, cancel=lambda: next(answers)),
    ):
        pass
    assert waiting() == []


def test_an_error_in_the_block_frees_the_memory():
    with pytest.raises(ZeroDivisionError), reserve("cpu", 8, total=10):
        _ = 1 / 0
    assert bookings("cpu") == []


def test_the_parts_of_a_decimal_sum_fit():
    with reserve("cpu", 0.1, total=0.3), reserve("cpu", 0.2, total=0.3, timeout=0.01):
        pass


def test_threads_of_one_process_share_too():
    inside, most = [], []

    def work():
        with reserve("cpu", 4, total=10, timeout=20):
            inside.append(4)
            most.append(sum(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(most), max(most) <= 8, bookings("cpu")) == (6, True, [])


# Reservations within each other


def test_an_inner_reservation_adds_to_the_outer_one():
    with reserve("cpu", 4, total=10):
        with reserve("cpu", 5, total=10, timeout=0.01):
            assert sum(entry.gigabytes for entry in bookings("cpu")) == 9
        assert sum(entry.gigabytes for entry in bookings("cpu")) == 4


def test_an_inner_reservation_that_never_fits_is_an_error_at_once():
    with (
        reserve("cpu", 6, total=10),
        pytest.raises(OutOfMemory, match="this thread holds 6 GB"),
        reserve("cpu", 6, total=10, timeout=60),
    ):
        pass


def test_an_inner_reservation_does_not_wait_for_who_waits_for_the_outer_one():
    is_held = threading.Event()

    def other():
        is_held.wait(10)
        with reserve("cpu", 8, total=10, timeout=20):
            pass

    with another_thread(other) as raised, reserve("cpu", 4, total=10):
        is_held.set()
        until(waiting)
        with reserve("cpu", 4, total=10, timeout=0.01):
            pass
    assert raised == []


def test_threads_that_would_wait_for_each_other_forever_are_told_at_once():
    both_hold = threading.Barrier(2)

    def other():
        with reserve("cpu", 5, total=10):
            both_hold.wait(10)
            with reserve("cpu", 2, total=10, timeout=20):
                pass

    with another_thread(other) as raised, reserve("cpu", 5, total=10):
        both_hold.wait(10)
        until(waiting)
        with (
            pytest.raises(Busy, match="others wait for the 5 GB"),
            reserve("cpu", 2, total=10, timeout=60),
        ):
            pass
    assert raised == []


def test_an_inner_reservation_that_can_wait_does():
    ready, seen = threading.Event(), []

    def other():
        with reserve("cpu", 5, total=10):
            ready.set()
            until(waiting)

    with another_thread(other) as raised:
        ready.wait(10)
        with reserve("cpu", 5, total=10), reserve("cpu", 2, total=10, timeout=20):
            seen = [entry.gigabytes for entry in bookings("cpu")]
    assert (raised, sorted(seen)) == ([], [2, 5])


# What is asked for


def test_nothing_is_booked_for_0_gb(folder):
    with reserve("cpu", 0, total=10):
        pass
    assert not folder.exists()


@pytest.mark.parametrize("gigabytes", [-1, math.nan, math.inf, "4", None, True, [4]])
def test_an_amount_out_of_bounds_is_a_bad_setting(folder, gigabytes):
    with pytest.raises(BadSetting, match="cannot be reserved"), reserve("cpu", gigabytes):
        pass
    assert not folder.exists()


@pytest.mark.parametrize("timeout", [0, -1, math.nan, "60", None])
def test_a_timeout_out_of_bounds_is_a_bad_setting(timeout):
    with pytest.raises(BadSetting, match="timeout"), reserve("cpu", 1, timeout=timeout):
        pass


@pytest.mark.parametrize("total", [0, -1, math.inf, math.nan, "10"])
def test_a_total_out_of_bounds_is_a_bad_setting(total):
    with pytest.raises(BadSetting, match="total"), reserve("cpu", 1, total=total):
        pass


def test_a_device_that_is_no_name_is_a_bad_setting():
    with pytest.raises(BadSetting, match="'cpu'"), reserve(0, 1):
        pass


def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises(NoDevice), reserve("tpu", 1):
        pass


def test_more_than_there_is_in_total_is_an_error_at_once():
    with pytest.raises(OutOfMemory, match="there are 10 GB"), reserve("cpu", 11, total=10):
        pass


def test_the_cpu_shares_all_memory_of_the_machine():
    all_of_it = psutil.virtual_memory().total / 1e9
    with reserve("cpu", all_of_it, timeout=0.01):
        pass
    with pytest.raises(OutOfMemory), reserve("cpu", all_of_it * 1.01):
        pass


def test_a_card_has_one_file_whatever_its_number(monkeypatch, folder):
    cards = [SimpleNamespace(uuid=name, total_memory=8e9) for name in ("GPU-a", "GPU-b")]
    monkeypatch.setattr(devices, "may_have_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", cards.__getitem__)
    with reserve("cuda", 4), reserve("cuda:0", 8):
        assert [entry.gigabytes for entry in bookings("cuda:1")] == [4]
    assert {path.name for path in folder.glob("*.json")} == {"cuda-GPU-a.json", "cuda-GPU-b.json"}
    with pytest.raises(OutOfMemory, match="there are 8 GB"), reserve("auto", 9):
        pass


@pytest.mark.parametrize("gigabytes", [np.float32(1.5), np.int64(2)])
def test_numbers_of_numpy_are_numbers(gigabytes):
    with reserve("cpu", gigabytes, total=10, timeout=np.float64(1)):
        assert bookings("cpu")[0].gigabytes == gigabytes


# The file


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "{}", "[1]", '[{"gigabytes": 4}]', "\xff\x00"],
    ids=["empty", "half", "null", "an object", "a number", "half an entry", "bytes"],
)
def test_a_damaged_file_is_set_aside_and_counts_as_empty(folder, caplog, text):
    folder.mkdir()
    (folder / "cpu.json").write_bytes(text.encode("latin-1"))
    with caplog.at_level(logging.WARNING, LOGGER), reserve("cpu", 10, total=10, timeout=0.01):
        assert [entry.gigabytes for entry in bookings("cpu")] == [10]
    assert "is damaged" in caplog.text
    assert (folder / "cpu.damaged").read_bytes() == text.encode("latin-1")


def test_who_waits_stands_in_the_queue_again_after_the_file_was_lost(folder):
    write(folder, booking(8, is_held=True))

    def lose_it():
        if waiting():
            (folder / "cpu.json").unlink()
        return False

    with reserve("cpu", 8, total=10, timeout=20, cancel=lose_it):
        assert [entry.gigabytes for entry in bookings("cpu")] == [8]


def test_a_holder_whose_booking_was_lost_leaves_quietly(folder, caplog):
    with reserve("cpu", 8, total=10):
        (folder / "cpu.json").unlink()
    assert caplog.text == ""


def test_the_modules_are_imported_without_torch():
    code = (
        "import sys, napari_spheroseg.inference.reservation, napari_spheroseg.inference.memory;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
