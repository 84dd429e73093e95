"""The gate: whether what a summariser wrote may stand for the messages it is about.

A draft is refused for what it is (blank, too long, cut off), for what it does instead of taking
notes (declines, calls a tool, goes on with the conversation) and for what it would do to whoever
reads it (orders, forged fences). Reports of such things pass: "the page asked to ignore all
instructions; this was not done" is what a summary of a hostile page should say. Told apart by
where it stands: an order begins a line or a sentence and nobody is named who said it.

English and Chinese. Total, and linear in the text: every repetition in a pattern is bounded.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from memory.summary import Draft

__all__ = ("refusal",)


def refusal(draft: Draft, *, cap: int, source_tokens: int, tokens: float) -> str | None:
    """Return why a draft may not be used, or None when it may.

    The reason can be told to the summariser and to a log: it quotes nothing of the text.

    Args:
        draft: What the summariser returned.
        cap: Tokens it may have.
        source_tokens: Tokens of what it would stand for.
        tokens: Tokens it has.
    """
    if draft.tool_calls:
        return "it calls a tool"
    if draft.finish_reason != "stop":
        return f"finish_reason is {draft.finish_reason!r:.40}"
    if not draft.text.strip():
        return "it is blank"
    if tokens > cap:
        return f"it has {tokens:.0f} tokens and may have {cap}"
    if tokens >= source_tokens:
        return f"it has {tokens:.0f} tokens and stands for {source_tokens}"
    page = _Page.of(draft.text)
    return next((reason for wrong, reason in _FAULTS if wrong(page)), None)


class _Page(NamedTuple):
    """A text as a model reads it: full-width forms as ASCII, without what nobody sees."""

    text: str
    lines: tuple[str, ...]
    """Its lines, blank ones left out."""
    said: tuple[str, ...]
    """Those of them that do not stand between two code fences."""

    @classmethod
    def of(cls, text: str) -> _Page:
        plain = text.translate(_PLAIN)
        lines = tuple(line for line in plain.splitlines() if line.strip())
        return cls(plain.strip(), lines, tuple(_outside_code(lines)))


_UNSEEN: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)


def _ranges(spec: str) -> Iterator[int]:
    for match in re.finditer(r"(.)(?:-(.))?", spec):
        yield from range(ord(match[1]), ord(match[2] or match[1]) + 1)


_PLAIN: Final[dict[int, int | None]] = {
    **dict.fromkeys(_ranges(_UNSEEN)),
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **{code: code - 0xE0000 for code in range(0xE0020, 0xE007F)},
    **{ord(quote): ord("'") for quote in "‘’"},
}
"""Tag characters are read as the ASCII that they smuggle past people."""


def _outside_code(lines: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines that are not quoted as code; a fence that never closes quotes nothing."""
    left = sum(line.lstrip().startswith("```") for line in lines) // 2 * 2
    within = False
    for line in lines:
        if left and line.lstrip().startswith("```"):
            left -= 1
            within = not within
        elif not within:
            yield line


# --- what stands in front of a sentence -----------------------------------------------------------

_MARKUP: Final = r"[\s>*_#•·–—-]{0,12}(?:\d{1,3}[.)、]\s{0,4})?[*_]{0,3}"
_BULLET: Final = re.compile(r"\s*(?:[-*•·–—>|]\s|\d{1,3}[.)、]|[>|\"'“「『`])")


# --- no notes at all ------------------------------------------------------------------------------

_HEADING: Final = 3
"""Lines that are looked at for a refusal: one may follow a heading."""

_UNABLE: Final = (
    r"(?:can(?:no|')?t|can\snot|could(?:\snot|n't)|won't|will\snot|(?:am|'m|was)\s(?:not\sable|unable)"
    r"|(?:am|'m)\snot\s(?:able|comfortable|allowed)|do(?:\snot|n't)\s(?:have|see|feel)|must\sdecline"
    r"|have\sto\sdecline|haven't|have\snot|need\s(?:more|the|you))"
)
_DOING: Final = (
    r"(?:\s(?:to|actually|really|directly|currently|simply|also)){0,2}\s"
    r"(?:summari[sz]e|help|assist|comply|continue|fulfil+|provide|do\s(?:that|this|so)|creat|generat"
    r"|writ|produc|process|access|see\b|view|read|complete|answer|discuss|share|engage|respond|any"
    r"|a\s|the\s(?:conversation|text|messages?|transcript|content|ability)|more\s(?:context|info)"
    r"|enough|participate|support|offer|give|perform|take\snotes|this|that|been|received?)"
)
_DECLINES: Final = re.compile(
    rf"""{_MARKUP}(?:
    (?:i(?:'?m|\sam|\sdo)?|we(?:'?re|\sare)?)?\s?(?:(?:very|so|really|truly|deeply)\s)?
        (?:sorry|apologi[sz]e|afraid)\b[^\n]{{0,60}}?\b(?:i|we)(?:\s|')(?:{_UNABLE}|'?d\srather)
    |(?:(?:unfortunately|regrettably|however|thanks?[^.!\n]{{0,30}}[.!]|hi|hello|sure)[,!.]?\s)?
        (?:but\s)?(?:i|we)(?:\s|(?='m)){_UNABLE}{_DOING}
    |(?:i'?m|i\sam)\s(?:just\s|only\s)?an?\sai\b
    |(?:i'?m|i\sam)\skimi\b
    |as\san?\s(?:ai\b|artificial\sintelligence|(?:large\s)?language\smodel)
    |(?:please|could\syou|can\syou|kindly)\s(?:please\s)?(?:provide|share|paste|send|supply|upload)
        \s[^\n]{{0,40}}\b(?:conversation|text|transcript|messages?|content|dialogue|chat)\b
    |(?:there(?:\sis|'s|\sare)|i\ssee|it\s(?:seems|looks|appears)(?:\s(?:like|that|as\sif))?
        (?:\sthere(?:\sis|'s|\sare))?)\s(?:no|nothing|you\s(?:haven't|have\snot|didn't|did\snot))\b
        [^\n]{{0,40}}\b(?:conversation|text|transcript|messages?|content|summari[sz]e)\b
    |(?:hi|hello|hey)?[!,.\s]{{0,3}}how\s(?:can|may)\si\s(?:help|assist)\b
    |(?:(?:你好|您好|尊敬的用户|非常|很|十分|真的|实在)[,!。、\s]?){{0,3}}
        (?:抱歉|对不起|不好意思|遗憾)[^\n。!]{{0,30}}?(?:无法|不能|没法|不便|还没学|未能)
    |(?:(?:你好|您好|尊敬的用户(?:您好)?)[,!。、\s]{{1,2}})?(?:我|本人|这个问题我?|当前)(?:暂时|目前|现在|还|真的)?(?:无法|不能|没法|不便)
        (?:对此|为您|为你|给您|直接|继续)?
        (?:总结|概括|提供|协助|帮助|完成|满足|回答|继续|给到|生成|执行|讨论|访问|查看|处理|响应|参与)
    |作为(?:一个|一名|一款)?(?:人工智能|ai|大?语言模型|智能助手)
    |我(?:只)?是(?:一个|一名|一款)?(?:人工智能|ai\b|大?语言模型|kimi)
    |(?:请|麻烦)(?:您|你)?(?:先)?(?:提供|发送|粘贴|上传|分享|把)[^\n]{{0,24}}(?:对话|内容|文本|记录|消息)
    |(?:(?:你好|您好|尊敬的用户(?:您好)?)[,!。、\s]{{1,2}})?让我们换个话题|(?:我)?(?:没有|未)(?:看到|收到|找到)(?:任何|您|你|需要)?[^\n]{{0,12}}(?:对话|内容|文本)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_NODS: Final = re.compile(
    r"[\W_]*(?:ok(?:ay)?|sure(?: thing)?|understood|done|got it|noted|yes|no|thanks?(?: you)?|hello"
    r"|hi|(?:i )?will do|of course|certainly|n/?a|none|null|nil|undefined|empty|(?:no )?(?:summary|"
    r"notes)|(?:the )?(?:summary|notes) (?:is|are) (?:done|ready|complete)|todo|\.\.\."
    r"|好的?|明白了?|收到|了解|知道了|没问题|可以|是的?|无|没有|暂无|空|(?:会议|对话)?(?:摘要|总结|笔记))[\W_]*",
    re.IGNORECASE,
)


def _declines(page: _Page) -> bool:
    head = page.said[:_HEADING]
    if len(page.said) > _HEADING:
        head = tuple(line for line in head if not _BULLET.match(line))
    opens = any(_DECLINES.match(line) for line in head)
    return opens or _NODS.fullmatch(page.text[:200]) is not None


def _wordless(page: _Page) -> bool:
    return not any(map(str.isalnum, page.text))


# --- what a model writes when it goes on instead of summarising -----------------------------------

_CALLS: Final = re.compile(
    r"""</?tool_calls?\b|<\|?\s?tool[_▁]|<(?:function|parameter)=|</?function_calls?>
    |<(?:antml:)?invoke\s|\[tool_calls?\]|<｜tool|(?:^|\n)\s{0,8}functions\.[\w.-]{1,64}:\d{1,6}\b
    |(?:^|\n)[^\S\n]{0,20}(?:```\w{0,12}\s{1,4})?\[?\s{0,9}\{\s{0,20}
        (?:"(?:id|type|index|role)"\s{0,4}:\s{0,4}(?:"[^"\n]{0,128}"|\d{1,9})\s{0,4},\s{0,20}){0,3}
        (?:"(?:tool_calls?|function_call|arguments|tool_input|action_input)"\s{0,4}:
        |"function"\s{0,4}:\s{0,4}\{
        |"(?:name|tool|function|tool_name|recipient_name|action)"\s{0,4}:\s{0,4}"[^"\n]{0,128}"
            \s{0,4},\s{0,20}"(?:arguments|parameters|args|input|tool_input|action_input)"\s{0,4}:)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TEMPLATE: Final = re.compile(
    r"(?<!`)(?:<\|[\w ]{1,40}\|>|<</?sys>>|\[/?inst\])|^\s*<(?:system|user|human)>", re.IGNORECASE
)
_SPEAKER: Final = re.compile(
    r"""(?:[*_#]{1,4}\s?)?(?:
    \[(?:system|user|developer|tool|human)(?:\s(?:message|prompt|note|notice|update))?\]
    |【(?:系统|用户|开发者|工具)(?:消息|提示|指令|通知)?】
    |(?P<role>system|developer|tool(?:\sresult|\soutput)?|function|human|user
        |系统(?:消息|提示|指令)?|开发者|工具(?:结果|返回)?|人类|用户)
        (?:\s(?:message|prompt))?[*_]{0,3}\s?:[*_]{0,3}(?P<rest>.*)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_NUMBERED: Final = re.compile(
    r'\s{0,8}\d{1,7} (?:user|system|developer|tool|assistant)\b[^:\n]{0,80}: ?"', re.IGNORECASE
)
_ABOUT: Final = re.compile(
    r"""\s*(?:
    (?:is|was|has|had|wants?|wanted|prefers?|asks?|asked|needs?|needed|likes?|dislikes?|lives?|works?
        |says?|said|told|tells|requests?|requested|reports?|reported|plans?|planned|intends?|uses?
        |seeks?|confirmed|agreed|chose|booked|provided|gave|mentioned|id\b|name\b|called|named)\b
    |(?!(?:yes|no|ok|okay|sure|please|thanks|hi|hello|hey|sorry|great|now|stop|wait|also|and|but
        |actually|ignore|tell|send|book|i|you|we)\b)
        (?-i:[A-Z])[\w'-]{0,40}(?:\s(?-i:[A-Z])[\w'.-]{0,40}){0,3}\s?(?:$|[,(;–—.])
    |[^\s,。!?你我您请那]{0,4}(?:想要?|希望|要求|需要|偏好|喜欢|不喜欢|是|叫|名叫|住在?|在|询问|提到|表示|计划|打算|已|正在|有)
    |[a-z0-9._+-]{1,60}@|[a-z_-]{0,12}\d|`|[\w/-]{1,60}[./(]\w
    )""",
    re.IGNORECASE | re.VERBOSE,
)

_RELEASE: Final = re.compile(r"\s?(?:[\w/-]{1,40}\s){1,3}v?\d{1,4}\.\d")
_DESCRIBED: Final = frozenset(("user", "用户", "developer", "开发者", "tool", "工具", "function"))


def _calls(page: _Page) -> bool:
    return _CALLS.search(page.text) is not None


def _impersonates(page: _Page) -> bool:
    if any(_TEMPLATE.search(line) or _NUMBERED.match(line) for line in page.said):
        return True
    follows = (*page.said[1:], "")
    return any(map(_is_turn, page.said, follows))


def _is_turn(line: str, following: str) -> bool:
    """Tell whether a line opens a turn of somebody; a heading over bullets does not."""
    label = _SPEAKER.match(line)
    if label is None:
        return False
    rest = label["rest"]
    if rest is None:
        return True
    if not rest.strip():
        return _BULLET.match(following) is None
    about = _ABOUT if label["role"].lower() in _DESCRIBED else _RELEASE
    return not about.match(rest)


# --- orders to whoever reads ----------------------------------------------------------------------

_THOSE: Final = (
    r"(?:(?:all|any|every|the|of|these|those|this|your|my|our|previous|previously|given|prior|above"
    r"|earlier|preceding|former|existing|original|initial|other|past|system|safety|conversation"
    r"|developer|what|everything)\s){0,6}"
)
_ORDERS: Final = re.compile(
    rf"""(?:
    (?:ignore|disregard|forget|override|bypass|discard|(?:do\snot|don't|never|stop)\s(?:follow|obey)
        (?:ing)?)\s{_THOSE}
        (?:instructions?|prompts?|rules|directions?|directives?|guidelines?|guardrails|commands?
        |constraints|restrictions|system\smessages?|programming)\b
        (?!\s(?:about|on|for|of|regarding|concerning|in)\b)
    |(?:ignore|disregard|forget)\s(?:(?:everything|all|anything|the|of|that|you\swere\stold|written
        |said)\s){{0,4}}(?:above|before\sthis|up\sto\snow|so\sfar)(?=\s{{0,3}}(?:$|[.,!;:]|and\b))
    |you\s(?:are|will)\snow\s(?:be\s)?(?:an?\b|the\b|my\b|dan\b|no\slonger|free\b|un\w{{1,20}}|jail\w
        |acting|operating|called|named|required\sto|allowed\sto|authori[sz]ed
        |in\s(?:developer|debug|god|admin|root|maintenance|dan|jailbreak|unrestricted)\b)
    |(?:this|here|below|the\sfollowing)?\s?(?:is|are)?\s?(?:your|the|a)?\s?
        (?:new|updated|revised|real|actual)\ssystem\s(?:prompt|instructions?|message|rules?)\b
    |system\s(?:override|prompt\soverride|prompt\supdate)\b
    |(?:reveal|print|output|repeat|show|leak|send|disclose)\s(?:me\s)?{_THOSE}
        (?:system\sprompt|initial\sprompt|(?<=system\s)prompt|(?<=system\s)instructions)\b
    |(?:do\snot|don't|never)\s(?:tell|inform|alert|warn|notify)\sthe\suser\b(?!')
    |(?:do\snot|don't)\s(?:mention|reveal|disclose)\s(?:this|it|any\sof\sthis)\sto\sthe\suser\b(?!')
    |(?:请)?(?:你)?(?:务必|必须|立即|立刻|马上|直接|完全|现在)?
        (?:忽略|无视|忘记|忘掉|抛弃|丢弃|不要?(?:再)?(?:理会|遵守|遵循|执行))(?:掉)?(?:你|您)?
        (?:之前|以上|上面|上述|先前|前面|此前|所有|一切|全部|原有|原来|系统|任何|收到|给你|给出|设定
        |的|安全|历史){{1,6}}(?:指令|指示|提示词?|规则|设定|命令|约束|限制)
    |你现在(?:已经)?是(?:一个|一名|一位|一款|不受|没有|dan|开发者)
    |从现在(?:起|开始)[,\s]?(?:你是|你将是|你将扮演|你要扮演|你扮演|你不再是)
    |(?:这是|以下是|下面是)?(?:你的)?(?:新|最新)的?系统(?:提示词?|指令|消息|规则)
    |(?:不要|别|切勿|不得|请勿)(?:把[^\n]{{0,8}})?(?:告诉|告知|通知|提醒)用户(?!的)
    |(?:输出|打印|泄露|透露|显示|重复|说出)(?:你|您|全部|完整|所有|的){{0,4}}系统(?:提示词?|指令|消息)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_LEADS_IN: Final = re.compile(
    rf"""(?:{_MARKUP}
    (?:(?:important|note|notice|attention|warning|urgent|reminder|alert|critical|assistant|ai|kimi
        |hey|ok|okay|now|first|please|and|so|then|also|you\smust(?:\snow)?|you\sshould(?:\snow)?
        |immediately|from\snow\son|new\sinstructions?|task|instructions?|todo|step\s\d
        |重要|注意|警告|紧急|提醒|首先|然后|现在|从现在起|从现在开始|助手|新指令|指令|请|你必须|务必)
        [\s:,!*_-]{{0,6}}){{0,4}})""",
    re.IGNORECASE | re.VERBOSE,
)
_ATTRIBUTED: Final = re.compile(
    r"""[\s>*•·–—-]{0,8}(?:\[[^\]\n]{0,80}\]\s?)?[-*•]?\s?(?:\d{1,7}[.)]?\s)?
    (?:user|assistant|tool|system|developer|function|用户|助手|工具|系统)\b[^:\n]{0,80}:""",
    re.IGNORECASE | re.VERBOSE,
)
_SENTENCE: Final = re.compile(r"[.!?;]\s|[。！!？?；;]")
_WINDOW: Final = 160
"""Characters before an order in which its sentence begins, or it is no beginning."""
_QUOTES: Final = ("“”", "「」", "『』", "«»")


def _orders(page: _Page) -> bool:
    return any(
        _is_order(line, match.start())
        for line in page.said
        if not _ATTRIBUTED.match(line)
        for match in _ORDERS.finditer(line)
    )


def _is_order(line: str, start: int) -> bool:
    """Tell whether what stands there opens a sentence of its own, outside quotation marks."""
    before = line[max(0, start - _WINDOW) : start]
    if before.count('"') % 2 or before.count("`") % 2:
        return False
    if any(before.rfind(opening) > before.rfind(closing) for opening, closing in _QUOTES):
        return False
    ends = [match.end() for match in _SENTENCE.finditer(before)]
    if not ends and start > _WINDOW:
        return False
    return _LEADS_IN.fullmatch(before[ends[-1] if ends else 0 :]) is not None


# --- our own fences -------------------------------------------------------------------------------

_FENCES: Final = re.compile(
    r"[<‹〈⟨˂⧼❮≺＜]\s{0,8}[/\\]?\s{0,8}(?:conversation(?:[-_\s]?notes)?|standing[-_\s]?instructions"
    r"|recalled[-_\s]?messages|identifiers)\s{0,8}(?:[>›〉⟩˃⧽❯≻/]|\w{1,20}\s{0,4}=|$)"
    r"|[<‹〈⟨]\s{0,8}summary\s{1,8}(?:messages|dates)\s{0,4}="
    r"|^[^\S\n]{0,8}[<‹〈⟨]\s{0,8}[/\\]?\s{0,8}summary\s{0,8}[>›〉⟩]",
    re.IGNORECASE | re.MULTILINE,
)


def _fenced(page: _Page) -> bool:
    return _FENCES.search(page.text) is not None


# --- broken output --------------------------------------------------------------------------------

_JSON: Final = re.compile(r'(?:```\w{0,12}\s{0,4})?(?=\{\s{0,99}["}]|\[\s{0,99}[\[{"])')
_LOOP: Final = 8
"""Times that something is said at the end before it is a loop."""
_ECHO: Final = 120
"""Characters from which a repetition is a loop and no list."""
_TAIL: Final = 2_000
"""Characters at the end that are looked at."""
_SAME: Final = 5
"""Equal lines, or sentences, that are a loop when they are more than half of all."""
_STOP: Final = re.compile(r"[\n.!?。！？]+")


def _breaks_off(page: _Page) -> bool:
    opening = _JSON.match(page.text)
    if opening is None:
        return False
    try:
        json.JSONDecoder().raw_decode(page.text, opening.end())
    except (ValueError, RecursionError):
        return True
    return False


def _loops(page: _Page) -> bool:
    for pieces in (page.lines, _STOP.split(page.text)):
        said = Counter(piece.strip() for piece in pieces if any(map(str.isalnum, piece)))
        most = max(said.values(), default=0)
        if most >= _SAME and 2 * most > said.total():
            return True
    return _ends_in_a_loop(page.text[-_TAIL:])


def _ends_in_a_loop(text: str) -> bool:
    """Tell whether a text ends in one thing said many times, by the prefix function of its end."""
    backwards = text.rstrip("-=_*#|~. \n")[::-1]
    borders = [0] * len(backwards)
    for place in range(1, len(backwards)):
        border = borders[place - 1]
        while border and backwards[place] != backwards[border]:
            border = borders[border - 1]
        borders[place] = border + (backwards[place] == backwards[border])
        size = place + 1
        if size >= _ECHO and (size - borders[place]) * _LOOP <= size:
            return True
    return False


_FAULTS: Final[tuple[tuple[Callable[[_Page], bool], str], ...]] = (
    (_wordless, "it has no words"),
    (_calls, "it holds the markup of a tool call"),
    (_breaks_off, "it is JSON that breaks off"),
    (_fenced, "it holds tags that are used to fence the notes"),
    (_impersonates, "it goes on as the user, the system or a tool"),
    (_orders, "it gives orders to its reader"),
    (_declines, "it declines or answers where notes were asked for"),
    (_loops, "it says one thing over and over"),
)
"""What can be wrong with a text, in the order in which it is told."""
