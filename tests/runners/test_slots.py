"""The table that tells what a worker is running."""

import os
import subprocess
import sys

import pytest

from penstock.runners.slots import Slots


@pytest.mark.parametrize("make", [Slots.create, Slots.private])
def test_slots_tell_the_lines_under_way_and_for_how_long(make):
    slots = make(3)
    assert slots.running() == {}
    slots.begin(0, 7)
    slots.begin(2, 0)
    running = slots.running()
    assert sorted(running) == [0, 7]
    assert all(0 <= seconds < 60 for seconds in running.values())
    slots.end(0)
    assert list(slots.running()) == [0]
    slots.close()


def test_slots_of_a_dead_process_can_still_be_read():
    slots = Slots.create(2)
    code = (
        "import os, sys; from penstock.runners.slots import Slots\n"
        "slots = Slots(int(sys.argv[1]), 2); slots.begin(1, 41); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(slots.descriptor)], pass_fds=(slots.descriptor,), check=False)
    assert list(slots.running()) == [41]
    slots.close()


def test_close_gives_the_descriptor_back():
    before = len(os.listdir("/proc/self/fd"))
    slots = Slots.create(2)
    slots.close()
    assert len(os.listdir("/proc/self/fd")) == before
