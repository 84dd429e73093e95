"""What a user says in a message, as sentences: nothing that was quoted, pasted or logged.

English and Chinese; time linear in the text whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ("MASK", "Sentence", "sentences")

MASK: Final = "\ue000"
"""What stands in `Sentence.plain` for each character that somebody else said: private use."""

_WRAPPED: Final = 50  # characters; a shorter line was ended on purpose
_LONGEST_NOTICE: Final = 300  # characters of a line that announces a pasted text
_BULLET: Final = re.compile(
    r"\s{0,40}(?:(?:[-*+•·]|#{1,6}|\d{1,3}[.)]|[a-zA-Z]\))\s+|\d{1,3}[、．]|[（(]\d{1,3}[)）])\s*"
)
_FENCE: Final = re.compile(r"\s{0,40}(```|~~~)")
_TAG: Final = re.compile(r"<([A-Za-z][\w-]{0,60})\b[^<>]{0,300}>")
_FOREIGN: Final = re.compile(
    # quoted lines, tables, markup, prompts, code, listings with numbers, times and levels of logs
    r"""(?x)\s{0,80}(?: [>|<] | \$\s | // | /\* | \#include | \#! | [{}\[\]]\s*$ | \+\+\+ | ---
    | (?:def|class)\s+\w+\s*[(:] | (?:const|let|var)\s+\w+\s*= | function\s+\w*\(
    | from\s+[\w.]+\s+import\s | import\s+[\w.]+\s*(?:;|$|\bas\b) | return\s.*[;)\]]\s*$
    | \d+\s*[:|] | \[?\d{4}[-/]\d\d[-/]\d\d[T\s]\s*\d\d:\d\d | \[?\d\d:\d\d:\d\d
    | \[?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL)\b[\]:\s]
    | Traceback\b | File\s" | at\s\S+\( )"""
)
_INDENTED: Final = re.compile(r"(?: {4}|\t)")
_CODE_END: Final = re.compile(r"[;{}]\s*$")
_MAIL: Final = re.compile(
    r"""(?xi)\s{0,40}(?: -{2,}\s*(?:original|forwarded)\ message | begin\ forwarded\ message
    | on\ .{4,200}\ wrote:\s*$ | .{0,100}写道[：:]\s*$ | 发件人[：:] | from:\s.{0,200}@
    | -+\s*(?:原始邮件|转发的?邮件) )"""
)
_PASTED: Final = re.compile(
    r"""(?xi)(?:\b(?:summar|translat|proofread|rewrit|review|fix|explain|analy|here|below|following
    |th(?:is|ese)|got|received|wrote|sent|says|attach|from)|以下|下面|如下|这|收到|总结|翻译|润色)
    [^.!?。！？]{0,80}(?:\b(?:e-?mails?|letter|messages?|article|texts?|paragraphs?|passage|logs?
    |output|essay|documents?|transcript|traceback|errors?|snippet|reviews?|polic(?:y|ies)|contract
    |readme|story|tweet|post|abstract|draft|poem|lyrics|excerpt|code|page|notes|prompt
    |conversation|chat)\b|邮件|信|文章|文本|段落|文字|日志|输出|报错|文档|合同|评论|条款|材料|内容
    |原文|代码|故事|通知|公告|聊天记录|短信|稿子|论文|摘要|提示词)[^.!?。！？]{0,60}[:：]\s*$"""
)
_WORKED_ON: Final = re.compile(
    r"""(?xi)[^:：]{0,40}?(?:\b(?:summari[sz]e|translate|proofread|rewrite|rephrase|shorten|polish)\b
    |总结|翻译|润色|改写|缩写|概括)[^:：.!?。！？]{0,80}[:：](?!//)"""
)
"""What asks for work on the text that follows it."""
_RULES: Final = re.compile(
    r"(?i)\b(?:rules?|instructions?|guidelines?|preferences?)\b|规则|要求|约定"
)
_QUOTED: Final = re.compile(
    r"“[^“”]{1,4000}”|「[^「」]{1,4000}」|『[^『』]{1,4000}』|《[^《》\n]{1,200}》|`[^`\n]{1,400}`"
    r"|(?<![^\s(:：，。,])\"[^\s\"][^\"]{0,4000}\"(?!\w)|\"[^\"\n]{1,1000}\""
    r"|(?<![\w'])'[^'\n]{2,400}'(?!\w)|‘[^‘’\n]{1,400}’(?!\w)"
)
_END: Final = re.compile(r"[.!?…]{1,200}[\"'”’)\]*_]{0,9}|[。！？；]{1,200}[”’」』）\])]{0,9}")
_ABBREVIATIONS: Final = frozenset(
    """a.m approx apr aug co corp dec dept dr e.g eg etc feb fig i.e ie inc jan jr jul jun ltd mar
    mr mrs ms mx nos nov oct p.m p.s prof ps sep sept sr st u.s u.k vs v""".split()  # noqa: SIM905  # a page
)


class Sentence(NamedTuple):
    """One sentence of a message."""

    text: str
    """As it was written, white space aside."""
    plain: str
    """The same for rules to read: no emphasis, straight apostrophes, `MASK` for what is quoted."""


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a message that its author says himself, in order.

    Left out are code blocks, quoted lines and mails, logs, tables, markup, and everything after a
    line that announces a pasted text, unless that is set off as one of those. Inside a sentence a
    quotation stays, and is masked.
    """
    masked = _QUOTED.sub(_blank, text)
    found: list[Sentence] = []
    for start, stop in _paragraphs(text, masked):
        found += _split(text, masked, start, stop)
    return found


def _blank(match: re.Match[str]) -> str:
    """Return a quotation blanked out, but for line breaks and for the mark that ends a sentence."""
    quote = match[0]
    last = quote[-2] if quote[-2] in ".!?。！？\n" else MASK
    inner = re.sub(r"[^\n]", MASK, quote[1:-2])
    return f"{MASK}{inner}{last}{quote[-1]}"


def _paragraphs(text: str, masked: str) -> Iterator[tuple[int, int]]:
    """Yield where the author's own lines are; lines that were only wrapped count as one."""
    begin = end = 0
    for start, stop in _own_lines(text, masked):
        if end and begin < end and _continues(text, begin, end, start):
            end = stop
            continue
        if begin < end:
            yield begin, end
        begin, end = start, stop
    if begin < end:
        yield begin, end


def _continues(text: str, begin: int, end: int, start: int) -> bool:
    """Tell whether the line at `start` goes on with the sentence that ends at `end`."""
    line = text.rfind("\n", begin, end) + 1
    return (
        start - end <= len("\r\n")
        and end - max(line, begin) >= _WRAPPED
        and text[end - 1] not in ".!?:;。！？：；"
        and text[start].islower()
    )


def _own_lines(text: str, masked: str) -> Iterator[tuple[int, int]]:
    """Yield start and stop of the lines that the author says, bullets and ends left out."""
    closing = _closings(text)
    fence, tag, announced, offset = "", "", False, 0
    for raw in text.splitlines(keepends=True):
        start, offset = offset, offset + len(raw)
        if tag:
            tag = "" if _closes(raw, tag) else tag
        elif mark := _FENCE.match(raw):
            fence, announced = "" if mark[1] == fence else fence or mark[1], False
        elif fence:
            continue
        elif opened := _opened(raw, start, closing):
            tag, announced = "" if _closes(raw, opened) else opened, False
        elif _MAIL.match(raw) or _TURN.match(raw):
            return
        elif _foreign(raw):
            announced = False
        elif raw.strip():
            if announced:  # and not set off by anything, so nobody can tell where it ends
                return
            pasted = _pasted_at(raw)
            announced = pasted is not None or _announces(raw)
            yield from _trimmed(masked, start, offset if pasted is None else start + pasted)


def _closings(text: str) -> dict[str, int]:
    """Return where each tag that is closed is closed for the last time."""
    return {found[1]: found.start() for found in re.finditer(r"</([A-Za-z][\w-]{0,60})>", text)}


def _closes(raw: str, tag: str) -> bool:
    return f"</{tag}>" in raw


def _opened(raw: str, start: int, closing: dict[str, int]) -> str:
    """Return the tag that this line opens and a later one closes."""
    if not closing:
        return ""
    opened = (found[1] for found in _TAG.finditer(raw))
    return next((tag for tag in opened if closing.get(tag, -1) > start), "")


def _pasted_at(raw: str) -> int | None:
    """Return where a text begins that is to be worked on, on the line that asks for that."""
    found = _WORKED_ON.match(raw[:_LONGEST_NOTICE])
    return found.end() if found and raw[found.end() :].strip() else None


def _announces(raw: str) -> bool:
    """Tell whether what follows this line was pasted."""
    if len(raw) > _LONGEST_NOTICE or not raw.rstrip().endswith((":", "：")):
        return False
    return bool(_PASTED.search(raw)) and not _RULES.search(raw)


_SPEAKER: Final = r"""(?:system|developer|assistant|tool|function|human|user
    |系统|开发者|助手|工具|用户)(?:消息|提示|指令|结果|\ message|\ prompt|\ result|\ note)?"""
_LABELLED: Final = re.compile(rf"(?xi)(?:^|[^\w']|\\n) {_SPEAKER} [\]】]?\s?[:：]")
"""A line in which somebody else is made to speak."""
_TURN: Final = re.compile(
    rf"""(?xi)[^\w\[【<]{{0,12}}
    (?: {_SPEAKER} [*_]{{0,3}}\s?[:：][\s*_]*$ | [\[【]\s?{_SPEAKER}\s?[\]】] | <\|)"""
)
"""A line from which on somebody else speaks."""


def _foreign(raw: str) -> bool:
    if _LABELLED.search(raw) or _FOREIGN.match(raw):
        return True
    if raw.isascii() and _CODE_END.search(raw[-200:]):
        return True
    return bool(_INDENTED.match(raw)) and not _BULLET.match(raw)


def _trimmed(masked: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    bullet = _BULLET.match(masked, start, stop)
    start = bullet.end() if bullet else start
    line = masked[start:stop]
    start += len(line) - len(line.lstrip())
    if line.strip():
        yield start, start + len(line.strip())


def _split(text: str, masked: str, start: int, stop: int) -> Iterator[Sentence]:
    for match in _END.finditer(masked, start, stop):
        if match.end() > start and _ends(masked, start, match, stop):
            yield from _sentence(text, masked, start, match.end())
            start = match.end()
    yield from _sentence(text, masked, start, stop)


def _ends(line: str, start: int, match: re.Match[str], stop: int) -> bool:
    """Tell whether a sentence ends here: not in `3.14`, `a.b/c`, `Dr.`, `J.` or after `1.`."""
    following = line[match.end() : min(stop, match.end() + 1)]
    if match[0][0] in "。！？；":
        return True
    if following and not following.isspace() and following < "\u3000":
        return False
    if match[0] != ".":
        return True
    before = line[max(start, match.start() - 12) : match.start()]
    word = before.replace("\n", " ").rpartition(" ")[2].lstrip("([\"'")
    initial = len(word) == 1 and word.isalpha() and word != "I"
    listed = word.isdigit() and match.start() - start <= len(word) + 1
    return not (initial or listed or word.lower() in _ABBREVIATIONS)


def _sentence(text: str, masked: str, start: int, stop: int) -> Iterator[Sentence]:
    said = " ".join(text[start:stop].split())
    if said:
        plain = re.sub(r"[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}", "", masked[start:stop])
        yield Sentence(said, " ".join(plain.replace("’", "'").split()))
