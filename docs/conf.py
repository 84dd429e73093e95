"""Configuration of the documentation: `sphinx-build -W -n -b html docs docs/_build/html`."""

from __future__ import annotations

import re
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "kimi-memory"
author = "The kimi-memory developers"
copyright = f"2026, {author}"
version = release = installed_version("kimi-memory")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"kimi-memory {release}"
# Blocks of code name their language; the drawings in docstrings have none.
highlight_language = "text"
# Docstrings write code in single backticks, as Markdown does.
default_role = "code"

myst_heading_anchors = 3

autodoc_member_order = "bysource"
# Our values are dataclasses: the fields say what the generated signature would repeat.
autodoc_class_signature = "separated"

nitpicky = True
nitpick_ignore_regex = [
    # The build is offline, so no inventory says where these projects document their names.
    (
        r"py:.*",
        r"(asyncio|collections|contextlib|datetime|enum|logging|os|pathlib|types|typing)\..*",
    ),
    (r"py:.*", r"(httpx|httpx2|hypothesis|openai|_?pytest|redis|structlog|tiktoken)\..*"),
    (r"py:exc", r"InvalidArgument"),  # of hypothesis
    # Aliases and names imported for type checkers only are shown as the source writes them.
    (r"py:class", r"[A-Z]\w*"),
    # Type variables and private names have no entry.
    (r"py:class", r"memory\..*\.([A-Z]|_\w+)"),
    # What flows and their effects are made of: whoever writes a scenario meets it, few others do.
    (r"py:class", r"memory\.(flow|handlers|testing\._\w+)\..*"),
]
nitpick_ignore = [
    ("py:class", "dict[str"),  # the first half of a type that stands in a field
    # What `tiktoken.Encoding` fulfils; `Tokenizer` says what may be passed.
    ("py:class", "memory.vocabulary.Encoding"),
    # What our own checks of a store are given; whoever runs them does not meet it.
    ("py:class", "memory.testing.conformance.bench.Bench"),
]

# `Attributes:` becomes a list of fields, since the properties among them have entries of their own.
SECTIONS: Any = Config(napoleon_use_ivar=True)
# The gap between a paragraph and the indented block of code under it.
GAP = re.compile(r"^(?!\.\. )(\S.*)(?<!::)\n\n(?=    )", re.MULTILINE)


def read_docstring(_app: Sphinx, what: str, *rest: Any) -> None:
    """Turn sections such as `Raises:` into fields and indented blocks into code.

    Sphinx's own extension would also take the text before a colon in the docstring of an
    attribute for its type, so here attributes have no sections.
    """
    lines: list[str] = rest[-1]
    lines[:] = GAP.sub(r"\1\n\n::\n\n", "\n".join(lines)).split("\n")
    if what not in {"attribute", "data", "property"}:
        lines[:] = GoogleDocstring(lines, SECTIONS).lines()


def setup(app: Sphinx) -> None:
    """Connect what reads our docstrings."""
    app.connect("autodoc-process-docstring", read_docstring)
