"""Freed memory is used again, in a process of its own: the setting is for the whole process."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from tips_ray.lifting.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def page_faults_of_large_tensors(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
page_faults_of_large_tensors(30)
print(page_faults_of_large_tensors(5))
"""


def page_faults(setting: str) -> int:
    return int(subprocess.run([sys.executable, "-c", PROGRAM, setting], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_tensors_come_to_use_the_memory_of_those_before():
    assert page_faults("keep") < 100 < page_faults("leave")
