"""What `doctor` looks at: packages, the counter, the module `memory`, settings, keys, models."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import memory
from memory import models
from memory.cli.endpoint import KEYS, OPENAI_KEY, URLS
from memory.cli.options import STORE_VARIABLE
from memory.config import PREFIX, Settings
from memory.errors import ConfigError
from memory.stores.opening import KEYS as SEAL_KEYS
from memory.testing.kimi_models import LIVE_MODELS
from memory.vocabulary import warmup

__all__ = ("Diagnosis", "diagnose", "render")

DISTRIBUTION = "kimi-memory"
REQUIRED = ("openai", "platformdirs", "structlog", "tenacity", "tiktoken")
OPTIONAL = (
    "httpx2",
    "httpx",
    "splintr-rs",
    "typer",
    "rich",
    "plotext",
    "uvicorn",
    "psycopg",
    "psycopg-pool",
    "redis",
    "cryptography",
)
SAMPLE = "Kimi counts tokens, 月之暗面也数。"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found; nothing in it is secret.

    Attributes:
        python: The version of Python.
        packages: Versions by distribution; None where it is not installed.
        counter: The counter's name, whether it is exact, why no better one could be used, and
            how many tokens it finds in a sample.
        module: The file of the module `memory`, its distribution with its version, and what
            else is called `memory`.
        settings: Every setting with its value and where that is from.
        variables: Whether each variable for a key is set, the host of each base URL, and the kind
            of store.
        models: The window in tokens, and how thinking is switched, by model.
        problems: What is wrong, in words.
    """

    python: str
    packages: Mapping[str, str | None]
    counter: Mapping[str, Any]
    module: Mapping[str, Any]
    settings: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, bool | str]
    models: Mapping[str, Mapping[str, Any]]
    problems: Sequence[str]

    def row(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


NO_SETTINGS = frozenset(
    {
        STORE_VARIABLE,  # which store the commands look into
        SEAL_KEYS,  # what opens sealed stores
        "KIMI_MEMORY_DATA",  # where benchmarks and tests look for conversations
        "KIMI_MEMORY_TEST_POSTGRES",  # which servers the tests use
        "KIMI_MEMORY_TEST_REDIS",
    }
)
"""Variables of ours that are no settings of the library."""


def diagnose(
    *, environ: Mapping[str, str] | None = None, directory: Path | None = None
) -> Diagnosis:
    """Look at everything.

    Args:
        environ: The environment; None for that of the process.
        directory: Where a user's own scripts would be started; None for the current directory.
    """
    variables = os.environ if environ is None else environ
    problems: list[str] = []
    return Diagnosis(
        python=platform.python_version(),
        packages=_packages(problems),
        counter=_counter(problems),
        module=_module(directory or Path.cwd(), problems),
        settings=_settings(variables, problems),
        variables=_variables(variables),
        models={
            each.id: {"window": models.window(each.id), "thinking": models.thinking(each.id)}
            for each in LIVE_MODELS
        },
        problems=problems,
    )


def _packages(problems: list[str]) -> dict[str, str | None]:
    versions = {name: _version(name) for name in (*REQUIRED, *OPTIONAL)}
    missing = [name for name in REQUIRED if versions[name] is None]
    if missing:
        problems.append(f"not installed: {', '.join(missing)}; pip install {DISTRIBUTION}")
    return versions


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _counter(problems: list[str]) -> dict[str, Any]:
    counter = warmup()
    failure = getattr(counter, "failure", None)
    if failure is not None:
        problems.append(f"the vocabulary cannot be loaded, so tokens are estimated: {failure}")
    return {
        "name": counter.name,
        "exact": counter.exact,
        "failure": failure,
        "sample": {"text": SAMPLE, "tokens": counter.count(SAMPLE)},
    }


def _module(directory: Path, problems: list[str]) -> dict[str, Any]:
    file = Path(memory.__file__).resolve()
    found = metadata.packages_distributions().get("memory", ())
    others = sorted({name for name in found if name != DISTRIBUTION})
    if others:
        problems.append(
            f"{', '.join(others)} also brings a module called memory, and one hides the other: "
            f"pip uninstall {' '.join(others)}"
        )
    version = _version(DISTRIBUTION)
    if version is None:
        problems.append(
            f"{file} belongs to no installed {DISTRIBUTION}: pip install {DISTRIBUTION}"
        )
    shadow = _shadow(directory, file)
    if shadow is not None:
        problems.append(f"{shadow} hides the library from scripts beside it: rename it")
    return {
        "file": str(file),
        "distribution": DISTRIBUTION if version else None,
        "version": version,
        "others": others,
        "shadow": None if shadow is None else str(shadow),
    }


def _shadow(directory: Path, file: Path) -> Path | None:
    """Return what `import memory` would find in a directory, unless that is this library."""
    for name in ("memory/__init__.py", "memory.py"):
        candidate = directory / name
        if candidate.is_file() and candidate.resolve() != file:
            return candidate
    return None


def _settings(environ: Mapping[str, str], problems: list[str]) -> dict[str, dict[str, Any]]:
    names = [field.name for field in fields(Settings)]
    known = {PREFIX + name.upper() for name in names}
    unknown = sorted(
        name for name in environ if name.startswith(PREFIX) and name not in known | NO_SETTINGS
    )
    problems += [f"{name} is no setting; there are {', '.join(sorted(known))}" for name in unknown]
    try:
        settings = Settings.resolve({}, environ=environ)
    except ConfigError as error:
        problems.append(str(error))
        settings = Settings()
    return {
        name: {"value": getattr(settings, name), "source": _source(environ, name)} for name in names
    }


def _source(environ: Mapping[str, str], name: str) -> str:
    variable = PREFIX + name.upper()
    return variable if environ.get(variable) else "default"


def _variables(environ: Mapping[str, str]) -> dict[str, bool | str]:
    secret = (*KEYS, OPENAI_KEY, SEAL_KEYS)
    keys: dict[str, bool | str] = {name: bool(environ.get(name)) for name in secret}
    # A URL may carry a password, so only its host is shown, or what kind of store it names.
    hosts = {name: urlsplit(environ.get(name, "")).hostname or "" for name in URLS}
    return keys | hosts | {STORE_VARIABLE: environ.get(STORE_VARIABLE, "").partition(":")[0]}


def render(console: Console, found: Diagnosis) -> None:
    """Print a diagnosis."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for heading, rows in _sections(found).items():
        for place, (name, text) in enumerate(rows):
            table.add_row("" if place else heading, escape(name), escape(text))
        table.add_row()
    console.print(table)
    for problem in found.problems:
        console.print(f"[bold red]✗[/] {escape(problem)}", soft_wrap=True)
    if not found.problems:
        console.print("[bold green]✓[/] all is well")


def _sections(found: Diagnosis) -> dict[str, list[tuple[str, str]]]:
    module, counter = found.module, found.counter
    exact = "exact" if counter["exact"] else "estimates; kimi-memory[exact] counts exactly"
    sample = counter["sample"]
    return {
        "versions": [
            ("python", found.python),
            *((name, version or "not installed") for name, version in found.packages.items()),
        ],
        "module": [
            ("memory", module["file"]),
            ("from", f"{module['distribution'] or 'nowhere'} {module['version'] or ''}".strip()),
        ],
        "counter": [
            (counter["name"], f"{exact}; {sample['tokens']:g} tokens in {sample['text']!r}")
        ],
        "settings": [
            (name, f"{each['value']} ({each['source']})") for name, each in found.settings.items()
        ],
        "environment": [
            (name, {True: "set", False: "not set", "": "not set"}.get(value, str(value)))
            for name, value in found.variables.items()
        ],
        "models": [
            (name, f"window {each['window']:,} tokens; thinking {each['thinking']}")
            for name, each in found.models.items()
        ],
    }
