"""The English words that the rules for standing instructions go by, as patterns of `re`."""

from __future__ import annotations

from typing import Final

__all__ = ("OUTPUT", "REPLY", "SPOKEN", "STYLE", "UNORDERED", "VERB")


def _any(words: str) -> str:
    """Return a pattern for any of some words; `_` stands for a space."""
    return "(?:" + "|".join(words.replace("_", " ").split()) + ")"


VERB: Final = _any(
    """abbreviate act add address advise alert announce answer append apply ask assume attach avoid
    backup back_up base be begin bill bold book break bring build calculate call capitali[sz]e cc
    charge check choose cite close code combine comment commit communicate compare compile confirm
    consider contact convert copy count create credit cut date default define delete deliver
    deploy describe disclose display do document double-check double_check draft draw drop edit
    emphasi[sz]e encrypt end ensure escalate escape estimate exclude execute explain express
    favou?r file finish flag focus follow format forward generate get give greet group handle have
    hide highlight hold honou?r ignore include indent inform insert introduce italici[sz]e keep
    label leave limit link list lock log look mail maintain make mark mask match measure mention
    merge message move name note notify number obey offer omit open order output paste pay phrase
    pick ping place plan point prefer prefix prepare present preserve print prioriti[sz]e produce
    pronounce propose provide push put quote raise read recommend rely remember record redact
    refer refrain refuse reject remind remove rename render repeat rephrase replace reply report
    reserve respect respond restate return reveal review round run sanitize save say schedule
    search select send separate set share shorten show sign simplify skip sort speak specify spell
    split spend stage start state stay stick stop store structure style suffix suggest
    summari[sz]e swap switch tag tailor take talk tell test think title touch trace track transfer
    translate treat trim try type underline update upload use validate verify wait warn watch work
    wrap write"""
)
"""Verbs that somebody who helps is ordered to do, as a pattern."""
REPLY: Final = (
    r"(?:answer|repl(?:y|ie)|response|message|explanation|summary|summarie|sentence|paragraph)s?"
)
"""What a reply and its parts are called, as a pattern."""
OUTPUT: Final = (
    rf"(?:{REPLY}|(?:code|samples?|snippets?|examples?|functions?|drafts?|tables?|lists?|dates?"
    r"|times?|prices?|amounts?|numbers?|figures?|units?|reports?|translations?|suggestions?"
    r"|sources?|recommendations?|citations?|commits?|variables?|names?|quotes|tests|temperatures"
    r"|distances|e-?mails?|tone|language|output|texts?|headings|subject lines?|links))"
)
"""What replies are made of, as a pattern."""
SPOKEN: Final = _any(
    """english french german spanish italian portuguese dutch chinese mandarin cantonese japanese
    korean russian ukrainian polish czech turkish arabic hebrew hindi bengali urdu thai vietnamese
    indonesian malay swedish norwegian danish finnish greek latin esperanto json yaml markdown"""
)
"""What one can be asked to answer in, as a pattern."""
STYLE: Final = (
    r"(?:emojis?|emoticons?|smileys?|markdown|bullets?|bullet points?|tables?|headings?|headers?"
    r"|jargon|slang|abbreviations?|acronyms?|disclaimers?|exclamation (?:marks?|points?)|filler"
    r"|small talk|em[ -]?dash(?:es)?|flattery|compliments?|profanity|swear(?:ing)?|first name|sir"
    r"|ma'am|hedg(?:e|ing)|puns?|caps|all caps|footnotes?|passive voice|semicolons?|contractions)"
)
"""What one can be asked to leave out of replies, as a pattern."""
UNORDERED: Final = frozenset(
    """ate became been began blew bought broke brought built came caught chose did done drank drove
    felt flew forgot forgotten found gave gone got gotten grew had heard held kept knew known left
    lent lost made meant met owned paid ran rang rode said sang sat saw seen sent shook shot slept
    sold spent spoke spoken stood struck stuck swam taken taught thought threw told took
    understood was went were woke won wore worn written wrote a about all an any as at available
    better by enough for from good great happy hard he her here his i if in is it its my no not of
    on one or our out quite ready really she so some that the their there they this to too tough
    up very we what where with worth you your nice fun busy easy late same such more less better
    best sure welcome nothing again ever please always never not anything love loves like want
    wanted wondered need can could will would should am are has does has have seems feels glad
    proud amazing beautiful wonderful interesting exciting important inspiring""".split()  # noqa: SIM905  # a page
)
"""Words after "always" or "never" that are no imperative: "never been", "always a pleasure"."""
