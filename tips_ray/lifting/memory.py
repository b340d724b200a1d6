"""How this process gets memory for tensors on the CPU."""

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Names and numbers of glibc's mallopt(3)."""
MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let tensors use freed memory again, instead of giving it back to the system and asking for it
    anew, page by page.

    A training step allocates the same large tensors again and again; without this, page faults take
    up to a quarter of its time on a CPU (`benchmarks/gemm.py --return-memory`). The process keeps
    the most that it ever needed. glibc alone can do it, for tensors of any size in the main thread
    and of less than 64 MB in others; returns whether it does.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    # Older versions refuse a threshold above 32 MB.
    if not any(mallopt(M_MMAP_THRESHOLD, threshold) for threshold in (MOST, 32 << 20)):
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, MOST) and mallopt(M_TOP_PAD, 64 << 20))
