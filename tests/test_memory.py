"""Runs in a process of its own: the allocator's habits cannot be given back."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, numpy as np
from live.memory import keep_freed_memory
if {keep}:
    keep_freed_memory()
def churn():
    pictures = [np.ones(3_000_000, np.uint8) for _ in range(3)]
for _ in range(10):
    churn()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    churn()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_freed_pictures_are_used_again_without_asking_the_kernel():
    faults = {
        keep: int(subprocess.check_output([sys.executable, "-c", FAULTS.format(keep=keep)])) for keep in (False, True)
    }
    assert faults[True] <= 50
    assert faults[True] <= faults[False]


SPARED = """
import gc
from live.memory import spare_what_is_loaded
kept = [[number] for number in range(20_000)]
loop = []
loop.append(loop)
del loop
spare_what_is_loaded()
print(gc.get_freeze_count(), len(gc.get_objects()), gc.collect())
"""


def test_what_is_loaded_is_looked_through_once_and_never_again():
    printed = subprocess.check_output([sys.executable, "-c", SPARED], text=True)
    frozen, watched, garbage = (int(number) for number in printed.split())
    assert frozen > 20_000
    assert watched < 1000
    assert garbage == 0  # a loop of before is gone already
