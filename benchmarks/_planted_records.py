"""Slips that spoil what is believed: summaries, records, counts, what others wrote meanwhile."""

from __future__ import annotations

from benchmarks._planted_bugs import Bug, Patch

__all__ = ("BUGS",)

_EMPTY = Bug(
    name="empty summary accepted",
    breaks=8,
    slip="Nobody looks whether a summary says anything.",
    note="In three places: a text without words is refused too, and a blank one is replaced by a "
    "line that says how many messages are in the log.",
    expected="summarisers",
    patches=(
        Patch(
            file="memory/acceptance.py",
            old='    if not draft.text.strip():\n        return "it is blank"\n',
            new="",
        ),
        Patch(
            file="memory/acceptance.py",
            old='    (_wordless, "it has no words"),\n',
            new="",
        ),
        Patch(
            file="memory/flow/draft.py",
            old="    if not draft.text.strip():  # media, or nothing at all\n",
            new="    if not draft.text.strip() and draft.author == OFFLINE:\n",
        ),
    ),
)
_TRUNCATED = Bug(
    name="truncated summary accepted",
    breaks=8,
    slip="A summary that was cut off counts as finished.",
    expected="summarisers",
    patches=(
        Patch(
            file="memory/acceptance.py",
            old='    if draft.finish_reason != "stop":\n',
            new='    if draft.finish_reason not in {"stop", "length"}:\n',
        ),
    ),
)
_LONGER = Bug(
    name="longer summary accepted",
    breaks=8,
    slip="Nobody looks how long a summary is.",
    note="In two places: it may not be longer than asked for, nor than what it stands for.",
    expected="summarisers",
    patches=(
        Patch(
            file="memory/acceptance.py",
            old=(
                "    if tokens > cap:\n"
                '        return f"it has {tokens:.0f} tokens and may have {cap}"\n'
            ),
            new="",
        ),
        Patch(
            file="memory/acceptance.py",
            old=(
                "    if tokens >= source_tokens:\n"
                '        return f"it has {tokens:.0f} tokens and stands for {source_tokens}"\n'
            ),
            new="",
        ),
    ),
)
_COVERAGE = Bug(
    name="coverage hash taken over the wrong range",
    breaks=5,
    slip="The hash of what is covered is that of the whole input.",
    expected="faults",
    patches=(
        Patch(
            file="memory/flow/compose.py",
            old="        coverage=thread.links[covered],\n",
            new="        coverage=thread.links[adopted],\n",
        ),
    ),
)
_EDIT = Bug(
    name="prefix reused after an edit inside it",
    breaks=5,
    slip="The chain hash that followed a message once is taken again, whatever precedes it now.",
    expected="replays",
    patches=(
        Patch(
            file="memory/identity.py",
            old="        last = after if before is last else seen.after(last)\n",
            new="        last = after if before else seen.after(last)\n",
        ),
    ),
)
_DEEPEST = Bug(
    name="deepest prefix used instead of adoption",
    breaks=6,
    slip="Of the records that cover a beginning of an input the deepest is used.",
    expected="replays",
    patches=(
        Patch(
            file="memory/flow/resume.py",
            old=(
                "    state = State.of(prompt, context, "
                "View(thread, adopted(records, thread.links)))\n"
            ),
            new=(
                "    known = covering(records, thread)\n"
                "    deepest = known[-1] if known else None\n"
                "    state = State.of(prompt, context, View(thread, deepest))\n"
            ),
        ),
    ),
)
_VERSION = Bug(
    name="version check dropped",
    breaks=10,
    slip="A log that others have appended to meanwhile is taken for the one that was read.",
    expected="store machine",
    patches=(
        Patch(
            file="memory/stores/volatile.py",
            old="            if log.version != expected:\n",
            new="            if log.version < expected:\n",
        ),
    ),
)
_LEASE = Bug(
    name="summary lease ignored",
    breaks=10,
    slip="Whoever is at work on a summary already is not waited for.",
    expected="interleavings",
    patches=(
        Patch(
            file="memory/flow/compact.py",
            old="links=thread.links, patience=context.deadline)",
            new="links=thread.links, patience=0.0)",
        ),
    ),
)
_USAGE = Bug(
    name="usage counted twice",
    breaks=1,
    slip="A stream states its usage in the last choice and once more at its end: both are added.",
    expected="memory machine",
    patches=(
        Patch(
            file="memory/replies.py",
            old='        self._usage = usage_of(chunk.get("usage")) or self._usage\n',
            new='        self._usage = _added(self._usage, usage_of(chunk.get("usage")))\n',
        ),
        Patch(
            file="memory/replies.py",
            old="class Body:\n",
            new=(
                "def _added(one: Usage | None, other: Usage | None) -> Usage | None:\n"
                "    if one is None or other is None:\n"
                "        return one or other\n"
                "    return Usage(\n"
                "        prompt_tokens=one.prompt_tokens + other.prompt_tokens,\n"
                "        completion_tokens=one.completion_tokens + other.completion_tokens,\n"
                "    )\n"
                "\n"
                "\n"
                "class Body:\n"
            ),
        ),
    ),
)
_TOOLS = Bug(
    name="tools left out of the count",
    breaks=1,
    slip="A prompt is counted without its tool declarations.",
    expected="transcripts",
    patches=(
        Patch(
            file="memory/flow/state.py",
            old="            seen=seen,\n            tools=prompt.tools,\n",
            new="            seen=seen,\n",
        ),
    ),
)
_PIN = Bug(
    name="pin dropped on merge",
    breaks=3,
    slip="What held before is merged with what was said since, and what is pinned is left out.",
    expected="replays",
    patches=(
        Patch(
            file="memory/flow/quotes.py",
            old="    said = pinned(prompt, standing(left, later, base))\n",
            new="    said = standing(left, later, base)\n",
        ),
    ),
)
_FORGET = Bug(
    name="forget leaves the search index",
    breaks=10,
    slip="A conversation is removed, and what was indexed of it for searches is not.",
    expected="conformance",
    patches=(
        Patch(
            file="memory/stores/removing.py",
            old=(
                '_OF = ("memory_documents", "memory_postings", "memory_hashes", "memory_records")\n'
            ),
            new='_OF = ("memory_hashes", "memory_records")\n',
        ),
    ),
)

BUGS: tuple[Bug, ...] = (
    _EMPTY,
    _TRUNCATED,
    _LONGER,
    _COVERAGE,
    _EDIT,
    _DEEPEST,
    _VERSION,
    _LEASE,
    _USAGE,
    _TOOLS,
    _PIN,
    _FORGET,
)
"""Those that show over several requests, or where two meet."""
