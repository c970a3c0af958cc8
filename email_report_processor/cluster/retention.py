"""How long indices are kept: policies of Index State Management (ISM), as requests. Pure: nothing is sent.

One policy for each dataset. OpenSearch counts from the day an index was made, and deletes whole indices: a document
lives at most so many days, and one of the end of a period that much less. What is checked here against the parsers of
opensearch-project/index-management (2026-08): Policy.kt, State.kt, Transition.kt, ISMTemplate.kt,
RestAddPolicyAction.kt, ChangePolicy.kt, ExplainResponse.kt.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from ..documents.datasets import Dataset
from ..stores.templates import Request, template_name

BASE = "/_plugins/_ism"
DAYS = range(36_501)  # 0 keeps for ever

_PRIORITY = 200  # two policies whose patterns overlap must differ in it
_AGE = re.compile(r"([0-9]{1,6})d\Z")
_LINE = 3000  # characters of a path; OpenSearch takes a first line of 4096
_POLICY_OF_INDEX = "index.plugins.index_state_management.policy_id"


class Installed(NamedTuple):
    """A policy as OpenSearch has it."""

    sequence: int  # an update has to name both, so that it meets what it saw
    term: int
    policy: Mapping[str, Any]


def policy_id(prefix: str, dataset: Dataset) -> str:
    """Name of a dataset's policy: that of its template."""
    return template_name(prefix, dataset.name)


def policy_path(prefix: str, dataset: Dataset) -> str:
    """Where the policy stands."""
    return f"{BASE}/policies/{quote(policy_id(prefix, dataset))}"


def policy(prefix: str, dataset: Dataset, days: int) -> dict[str, Any]:
    """The policy that deletes an index after so many days; 0: never. It is put all the same, and so is remembered."""
    states: list[dict[str, Any]] = [{"name": "keep", "actions": [], "transitions": []}]
    if days:
        states[0]["transitions"] = [{"state_name": "delete", "conditions": {"min_index_age": f"{days}d"}}]
        retry = {"count": 3, "backoff": "exponential", "delay": "10m"}
        states.append({"name": "delete", "actions": [{"retry": retry, "delete": {}}], "transitions": []})
    what = f"deleted {days} days after the index was made" if days else "kept for ever"
    return {
        "description": f"email-report-processor: {dataset.name}, {what}",
        "default_state": "keep",
        "states": states,
        "ism_template": [{"index_patterns": [f"{prefix}{dataset.name}-*"], "priority": _PRIORITY}],
    }


def put(prefix: str, dataset: Dataset, days: int, installed: Installed | None) -> Request:
    """Make the policy, or change the one that is there."""
    path = policy_path(prefix, dataset)
    if installed is not None:
        path += f"?if_seq_no={installed.sequence}&if_primary_term={installed.term}"
    return Request("PUT", path, {"policy": policy(prefix, dataset, days)})


def read_policy(answer: Any) -> Installed | None:
    """The policy in an answer of OpenSearch, None when it is none."""
    try:
        return Installed(int(answer["_seq_no"]), int(answer["_primary_term"]), answer["policy"])
    except (KeyError, TypeError, ValueError):
        return None


def days_of(prefix: str, dataset: Dataset, installed: Installed) -> int | None:
    """The days of a policy that `policy` made; None when somebody made another of it."""
    states = installed.policy.get("states")
    try:
        age = _AGE.match(states[0]["transitions"][0]["conditions"]["min_index_age"]) if states else None
    except (KeyError, IndexError, TypeError):
        age = None
    days = int(age[1]) if age else 0
    return days if _contains(states, policy(prefix, dataset, days)["states"]) else None


def says_the_same(installed: Installed, wanted: Mapping[str, Any]) -> bool:
    """Whether the policy is the wanted one. OpenSearch adds keys of its own: ids, times, defaults."""
    return _contains(installed.policy, wanted)


def _contains(there: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        # A key of OpenSearch's own beside ours is a default, a second action or condition is not.
        return isinstance(there, Mapping) and all(_contains(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(there, list) and len(there) == len(wanted)
        return same_length and all(map(_contains, there, wanted))
    return bool(there == wanted)


def policies_of(explained: Any) -> dict[str, str]:
    """Index -> the id of its policy, '' when it has none: of the answer to `explain`."""
    if not isinstance(explained, dict):
        return {}
    indices = {name: value for name, value in explained.items() if isinstance(value, dict)}
    return {name: str(value.get(_POLICY_OF_INDEX) or "") for name, value in indices.items()}


def attach(prefix: str, dataset: Dataset, indices: Iterable[str]) -> Iterator[Request]:
    """Give indices that have no policy this one: its `ism_template` reaches new indices only."""
    for names in _in_paths(sorted(indices)):
        yield Request("POST", f"{BASE}/add/{names}", {"policy_id": policy_id(prefix, dataset)})


def refresh(prefix: str, dataset: Dataset, indices: Iterable[str]) -> Iterator[Request]:
    """Give indices that have this policy its present version: each goes on with the one it got."""
    for names in _in_paths(sorted(indices)):
        yield Request("POST", f"{BASE}/change_policy/{names}", {"policy_id": policy_id(prefix, dataset)})


def _in_paths(names: Sequence[str]) -> Iterator[str]:
    line: list[str] = []
    for name in names:
        if line and sum(map(len, line)) + len(line) + len(name) > _LINE:
            yield ",".join(line)
            line = []
        line.append(name)
    if line:
        yield ",".join(line)
