"""Slips that spoil what is sent: in parts, cuts, views and in what the caller passed."""

from __future__ import annotations

from benchmarks._planted_bugs import Bug, Patch

__all__ = ("BUGS",)

_SPLIT = Bug(
    name="split parallel batch",
    breaks=4,
    slip="A batch of results ends after the first one; the next are parts of their own.",
    note="In two places: stray results are given to the part before, which would hide the first.",
    expected="transcripts",
    patches=(
        Patch(
            file="memory/messages.py",
            old='    while index < len(messages) and role_of(messages[index]) == "tool":\n',
            new='    if index < len(messages) and role_of(messages[index]) == "tool":\n',
        ),
        Patch(
            file="memory/messages.py",
            old='        if role == "tool" and parts:\n',
            new='        if role == "tool" and parts and parts[-1].kind == "other":\n',
        ),
    ),
)
_CUT = Bug(
    name="cut off by one",
    breaks=4,
    slip="What is covered ends before the last message that was summarised, not after it.",
    expected="transcripts",
    patches=(
        Patch(
            file="memory/flow/compose.py",
            old="max(before, default=-1) + 1)",
            new="max(before, default=0))",
        ),
    ),
)
_PARTIAL = Bug(
    name="trailing partial dropped",
    breaks=1,
    slip="What trails the last message that a model has read may be summarised.",
    expected="replays",
    patches=(
        Patch(
            file="memory/view.py",
            old="                part.open\n                or part.stop > read\n",
            new="                part.open\n",
        ),
    ),
)
_LIST = Bug(
    name="input list mutated",
    breaks=3,
    slip="Where nothing is left out the caller's own list is taken, and results are cut in it.",
    expected="transcripts",
    patches=(
        Patch(
            file="memory/view.py",
            old="        kept = [items[start + index] for index in record.kept]\n",
            new=(
                "        if not record.covered and not synthetic and isinstance(items, list):\n"
                "            return items\n"
                "        kept = [items[start + index] for index in record.kept]\n"
            ),
        ),
    ),
)
_DICT = Bug(
    name="message dict mutated",
    breaks=3,
    slip="The normal form of tool calls is made in place, and copied afterwards.",
    expected="memory machine",
    patches=(
        Patch(
            file="memory/identity.py",
            old=(
                "    form: dict[str, Any] = _without_empty(\n"
                "        {key: value for key, value in message.items() if key not in _IGNORED}\n"
                "    )\n"
            ),
            new=(
                "    form: dict[str, Any] = {\n"
                "        key: value for key, value in message.items() if key not in _IGNORED\n"
                "    }\n"
            ),
        ),
        Patch(
            file="memory/identity.py",
            old='            _settle(call.get("function"))\n    return form\n',
            new=(
                '            _settle(call.get("function"))\n'
                "    clean: dict[str, Any] = _without_empty(form)\n"
                "    return clean\n"
            ),
        ),
    ),
)
_LAST_USER = Bug(
    name="last user message summarised",
    breaks=1,
    slip="The last user message is not protected.",
    expected="transcripts",
    patches=(
        Patch(
            file="memory/view.py",
            old="                or (user is not None and user in range(*part[:2]))\n",
            new="",
        ),
    ),
)
_HEAD = Bug(
    name="head message summarised",
    breaks=2,
    slip="The head is taken to be one message.",
    expected="transcripts",
    patches=(
        Patch(
            file="memory/view.py",
            old="        head = head_length(messages) if start is None else start\n",
            new="        head = min(1, head_length(messages)) if start is None else start\n",
        ),
    ),
)
_ORDER = Bug(
    name="tool result before its call",
    breaks=3,
    slip="The places of what is kept are a set, which has an order of its own.",
    expected="replays",
    patches=(
        Patch(
            file="memory/flow/compose.py",
            old="tuple(i for i in view.loose if i < covered and i not in dropped)",
            new="tuple({i for i in view.loose if i < covered} - dropped)",
        ),
    ),
)
_KEY = Bug(
    name="unknown key lost",
    breaks=3,
    slip="What the API does not know is left out of a view.",
    expected="transcripts",
    patches=(
        Patch(
            file="memory/flow/fit.py",
            old="        messages=given if same else state.messages,\n",
            new="        messages=given if same else [*map(_plain, state.messages)],\n",
        ),
        Patch(
            file="memory/flow/fit.py",
            old="def _oversize(",
            new=(
                "def _plain(message):\n"
                '    keys = ("role", "content", "name", "tool_calls", "tool_call_id")\n'
                '    more = ("reasoning_content", "partial")\n'
                "    return {key: message[key] for key in message if key in keys + more}\n"
                "\n"
                "\n"
                "def _oversize("
            ),
        ),
    ),
)
_REASONING = Bug(
    name="reasoning_content lost",
    breaks=3,
    slip="A turn is put on record without its thoughts, since old ones are not rendered again.",
    expected="memory machine",
    patches=(
        Patch(
            file="memory/flow/conversation.py",
            old="        messages=tuple(map(clone, said)),\n",
            new=(
                "        messages=tuple(\n"
                '            {k: v for k, v in clone(m).items() if k != "reasoning_content"}\n'
                "            for m in said\n"
                "        ),\n"
            ),
        ),
    ),
)
_PLACE = Bug(
    name="synthetic message not first after head",
    breaks=2,
    slip="What is kept verbatim stands before the notes.",
    expected="views",
    patches=(
        Patch(
            file="memory/view.py",
            old="        return [*items[:start], *synthetic, *kept, ",
            new="        return [*items[:start], *kept, *synthetic, ",
        ),
    ),
)
_TWO = Bug(
    name="two synthetic messages",
    breaks=2,
    slip="Of an input that begins with our own notes nothing is taken to be covered.",
    expected="views",
    patches=(
        Patch(
            file="memory/flow/resume.py",
            old="[*found, own(record, thread.links[1])]",
            new="[*found, replace(own(record, thread.links[0]), covered=0, adopted=0)]",
        ),
    ),
)
_LEDGER = Bug(
    name="ledger rewritten between compactions",
    breaks=7,
    slip="The list of identifiers is made anew for each request: what is shown again is left out.",
    expected="views",
    patches=(
        Patch(
            file="memory/view.py",
            old="        return [dict(self.record.synthetic)]",
            new=(
                "        record, rest = self.record, self.thread.rest\n"
                '        shown = "\\n".join(text_of(rest[index]) for index in self.loose)\n'
                "        fresh = [one for one in record.identifiers if one.value not in shown]\n"
                "        listed, now = ledger.render(record.identifiers), ledger.render(fresh)\n"
                '        content = str(record.synthetic["content"]).replace(listed, now)\n'
                '        return [{**record.synthetic, "content": content}]'
            ),
        ),
        Patch(
            file="memory/view.py",
            old="from memory.identity import Seen, link, see\n",
            new="from memory import ledger\nfrom memory.identity import Seen, link, see\n",
        ),
    ),
)

BUGS: tuple[Bug, ...] = (
    _SPLIT,
    _CUT,
    _PARTIAL,
    _LIST,
    _DICT,
    _LAST_USER,
    _HEAD,
    _ORDER,
    _KEY,
    _REASONING,
    _PLACE,
    _TWO,
    _LEDGER,
)
"""Those that show in one request, or in the next one."""
