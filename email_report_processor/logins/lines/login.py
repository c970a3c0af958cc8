"""What a line says of one login: who, from where, how, with what result."""

from typing import Literal, NamedTuple

Outcome = Literal["success", "failure", "quota"]


class Login(NamedTuple):
    """One login, or one refusal, as a server logged it.

    line: the bytes it was read from, without what ends them: its hash is the document's id.
    """

    line: bytes
    time: float  # Unix seconds
    host: str  # that wrote the line; '' where the log does not say
    server: str  # postfix, dovecot or exim
    service: str  # smtp, submission, smtps, imap, pop3, managesieve; for a proxy the service in front
    outcome: Outcome  # quota: a message was refused because its sender is over a quota
    account: str  # as the server writes it, in lower case; '' when the client did not get to name one
    address: str  # of the client, canonical; '' when the line has none
    port: int = 0
    name: str = ""  # of the client's address; Postfix and Exim log it only when it leads back to the address
    method: str = ""  # SASL mechanism, or the name of Exim's authenticator
    session: str = ""  # queue id or session id
    sender: str = ""  # sasl_sender, or the envelope sender of a refused message
    reason: str = ""  # why it failed, in the server's words
    attempts: int = 1  # Dovecot writes one line for several failures of one connection
    relay: str = ""  # the host of ours that forwarded the client (XFORWARD), or that the proxy went on to
