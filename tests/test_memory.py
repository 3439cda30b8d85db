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
