"""Who searches what was said: the contract, a lexical retriever, and one for anybody's vectors."""

from __future__ import annotations

from memory.retrievers.contract import AsyncRetriever, Preparing, Retriever
from memory.retrievers.embedding import AsyncEmbeddingRetriever, EmbeddingRetriever
from memory.retrievers.lexical import LexicalRetriever

__all__ = (
    "AsyncEmbeddingRetriever",
    "AsyncRetriever",
    "EmbeddingRetriever",
    "LexicalRetriever",
    "Preparing",
    "Retriever",
)
