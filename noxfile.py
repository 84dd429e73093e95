"""The checks that need environments of their own.

`uv run nox` runs all of them but those for the night, `uv run nox -s "openai(leg='2')"` one.
What follows `--` goes to pytest: `uv run nox -s openai -- tests/test_client.py`.
For the night: `uv run nox -s mutation`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import nox

nox.options.default_venv_backend = "uv"

PYPROJECT = Path(__file__).with_name("pyproject.toml")
DEPENDENCIES = nox.project.load_toml(PYPROJECT)["project"]["dependencies"]
LEGS = {
    # What the project declares. It is a choice: 1.109 passes too, but what is built on openai and
    # still maintained wants more (litellm 1.106 wants 2.20, langchain-openai 1.7 wants 2.45).
    "floor": next(each for each in DEPENDENCIES if each.startswith("openai>=")).replace(">", "="),
    "2": "openai>=2,<3",  # on httpx; litellm takes no newer one
    "3": "openai>=3,<4",  # on httpx2
}
"""The requirement that each leg adds to the project's own."""


def install(session: nox.Session, *requirements: str) -> None:
    """Install into a session's environment, without the constraints of `[tool.uv]`.

    They hold the one openai that development runs with. uv looks for them in the directory where it
    is started and above, so it is started where there is no project. Unlike `--no-config`, that
    leaves what a machine says about its package indexes in force.
    """
    with TemporaryDirectory() as elsewhere, session.chdir(elsewhere):
        session.install(*requirements)


@nox.session
@nox.parametrize("leg", tuple(LEGS))
def openai(session: nox.Session, leg: str) -> None:
    """Run the tests with one version of openai."""
    project = f"{PYPROJECT.parent}[cli,exact]"
    install(session, "--editable", project, "--group", f"{PYPROJECT}:dev", LEGS[leg])
    session.run("pytest", *session.posargs)


@nox.session
def integrations(session: nox.Session) -> None:
    """Run the tests of every library that takes a client, each in an environment of its own."""
    install(session, "--editable", f"{PYPROJECT.parent}[cli]")
    session.run("python", "-m", "benchmarks.integrations", *session.posargs)


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """Try every mutant of the core, which takes hours; `-- messages --json` tries those of one."""
    project = f"{PYPROJECT.parent}[cli,exact]"
    groups = ("--group", f"{PYPROJECT}:dev", "--group", f"{PYPROJECT}:mutation")
    install(session, "--editable", project, *groups)
    session.run("python", "-m", "scripts.mutation", *session.posargs)
