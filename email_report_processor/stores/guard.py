"""That the templates are in OpenSearch before the first document is, looked at as rarely as can be."""

import hashlib
import os
import time
from collections.abc import Mapping
from urllib.parse import quote

from ..documents.datasets import BY_NAME
from . import bulk, templates
from .client import Client
from .store import StoreError

_SEEN_FOR = 3600.0  # seconds that the templates are taken to be there: a cluster may be made anew at the same place


class Templates:
    """That the templates are there before the first document is."""

    def __init__(self, client: Client, prefix: str, state: str) -> None:
        self._client = client
        self._prefix = prefix
        self._base = quote(templates.base_name(prefix))
        self._state = state
        self._seen: set[str] = set()

    def ensure(self, datasets: set[str]) -> None:
        """Look for them, install those that are absent or older. Raises StoreError when some stay absent.

        Never without a template: OpenSearch would guess a mapping, and the index keeps it for ever.
        """
        if datasets <= self._seen:
            return
        if not self._remembered():
            self._look(datasets)
            self._remember()
        self._seen |= datasets

    def _look(self, datasets: set[str]) -> None:
        installed = self._installed()
        if all(version >= templates.VERSION for version in installed.values()):
            return
        said = self._install(installed)
        absent = [dataset for dataset in sorted(datasets) if installed[dataset] < 0]
        if said and absent:
            raise StoreError(
                f"{self._client.name} has no index template for {', '.join(absent)}, and this user may not install it "
                f"({said}): run `email-report-admin setup` as one who may"
            )

    def _installed(self) -> dict[str, int]:
        """Dataset -> version of its index template, -1 when it is absent."""
        parameters = {"filter_path": "index_templates.name,index_templates.index_template.version"}
        answer = self._client.request("GET", f"/_index_template/{self._base}-*", None, parameters)
        value = answer.json
        if answer.status not in {200, 404} or not isinstance(value, dict):  # 404: none has such a name
            raise bulk.refusal(self._client.name, answer)
        found = {one["name"]: one["index_template"].get("version", 0) for one in value.get("index_templates", [])}
        return {name: found.get(templates.template_name(self._prefix, name), -1) for name in BY_NAME}

    def _install(self, installed: Mapping[str, int]) -> str:
        """Put what is absent or older, and nothing in the place of what is newer. What was said against it, else ''."""
        older = [dataset for dataset, version in installed.items() if version < templates.VERSION]
        newer = any(version > templates.VERSION for version in installed.values())
        for method, path, content in templates.requests(self._prefix, older):
            if newer and path.endswith("-common"):
                continue
            answer = self._client.request(method, path, content)
            if answer.status != 200:
                return str(bulk.refusal(f"PUT {path}", answer))
        return ""

    def _marker(self) -> str:
        text = f"{self._client.name} {self._prefix} {templates.VERSION}"
        return os.path.join(self._state, f"opensearch-templates-{hashlib.sha256(text.encode()).hexdigest()[:16]}")

    def _remembered(self) -> bool:
        try:
            return bool(self._state) and 0 <= time.time() - os.stat(self._marker()).st_mtime < _SEEN_FOR
        except OSError:
            return False

    def _remember(self) -> None:
        """A state directory that cannot be written costs one small request each time, no more."""
        if not self._state:
            return
        try:
            if not os.path.isdir(self._state):
                os.mkdir(self._state, 0o700)
            descriptor = os.open(self._marker(), os.O_WRONLY | os.O_CREAT, 0o600)
            os.utime(descriptor)
            os.close(descriptor)
        except OSError:
            return
