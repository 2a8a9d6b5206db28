"""This machine: its device, the threads of each racer, the precision and the free memory."""

from __future__ import annotations

import os
import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import torch

# Set by Hugging Face's ZeroGPU, which gives a process a GPU for some seconds at a time
LENDING = "SPACES_ZERO_GPU"


@dataclass(frozen=True)
class Machine:
    """Where a race runs. `threads` is a racer's share of the cores (intra-op threads); 0 on a GPU."""

    device: str
    name: str
    threads: int
    precision: str  # "bf16" or "fp32"
    cores: int = field(default_factory=lambda: cores())  # divided among the racers

    @property
    def dtype(self) -> torch.dtype:
        """The number format of large products: that of `precision`."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision where the machine is faster with it; weights and optimizer stay in fp32."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")

    def free_memory(self) -> int:
        """Bytes of memory that are free on the race's device."""
        return torch.cuda.mem_get_info()[0] if self.device == "cuda" else free_memory()

    def shared_by(self, racers: int) -> Machine:
        """The same machine with its cores divided among `racers` racers."""
        return replace(self, threads=self.threads and max(1, self.cores // max(2, racers)))

    def claim_thread(self) -> None:
        """Set the number of torch threads for the calling thread; torch keeps it per thread, so call this first in each."""
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
    """Bytes of free memory: MemAvailable of the system, within the container's limit (cgroup v2)."""
    free = 4 << 30  # assumed where neither can be read: a small laptop
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable"):
                free = int(line.split()[1]) * 1024
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            used = int(Path("/sys/fs/cgroup/memory.current").read_text())
            stat = dict(line.split() for line in Path("/sys/fs/cgroup/memory.stat").read_text().splitlines())
            free = min(free, int(limit) - used + int(stat["inactive_file"]))  # the page cache can be dropped
    except (OSError, ValueError, KeyError):
        pass
    return max(free, 0)


def gpu_is_lent() -> bool:
    """Whether this is ZeroGPU: torch reports a GPU in every process, but only a process that was given one may use it."""
    return os.environ.get(LENDING, "").lower() in ("1", "t", "true")


@lru_cache(maxsize=2)
def this_machine(is_borrower: bool = False) -> Machine:
    """This machine: a CUDA device if this process may use one, else the CPU, with half of the cores for each racer.

    `is_borrower`: whether this process was given a GPU by ZeroGPU; ignored on other machines.
    """
    if (is_borrower or not gpu_is_lent()) and torch.cuda.is_available():
        precision = "bf16" if torch.cuda.is_bf16_supported() else "fp32"
        return Machine("cuda", torch.cuda.get_device_name(), 0, precision)
    # From the processor's features, not a timing: a timing that came out differently would change the curves of a seed
    precision = "bf16" if _has_bf16_units() else "fp32"
    return Machine("cpu", f"{_cpu_name()}, {cores()} cores", max(1, cores() // 2), precision)


def _has_bf16_units() -> bool:
    """Whether bf16 products are native (AVX-512 BF16 or AMX); emulated, they are slower than fp32."""
    if not torch.backends.mkldnn.is_available():  # torch for Macs has no oneDNN, and then no operator to ask
        return False
    try:
        has_units = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return bool(has_units and torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # torch's own names, which another version may not have
        return False


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
