"""What a person types to run it elsewhere: Dockerfile, compose.yaml, the SLURM example. Every command in them exists."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from streamlit import config

from core.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS = set(re.findall(r"PARETOSCOPE_\w+", (ROOT / "core" / "settings.py").read_text(encoding="utf-8")))
PINNED = re.compile(r"[\w./-]+:\d+\.\d+(\.\d+)?(-[\w.-]+)?")
SECRET = re.compile(r"(password|secret|token|api_?key)\s*[=:]\s*\S", re.IGNORECASE)


def instructions() -> list[tuple[str, str]]:
    """(instruction, its arguments) of the Dockerfile, lines that go on joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"\\\n\s*", "", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    found = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in found]


DOCKERFILE = instructions()


def of(name: str) -> list[str]:
    return [rest for instruction, rest in DOCKERFILE if instruction == name]


def require_command(words: list[str]) -> None:
    """A command line of ours, or of Streamlit or torchrun with ours behind it, with flags that exist."""
    if words[:3] == ["python", "-m", "streamlit"]:
        assert words[3:5] == ["run", "app.py"]
        flags = [word for word in words[5:] if word.startswith("--")]
        assert flags
        for flag in flags:
            config.get_option(flag.removeprefix("--"))  # raises where there is none
        return
    at = next(n for n in range(len(words)) if words[n : n + 2] == ["-m", "core"])
    _, _, name, *rest = words[at:]
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, rest


# --- the Dockerfile --------------------------------------------------------------------------------------------------


def test_the_image_is_built_from_a_pinned_one_and_from_the_lock_with_hashes() -> None:
    assert all(PINNED.fullmatch(image) for image in of("FROM"))
    runs = " ; ".join(of("RUN"))
    assert "pip install --require-hashes -r requirements.lock" in runs
    unpinned = re.findall(r"pip install ([^;&]+)", runs)
    assert all(re.search(r"-r |grep '\^torch==' requirements.txt", one) for one in unpinned), unpinned
    picked = re.search(r"grep -E '([^']+)' requirements-cluster.txt", runs)
    assert picked
    lines = (ROOT / "requirements-cluster.txt").read_text(encoding="utf-8").splitlines()
    chosen = [line for line in lines if re.match(picked[1], line)]
    assert {re.split(r"[\[=]", line)[0] for line in chosen} == {"psycopg", "obstore"}
    assert all("==" in line for line in chosen)


def test_what_is_copied_exists_and_is_not_left_out() -> None:
    let_through = set()
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored, "all is left out but what is named"
    for line in ignored:
        if line.startswith("!"):
            let_through.add(line.removeprefix("!"))
            assert (ROOT / line.removeprefix("!")).exists(), line
    copied = {source for line in of("COPY") for source in line.split()[:-1]}
    assert copied == let_through
    packages = {"app.py", "core", "pages", "assets", ".streamlit/config.toml"}
    assert packages <= copied


def test_whoever_runs_it_is_not_root_and_owns_the_home_alone() -> None:
    (user,) = of("USER")
    runs = " ; ".join(of("RUN"))
    assert user == "10001"
    assert f"--uid {user}" in runs
    assert "chown -R paretoscope /var/lib/paretoscope" in runs
    assert "chown" not in runs.replace("chown -R paretoscope /var/lib/paretoscope", "")
    names = [name for name, _ in DOCKERFILE]
    assert names.index("USER") > max(n for n, name in enumerate(names) if name in ("RUN", "COPY"))
    assert of("VOLUME") == ["/var/lib/paretoscope"]
    assert "PARETOSCOPE_HOME=/var/lib/paretoscope" in " ".join(of("ENV"))


def test_the_image_starts_the_app_and_asks_it_whether_it_works() -> None:
    (command,) = of("CMD")
    require_command(yaml.safe_load(command))
    (check,) = of("HEALTHCHECK")
    assert "http://127.0.0.1:8501/health" in check
    code = yaml.safe_load(check.partition("CMD ")[2])[-1]
    compile(code, "health", "exec")
    assert of("EXPOSE") == ["8501"]


# --- compose.yaml ----------------------------------------------------------------------------------------------------


def test_every_service_is_pinned_checked_and_reached_from_this_machine_alone() -> None:
    assert set(SERVICES) == {"app", "jobs", "database"}
    for name, service in SERVICES.items():
        assert PINNED.fullmatch(service["image"]), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), port
        if service.get("build") is None:
            assert service["healthcheck"]["test"], name  # ours is in the Dockerfile
        assert service.get("privileged") is None
    assert "ports" not in SERVICES["database"]
    assert all(
        each["depends_on"]["database"]["condition"] == "service_healthy"
        for each in (SERVICES["app"], SERVICES["jobs"])
    )


def test_servers_of_jobs_run_a_command_that_exists_and_answer_where_the_image_asks() -> None:
    words = SERVICES["jobs"]["command"]
    require_command(words)
    assert words[words.index("--metrics-port") + 1] == of("EXPOSE")[0]


def test_settings_and_volumes_are_those_there_are() -> None:
    for service in (SERVICES["app"], SERVICES["jobs"]):
        assert set(service["environment"]) <= SETTINGS
        assert service["environment"]["PARETOSCOPE_DATABASE_URL"].startswith("postgresql+psycopg://")
        assert service["volumes"] == [f"home:{of('VOLUME')[0]}"]
        assert float(service["stop_grace_period"].removesuffix("s")) > 10
    named = {volume.partition(":")[0] for each in SERVICES.values() for volume in each["volumes"]}
    assert named == set(COMPOSE["volumes"])
    for line in of("ENV"):
        assert set(re.findall(r"PARETOSCOPE_\w+", line)) <= SETTINGS


def test_passwords_come_from_a_file_that_is_not_committed() -> None:
    for file in ("Dockerfile", "compose.yaml", ".dockerignore"):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                assert not SECRET.search(re.sub(r"\$\{[^}]*\}", "", line)), f"{file}: {line}"
    environment = SERVICES["database"]["environment"]
    assert environment["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?"), "no default"
    assert "/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


# --- SLURM -----------------------------------------------------------------------------------------------------------


def test_the_example_for_slurm_is_a_script_with_a_command_that_exists() -> None:
    script = ROOT / "assets" / "cluster" / "slurm.sh"
    assert script.stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text(encoding="utf-8")
    assert all(line.startswith("#SBATCH --") for line in text.splitlines() if "SBATCH" in line)
    inside = re.search(r"bash -c '(.+)'", text, re.DOTALL)
    assert inside
    words = shlex.split(inside[1].replace("\\\n", " "))
    require_command(words)
    from torch.distributed.run import get_args_parser

    given = get_args_parser().parse_args([re.sub(r"\$\w+", "1", word) for word in words[1:]])
    assert (given.module, given.training_script, given.nproc_per_node) == (True, "core", "4")


@pytest.mark.parametrize("heading", ["What a person types"])
def test_the_readme_names_the_files(heading: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    part = readme.split(f"### {heading}\n")[1].split("\n### ")[0]
    for name in ("compose.yaml", "Dockerfile", "assets/cluster/slurm.sh", ".env"):
        assert name in part
    assert os.access(ROOT / "compose.yaml", os.R_OK)
