r"""What is searched for and what is found by: one analyser for everything that searches.

**Folding.** Text is folded (NFKC, case) and parted into words: runs of letters, digits and marks. A
run in a script that is written without spaces between words (Chinese, Japanese, Korean, Thai, …)
becomes its overlapping pairs of characters, and its last character alone, so that each character
begins a term.

**Stems.** A word of 3 to 24 letters from a to z is its English stem: "meetings" is `meet`. Where
the stem differs, the word itself is a term as well, with `¬` before it, so that what begins like a
word can be looked for. Any other word is kept as it is.

**Identifiers.** Pieces of ASCII letters and digits that `_ - . / : @ # + \` join are one more term,
with `¤` before it and `·` for each run of joints, if there is a digit in them, or one of
`_ @ / \ #` between them, or only single dots between pieces of two letters and more. So
`order_12-AB/7` is `¤order·12·ab·7` beside its pieces; "well-known" and "e.g." are none.

**Terms.** They have at most 64 characters (of a longer word or identifier its beginning counts) and
hold neither white space nor ASCII punctuation. No text has `¬`, `¤` or `·` in a word. The terms
with `¬` and `¤` repeat what others say, so the length of a text does not count them.

**Queries.** A query is made of the same terms, without `¬`; a word with a `*` after it asks for the
stems and words that begin so, and a run of one character for the pairs. A longer run asks for its
pairs. All else in a query is punctuation, so there are no operators and nothing to escape.

**Questions.** Of what somebody asks in words, and of its context, function words are left out, and
in scripts without spaces the pairs that hold a part of one. Words that tell a time stay.
"""

from __future__ import annotations

from memory.analysis.queries import Query, Term, sentences
from memory.analysis.terms import SIZE, length_of, terms_of, written

__all__ = ("SIZE", "Query", "Term", "length_of", "sentences", "terms_of", "written")
