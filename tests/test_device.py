"""What the machine is asked, and answers."""

from __future__ import annotations

import os
import threading

import torch

from engine.device import Machine, cores, this_machine


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
