"""How this process gets memory for tensors on the CPU."""

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Names and numbers of glibc's mallopt(3)."""


def keep_freed_memory() -> bool:
    """Let tensors use freed memory again, instead of giving it back to the system and asking for it anew, page by page.

    A training step allocates the same large tensors again and again; without this, page faults take up to a fifth of its time on
    a CPU (`benchmarks/gemm.py`). The process keeps the most that it ever needed. Returns whether the C library can do it: glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    most = 2**31 - 1
    settings = ((M_TRIM_THRESHOLD, most), (M_MMAP_THRESHOLD, most), (M_TOP_PAD, 64 << 20))
    return all(mallopt(name, value) == 1 for name, value in settings)
