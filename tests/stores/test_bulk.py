"""What answers of OpenSearch mean."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.stores import bulk
from email_report_processor.stores.bulk import Answer, Outcome, Trouble
from email_report_processor.stores.store import Row, StoreError

ROWS = [Row("i", str(number), b"{}") for number in range(3)]


def answer(*items: Any, status: int = 200, **headers: str) -> Answer:
    text = json.dumps({"errors": True, "items": [{"create": item} for item in items]})
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, text)


def item(status: int, type_: str = "", reason: str = "because") -> dict[str, Any]:
    return {"status": status, "error": {"type": type_, "reason": reason}}


def test_body() -> None:
    """Sources go as they are, in `create` actions, with the pipeline of their index."""
    rows = [Row("i", "1", b'{"a":1}'), Row('j"', "2", '{"é":2}'.encode()), Row("%s", "%", b"{}")]
    assert bulk.body(rows, {'j"': "p", "%s": "%d"}).decode().splitlines() == [
        '{"create":{"_index":"i","_id":"1"}}',
        '{"a":1}',
        '{"create":{"_index":"j\\"","pipeline":"p","_id":"2"}}',
        '{"é":2}',
        '{"create":{"_index":"%s","pipeline":"%d","_id":"%"}}',
        "{}",
    ]


def test_everything_is_stored() -> None:
    """The usual answer is known by its looks; one item less, or another status, is looked at."""
    usual = '{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}},{"create":{"status":201}}]}'
    assert bulk.outcome("os", ROWS, Answer(200, {}, usual)) == Outcome(stored=3)
    assert bulk.outcome("os", ROWS, Answer(200, {}, usual.replace("201", "409", 1))) == Outcome(stored=2, already=1)
    assert bulk.outcome("os", ROWS[:2], Answer(200, {}, usual)).unfinished == tuple(ROWS[:2])


def test_each_item_has_its_own_outcome() -> None:
    result = bulk.outcome("os", ROWS, answer({"status": 201}, item(409), item(429, "rejected_execution_exception")))
    assert result[:4] == (1, 1, (), (ROWS[2],))
    assert result.trouble == Trouble("answers 429 rejected_execution_exception: because")


@pytest.mark.parametrize("type_", sorted(bulk.DOCUMENTS_FAULT))
def test_only_the_documents_own_fault_is_rejected(type_: str) -> None:
    result = bulk.outcome("os", ROWS[:1], answer(item(400, type_, "failed to parse\nfield")))
    assert result.rejected[0].row is ROWS[0]
    assert result.rejected[0].reason == f"{type_}: failed to parse field"


@pytest.mark.parametrize(
    ("status", "type_", "reason", "remedy"),
    [
        (400, "illegal_argument_exception", "pipeline with id [p] does not exist", "email-report-admin setup"),
        (400, "validation_exception", "this action would add [2] total shards", "cluster.max_shards_per_node"),
        (400, "index_closed_exception", "closed", "open the index"),
        (403, "cluster_block_exception", "blocked by: [FORBIDDEN/8/index write (api)]", "lift the block"),
        (404, "index_not_found_exception", "no such index [i]", "action.auto_create_index"),
        (403, "security_exception", "no permissions for [indices:admin/create] and User [x]", "lacks indices:admin/c"),
        (413, "", "", "http.max_content_length"),
        (400, "invalid_index_name_exception", "must be lowercase", "see the log"),
    ],
)
def test_everything_else_is_ours(status: int, type_: str, reason: str, remedy: str) -> None:
    with pytest.raises(StoreError) as caught:
        bulk.outcome("https://os", ROWS, answer({"status": 201}, item(status, type_, reason), {"status": 201}))
    assert str(caught.value).startswith(f"https://os answers {status} {type_} for i: {reason}: ")
    assert remedy in str(caught.value)


def test_flood_stage_says_what_to_do() -> None:
    """The same status, but nothing that the store will get over by itself."""
    reason = "blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only block]"
    result = bulk.outcome("os", ROWS[:1], answer(item(429, "cluster_block_exception", reason)))
    assert result.trouble is not None
    assert result.trouble.reason.endswith("its disk is full: make room, it lifts the block by itself")


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '{"items":{}}', '{"items":[{"create":{}}]}', '{"items":[1,2,3]}', "[" * 100_000]
)
def test_garbled_answers_are_sent_again(text: str) -> None:
    result = bulk.outcome("os", ROWS, Answer(200, {"content-type": "application/json"}, text))
    assert result.unfinished == tuple(ROWS)
    assert result.trouble == Trouble("answered for 0 of 3 documents")


def test_short_answers_are_sent_again() -> None:
    result = bulk.outcome("os", ROWS, answer({"status": 201}, {"status": 201}))
    assert result[:4] == (0, 0, (), tuple(ROWS))


def test_a_web_page_is_no_answer() -> None:
    with pytest.raises(StoreError, match=r"os answers a web page \(<html>Log in:\): check the URL"):
        bulk.outcome("os", ROWS, Answer(200, {"content-type": "text/html; charset=utf-8"}, "<html>Log in: "))


@pytest.mark.parametrize("status", [408, 429, 500, 503, 507])
def test_whole_requests_turned_away(status: int) -> None:
    trouble = bulk.overload(Answer(status, {}, "Too many\n requests"))
    assert trouble == Trouble(f"answers {status}: Too many  requests")


@pytest.mark.parametrize("status", [200, 201, 301, 400, 401, 403, 404, 413])
def test_others_are_not(status: int) -> None:
    assert bulk.overload(Answer(status, {}, "")) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT", "date": "Sat, 21 Nov 2026 10:00:00 GMT"}, 30),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT", "date": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"}, 0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float) -> None:
    trouble = bulk.overload(Answer(503, headers, ""))
    assert trouble is not None
    assert trouble.wait == seconds


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (401, "Unauthorized", "os answers 401: Unauthorized: check the user name and the password"),
        (403, "<html>no</html>", "os answers 403: <html>no</html>: check the rights"),
        (301, "", "os answers 301: nothing more: check the URL: it redirects elsewhere"),
        (404, "not found", "os answers 404: not found: check the URL"),
        (400, '{"error":"no handler found for uri [/x]","status":400}', "400: no handler found for uri [/x]: see"),
        (400, '{"error":{"type":"t","reason":"r"}}', "os answers 400: t: r: see the log of OpenSearch"),
        (400, '{"error":{"root_cause":[]}}', "os answers 400"),
        (400, "x" * 5000, "…: see the log"),
    ],
)
def test_refusals(status: int, text: str, words: str) -> None:
    error = str(bulk.refusal("os", Answer(status, {}, text)))
    assert words in error
    assert len(error) < 500


KEYS = ["items", "create", "status", "error", "type", "reason", "errors"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 600) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.integers(100, 599), JSON | st.text().map(str), st.sampled_from(["application/json", "text/html", ""]))
def test_no_answer_makes_us_fall(status: int, value: Any, content_type: str) -> None:
    """Each is an outcome, a trouble or a StoreError; and no row is ever lost."""
    said = Answer(status, {"content-type": content_type}, value if isinstance(value, str) else json.dumps(value))
    bulk.overload(said)
    bulk.refusal("os", said)
    try:
        result = bulk.outcome("os", ROWS, said)
    except StoreError:
        return
    assert result.stored + result.already + len(result.rejected) + len(result.unfinished) == len(ROWS)
    assert bool(result.unfinished) == (result.trouble is not None)
