"""What the environment decides, and that what it cannot mean is one sentence."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import settings as module
from core.errors import InvalidInput
from core.settings import settings

NAMES = (
    "PARETOSCOPE_HOME",
    "PARETOSCOPE_DATABASE_URL",
    "PARETOSCOPE_DATA",
    "PARETOSCOPE_THREADS",
    "PARETOSCOPE_WORKER_MEMORY",
    "PARETOSCOPE_ALLOWED_HOSTS",
    "PARETOSCOPE_FRAME_ANCESTORS",
    "PARETOSCOPE_RAY_ADDRESS",
    "PARETOSCOPE_FILES_URL",
    "PARETOSCOPE_DEVICE",
    "PARETOSCOPE_PRECISION",
    "PARETOSCOPE_PEOPLE",
    "PARETOSCOPE_USER_HEADER",
    "PARETOSCOPE_TRUSTED_PROXIES",
    "PARETOSCOPE_LOGIN_HOURS",
    "PARETOSCOPE_LOG",
    "PARETOSCOPE_METRICS",
)
# What an environment variable can hold.
VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_without_any_setting_everything_is_the_persons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings()
    assert found.home.is_absolute()
    assert found.home.name == "paretoscope"
    assert found.database_url == f"sqlite:///{found.home / 'paretoscope.db'}"
    assert (found.data_folder, found.threads, found.allowed_hosts, found.frame_ancestors) == (None, 1, (), "")
    assert 0 < found.worker_memory < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_the_environment_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARETOSCOPE_HOME", "a")
    assert settings().home == tmp_path / "a"
    monkeypatch.setenv("PARETOSCOPE_HOME", "~/b")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings().home == tmp_path / "b"
    monkeypatch.setenv("PARETOSCOPE_DATA", "~/data")
    assert settings().data_folder == tmp_path / "data"
    monkeypatch.setenv("PARETOSCOPE_DATABASE_URL", "sqlite:///elsewhere.db")
    assert settings().database_url == "sqlite:///elsewhere.db"
    monkeypatch.setenv("PARETOSCOPE_HOME", "")
    assert settings().home.name == "paretoscope", "empty is not set"


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "two", "²", "1 ", "9" * 5000])
def test_threads_are_a_positive_whole_number(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_THREADS", "3")
    assert settings().threads == 3
    monkeypatch.setenv("PARETOSCOPE_THREADS", text)
    with pytest.raises(InvalidInput, match="PARETOSCOPE_THREADS"):
        settings()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("6G", 6 << 30),
        ("800M", 800 << 20),
        ("1.5 gb", 3 << 29),
        ("64K", 65536),
        (" 2T ", 2 << 40),
        ("9" * 400 + "T", 1 << 62),
        ("99999999T", 1 << 62),
    ],
)
def test_sizes_as_people_write_them(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKER_MEMORY", text)
    assert settings().worker_memory == size


def test_a_share_is_of_what_this_machine_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "machine_memory", lambda: 1000)
    for text, size in (("100%", 1000), ("50 %", 500), ("12.5%", 125)):
        monkeypatch.setenv("PARETOSCOPE_WORKER_MEMORY", text)
        assert settings().worker_memory == size
    monkeypatch.delenv("PARETOSCOPE_WORKER_MEMORY")
    assert settings().worker_memory == 750


@pytest.mark.parametrize("text", ["", "6", "G", "0G", "0%", "101%", "-1G", "1e3G", "1.G", "6GiB", "1G 1G"])
def test_what_is_no_size_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKER_MEMORY", text)
    with pytest.raises(InvalidInput, match="PARETOSCOPE_WORKER_MEMORY"):
        settings()


def test_a_container_has_less_than_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"/sys/fs/cgroup/memory.max": "5000\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "max"}
    monkeypatch.setattr(Path, "read_text", lambda path: limits[str(path)])
    module.machine_memory.cache_clear()
    try:
        assert module.machine_memory() == 5000
    finally:
        module.machine_memory.cache_clear()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("A.example, b.example c.example", ("a.example", "b.example", "c.example")),
        ("a.example:8501", ("a.example",)),
        ("a.example.", ("a.example",)),
        ("a.example.:80,*", ("a.example", "*")),
        ("[::1]:8501 [fe80::1] fe80::2", ("::1", "fe80::1", "fe80::2")),
        (" , ,, ", ()),
    ],
)
def test_hosts_are_names_without_ports(
    text: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_ALLOWED_HOSTS", text)
    assert settings().allowed_hosts == names


@given(
    text=VALUE
    | st.lists(st.sampled_from(["https://a.b", "*.b:80", "'self'", "'none'", "a;b", "*"])).map(" ".join)
)
def test_who_may_frame_cannot_bring_a_rule_of_its_own(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSCOPE_FRAME_ANCESTORS", text)
        with suppress(InvalidInput):
            origins = settings().frame_ancestors
            assert not set(origins) & set(';,"\n\r<>()')
            assert origins.split() == text.split()
            assert set(origins.split()) & {"*", "'none'"} == set()


@given(name=st.sampled_from(NAMES[3:]), text=VALUE)
def test_no_text_in_the_environment_is_more_than_a_sentence(name: str, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, text)
        with suppress(InvalidInput):
            settings()


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("PARETOSCOPE_DEVICE", ("auto", "cpu", "cuda", "mps")),
        ("PARETOSCOPE_PRECISION", ("float32", "tf32", "bf16")),
    ],
)
def test_one_of_several_words(name: str, known: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> str:
        return str(getattr(settings(), name.removeprefix("PARETOSCOPE_").lower()))

    assert found() == known[0]
    for word in known:
        monkeypatch.setenv(name, f" {word.upper()} ")
        assert found() == word
    monkeypatch.setenv(name, "tpu")
    with pytest.raises(InvalidInput, match=f"{name} must be one of {', '.join(known)}, not 'tpu'."):
        settings()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", ""),
        ("  ", ""),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("gs://b/c", "gs://b/c"),
        ("az://container/c", "az://container/c"),
        ("file:///mnt/files", "file:///mnt/files"),
    ],
)
def test_where_files_are(text: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().files_url == ""
    monkeypatch.setenv("PARETOSCOPE_FILES_URL", text)
    assert settings().files_url == url


@pytest.mark.parametrize(
    "text",
    [
        "s3:",
        "s3://",
        "bucket/folder",
        "ftp://a/b",
        "https://a/b",
        "file://relative/x",
        "memory:///",
        "/mnt/files",
        "s3://a b",
    ],
)
def test_what_is_no_place_of_files_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_FILES_URL", text)
    with pytest.raises(InvalidInput, match="PARETOSCOPE_FILES_URL must be"):
        settings()


@pytest.mark.parametrize("text", ["s3://key:secret@bucket/a", "s3://bucket/a?secret=1", "gs://b/a#secret"])
def test_no_key_is_taken_from_an_address_nor_said_again(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_FILES_URL", text)
    with pytest.raises(InvalidInput, match="AWS_SECRET_ACCESS_KEY") as caught:
        settings()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "auto", "10.0.0.1:6379", " head.example:1 ", "[::1]:6379"])
def test_a_cluster_is_named_by_its_head(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_RAY_ADDRESS", text)
    assert settings().ray_address == text.strip()


@pytest.mark.parametrize(
    "text", ["ray://head:10001", "head", ":6379", "head:", "a b:1", "head:123456", "::1:6379"]
)
def test_what_is_no_head_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_RAY_ADDRESS", text)
    with pytest.raises(InvalidInput, match="PARETOSCOPE_RAY_ADDRESS must be host:port"):
        settings()


def test_a_header_is_nothing_without_who_is_believed_and_what_they_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARETOSCOPE_USER_HEADER", "X-Remote-User")
    for proxies, people in (("", ""), ("10.0.0.2", ""), ("", "people.toml"), ("ten", "people.toml")):
        monkeypatch.setenv("PARETOSCOPE_TRUSTED_PROXIES", proxies)
        monkeypatch.setenv("PARETOSCOPE_PEOPLE", people)
        with pytest.raises(InvalidInput, match=r"PARETOSCOPE_(USER_HEADER|TRUSTED_PROXIES)"):
            settings()
    monkeypatch.setenv("PARETOSCOPE_TRUSTED_PROXIES", "10.0.0.2, fd00::/8")
    assert [str(each) for each in settings().trusted_proxies] == ["10.0.0.2/32", "fd00::/8"]
    for name in ("X Remote", "X-Remote-User:", "Ü", "x" * 80, "1x"):
        monkeypatch.setenv("PARETOSCOPE_USER_HEADER", name)
        with pytest.raises(InvalidInput, match="PARETOSCOPE_USER_HEADER"):
            settings()
