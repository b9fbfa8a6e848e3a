"""Which library multiplies float32 matrices on the CPU.

PyTorch sends them to MKL, which on AMD processors does without half of the vector unit; oneDNN, which comes
with the same wheel, uses all of it (on one Zen 5 core 225 GFLOP/s against 98). PyTorch has one switch that
sends them to oneDNN, which also *permits* bfloat16 products; oneDNN takes that permission on processors with
matrix tiles (AMX) and ignores it on others. So the switch is set only where a trial product shows that
float32 stays float32. The choice depends on the kind of machine and not on timings: the same machine gives
the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def _permit_onednn() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def onednn_keeps_float32() -> bool:
    """Whether products of float32 matrices sent to oneDNN are exact to float32 on this processor."""
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(64, 64, generator=generator) + 0.5 for _ in range(2))
    exact = a.double() @ b.double()
    with _permit_onednn():
        products = (a @ b, torch.addmm(b, a, b) - b, torch.bmm(a[None], b[None])[0])
    # bfloat16 keeps 8 bits of each factor: it errs by about 1e-3 here, float32 by less than 1e-6
    return all(bool(((product - exact).abs() / exact).max() < 1e-5) for product in products)


@contextmanager
def fast_float32() -> Iterator[bool]:
    """Multiply float32 matrices by the faster library within the block; yields whether that is oneDNN."""
    if onednn_keeps_float32():
        with _permit_onednn():
            yield True
    else:
        yield False
