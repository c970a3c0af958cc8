"""That an index gets our template before its first document comes, looked at as rarely as can be."""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ..documents.datasets import BY_NAME
from . import bulk, effective, owner, templates
from .client import Client, OpenSearchOptions
from .effective import Fault, Template
from .store import StoreError

_SEEN_FOR = 3600.0  # seconds that an index is taken to be as it should: a cluster may be made anew at the same place


class Templates:
    """That the templates are there before the first document is, and that none of others stands before them.

    prefix: of the index names. state: directory that remembers it, '' for none.
    """

    def __init__(self, client: Client, prefix: str, state: str, options: OpenSearchOptions) -> None:
        self._client = client
        self._prefix = prefix
        self._state = state
        self._options = options
        self._seen: set[str] = set()

    def ensure(self, datasets: Mapping[str, str]) -> None:
        """Look at each index once: index -> dataset. Raises StoreError when one would not get our template.

        Templates that are absent or older are installed. Never without one: OpenSearch would guess a mapping, and the
        index keeps it for ever.
        """
        new = datasets.keys() - self._seen
        new -= self._remembered() if new else set()
        if new:
            self._look({index: datasets[index] for index in sorted(new)})
            self._remember(sorted(new))
        self._seen |= datasets.keys()

    def _look(self, datasets: Mapping[str, str]) -> None:
        found = self._list()
        installed = self._versions(found)
        if any(version < templates.VERSION for version in installed.values()):
            said = self._install(installed)
            absent = sorted(dataset for dataset in set(datasets.values()) if installed[dataset] < 0)
            if said and absent:
                raise StoreError(
                    f"{self._client.name} has no index template for {', '.join(absent)}, and this user may not install "
                    f"it ({said}): run `email-report-admin setup` as one who may"
                )
            found = self._list()
        for index, dataset in datasets.items():
            if fault := self._fault(found, index, dataset):
                raise StoreError(f"{self._client.name}: {fault.text}: {fault.remedy}")

    def faults(self, datasets: Mapping[str, str]) -> dict[str, Fault]:
        """Those of the indices (index -> dataset) that would not be as they should, and why."""
        found = self._list()
        looked = {index: self._fault(found, index, dataset) for index, dataset in datasets.items()}
        return {index: fault for index, fault in looked.items() if fault is not None}

    def _list(self) -> list[Template]:
        answer = self._client.request("GET", "/_index_template", None, {"filter_path": effective.LIST_FILTER})
        if answer.status not in {200, 404} or not isinstance(answer.json, dict):  # 404: some say so of an empty list
            raise bulk.refusal(self._client.name, answer)
        return effective.listed(answer.json)

    def _versions(self, found: Iterable[Template]) -> dict[str, int]:
        """Dataset -> version of its index template, -1 when it is absent."""
        there = {one.name: one.version for one in found}
        return {name: there.get(templates.template_name(self._prefix, name), -1) for name in BY_NAME}

    def _fault(self, found: Iterable[Template], index: str, dataset: str) -> Fault | None:
        """Why an index would not be as it should; None if it would. found: all templates.

        An index that is there and well keeps what it has, whatever template came since.
        """
        pipeline = self._options.pipelines.get(dataset, "")
        winner = effective.winner(found, index)
        fault = effective.fault(index, dataset, self._simulated(index), winner, self._prefix, pipeline)
        there = self._client.request("GET", f"/{quote(index)}") if fault else None  # the role of the writer may not
        value = there.json if there and there.status == 200 else None
        if isinstance(value, dict) and index in value:
            return fault if effective.fault(index, dataset, value[index], None, self._prefix, pipeline) else None
        return fault

    def _simulated(self, index: str) -> Any:
        """What OpenSearch would make of an index; None where it does not tell: to a role of before, or at AWS."""
        answer = self._client.request("POST", f"/_index_template/_simulate_index/{quote(index)}")
        value = answer.json if answer.status == 200 else None
        return value.get("template") if isinstance(value, dict) else None

    def _install(self, installed: Mapping[str, int]) -> str:
        """Put what is absent or older, and nothing in the place of what is newer. What was said against it, else ''."""
        older = [dataset for dataset, version in installed.items() if version < templates.VERSION]
        newer = any(version > templates.VERSION for version in installed.values())
        for method, path, content in templates.requests(self._prefix, older, replicas=self._options.replicas):
            if newer and path.endswith("-common"):
                continue
            answer = self._client.request(method, path, content)
            if answer.status != 200:
                return str(bulk.refusal(f"PUT {path}", answer))
        return ""

    def _marker(self) -> str:
        text = f"{self._client.name} {self._prefix} {templates.VERSION}"
        return os.path.join(self._state, f"opensearch-templates-{hashlib.sha256(text.encode()).hexdigest()[:16]}")

    def _remembered(self) -> set[str]:
        """The indices that were looked at not long ago."""
        if not self._since():
            return set()
        try:
            with open(self._marker(), encoding="utf-8", errors="replace") as file:
                return set(file.read().split())
        except OSError:
            return set()

    def _since(self) -> float:
        """When the first of them was looked at, 0.0 where that is too long ago."""
        try:
            since = os.stat(self._marker()).st_mtime if self._state else 0.0
        except OSError:
            return 0.0
        return since if 0 <= time.time() - since < _SEEN_FOR else 0.0

    def _remember(self, indices: Iterable[str]) -> None:
        """A state directory that cannot be written costs some small requests each time, no more."""
        if not self._state:
            return
        since = self._since()
        try:
            if not os.path.isdir(self._state):
                owner.make_directory(self._state)
            how = os.O_APPEND if since else os.O_TRUNC
            descriptor = os.open(self._marker(), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | how, 0o600)
            owner.give(descriptor, self._marker())
            os.write(descriptor, "".join(f"{index}\n" for index in indices).encode())
            if since:
                os.utime(descriptor, (since, since))
            os.close(descriptor)
        except OSError:
            return
