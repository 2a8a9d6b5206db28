"""What the machine is asked, and answers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
import torch

from engine.device import LENDING, Machine, cores, gpu_is_lent, this_machine


def test_the_cores_are_those_this_process_may_use() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_racers_share_the_cores() -> None:
    machine = this_machine()
    if machine.device == "cpu":
        assert machine.threads == max(1, cores() // 2)
    assert machine.precision in ("bf16", "fp32")
    assert machine.name


def test_a_thread_claims_its_share_for_itself() -> None:
    seen = []

    def work() -> None:
        Machine("cpu", "x", 3, "fp32").claim_thread()
        seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [3]
    assert torch.get_num_threads() == before


def test_precision_is_what_the_machine_says() -> None:
    x = torch.randn(4, 4)
    with Machine("cpu", "x", 1, "bf16").autocast():
        assert (x @ x).dtype == torch.bfloat16
    with Machine("cpu", "x", 1, "fp32").autocast():
        assert (x @ x).dtype == torch.float32


@pytest.fixture
def claimed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in which torch claims a GPU, as ZeroGPU makes it do everywhere."""
    monkeypatch.setenv(LENDING, "true")
    for name, answer in (("is_available", True), ("is_bf16_supported", True), ("get_device_name", "A lent GPU")):
        monkeypatch.setattr(torch.cuda, name, lambda answer=answer: answer)
    this_machine.cache_clear()
    yield
    this_machine.cache_clear()


def test_a_gpu_that_is_lent_to_others_is_not_asked(claimed: None) -> None:
    assert gpu_is_lent()
    assert this_machine().device == "cpu"


def test_a_process_that_was_lent_a_gpu_uses_it(claimed: None) -> None:
    machine = this_machine(is_borrower=True)
    assert (machine.device, machine.name, machine.threads) == ("cuda", "A lent GPU", 0)
    assert this_machine().device == "cpu"


@pytest.fixture
def asked_again() -> Iterator[None]:
    """The machine is asked anew, and again after the test."""
    this_machine.cache_clear()
    yield
    this_machine.cache_clear()


def test_a_torch_without_onednn_is_not_asked_for_its_formats(asked_again: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", None)  # as on a Mac: the operators are not there
    assert this_machine().precision == "fp32"


def test_a_torch_without_these_names_trains_in_fp32(asked_again: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert this_machine().precision == "fp32"
