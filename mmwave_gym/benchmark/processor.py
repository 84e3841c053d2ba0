"""The kind of processor that rows were made on: on one of the same kind they repeat to the last digit."""

from __future__ import annotations

import platform
from functools import lru_cache

import numpy as np
import threadpoolctl


@lru_cache(maxsize=1)
def processor() -> str:
    """What last bits depend on: architecture, instruction sets that NumPy uses, BLAS kernels, C library, NumPy."""
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    widest = ([*simd.get("baseline", ()), *simd.get("found", ())] or ["no SIMD"])[-1]
    own = [i for i in threadpoolctl.threadpool_info() if i["user_api"] == "blas" and "numpy" in i["filepath"]]
    blas = sorted({str(i.get("architecture", "")) for i in own})
    library = "-".join(part for part in platform.libc_ver() if part) or platform.system()
    return ", ".join((platform.machine(), widest, *blas, library, f"numpy {np.__version__}"))
