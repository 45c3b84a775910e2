from __future__ import annotations

import contextvars
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Response
from hypothesis import given
from hypothesis import strategies as st

from st2common import config as configuration
from st2common import log
from st2common.errors import ConfigError
from st2common.http.app import create_app
from st2common.logging.context import EXECUTION_ID, REQUEST_ID
from st2common.logging.formatters import ConsoleLogFormatter, GelfLogFormatter, JsonLogFormatter, escape


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    # Other tests call what serves a request or runs an action in this thread, and leave its name behind.
    working_on = [(variable, variable.set(None)) for variable in (EXECUTION_ID, REQUEST_ID)]
    yield
    for variable, token in working_on:
        variable.reset(token)
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def record(message: str, *args: object, exc_info: object = None) -> logging.LogRecord:
    return logging.LogRecord("st2.test", logging.INFO, "file.py", 1, message, args, exc_info)  # type: ignore[arg-type]


def configured(tmp_path: Path, text: str = "") -> None:
    conf = tmp_path / "st2.conf"
    conf.write_text(f"[api]\nlogging = {tmp_path / 'logging.conf'}\n{text}")
    log.configure("api", configuration.load(["--config-file", str(conf)], "st2test"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\x1b[31mred", r"a\r\x1b[31mred"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u2028", r"\u2028"),
        ("tab\tand ümläut stay", "tab\tand ümläut stay"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_a_message_cannot_pretend_to_be_another_record() -> None:
    line = ConsoleLogFormatter(log.FORMAT).format(
        record("user %s", "x\n2026-01-01 00:00:00,000 MainThread INFO auth [-] ok")
    )
    assert "\n" not in line
    assert line.endswith(r"user x\n2026-01-01 00:00:00,000 MainThread INFO auth [-] ok")


def test_a_traceback_keeps_its_lines_and_indents_them() -> None:
    try:
        raise ValueError("evil\n2026-01-01 INFO \x1b[2J")
    except ValueError:
        shown = ConsoleLogFormatter("%(message)s").format(record("failed", exc_info=sys.exc_info()))
    first, *rest = shown.split("\n")
    assert first == "failed"
    assert len(rest) > 2
    assert all(line.startswith("  ") and "\x1b" not in line for line in rest)


def test_gelf_records_are_json_objects() -> None:
    made = json.loads(GelfLogFormatter().format(record("a %s", "b\nc")))
    assert (made["version"], made["short_message"], made["level"]) == ("1.1", "a b\nc", 6)


@given(st.text())
def test_a_json_record_is_one_line_without_control_characters(message: str) -> None:
    line = JsonLogFormatter().format(record("%s", message))
    assert escape(line) == line
    assert "\t" not in line
    assert json.loads(line)["message"] == message


def test_a_json_record_tells_when_where_and_what() -> None:
    logged = record("hello")
    logged.created = 0.25
    made = json.loads(JsonLogFormatter().format(logged))
    assert (
        made.items()
        >= {
            "timestamp": "1970-01-01T00:00:00.250000+00:00",
            "level": "INFO",
            "logger": "st2.test",
            "message": "hello",
            "module": "file",
            "line": 1,
        }.items()
    )
    assert made.keys().isdisjoint({"request_id", "execution_id", "exception", "stack"})


def test_a_json_record_has_its_traceback_as_a_field() -> None:
    try:
        raise ValueError("evil\n\x1b[2J")
    except ValueError:
        made = json.loads(JsonLogFormatter().format(record("failed", exc_info=sys.exc_info())))
    assert made["message"] == "failed"
    assert made["exception"].startswith("Traceback")
    assert made["exception"].endswith("ValueError: evil\n\x1b[2J")


def test_a_json_record_names_what_its_thread_works_on() -> None:
    def in_the_run() -> str:
        EXECUTION_ID.set("5ab")
        return JsonLogFormatter().format(record("going on"))

    made = json.loads(contextvars.copy_context().run(in_the_run))
    assert (made["execution_id"], "request_id" in made) == ("5ab", False)


def test_a_request_is_named_in_what_is_logged_while_it_is_answered_and_streamed() -> None:
    app = create_app("test", prefixes=["/v1"], origins=["*"])

    @app.get("/lines")
    def lines() -> Response:
        now = REQUEST_ID.get()
        return Response(f"{name} {REQUEST_ID.get()}\n" for name in [now])

    def ask(request_id: str) -> str:
        return app.test_client().get("/v1/lines", headers={"X-Request-ID": request_id}).text

    def both() -> list[str]:
        return [ask("one"), ask("two")]

    assert contextvars.copy_context().run(both) == ["one one\n", "two two\n"]


def test_json_on_stderr_is_one_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(tmp_path, "[log]\nformat = json\nexcludes = noisy\n")
    logging.getLogger("noisy").info("not this")
    logging.getLogger("st2.some").info("hello\nworld")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "hello\nworld"


def test_another_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="format"):
        configured(tmp_path, "[log]\nformat = xml\n")


def test_stderr_is_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(tmp_path)
    logging.getLogger("st2.some").info("hello\nworld")
    assert capsys.readouterr().err.endswith("INFO test_log [-] hello\\nworld\n")


def test_excluded_loggers_are_silent_with_those_below_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(tmp_path, "[log]\nexcludes = noisy\n")
    logging.getLogger("noisy.child").warning("not this")
    logging.getLogger("noisyneighbour").warning("but this")
    shown = capsys.readouterr().err
    assert "not this" not in shown
    assert "but this" in shown


def test_a_logging_file_is_used_when_it_exists(tmp_path: Path) -> None:
    (tmp_path / "logging.conf").write_text(
        f"""
[loggers]
keys = root
[handlers]
keys = file, audit
[formatters]
keys = verbose, gelf
[logger_root]
level = INFO
handlers = file, audit
[handler_file]
class = st2common.log.FormatNamedFileHandler
level = INFO
formatter = verbose
args = ("{tmp_path}/st2.{{pid}}.log",)
[handler_audit]
class = st2common.log.FormatNamedFileHandler
level = AUDIT
formatter = gelf
args = ("{tmp_path}/audit.log",)
[formatter_verbose]
format = %(levelname)s <%(message)s>
[formatter_gelf]
class = st2common.logging.formatters.GelfLogFormatter
format = %(message)s
"""
    )
    configured(tmp_path)
    logging.getLogger("st2.some").info("hello\nworld")
    (written,) = tmp_path.glob("st2.[0-9]*.log")
    assert written.read_text() == "INFO <hello\\nworld>\n"
    assert (tmp_path / "audit.log").read_text() == ""
    logging.getLogger("st2.audit").log(log.AUDIT, "who did it")
    assert json.loads((tmp_path / "audit.log").read_text())["short_message"] == "who did it"


def test_a_wrong_logging_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "logging.conf").write_text("[loggers]\nkeys = nobody\n")
    with pytest.raises(ConfigError, match=r"logging\.conf: not a valid logging file"):
        configured(tmp_path)
