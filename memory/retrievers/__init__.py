"""Who searches what was said: the contract, and the lexical retriever that needs no model."""

from __future__ import annotations

from memory.retrievers.contract import AsyncRetriever, Preparing, Retriever
from memory.retrievers.lexical import LexicalRetriever

__all__ = ("AsyncRetriever", "LexicalRetriever", "Preparing", "Retriever")
