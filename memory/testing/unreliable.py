"""A summariser that fails in every way a real one can, by a seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from memory.errors import SummaryError
from memory.summarizers.extractive import extract
from memory.summary import Draft, SummaryRequest
from memory.tokens import ByteClassEstimator

__all__ = ("Unreliable",)


class Unreliable:
    """A summariser that is as good as the offline one, or fails, as a seed decides.

    What it fails with: nothing, half a text, a text longer than what it stands for, a refusal, a
    tool call, an error.

    Args:
        seed: Decides, with the order of the requests, what each gets.

    Attributes:
        unusable: The texts it gave that must not stand for anything.
        asked: How many requests it had.
    """

    def __init__(self, seed: int | str) -> None:
        self._random = Random(f"unreliable:{seed}")
        self._ways: tuple[Callable[[SummaryRequest], Draft], ...] = (
            *(self._good,) * 4,
            self._empty,
            self._truncated,
            self._longer,
            self._refused,
            self._calling,
            self._failed,
        )
        self.unusable: list[str] = []
        self.asked = 0

    def summarize(self, request: SummaryRequest, /) -> Draft:
        """Return a draft of some kind.

        Raises:
            SummaryError: Where that is the kind.
        """
        self.asked += 1
        return self._random.choice(self._ways)(request)

    def _good(self, request: SummaryRequest) -> Draft:
        count = ByteClassEstimator().count
        text = extract(
            request.slice,
            budget=max(1, min(request.cap, request.source_tokens) * 3 // 4),
            count=count,
            previous="\n".join(segment.text for segment in request.previous),
        )
        return Draft(text=text, author=request.model)

    def _empty(self, request: SummaryRequest) -> Draft:
        return Draft(text="", author=request.model)

    def _truncated(self, request: SummaryRequest) -> Draft:
        text = self._noted(f"- The beginning of summary {self.asked}, which breaks off in the")
        return Draft(text=text, author=request.model, finish_reason="length")

    def _longer(self, request: SummaryRequest) -> Draft:
        size = max(request.source_tokens, request.cap) + 50
        words = " ".join(f"w{self.asked}x{number}" for number in range(size))
        return Draft(text=self._noted(f"- {words}"), author=request.model)

    def _refused(self, request: SummaryRequest) -> Draft:
        text = self._noted(f"- Summary {self.asked} was refused.")
        return Draft(text=text, author=request.model, finish_reason="content_filter")

    def _calling(self, request: SummaryRequest) -> Draft:
        return Draft(text="", author=request.model, finish_reason="tool_calls", tool_calls=True)

    def _failed(self, _: SummaryRequest) -> Draft:
        text = f"summary {self.asked} could not be had"
        raise SummaryError(text)

    def _noted(self, text: str) -> str:
        self.unusable.append(text)
        return text
