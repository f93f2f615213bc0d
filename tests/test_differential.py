"""A few of the cases that ``python -m tests.differential`` has many of."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from .differential.__main__ import MANY, is_passed, report
from .differential.comparison import REQUESTS, STREAMS, Result, Subject, compare

# The rows about requests are of websockets 17, which Python 3.10 does not get.
SUBJECTS = [STREAMS, REQUESTS] if sys.version_info >= (3, 11) else [STREAMS]

subjects = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda each: each.name)


@subjects
def test_no_unknown_divergence(subject: Subject) -> None:
    result = compare(subject, "a few", 1500)
    assert result.unknown == []
    assert all(result.alike[library] > 1000 for library in subject.pairs)


@subjects
def test_the_same_cases_again(subject: Subject) -> None:
    """A seed and a number make the same case, wherever."""
    assert [subject.case("seed", n) for n in range(50)] == [
        subject.case("seed", n) for n in range(50)
    ]
    assert subject.case("seed", 1) != subject.case("other", 1)


def _spoilt(subject: Subject, **fields: Any) -> Subject:
    """The same with our verdicts changed."""

    def spoil(pair: Any) -> Any:
        return pair._replace(ours=lambda case: pair.ours(case)._replace(**fields))

    pairs = {library: spoil(pair) for library, pair in subject.pairs.items()}
    return replace(subject, pairs=pairs)


WRONG: dict[str, list[dict[str, Any]]] = {
    "streams": [
        {"end": "open"},
        {"end": "1002 reserved bit or opcode"},
        {"pongs": [b"wrong"]},
        {"frames": [(False, b"wrong", True)]},
    ],
    "requests": [
        {"end": "101"},
        {"end": "400 malformed method"},
        {"end": "waiting"},
        {"proof": "wrong"},
        {"target": "wrong"},
    ],
}


@pytest.mark.parametrize(
    "subject",
    [_spoilt(each, **fields) for each in SUBJECTS for fields in WRONG[each.name]],
)
def test_what_is_wrong_is_found(subject: Subject) -> None:
    """By the opinion of both."""
    result = compare(subject, "a few", 200)
    assert {unknown.library for unknown in result.unknown} == set(subject.pairs)
    assert not is_passed(subject, 200, result)
    lines = report(subject, 200, result)
    first = result.unknown[0]
    assert f"case {first.number}: {first.library} differs" in "\n".join(lines)


@subjects
def test_a_row_that_is_never_needed_is_told(subject: Subject) -> None:
    """It fails where there were cases enough."""
    count = MANY[subject.name]
    result = Result()
    result.known.update(subject.known)
    assert "UNUSED" not in "\n".join(report(subject, count, result))
    assert is_passed(subject, count, result)
    del result.known[subject.known[0]]
    assert "UNUSED" in "\n".join(report(subject, count, result))
    assert not is_passed(subject, count, result)
    assert is_passed(subject, count - 1, result)
