"""Rules that tell which English sentences of a user are to hold from now on, or no longer.

A sentence is read clause by clause. What makes a wish is an order to the one who answers (an
imperative, "you must", "I want you to") together with a word that makes it last ("always",
"from now on", "whenever I …"), or one of few orders that last by themselves ("call me …").
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Final

from memory.standing.english_words import OUTPUT, REPLY, SPOKEN, STYLE, UNORDERED, VERB

__all__ = ("directs", "takes_back")


_LASTING: Final = re.compile(
    r"""(?x)\b(?:
    from\ (?:now|here|this\ (?:point|moment)|today|here\ on)\ (?:on|out|onwards?|forward)
    | from\ now\ on(?:wards?)? | from\ (?:here|today)\ on | (?:going|moving)\ forward | henceforth
    | starting\ (?:now|today) | in\ (?:the\ )?future | until\ (?:further\ notice|i\ (?:say|tell))
    | for\ (?:the\ rest|the\ remainder|the\ duration)\ of\ (?:this|our|the)
      \ (?:conversation|chat|session|discussion|project)
    | (?:throughout|during)\ (?:this|our)\ (?:conversation|chat|session|project)
    | as\ a\ (?:general\ )?rule | by\ default | at\ all\ times | without\ exception | no\ matter
    | under\ no\ circumstances
    | in\ (?:every|each|any|all(?:\ of)?)\ (?:(?:your|my|our|the|future|subsequent)\ ){0,3}
      (?:answer|repl|respons|message)\w* | under\ any\ circumstances
    | in\ (?:every|each)\ case | (?:every|each)\ (?:single\ )?(?:answer|reply|response|message)
    | for\ all\ (?:future|subsequent)\b)\b"""
)
_WHENEVER: Final = r"(?:whenever|(?:every|each|any) (?:single )?time|anytime|on every occasion)"
_TALKS: Final = (
    r"(?:ask|mention|paste|send|say|request|type|write|give|share|refer|talk|upload|post|quote"
    r"|bring|use|tell|call|start|show|propose|order|book)"
)
_WHEN: Final = re.compile(rf"{_WHENEVER}\b|(?:when|if|once) i(?: ever)? {_TALKS}\b|before you\b")
_AT_LEISURE: Final = re.compile(
    r"whenever(?:$| (?:you(?:'re| (?:are|like|want|can|get|have|need|feel|wish|please|'re))|it|that"
    r"|possible|convenient|suits))"
)
_CUT: Final = re.compile(
    r"\s*(?:(?<!remember),(?!\d)|[;()—–!?…]|:(?!\d)|\s-+\s|\.(?=\s)"
    rf"|\b(?=(?:{_WHENEVER}|(?:when|if) i(?: ever)? {_TALKS}|before you)\b)"
    r"|\b(?:but|so(?! that)|because|since)\b)\s*"
)
_LEAD: Final = re.compile(
    r"(?:(?:ok(?:ay)?|alright|hey|hi|hello|oh|ah|well|so|and|but|also|btw|by the way|please|kindly"
    r"|again|then|important|importantly|most importantly|ps|p\.s\.?|thanks|thank you|great|perfect"
    r"|sure|yes|no(?=\s*$)|first|second|finally|lastly|one more thing|another thing|actually|kimi"
    r"|in general|generally|if possible|additionally|furthermore|moreover|plus|rule(?: \d+)?|note"
    r"|reminder|heads up|just so you know|fyi|for the record|above all|just|simply|really"
    r"|to be clear|remember(?=[\s,:]*(?:to )?(?:always|never|do not|don't))|next|now|only|instead"
    r"|rather)\b[\s,.:!]*)*"
)
_LABEL: Final = re.compile(r"[A-Z][\w.'-]{0,24}(?: [A-Z][\w.'-]{0,24})?:\s+")
_TAIL: Final = re.compile(r"(?:,? (?:ok|okay|alright|right|please|thanks|will you|would you))\?+$")
_REPORTED: Final = re.compile(
    r"\b(?!(?:i|you|always|never|please|to|not|and|or|t|don't)\b)\w+ (?:always |once |has |have "
    r"|had |would |just |also )*(?:said|says?|told|tells|wrote|writes|reads?|states?|warned|advised"
    r"|taught|insists?|insisted|reminded|shouted|whispered|yelled|begged|sang|mentions)\b|\b(?:her"
    r"|his|their|our|\w+'s) (?:\w+ )?(?:rule|motto|advice|philosophy|policy|mantra|saying)\b"
)
_SETTING: Final = re.compile(
    r"(?:in|for|on|at|with|within|during|throughout|under|outside|if|when|unless|to|as|whenever"
    r"|every|each"
    r"|after|before|once|one|oh|by)\b|\S+(?: \S+)?$"
)
_SAID: Final = re.compile(r"(?:my \w+|he|she|they|mum|mom|dad)\b.*\b(?:said|says?|told me)$")
_OWN_SAYING: Final = re.compile(
    r"\b(?:i (?:say|said|told|tell)|as i|like i|i (?:must |do |really )?insist|you say|you said)\b"
)
_IDIOM: Final = re.compile(
    r"always open(?: to| for|$)|never (?:mind|say never|give up|lose hope|fear|know"
    r"|ever(?: give up)?$|too late|stop"
    r" (?:learning|dreaming|believing|growing|trying|being|fighting|exploring|pushing)"
    r"|forget (?!to\b)"
    r"|doubt your|settle for|underestimate|hurts|gets old|fails)|nevermind|always (?:remember"
    r" (?:that )?you(?:'re| are|r)|here for|there for|there|be (?:here|there|proud|grateful"
    r"|yourself)"
    r"|believe in yourself|stay (?:strong|positive|true)|follow your|look on the bright|have each)"
    r"|(?:do not|don't)(?: ever| you)* (?:worry|hesitate|mention it|give up|quit|be (?:so|too)"
    r"|sweat"
    r"|lose|doubt|change|feel|get me wrong|mind|let (?:anyone|any|it|that|go|them)|stop)"
)
_ADVERBS: Final = r"(?: ever| again|,? please| first| also| just| simply| fully| kindly| to)*"
_ALWAYS: Final = re.compile(
    r"(?:you (?:must|should|shall|have to|need to) |to )?(?:always|never)(?:,? (?:always|never))?"
    rf"{_ADVERBS} ([a-z'-]+)"
)
_FINITE: Final = re.compile(
    r"(?!need|feed|seed|embed|proceed|exceed|speed|shed|bring|sing|ping|string)\w+(?:ed|ing)"
    r"|\w+(?<![suiy])s(?<!process)(?<!alias)(?<!canvas)|.*'.*"
)
_COMMAND: Final = re.compile(rf"{VERB}\b")
_ORDER: Final = re.compile(
    rf"(?:(?:don't|do not|always|never|let's|let us)(?: ever)? \w|(?:be sure|make sure"
    rf"|{VERB})\b(?!')"
    r"|no (?:more )?\w+|(?:you|are you|should you|may you|must you) (?:must|should|shall|have to"
    r"|need to|ought to|are (?:not )?to|may not|cannot|can't|mustn't|shouldn't|to|ever|delete"
    r"|\w+ anything)\b|should you|you(?:'re| are)(?: never| always| not)? to\b|i(?:(?:'d"
    r"| would) (?:really )?(?:like|love|appreciate)|(?:'d| would)? ?(?:really )?(?:want|need|prefer"
    r"|expect|ask|require))\b(?! to\b)|my name is\b|(?:all|every|each|any|no|your) .* (?:must"
    r"|should|shall|ha(?:s|ve) to)\b|(?:can|could|would|will) you\b|i (?:ask|beg) (?:that )?you)"
)
_CALL_ME: Final = re.compile(
    r"(?:(?:you (?:can|may|should|must)|i want you to|i'd like you to|(?:can"
    r"|could) you) )?(?:just )?"
    r"(?:call me|address me (?:as|by|with)|refer to me (?:as|by)) (?!(?:a|an|the (?:minute|moment"
    r"|day|next)|at|on|if|when|back|later"
    r"|tomorrow|tonight|today|now|soon|asap|maybe|about|for|before|after|anytime|once|whenever|next"
    r"|this"
    r"|by|in|to|again|crazy|old|silly|anything|whatever|and|or|with|from|any|up|out)\b)"
    r"(?:\S+ ?){1,4}(?: from| instead|$)"
)
_ITSELF: Final = (
    # orders that last by themselves, at the start of a clause
    (
        rf"(?:make|be|ensure)(?: sure)?(?: that| to)? (?:you (?:always|never)|always|never|(?:all"
        rf"|every"
        rf"|each|any)"
        rf"(?: of)? (?:your |the )?(?:\w+ )?{OUTPUT}\b|your (?:\w+ )?{OUTPUT}\b"
        rf"|you (?:\w+ ){{1,6}}{_WHENEVER})"
    ),
    (
        r"(?:remember|keep in mind|bear in mind|don't forget|do not forget|note)(?: that"
        r"|,)? (?:i(?:'m"
        r"| am)"
        r"(?! sorry| glad| here| happy)|i (?:don't|do not|can't|cannot|never|always|prefer|like"
        r"|hate"
        r"|live)"
        r"|my \w+(?: \w+)? (?:is|are|has|can't|doesn't))\b"
    ),
    (
        rf"(?:keep|make|write|format|start|begin|end|sign|phrase|limit"
        rf"|give)(?: me)? (?:(?:all )?(?:of )?your"
        rf"|every|each|all) (?:\w+ )?{OUTPUT}\b"
    ),
    (
        rf"(?:(?:always|only|please) )?(?:answer|reply|respond|speak|talk|write|communicate)"
        rf"(?: to me| me| back| with me)?(?: only)? in (?:\w+ )?{SPOKEN}\b(?! (?:to|about|for|and"
        rf"|class))"
    ),
    (
        rf"(?:don't|do not|avoid|never|no(?: more)?|stop|quit|skip|refrain from"
        rf"|leave out)(?: ever)?"
        rf"(?: (?:use|using|add|adding|include|including|put|putting|write|writing|give|giving|make"
        rf"|making|do))?"
        rf"(?: me)?(?: any| the| so many| that many| your)?(?: more)? (?:\w+ )?{STYLE}\b"
    ),
    (
        r"(?:don't|do not)(?: ever)? (?:call me|address me|refer to me|apologi[sz]e"
        r"|repeat (?:yourself"
        r"|my)"
        r"|guess|make (?:things|stuff|anything|up)|hallucinate|invent|fabricate|assume|sugar-?coat"
        r"|lecture"
        r"|flatter|moralize|ask me (?:if|whether|for confirmation|to confirm))\b"
    ),
    r"(?:don't|do not)(?: you)? (?:ever|under any circumstances) \w",
    r"(?:don't|do not) .*\b(?:again|any ?more|any longer)[.!]*$",
    (
        r"stop (?!by|worrying|being|kidding|teasing|wasting|beating|thinking|laughing|crying"
        r"|fighting"
        r"|trying"
        r"|believing|dreaming|running|taking|the)\w+ing\b(?! (?:the|this|that) (?:car|engine|server"
        r"|service))"
    ),
    (
        r"i(?:'d| would|'ll| will)? (?:really )?(?:want|need|like|prefer|expect)(?: for)? (?:you"
        r"|it if you) .*"
        r"\b(?:always|never|every|each|whenever|anything|at all times|again|any ?more)\b"
    ),
    (
        rf"i(?:'d| would)? (?:really )?(?:want|need|like|prefer|expect) (?:all |every "
        rf"|each )(?:of )?"
        rf"(?:the |your )?(?:\w+ )?{OUTPUT}\b"
    ),
    (
        rf"i(?:'d| would)? (?:really )?(?:want|like|prefer|expect) (?:you to (?:keep|write|answer"
        rf"|reply)|(?:your "
        rf"|short|brief|concise|long|detailed|direct)[ \w]*){REPLY}\b"
    ),
    (
        r"you(?:'re| are)? (?:must|should|shall|have to|need to|ought to|are to|to)(?: not)? "
        r"(?:always|never|ever)(?: ever)? (?!been|had|know|so\b|a\b)(?!\w+(?:ed|ing)\b)\w"
    ),
    r"you(?:'re| are) (?:always|never|not ever) to \w",
    (
        rf"(?:all|every|each|any|no|your|my)(?: of)?(?: your| the| my)?(?: \w+)? {OUTPUT} (?:must"
        rf"|should(?! i)|shall|ha(?:s|ve) to|needs? to|(?:are|is) to)\b"
    ),
    (
        r"i never want (?:you to|to (?:see|hear|read|get)|any)\b|i always want (?:you|the|my|your"
        r"|all)\b"
    ),
    (
        r"(?:it's|it is) (?:\w+ )?(?:important|essential|crucial|vital|critical|imperative"
        r"|necessary)(?: to me)?"
        r"(?: that you| for you to| to| you)? (?:always|never) "
    ),
    r"i (?:must |do |really )?(?:insist|ask|demand|request|beg)(?: that)? you (?:always|never)\b",
    r"my name is .*\bnow\b|(?:don't|do not) (?:\w+ ){1,8}ever$",
    r"(?:always|never),? you (?:must|should|have to|need to) \w",
)
_ASIDE: Final = re.compile(
    r", ?(?:under any circumstances|please|if possible|of course|ever)(?:,|(?=[.!]*$))"
)
_LASTS: Final = re.compile("|".join(f"(?:{rule})" for rule in _ITSELF))
_ONE_OFF: Final = re.compile(
    r"\b(?:today|tonight|tomorrow|this (?:time|one|file|email|order|booking|trip)|right now|for now"
    r"|yet"
    r"|just this once|yesterday|this (?:morning|afternoon|evening|week|weekend))\b"
)
_UNBOUND: Final = re.compile(
    r"be it\b|be (?:happy|glad|proud)|feel free|let me know|come\b|reach out|hit me|text me|keep me"
    r"|take your|take care|enjoy|write me|call me"
)
_ADVICE: Final = re.compile(r"\b(?:how|tips?|ways?|what|advice|avoid \w+ in the future)\b")
_OWN_PLAN: Final = re.compile(r"(?:i|we|he|she|they|it|there)\b")
_ASKS: Final = re.compile(
    r"(?:can|could|would|will) you (?:(?:please|kindly) (?:\w+ )?(?:always|never)|(?:always"
    r"|never) please)|could you (?:always|never)"
)
_RULE: Final = (
    r"(?:rules?|bans?|restrictions?|instructions?|requests?|requirements?|preferences?|guidelines?"
    r"|wish(?:es)?)"
)
_CANCELS: Final = re.compile(
    rf"""(?x)
    ^(?:(?:you\ (?:can|may)|i(?:'d\ like\ to|\ want\ (?:you\ )?to)?|let's|let\ us)\ (?:now\ )?)?
      (?:forget|ignore|disregard|scrap|cancel|drop|undo|revoke|withdraw|discard|lift|never\ mind
      |nevermind|take\ back|retract)\b(?:\ about)?
      (?:\ [\w'-]+){{0,6}}?\ (?:{_RULE}|i\ (?:just\ )?(?:said|told|asked|wanted|mentioned|wrote))\b
    | ^forget\ (?:it|that|everything|all\ (?:of\ )?(?:that|this|it))[.!]*$ | \bscratch\ that\b
    | \b(?:that|the|my|those|these)\ (?:\w+\ ){{0,4}}{_RULE}\b.*
      \b(?:no\ longer|not?\ .*any\ ?more|off|void|cancell?ed|lifted|gone|obsolete|moot)
    | ^forget\ (?:about\ )?the\ (?:thing|bit|part|stuff|business)\ (?:about|with|on)\b
    | \bno\ longer\ (?:necessary|needed|required|relevant|appl(?:y|ies)|matters?)\b
    | \byou\ needn't\ \w
    | \byou\ (?:no\ longer\ (?:have|need)|(?:don't|do\ not)\ (?:have|need))\ to
      \ (?:always\ |keep\ )?(?:{VERB}(?<!have)(?<!take)(?<!be)|\w+ing)\b
    | \bthere(?:'s|\ is)\ no\ (?:longer\ (?:a\ |any\ )?|more\ )?need\ (?:to|for)\b
    | ^no\ (?:longer\ a\ )?need\ (?:to|for)\b | ^no\ longer\ \w
    | \byou\ (?:can|may)\ (?:stop|quit|drop|skip|leave\ (?:out|off)|cease)\b
    | \bi\ (?:no\ longer|don't|do\ not)\ (?:need|want|require)
      \ (?:you\ to|the|my|your|any|every|all)\b.*(?:any\ ?more|any\ longer)
    | \bi\ no\ longer\ (?:need|want|require)\ (?:you\ to)\b
    | \bi(?:'ve|\ have)?\ changed?\ my\ mind\ (?:about|on)\b
    | \bi\ take\ (?:it\ |that\ )?back\b"""
)
_ALLOWS: Final = re.compile(
    r"\b(?:you (?:can|may)|it(?:'s| is) (?:ok|okay|fine|alright)(?: now)? (?:to|if you)"
    r"|feel free to)\b"
    r".*\b(?:again|now|after all)\b|^(?:you can )?go back to \w+ing\b"
)
_STOPS: Final = re.compile(
    r"^(?:stop|quit|cease) \w+ing\b|^no more \w|^(?:don't|do not) .*\b(?:any ?more|any longer)\b"
)


def directs(plain: str) -> bool:
    """Return whether a sentence asks for something that is to hold from now on."""
    text = _LABEL.sub("", plain, count=1) if _LABEL.match(plain) else plain
    text = _TAIL.sub("", text.lower())
    clauses = _clauses(text)
    if text.endswith("?"):
        return any(map(_asks, clauses))
    if clauses and _SAID.match(clauses[-1]):
        return False
    reported = next((i for i, c in enumerate(clauses) if _reports(c)), len(clauses))
    clauses = [c for c in clauses[:reported] if not _CANCELS.search(c)]
    return any(_orders(clauses, place) for place in range(len(clauses)))


def takes_back(plain: str) -> str:
    """Return how a sentence takes a wish back.

    "cancels" where it no longer holds, "allows" where a ban is lifted, "stops" where something
    that was wished for is now unwanted; empty where it does none of it.
    """
    text = _TAIL.sub("", plain.lower())
    if text.endswith("?"):
        return ""
    clauses = _clauses(text)
    for kind, rule in (("cancels", _CANCELS), ("allows", _ALLOWS), ("stops", _STOPS)):
        if any(rule.search(clause) for clause in clauses):
            return kind
    return ""


def _clauses(text: str) -> list[str]:
    clauses = (clause.strip(" .\"'") for clause in _CUT.split(_ASIDE.sub(_unset, text)))
    led = (_LEAD.sub("", clause, count=1) for clause in clauses)
    return [clause for clause in led if clause]


def _unset(match: re.Match[str]) -> str:
    """Return an aside without the commas that would cut the clause it stands in."""
    return f" {match[0].strip(' ,')}"


def _reports(clause: str) -> bool:
    return bool(_REPORTED.search(clause)) and not _OWN_SAYING.search(clause)


def _asks(clause: str) -> bool:
    """Tell whether a clause of a question is a wish that was only put politely."""
    lasts = _ASKS.match(clause) or (_LASTING.search(clause) and not _ADVICE.search(clause))
    return bool(lasts) and clause.startswith(("can you", "could you", "would you", "will you"))


def _orders(clauses: list[str], place: int) -> bool:
    """Tell whether the clause at `place` is an order that lasts."""
    clause = clauses[place]
    if _IDIOM.match(clause):
        return False
    if _is_always(clause, first=all(map(_SETTING.match, clauses[:place]))) or _lasts_from_now(
        clauses, place
    ):
        return True
    if _ONE_OFF.search(" ".join(clauses)):
        return False
    return bool(_LASTS.match(clause) or _CALL_ME.match(clause)) or _on_condition(clauses, place)


def _is_always(clause: str, *, first: bool) -> bool:
    """Tell whether a clause is an imperative with "always" or "never"."""
    found = _ALWAYS.match(clause)
    if not found or found[1] in UNORDERED or _FINITE.fullmatch(found[1]):
        return False
    # After another clause the subject may be that one's: "I go there a lot, always order fish".
    return first or bool(_COMMAND.match(found[1]))


def _lasts_from_now(clauses: list[str], place: int) -> bool:
    """Tell whether an order is joined by words such as "from now on"."""
    clause = clauses[place]
    found = _LASTING.search(clause)
    if not found or _ADVICE.search(clause):
        return False
    rest = f"{clause[: found.start()]} {clause[found.end() :]}".strip(" ,")
    rest = _LEAD.sub("", " ".join(rest.split()), count=1)
    neighbours = [rest] if rest else clauses[max(0, place - 1) : place] + clauses[place + 1 :][:2]
    return any(_ORDER.match(each) for each in neighbours)


def _on_condition(clauses: list[str], place: int) -> bool:
    """Tell whether the clause at `place` says when, and another one what to do then."""
    clause = clauses[place]
    if not _WHEN.match(clause) or _AT_LEISURE.match(clause):
        return False
    after = takewhile(lambda each: not _OWN_PLAN.match(each), clauses[place + 1 :])
    others = [*clauses[max(0, place - 1) : place], *after]
    return any(_ORDER.match(each) and not _UNBOUND.match(each) for each in others)
