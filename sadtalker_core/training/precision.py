"""Half precision where it saves time."""

from __future__ import annotations

import torch


def half_precision(device: torch.device) -> torch.autocast:
    """A context in which networks compute in bfloat16; on CPUs without 512-bit vectors, which emulate that many
    times slower than they compute in single precision, as they are.
    """
    fast = device.type != "cpu" or "AVX512" in torch.backends.cpu.get_cpu_capability()
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)
