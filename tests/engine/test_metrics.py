"""Numbers against published ones."""

from __future__ import annotations

from math import comb

import pytest

from engine.metrics import compare_paired, wilson_interval


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [  # Newcombe 1998, table I, method 3 (score without continuity correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_wilson_interval_is_newcombes(correct: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(correct, total) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_nothing_counted_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_mcnemar_counts_the_pictures_only_one_gets_right() -> None:
    paired = compare_paired("1110000000", "1001111111")
    assert (paired.both_correct, paired.only_first, paired.only_second, paired.both_incorrect) == (1, 2, 7, 0)
    assert paired.gap == pytest.approx(0.5)
    # two-sided binomial test of 2 against 7
    assert paired.p_value == pytest.approx(2 * sum(comb(9, k) for k in range(3)) / 2**9)
    assert paired.low < 0.5 < paired.high


def test_the_papers_interval_of_paired_shares() -> None:
    # Agresti & Min 2005, section 3: 59, 6, 16, 80 -> the adjusted Wald interval (0.006, 0.119) to three places
    first = "1" * 59 + "1" * 6 + "0" * 16 + "0" * 80
    second = "1" * 59 + "0" * 6 + "1" * 16 + "0" * 80
    paired = compare_paired(first, second)
    n, b, c = 161 + 2, 6.5, 16.5
    half = 1.959964 * ((b + c) - (c - b) ** 2 / n) ** 0.5 / n
    assert paired.low == pytest.approx((c - b) / n - half, abs=1e-6)
    assert paired.high == pytest.approx((c - b) / n + half, abs=1e-6)


def test_the_same_answers_leave_nothing_to_tell() -> None:
    paired = compare_paired("1010", "1010")
    assert (paired.gap, paired.p_value) == (0.0, 1.0)
    assert paired.low < 0 < paired.high


def test_racers_must_be_asked_the_same() -> None:
    with pytest.raises(ValueError, match="same pictures"):
        compare_paired("11", "1")


def test_the_interval_covers_what_it_says() -> None:
    """Over every outcome of 30 draws at a true share of .6, weighted by its probability: about 95 %."""
    covered = sum(
        comb(30, k) * 0.6**k * 0.4 ** (30 - k)
        for k in range(31)
        if wilson_interval(k, 30)[0] <= 0.6 <= wilson_interval(k, 30)[1]
    )
    assert 0.93 <= covered <= 0.98
