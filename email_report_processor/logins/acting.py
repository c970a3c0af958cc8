"""What comes of a finding: the log, a stop, a command, mails.

The channels of `email-report-admin alert` would be one more step in `Acting.tell`.
"""

import time
from collections.abc import Callable

from ..log import Log
from ..settings import SettingsError
from .ask import ask, read_key
from .notify import run_command, tell_postmaster
from .options import LoginOptions
from .rules import Finding, describe
from .state import Event, State, Stop

PROGRAM = "email-report-admin logins"  # who stops, in the audit trail


class Acting:
    """Acts on findings. clock: Unix seconds."""

    def __init__(self, options: LoginOptions, state: State, log: Log, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self._state = state
        self._log = log
        self._clock = clock

    def found(self, finding: Finding) -> None:
        """At once: an alarm stops the account, or the log says that it would have."""
        if finding.severity != "alarm":
            return
        if self.options.mode == "observe":
            self._log("warning", f"observe: {finding.account} would be stopped: {describe(finding)}")
        elif self._state.stop(Stop(finding.account, self._clock(), PROGRAM, describe(finding))):
            self._log("warning", f"{finding.account} is stopped: {describe(finding)}")

    def tell(self, event: Event) -> None:
        """Everybody who is to hear of an event; what fails is said in the log, and holds nothing up."""
        self._log("warning" if event.finding.severity == "alarm" else "info", describe(event.finding))
        for fault in (run_command(event, self.options), tell_postmaster(event, self.options), self._ask(event)):
            if fault:
                self._log("error", fault)

    def _ask(self, event: Event) -> str:
        if not self.options.ask:
            return ""
        try:
            return ask(event, self.options, read_key(self._state.path.parent))
        except SettingsError as error:  # a damaged key
            return str(error)
        except OSError as error:
            return f"{error.filename}: no token can be made ({error.strerror}): check the state directory"
