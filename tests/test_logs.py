"""Lines that processes write: one JSON object each where that is asked for, and never a secret."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import logs

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "s3cr3t-pässwörd"
URL = f"postgresql+psycopg://user:{PASSWORD}@127.0.0.1:1/paretoscope"


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PARETOSCOPE_DATABASE_URL", URL)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.delenv("PARETOSCOPE_LOG", raising=False)
    root = logging.getLogger()
    hooks, handlers, level = sys.excepthook, list(root.handlers), logs.LOG.level
    yield
    sys.excepthook, root.handlers[:] = hooks, handlers
    logs.LOG.setLevel(level)
    logging.captureWarnings(False)
    assert logging.lastResort is not None
    logging.lastResort.setFormatter(None)


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("a.b", logging.WARNING, __file__, 1, message, (), None)
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def test_a_line_is_one_object_with_who_and_when() -> None:
    line = logs.JsonLines("server-1").format(record("two\nlines, “quoted”", run="run-7"))
    assert "\n" not in line
    said = json.loads(line)
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "warning",
        "logger": "a.b",
        "server": "server-1",
        "run": "run-7",
        "message": "two\nlines, “quoted”",
    }


@pytest.mark.parametrize(
    "text",
    [
        f"cannot reach {URL}",
        f"cannot reach {URL.replace('ä', '%C3%A4').replace('ö', '%C3%B6')}",
        f"connection to 127.0.0.1 as user with {PASSWORD} refused",
        f"dsn: host=a user=b password={PASSWORD} dbname=c",
        f'{{"password": "{PASSWORD}"}}',
        "signing with wJalrXUtnFEMI failed",
        "api_key=wJalrXUtnFEMI&x=1",
    ],
)
def test_no_secret_is_in_any_line(text: str) -> None:
    failed = record(text)
    try:
        raise ValueError(text)
    except ValueError:
        failed.exc_info = sys.exc_info()
    for formatter in (logs.JsonLines(), logs.PlainLines(logging.Formatter("%(message)s"))):
        line = formatter.format(failed)
        for secret in (PASSWORD, "s3cr3t", "wJalrXUtnFEMI", "C3%A4ssw"):
            assert secret not in line, line
        assert "***" in line
        assert "ValueError" in line


def test_what_is_no_secret_stays() -> None:
    said = "run 12 of https://example.org:8501/front?run=a:b@c took 3.5 s; see user@example.org"
    assert logs.without_secrets(said) == said


def test_everything_is_json_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What programs around us log through handlers of their own as well, and what nobody caught."""
    monkeypatch.setenv("PARETOSCOPE_LOG", "json")
    stream = io.StringIO()
    theirs = logging.StreamHandler(stream)
    theirs.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    another = logging.getLogger("another.program")
    another.addHandler(theirs)
    another.propagate = False
    try:
        logs.begin(server="s")
        another.warning("hello")
        logs.LOG.info("ready")
        logs.say("started", run="r")
        logs.fail("No such run.")
        sys.excepthook(ValueError, ValueError("broken"), None)
    finally:
        another.removeHandler(theirs)
    assert json.loads(stream.getvalue())["message"] == "hello"
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert [line["message"] for line in lines] == ["ready", "started", "No such run.", "unexpected error"]
    assert lines[1]["run"] == "r"
    assert {line["server"] for line in lines} == {"s"}
    assert "ValueError: broken" in lines[3]["error"]


def test_as_text_lines_are_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin()
    logs.fail("No such run.")
    logs.say("started")
    out, err = capsys.readouterr()
    assert err == "No such run.\n"
    assert out.endswith(" started\n")


@pytest.mark.slow
def test_a_server_of_jobs_that_cannot_reach_its_database_says_so_without_the_password(tmp_path: Path) -> None:
    """The real command, with a host that no name service knows."""
    url = URL.replace("127.0.0.1:1", "database.invalid:5432")
    done = subprocess.run(
        [sys.executable, "-m", "core", "runs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={
            "PATH": "/usr/bin:/bin",
            "PARETOSCOPE_HOME": str(tmp_path),
            "PARETOSCOPE_DATABASE_URL": url,
            "PARETOSCOPE_LOG": "json",
        },
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "database" in json.loads(line)["message"]
    assert "s3cr3t" not in done.stderr + done.stdout
