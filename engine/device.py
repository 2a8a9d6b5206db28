"""What this machine can do: which device, how many threads a racer, which precision. Knows nothing of networks."""

from __future__ import annotations

import os
import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

# Set by Hugging Face's ZeroGPU, where a GPU is there only in a process that was lent one, for seconds
LENDING = "SPACES_ZERO_GPU"
_borrowed = False


@dataclass(frozen=True)
class Machine:
    """Where a race runs. `threads` is a racer's share of the cores (intra-op threads); 0 on a GPU."""

    device: str
    name: str
    threads: int
    precision: str  # "bf16" or "fp32"

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision where the machine is faster with it; weights and optimizer stay in fp32."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")

    def free_memory(self) -> int:
        """Bytes that can still be had where the race runs."""
        return torch.cuda.mem_get_info()[0] if self.device == "cuda" else free_memory()

    def shared_by(self, racers: int) -> Machine:
        """The same machine with its cores divided among so many racers."""
        return replace(self, threads=self.threads and max(1, cores() // max(2, racers)))

    def claim_thread(self) -> None:
        """Set the calling thread's share of the cores: torch keeps the number per thread, so call it first thing."""
        if self.threads:
            torch.set_num_threads(self.threads)


def cores() -> int:
    """Cores this process may use: its affinity, and on Linux the container's quota (cgroup v2 `cpu.max`)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return count if quota == "max" else max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):
        return count


def free_memory() -> int:
    """Bytes of memory that can still be had: what the system calls available, and the container's limit (cgroup v2)."""
    free = 4 << 30  # where nothing can be read: a small laptop
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable"):
                free = int(line.split()[1]) * 1024
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            used = int(Path("/sys/fs/cgroup/memory.current").read_text())
            stat = dict(line.split() for line in Path("/sys/fs/cgroup/memory.stat").read_text().splitlines())
            free = min(free, int(limit) - used + int(stat["inactive_file"]))  # what was read from disk can be dropped
    except (OSError, ValueError, KeyError):
        pass
    return max(free, 0)


def is_lent() -> bool:
    """Whether GPUs are lent here (ZeroGPU): torch claims one in every process, and only one that borrowed it may use it."""
    return os.environ.get(LENDING, "").lower() in ("1", "t", "true")


def borrow() -> None:
    """From now on this process uses the GPU that it was lent; what was known of the machine before is forgotten."""
    global _borrowed
    _borrowed = True
    this_machine.cache_clear()


def forgo() -> None:
    """From now on this process uses no GPU, also where torch claims one: its optimizers would ask it."""
    torch.cuda.is_available = lambda: False
    this_machine.cache_clear()


@lru_cache(maxsize=1)
def this_machine() -> Machine:
    """This machine: a CUDA device where there is one to use, else the CPU, with half of the cores for each racer."""
    if (_borrowed or not is_lent()) and torch.cuda.is_available():
        precision = "bf16" if torch.cuda.is_bf16_supported() else "fp32"
        return Machine("cuda", torch.cuda.get_device_name(), 0, precision)
    # Asked of the processor rather than timed: a probe that tips the other way would change the curves of a seed
    precision = "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() and _has_bf16_units() else "fp32"
    return Machine("cpu", f"{_cpu_name()}, {cores()} cores", max(1, cores() // 2), precision)


def _has_bf16_units() -> bool:
    """Whether bf16 products are native (AVX-512 BF16 or AMX); emulated, they are slower than fp32."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
