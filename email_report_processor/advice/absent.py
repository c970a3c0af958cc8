"""Names that do not exist in the DNS, for which np counts (RFC 9989 §3.2.13)."""

from ..checking.record import is_name
from ..checking.resolver import Look, UnansweredError


class Absent:
    """Answers `name in absent`, and asks the DNS. Raises UnansweredError where it cannot tell."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def __contains__(self, name: object) -> bool:
        """Neither mail server nor address, whether the name is there for other types or not at all."""
        text = str(name)
        if not is_name(text):
            return True
        answers = [self._look(text, kind) for kind in ("MX", "ADDRESS")]
        if any(one.texts for one in answers):
            return False
        fault = next((one.fault for one in answers if one.fault), "")
        if fault:
            raise UnansweredError(f"{text}: {fault}")
        return True
