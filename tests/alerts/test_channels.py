"""Channels: what each is told, what happens when it is dead, and that no name of a stranger becomes more than text."""

import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.alerts import memory
from email_report_processor.alerts.channels import ChannelError, Telling, channels, harmless, telling
from email_report_processor.alerts.event import Event
from email_report_processor.alerts.options import AlertOptions

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
HOSTILE = "<b>@channel</b> *x* [a](https://evil.example) `|` #1 !"


def told(sentence: str = "12 messages failed.") -> Telling:
    notes = memory.renew(memory.Memory(), [Event("wanted_fails", "a", "critical", sentence, "look")], NOW).notes
    return telling("x", tuple(notes.values()), NOW)


class Server:
    """A web server that keeps what it gets, and answers as it is told to."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.ids: list[str] = []
        self.status = 200
        self.hangs = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.status == 0:
                    outer.hangs.wait(20)
                    return
                outer.bodies.append(json.loads(data))
                outer.ids.append(self.headers["X-Event-Id"])
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/SECRET"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.hangs.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def webhook(server: Server, tmp_path: Path) -> AlertOptions:
    (tmp_path / "url").write_text(f"# the chat\n{server.url}\n")
    return AlertOptions(webhook_file=str(tmp_path / "url"), timeout=2)


def test_a_webhook(server: Server, webhook: AlertOptions) -> None:
    channels(webhook)["webhook"](told())
    assert server.ids == [told().id]
    assert server.bodies[0]["events"][0]["sentence"] == "12 messages failed."


@pytest.mark.parametrize("form", ["slack", "mattermost", "teams"])
def test_chats_show_names_as_text(server: Server, webhook: AlertOptions, form: Any) -> None:
    channels(webhook._replace(webhook_form=form))["webhook"](told(HOSTILE))
    said = json.dumps(server.bodies[0], ensure_ascii=False)
    for part in ("<b>", "@channel", "](http", "https://evil"):
        assert part not in said, said
    if form == "teams":
        (card,) = server.bodies[0]["attachments"]
        assert card["content"]["type"] == "AdaptiveCard"
        assert {block["type"] for block in card["content"]["body"]} == {"TextBlock"}


@pytest.mark.parametrize(
    ("status", "reason"), [(500, "it answered 500"), (404, "it answered 404"), (0, "cannot be reached")]
)
def test_a_dead_webhook_says_so_without_its_secret(
    server: Server, webhook: AlertOptions, status: int, reason: str
) -> None:
    server.status = status
    with pytest.raises(ChannelError, match=reason) as caught:
        channels(webhook._replace(timeout=0.3))["webhook"](told())
    assert "SECRET" not in str(caught.value)


def test_nobody_listens(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:1/SECRET\n")
    with pytest.raises(ChannelError, match="cannot be reached") as caught:
        channels(AlertOptions(webhook_file=str(tmp_path / "url")))["webhook"](told())
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "# nothing\n", "file:///etc/passwd\n"])
def test_no_url(tmp_path: Path, content: str) -> None:
    (tmp_path / "url").write_text(content)
    with pytest.raises(ChannelError):
        channels(AlertOptions(webhook_file=str(tmp_path / "url")))["webhook"](told())
    with pytest.raises(ChannelError, match="cannot be read"):
        channels(AlertOptions(webhook_file=str(tmp_path / "absent")))["webhook"](told())


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "script"
    path.write_text(f"#!{sys.executable}\nimport sys, os, time\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_command_gets_json(tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = AlertOptions(command=(script(tmp_path, f"open({str(out)!r}, 'w').write(sys.stdin.read())"), "$(x)"))
    channels(options)["command"](told(HOSTILE))
    content = json.loads(out.read_text())
    assert content["id"] == told(HOSTILE).id
    assert content["events"][0]["sentence"] == HOSTILE


@pytest.mark.parametrize(
    ("text", "reason"),
    [("sys.exit('no room')", r"ended with 1 \(no room\)"), ("time.sleep(20)", "did not end within")],
)
def test_a_command_that_fails(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ChannelError, match=reason):
        channels(AlertOptions(command=(script(tmp_path, text),), timeout=0.5))["command"](told())


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(ChannelError, match="cannot be run"):
        channels(AlertOptions(command=("/nowhere/at/all",)))["command"](told())


def test_mail_by_sendmail(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sendmail = script(tmp_path, f"open({str(out)!r}, 'w').write(repr(sys.argv[1:]) + '\\n' + sys.stdin.read())")
    options = AlertOptions(
        mail_to=("a@example.org", "b@example.org"), mail_from="reports@example.org", sendmail=sendmail
    )
    channels(options)["mail"](told(HOSTILE + "\nBcc: c@example.net"))
    arguments, _, raw = out.read_text().partition("\n")
    assert arguments == "['-i', '-f', 'reports@example.org', '--', 'a@example.org', 'b@example.org']"
    message = message_from_bytes(raw.encode(), policy=default)
    assert message["Bcc"] is None
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Id"] == "E-mail report alerts <alerts.example.org>"
    assert message["Message-ID"].startswith("<alert.")
    assert message["Subject"].startswith("Critical: <b>@channel</b>")
    body = message.get_body()
    assert body is not None
    assert HOSTILE in body.get_content()


def test_mail_that_nobody_takes(tmp_path: Path) -> None:
    options = AlertOptions(mail_to=("a@example.org",), sendmail=script(tmp_path, "sys.exit(75)"))
    with pytest.raises(ChannelError, match="ended with 75"):
        channels(options)["mail"](told())
    with pytest.raises(ChannelError, match="did not take it"):
        channels(options._replace(smtp="127.0.0.1:1"))["mail"](told())


@pytest.mark.filterwarnings("ignore:.*imghdr.* is deprecated:DeprecationWarning")  # a plug-in of Apprise imports it
def test_apprise(server: Server, tmp_path: Path) -> None:
    (tmp_path / "urls").write_text(server.url.replace("http://", "json://") + "\n")
    channels(AlertOptions(apprise_file=str(tmp_path / "urls")))["apprise"](told())
    assert "12 messages failed." in server.bodies[0]["message"]
    server.status = 500
    with pytest.raises(ChannelError, match="did not take it"):
        channels(AlertOptions(apprise_file=str(tmp_path / "urls")))["apprise"](told())


def test_without_settings_there_is_no_channel() -> None:
    assert channels(AlertOptions()) == {}


def test_harmless() -> None:
    assert "https" not in harmless("https://a")
    assert "@channel" not in harmless("@channel")
