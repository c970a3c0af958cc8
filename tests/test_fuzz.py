"""A short run of the fuzzer: `make fuzz` is the long one. Nothing that a stranger sends makes `read_message` raise."""

import random

import pytest

from tests import fuzz

SECONDS = 10.0  # of CPU


def test_nothing_raises(capsys: pytest.CaptureFixture[str]) -> None:
    tally = fuzz.run(SECONDS, random.SystemRandom().randrange(2**32))
    with capsys.disabled():
        print(f"\n{fuzz.describe(tally)}")
    assert [found.what for found in tally.failures.values()] == [], fuzz.save(tally)
    assert tally.executions > 100
    assert {"dmarc-aggregate", "dmarc-failure", "arf", "smtp-tls", "problems"} <= set(tally.read)


def test_the_seeds_themselves() -> None:
    for group in fuzz.seeds():
        for data in group[:50]:
            for options in fuzz.OPTIONS:
                fuzz.check(data, options)


def test_a_failure_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the fuzzer would be silent for the wrong reason."""

    def broken(data: bytes, options: object) -> None:
        raise ZeroDivisionError(len(data))

    monkeypatch.setattr(fuzz, "read_message", broken)
    tally = fuzz.run(0.2, 1)
    (found,) = tally.failures.values()
    assert "ZeroDivisionError" in found.what
