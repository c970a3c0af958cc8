"""Option records as documentation has them: keys, types, defaults, and the comment beside each field.

Read by tools/generate_docs.py (docs/settings.md) and tools/manual.py (email-report-processor.toml.5).
"""

import io
import tokenize
from typing import Any, get_args

from email_report_processor import settings


def types(kind: Any) -> dict[str, Any]:
    """The keys of a record, and their annotations."""
    return settings._types(kind)  # the same keys as the program has


def first_sentence(kind: Any) -> str:
    """What the record is about."""
    return " ".join(str(kind.__doc__).split("\n\n", maxsplit=1)[0].split())


def type_name(type_: Any) -> str:
    """What a person has to write."""
    if str(type_).startswith("typing.Literal"):
        return " or ".join(f"`{choice}`" for choice in get_args(type_))
    return {"tuple[str, ...]": "list of texts"}.get(str(type_)) or (
        "table of texts"
        if "Mapping" in str(type_)
        else {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}[type_.__name__]
    )


def comments(kind: Any) -> dict[str, str]:
    """The comment behind each field of an option record."""
    import inspect

    found: dict[str, str] = {}
    lines = inspect.getsource(kind).splitlines()
    name = ""
    for token in tokenize.generate_tokens(io.StringIO("\n".join(line.removeprefix("    ") for line in lines)).readline):
        text = lines[token.start[0] - 1].strip() if token.start[0] <= len(lines) else ""
        name = text.split(":", 1)[0] if ":" in text else name
        if token.type == tokenize.COMMENT and name in kind._fields:
            found[name] = " ".join(filter(None, [found.get(name, ""), token.string.lstrip("# ")]))
    return {key: text.replace("|", "\\|") for key, text in found.items()}


SETTINGS_HEAD = """\
Defaults < TOML file < environment < flags. The file is `--config FILE`, else `$EMAIL_REPORT_PROCESSOR_CONFIG`, else
`/etc/email-report-processor.toml`; one that exists and cannot be read or parsed is an error, never a silent default.
Every key has an environment variable too (lists joined by commas). Nothing needs to be set: without settings everything
goes into an embedded store in the state directory.

A secret never stands on the command line: put it into `password_file`, or into the environment, or into the file with
mode 0600. Sizes (`…_bytes`) are numbers or texts such as `"16 MiB"`.

```toml
[store]
url = "https://opensearch.example.org:9200"

[opensearch]
username = "email-report-writer"
password_file = "/etc/email-report-processor.password"

[read]
authserv_ids = ["mx.example.org"]

[site]
own_networks = ["192.0.2.0/24", "2001:db8::/32"]

[senders]
"198.51.100.0/24" = "Newsletter service"
"AS64496" = "Our provider"
"sendgrid.net" = "SendGrid"
```

The state directory is `--state`, else `[state] dir`, else `$STATE_DIRECTORY` (systemd), else
`$XDG_STATE_HOME/email-report-processor`, else `/var/lib/email-report-processor` where that can be written, else
`.local/state/email-report-processor` in the home of the passwd file.
"""

SENDERS = """\
## [senders]

Keys are yours: a network (`"198.51.100.0/24"`), an AS number (`"AS64496"`) or a domain; the value is the name that
`source.name` gets.
"""

CONTACTS = """\
## [contacts]

Whom the desk writes to about a network: keys are an AS number (`"AS64500"`), a network (`"192.0.2.0/24"`), or the
address or domain of a contact that a registry names (`"network.example"`); the value is an address, the URL of a web
form, or `"never"`.
"""

FEEDS = """\
## [feeds]

Which feed a message has that comes by LMTP: keys are recipients, as a whole address (`"rua@example.org"`), a local part
(`"rua"`), what is behind a `+` in it (`"+rua"`), or before it; the value becomes `report.feed` in the place of
`[read] feed`.
"""

USERS = """\
## [[users]]

One table for each person who may use `email-report-admin desk` (docs/abuse-desk.md): `name` (`"*"` is everybody else
whom a proxy lets in), `role` (reader, analyst or sender), `domains` (a list; empty is all), and `password`, the hash
that `email-report-admin desk --hash` prints.
"""
