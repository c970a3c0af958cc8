"""`logins check`: what a monitoring system is told, by the conventions of its plug-ins: one line, figures, a status."""

from typing import NamedTuple

from .state import State

OK, WARNING, CRITICAL, UNKNOWN = range(4)
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_NAMED = 5  # alarms that are named in the line


class Verdict(NamedTuple):
    """Exit status and line."""

    status: int
    line: str


def check(state: State, now: float, hours: float, stale: float) -> Verdict:
    """Alarms of so many hours are critical, unless the user said "that was me"; a log not read is a warning.

    stale: seconds after which `follow` is taken for dead.
    """
    events = state.events(now - hours * 3600)
    alarms = [one.finding for one in events if one.finding.severity == "alarm" and one.answer != "yes"]
    read = state.read_at()
    age = now - read
    figures = {
        "alarms": f"{len(alarms)};;1",
        "notices": len(events) - len(alarms),
        "stopped": len(state.stops()),
        "age": f"{max(0.0, age):.0f}s;{stale:.0f}" if read else "U",
    }
    if alarms:
        named = "; ".join(f"{one.rule} {one.account}" for one in alarms[:_NAMED])
        return _verdict(CRITICAL, f"{len(alarms)} alarms in {hours:g} h: {named}", figures)
    if not read:
        return _verdict(UNKNOWN, "logins follow has never read a log", figures)
    if age > stale:
        return _verdict(WARNING, f"no log was read for {age:.0f} s: is logins follow running?", figures)
    return _verdict(OK, f"no alarm in {hours:g} h", figures)


def _verdict(status: int, text: str, figures: dict[str, object]) -> Verdict:
    """A client chooses the name of an account: no `|` of its may begin the figures."""
    shown = " ".join(f"{name}={value}" for name, value in figures.items())
    return Verdict(status, f"LOGINS {_WORDS[status]} - {text.replace('|', '/')} | {shown}")
