"""Settings: where they come from, and what is said of every wrong one: place, key, fault, remedy."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from email_report_processor import log, settings
from email_report_processor.job import choose_store, make_job
from email_report_processor.message.bounds import Bounds
from email_report_processor.process import FilterOptions, Layout
from email_report_processor.reports.report import Options
from email_report_processor.settings import (
    FLAGS,
    PREFIX,
    SECTIONS,
    Setting,
    Settings,
    SettingsError,
    StoreOptions,
    load,
    records,
    secret,
    state_dir,
)
from email_report_processor.stores.client import OpenSearchOptions

PASSWORD = "correct-horse-battery-staple"


def types(section: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in records(section):
        found |= {key: type_ for key, type_ in kind.__annotations__.items() if not hasattr(type_, "_fields")}
    return found


KEYS = [(section, key, type_) for section in SECTIONS for key, type_ in types(section).items()]
ANY_KEY = pytest.mark.parametrize(("section", "key", "type_"), KEYS, ids=[f"{one}.{key}" for one, key, _ in KEYS])


def from_file(tmp_path: Path, text: str, **more: Any) -> Settings:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load(more.get("flags", {}), str(path), more.get("environ", {}))


def filled(settings: Settings, section: str) -> dict[str, Any]:
    """Every value of a section, as its records have it."""
    values: dict[str, Any] = {}
    for kind in records(section):
        values |= settings.record(section, kind, types(section).keys() & kind.__annotations__.keys())._asdict()
    return values


# One good and several wrong values for each type of a setting, as TOML writes them.
WRONG: Mapping[Any, tuple[str, ...]] = {
    str: ("3", "true", "[]", "1.5"),
    bool: ('"maybe"', "2", "[]", "{}"),
    int: ("-1", "1.5", '"many"', "true", '"-1"', '""', '"1 EiB"', "[]"),
    float: ("-1", '"soon"', "true", "inf", "nan", "[]"),
    tuple: ("3", "[1]", "{}", "true"),
    Mapping: ('"no pairs"', "3", "{a = 1}", "[]"),
    Literal: ('"neither"', "3", "[]"),
}
GOOD: Mapping[Any, tuple[str, Any]] = {
    str: ('"text"', "text"),
    bool: ("false", False),
    int: ("7", 7),
    float: ("7", 7.0),
    tuple: ('["report", "arf"]', ("report", "arf")),
    Mapping: ('{report = "own-mx"}', {"report": "own-mx"}),
}


def kind_of(type_: Any) -> Any:
    return get_origin(type_) or type_


def good(type_: Any) -> tuple[str, Any]:
    if kind_of(type_) is Literal:
        last = get_args(type_)[-1]
        return f'"{last}"', last
    return GOOD[kind_of(type_)]


@ANY_KEY
def test_every_key_has_an_effect(tmp_path: Path, section: str, key: str, type_: Any) -> None:
    text, value = good(type_)
    settings = from_file(tmp_path, f"[{section}]\n{key} = {text}\n")
    assert filled(settings, section)[key] == value
    others = {name: default for name, default in filled(load({}, None, {}), section).items() if name != key}
    assert {name: now for name, now in filled(settings, section).items() if name != key} == others


@ANY_KEY
def test_every_key_is_a_variable(section: str, key: str, type_: Any) -> None:
    text, value = good(type_)
    texts = {tuple: "report, arf", Mapping: "report=own-mx"}
    name = f"{PREFIX}{section}_{key}".upper()
    settings = load({}, None, {name: texts.get(kind_of(type_), text.strip('"'))})
    assert filled(settings, section)[key] == value


@ANY_KEY
def test_every_wrong_value_is_named_with_its_place_and_the_remedy(
    tmp_path: Path, section: str, key: str, type_: Any
) -> None:
    path = tmp_path / "settings.toml"
    for text in WRONG[kind_of(type_)]:
        settings = from_file(tmp_path, f"[{section}]\n{key} = {text}\n")
        with pytest.raises(SettingsError) as caught:
            filled(settings, section)
        said = str(caught.value)
        assert said.startswith(f"{path}: [{section}] {key}"), said
        assert "write " in said.rpartition(": ")[2] or "write " in said, said


@ANY_KEY
def test_no_section_takes_an_unknown_key(tmp_path: Path, section: str, key: str, type_: Any) -> None:
    with pytest.raises(SettingsError, match=rf"\[{section}\] has no key '{key}s?x'.*did you mean"):
        from_file(tmp_path, f"[{section}]\n{key}x = 1\n")
    with pytest.raises(SettingsError, match="there is no such setting; did you mean"):
        load({}, None, {f"{PREFIX}{section}_{key}x".upper(): "1"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[filter]\ndeadline = 0", "write more than 0 seconds"),
        ("[opensearch]\ntimeout = 0.0", "write more than 0 seconds"),
        ('[filter]\ndatasets = ["dmarc-agregate"]', "there is no dataset 'dmarc-agregate'; write some of dmarc-"),
        ('[opensearch]\npipelines = {dmarc = "x"}', "there is no dataset 'dmarc'; write some of"),
        ('[store]\nindex_prefix = "Reports-"', "write lower-case letters"),
        ('[store]\nindex_prefix = "-a"', "write lower-case letters"),
        ('[store]\nindex_prefix = "a b"', "write lower-case letters"),
        ('[store]\nindex_prefix = "a\\n"', "write lower-case letters"),
        (f'[store]\nindex_prefix = "{"a" * 201}"', "write lower-case letters"),
        ("[bounds]\nrows = 1_000.0", "write a whole number"),
        ('[bounds]\nrows = "1 MiB"', "such as 100"),
        ('[bounds]\nrows = "²"', "such as 100"),
        ('[bounds]\nmessage_bytes = "50 Mb"', 'such as 1048576 or "1 MiB"'),
    ],
)
def test_values_that_no_type_refuses(tmp_path: Path, text: str, said: str) -> None:
    section = text[1 : text.index("]")]
    settings = from_file(tmp_path, text)
    with pytest.raises(SettingsError, match=re.escape(said)):
        filled(settings, section)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1048576", 1048576), ('"1 MiB"', 1048576), ('"1MiB"', 1048576), ('"2 kB"', 2000), ('"3"', 3), ('"1 GiB"', 2**30)],
)
def test_sizes(tmp_path: Path, text: str, size: int) -> None:
    settings = from_file(tmp_path, f"[bounds]\nmessage_bytes = {text}")
    assert settings.record("bounds", Bounds).message_bytes == size


@pytest.mark.parametrize(
    ("text", "section", "said"),
    [
        ('[site]\nown_networks = ["192.0.2.0/33"]', "site", "192.0.2.0/33"),
        ('[senders]\n"somewhere" = "Name"', "senders", "'somewhere' is no network, AS number or domain; write"),
        ('[senders]\n"192.0.2.0/24" = ""', "senders", "has no name; write"),
    ],
)
def test_site_and_senders(tmp_path: Path, text: str, section: str, said: str) -> None:
    settings = from_file(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        make_job(settings, {}, choose_store(settings, {}), lambda: "")
    assert str(caught.value).startswith(f"{tmp_path / 'settings.toml'}: [{section}] ")
    assert said in str(caught.value)


def test_senders_are_texts(tmp_path: Path) -> None:
    settings = from_file(tmp_path, '[senders]\n"192.0.2.0/24" = 3')
    with pytest.raises(SettingsError, match=r"\[senders\] 192\.0\.2\.0/24 = 3: write a text in quotes"):
        settings.mapping("senders")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "ftp://example.org",
            "the store is https://HOST:9200, sqlite:PATH, -, or one of docs/stores.md, not 'ftp://example.org'",
        ),
        ("https://", "not a URL of OpenSearch"),
        ("https://example.org:port", "not a URL of OpenSearch"),
        ("https://[::1", "not a URL of OpenSearch"),
        (f"https://me:{PASSWORD}@example.org", "credentials do not belong into the URL"),
        (f"ftp://me:{PASSWORD}@example.org", "not 'example.org'"),
        ("sqlite:", "the store is"),
    ],
)
def test_store_urls(tmp_path: Path, url: str, said: str) -> None:
    settings = from_file(tmp_path, f'[store]\nurl = "{url}"\n[state]\ndir = "{tmp_path}"')
    with pytest.raises(SettingsError) as caught:
        choose_store(settings, {}).open()
    assert str(caught.value).startswith(f"{tmp_path / 'settings.toml'}: [store] url: ")
    assert said in str(caught.value)
    assert PASSWORD not in str(caught.value)


# Where settings come from


def test_flags_go_before_variables_before_the_file_before_defaults(tmp_path: Path) -> None:
    text = '[filter]\ndeadline = 1\n[read]\nfeed = "file"\n[store]\nurl = "sqlite:file"'
    environ = {f"{PREFIX}READ_FEED": "variable", f"{PREFIX}STORE_URL": "sqlite:variable"}
    settings = from_file(tmp_path, text, environ=environ, flags={("store", "url"): "sqlite:flag"})
    assert settings.record("store", StoreOptions).url == "sqlite:flag"
    assert settings.record("read", Options, ("feed",)).feed == "variable"
    assert settings.record("filter", FilterOptions) == FilterOptions(deadline=1.0)
    assert settings.record("store", Layout) == Layout()


@pytest.mark.parametrize("flag", FLAGS)
def test_a_wrong_flag_is_named_as_it_is_written(flag: str) -> None:
    section, key = FLAGS[flag]
    settings = load({FLAGS[flag]: ["not", "a", "text"]}, None, {})
    with pytest.raises(SettingsError, match=rf"flag --{flag}: \[{section}\] {key}"):
        filled(settings, section)


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    for config, environ in ((str(missing), {}), (None, {f"{PREFIX}CONFIG": str(missing)})):
        with pytest.raises(SettingsError, match=r"none\.toml: cannot be read \(No such file .*correct its path"):
            load({}, config, environ)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[store\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b'url = "x"\n', "'url' stands in no section; write it below one of [store]"),
        (b'[[store]]\nurl = "x"\n', "stands in no section"),
        (b'[stor]\nurl = "x"\n', "there is no section [stor]; did you mean 'store'?"),
        (b"[opensearch]\npassword = " + PASSWORD.encode(), "is not TOML"),
        (b"[opensearch]\npasword = 1", "has no key 'pasword'; did you mean 'password'"),
        (b"[a]\nx = " + b"[" * 2000 + b"]" * 2000, ""),
    ],
)
def test_a_broken_file(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load({}, str(path), {})
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_directory_or_a_link_to_nowhere_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load({}, str(tmp_path), {})
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    monkeypatch.setattr("email_report_processor.settings.CONFIG_FILE", str(link))
    with pytest.raises(SettingsError, match="cannot be read"):  # it exists, so it is never a silent default
        load({}, None, {})
    monkeypatch.setattr("email_report_processor.settings.CONFIG_FILE", str(tmp_path / "absent"))
    assert load({}, None, {}).sources == ()


# Secrets


def test_a_secret_is_never_quoted(tmp_path: Path) -> None:
    settings = from_file(tmp_path, f'[opensearch]\npassword = ["{PASSWORD}"]')
    with pytest.raises(SettingsError) as caught:
        settings.record("opensearch", OpenSearchOptions)
    assert str(caught.value).endswith("[opensearch] password: write a text in quotes")


def test_the_password_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = from_file(tmp_path, f'[opensearch]\npassword_file = "{file}"')
    with pytest.raises(SettingsError, match=r"password_file = .*cannot be read: No such file"):
        secret(settings, "opensearch", "password")
    for content, said in ((b"\n" + PASSWORD.encode(), "its first line is empty"), (b"\xff", "it is not UTF-8")):
        file.write_bytes(content)
        with pytest.raises(SettingsError, match=said) as caught:
            secret(settings, "opensearch", "password")
        assert PASSWORD not in str(caught.value)
    file.write_text(f"{PASSWORD}\nmore\n")
    assert secret(settings, "opensearch", "password") == PASSWORD
    assert secret(load({}, None, {}), "opensearch", "password") == ""
    with pytest.raises(SettingsError, match=r"\[opensearch\] password_file = 3: write a text"):
        secret(from_file(tmp_path, "[opensearch]\npassword_file = 3"), "opensearch", "password")


# The state directory


def test_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_report_processor.settings.STATE_DIRECTORY", str(tmp_path))
    nothing = load({}, None, {})
    assert state_dir(nothing, {}) == tmp_path
    assert state_dir(nothing, {"XDG_STATE_HOME": "/x"}) == Path("/x/email-report-processor")
    assert state_dir(nothing, {"XDG_STATE_HOME": "/x", "STATE_DIRECTORY": "/y:/z"}) == Path("/y")
    assert state_dir(load({("state", "dir"): "/w"}, None, {}), {"STATE_DIRECTORY": "/y"}) == Path("/w")
    monkeypatch.setattr("email_report_processor.settings.STATE_DIRECTORY", str(tmp_path / "absent"))
    assert state_dir(nothing, {}).parts[-3:] == (".local", "state", "email-report-processor")
    monkeypatch.setattr(os, "geteuid", lambda: 2**31 - 7)
    with pytest.raises(SettingsError, match=r"is not in the passwd file.*set \[state\] dir"):
        state_dir(nothing, {})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(value=VALUES, place=st.sampled_from(KEYS))
@hypothesis_settings(max_examples=300, deadline=None)
def test_any_value_is_taken_or_refused(value: Any, place: tuple[str, str, Any]) -> None:
    section, key, _ = place
    settings = Settings({section: {key: Setting(value, "here")}}, ())
    try:
        taken = filled(settings, section)[key]
    except SettingsError as error:
        said = str(error)
    else:
        said = f"here: [{section}] {key}"
        assert kind_of(type(taken)) in {str, bool, int, float, tuple, dict}
    assert said.startswith(f"here: [{section}] {key}")


# Sections of the rooms around the core


class Around(NamedTuple):
    """Options of a room that is none of the core."""

    speed: float = 1.0  # pages a second


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.OUTER, "around", ("log:Around",))
    monkeypatch.setattr(log, "Around", Around, raising=False)


@pytest.mark.usefixtures("around")
def test_a_section_of_another_room_is_read_by_that_room(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[around]\nspeed = 2\n")
    assert load({}, str(path), {}).record("around", Around) == Around(2.0)
    assert load({}, str(path), {"EMAIL_REPORT_PROCESSOR_AROUND_SPEED": "3"}).record("around", Around) == Around(3.0)


@pytest.mark.usefixtures("around")
def test_a_fault_in_it_stops_no_mail(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[around]\nspede = 2\n")
    found = load({}, str(path), {})
    with pytest.raises(SettingsError, match=r"\[around\] has no key 'spede'; did you mean 'speed'"):
        found.record("around", Around)
