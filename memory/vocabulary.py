"""Where counters come from: an argument, a file, the `[exact]` extra, else the estimator.

Kimi K2 to K3 share one vocabulary of 163,584 byte sequences, published as `tiktoken.model`. It is
never downloaded: the `[exact]` extra brings it (`splintr-rs` carries it), or a path names the file.
tiktoken counts with it. What is loaded is loaded once in a process, at the first count; what could
not be loaded is not tried again, and the estimator counts instead.
"""

from __future__ import annotations

import math
import os
import threading
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest, sha256
from importlib.util import find_spec
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

from memory.errors import ConfigError
from memory.tokens import ByteClassEstimator, Counter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tiktoken

__all__ = (
    "KIMI_SHA256",
    "CallableCounter",
    "EncodingCounter",
    "Tokenizer",
    "VocabularyCounter",
    "resolve",
    "warmup",
)

Tokenizer: TypeAlias = "Callable[[str], int] | tiktoken.Encoding | str | os.PathLike[str]"
"""What counts tokens: a callable from text to tokens, a `tiktoken.Encoding`, or a path to a file
in the format of `tiktoken.model`."""

KIMI_SHA256: Final = "b6c497a7469b33ced9c38afb1ad6e47f03f5e5dc05f15930799210ec050c5103"
"""The SHA-256 of the `tiktoken.model` of Kimi K2, K2.5, K2.6, K2.7 and K3."""

# `tokenization_kimi.py` of the open weights; `&&` intersects classes in tiktoken's regex engine.
_UPPER: Final = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_LOWER: Final = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_ENDING: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_PATTERN: Final = "|".join(
    (
        r"[\p{Han}]+",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDING}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDING}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
_KIMI_SIZE: Final = 163_584

SLICE: Final = 200_000
"""Characters encoded at once: 1,000,000 blanks in a row make tiktoken 0.14 panic, and slices of
this size change a count by less than 0.005 %."""

_ESTIMATOR: Final = ByteClassEstimator()


@runtime_checkable
class Encoding(Protocol):
    """The part of `tiktoken.Encoding` that counting needs."""

    def encode_ordinary(self, text: str) -> Sequence[int]:
        """Return the tokens of a text in which special tokens are text."""


class _Source(Protocol):
    """Names a vocabulary without holding it: hashable, and cheap to copy and to pickle."""

    @property
    def name(self) -> str: ...

    def load(self) -> Encoding: ...


@dataclass(frozen=True, slots=True)
class _Extra:
    """The vocabulary that `splintr-rs` carries."""

    name: str = "kimi-k2 vocabulary (splintr)"

    def load(self) -> Encoding:
        from splintr import Tokenizer as Carrier  # noqa: PLC0415  # 0.15 s and 30 MB

        token = Carrier.from_pretrained("kimi_k2").decode_token_bytes
        ranks = {token(rank): rank for rank in range(_KIMI_SIZE)}
        digest = sha256()
        for each, rank in ranks.items():
            digest.update(b"%b %d\n" % (b2a_base64(each, newline=False), rank))
        if digest.hexdigest() != KIMI_SHA256:
            message = "splintr-rs carries another vocabulary than Kimi's"
            raise ValueError(message)
        return _encoding(self.name, ranks)


@dataclass(frozen=True, slots=True)
class _File:
    """A file in the format of `tiktoken.model`, with the SHA-256 it had when it was named."""

    path: str
    digest: str

    @property
    def name(self) -> str:
        if self.digest == KIMI_SHA256:
            return "kimi-k2 vocabulary (file)"
        return f"vocabulary {self.digest[:12]} (file)"

    def load(self) -> Encoding:
        data = Path(self.path).read_bytes()
        if sha256(data).hexdigest() != self.digest:
            message = f"{self.path} has changed since it was named"
            raise ValueError(message)
        return _encoding(self.name, _ranks(data))


def _ranks(data: bytes) -> dict[bytes, int]:
    """Parse lines of a token in base64, a blank and its rank."""
    pairs = (line.split() for line in data.splitlines() if line)
    return {a2b_base64(token): int(rank) for token, rank in pairs}


def _encoding(name: str, ranks: dict[bytes, int]) -> Encoding:
    # Never `tiktoken.get_encoding`: it downloads, without a timeout and under a process-wide lock.
    import tiktoken  # noqa: PLC0415  # 20 ms, for those who count exactly

    return tiktoken.Encoding(name, pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})


class VocabularyCounter:
    """Counts with a vocabulary that is loaded at the first count, once in a process.

    Made by `resolve`. Copies, deep copies and unpickled ones share what is loaded. Never raises:
    where loading failed the estimator counts from then on, `exact` is False and `failure` says why.
    """

    __slots__ = ("_encoding", "_lock", "_pending", "_source", "failure")

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._lock = threading.RLock()  # the garbage collector may run what counts while it is held
        self._pending = True
        self._encoding: Encoding | None = None
        self.failure: str | None = None
        """Why the vocabulary could not be loaded, or None."""

    @property
    def name(self) -> str:
        """Which vocabulary counts; the estimator where it could not be loaded."""
        return self._source.name if self.failure is None else _ESTIMATOR.name

    @property
    def exact(self) -> bool:
        """Whether counts are exact, as far as is known before the vocabulary is loaded."""
        return self.failure is None

    def count(self, text: str) -> float:
        """Return the tokens of `text`; the first call loads the vocabulary (0.4 s)."""
        encoding = self._loaded()
        return _ESTIMATOR.count(text) if encoding is None else _count(encoding, text)

    def warmup(self) -> None:
        """Load the vocabulary now unless that was tried before."""
        self._loaded()

    def _loaded(self) -> Encoding | None:
        if self._pending:
            with self._lock:
                if self._pending:
                    self._load()
        return self._encoding

    def _load(self) -> None:
        try:
            self._encoding = self._source.load()
        except BaseException as error:
            if not _is_failure(error):
                raise
            self.failure = f"{type(error).__name__}: {error}"
        self._pending = False

    def __reduce__(self) -> tuple[Callable[[_Source], VocabularyCounter], tuple[_Source]]:
        """Copy and pickle by naming the source."""
        return _shared, (self._source,)

    def __repr__(self) -> str:
        """Return what it is called."""
        return f"<{type(self).__name__} {self.name!r}>"


_COUNTERS: Final[dict[_Source, VocabularyCounter]] = {}


def _shared(source: _Source) -> VocabularyCounter:
    """Return the one counter of a source in this process."""
    return _COUNTERS.setdefault(source, VocabularyCounter(source))


class EncodingCounter:
    """Counts with a `tiktoken.Encoding` of the caller's, which is taken to be the model's own.

    Args:
        encoding: Anything with `encode_ordinary(text)`, a sequence of tokens.
    """

    __slots__ = ("_encoding",)

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    @property
    def name(self) -> str:
        """The name of the encoding."""
        return f"encoding {getattr(self._encoding, 'name', type(self._encoding).__name__)}"

    @property
    def exact(self) -> bool:
        """True: the caller's word."""
        return True

    def count(self, text: str) -> float:
        """Return the tokens of `text`; what cannot be encoded is estimated."""
        return _count(self._encoding, text)

    def __deepcopy__(self, memo: dict[int, object]) -> EncodingCounter:
        """Return this counter: an encoding by value is 2 MB and 0.2 s."""
        return self


class CallableCounter:
    """Counts with a function of the caller's, which is taken to be exact until it fails.

    Never raises: where the function raises, or returns what is no number from 0 up, that text is
    estimated, `exact` becomes False, and `failure` says why.

    Args:
        function: Returns the tokens of a text; fractions are rounded up.
    """

    __slots__ = ("_function", "failure")

    def __init__(self, function: Callable[[str], int]) -> None:
        self._function = function
        self.failure: str | None = None
        """What was wrong with the last text that the function could not count, or None."""

    @property
    def name(self) -> str:
        """The name of the function."""
        return f"tokenizer {getattr(self._function, '__qualname__', type(self._function).__name__)}"

    @property
    def exact(self) -> bool:
        """Whether the function has counted every text so far."""
        return self.failure is None

    def count(self, text: str) -> float:
        """Return what the function says, in whole tokens, else the estimate."""
        try:
            return _whole(self._function(text))
        except BaseException as error:
            if not _is_failure(error):
                raise
            self.failure = f"{type(error).__name__}: {error}"
            return float(math.ceil(_ESTIMATOR.count(text)))

    def __deepcopy__(self, memo: dict[int, object]) -> CallableCounter:
        """Return this counter: a bound method would copy the tokenizer that it belongs to."""
        return self


def resolve(tokenizer: Tokenizer | None = None) -> Counter:
    """Return what counts tokens; nothing is loaded before the first count, nothing ever downloaded.

    The first of these that is there: `tokenizer`, the vocabulary of the `[exact]` extra, the
    estimator. Counters of one source share what is loaded.

    Args:
        tokenizer: A callable from text to tokens; a `tiktoken.Encoding`; or a path to a
            `tiktoken.model`. A file other than Kimi's (by its SHA-256) is accepted as well, split
            by Kimi's pattern, and named by its hash. All three are believed to be exact.

    Raises:
        ConfigError: `tokenizer` is none of these, or no such file can be read.
    """
    if tokenizer is None:
        return _shared(_Extra()) if _importable("splintr") else _ESTIMATOR
    if isinstance(tokenizer, (str, os.PathLike)):
        return _shared(_file(tokenizer))
    if isinstance(tokenizer, Encoding):
        return EncodingCounter(tokenizer)
    if _is_function(tokenizer):
        return CallableCounter(tokenizer)
    message = (
        "tokenizer must be a function from text to a number of tokens (not async), a "
        f"tiktoken.Encoding or a path to a tiktoken.model, not {tokenizer!r:.80}"
    )
    raise ConfigError(message)


def warmup(tokenizer: Tokenizer | None = None) -> Counter:
    """Resolve a counter and load what it needs now, instead of at the first count.

    Takes 0.4 s and 60 MB for the Kimi vocabulary, once in a process. Does not raise where loading
    fails; the counter then is not `exact`.

    Raises:
        ConfigError: As `resolve`.
    """
    counter = resolve(tokenizer)
    if isinstance(counter, VocabularyCounter):
        counter.warmup()
    return counter


def _file(path: str | os.PathLike[str]) -> _File:
    try:
        whole = Path(path).expanduser().absolute()
        with whole.open("rb") as file:
            if not _ranks(file.readline(1_000)):
                raise ValueError("it is empty")  # noqa: EM101, TRY003, TRY301
            file.seek(0)
            return _File(str(whole), file_digest(file, "sha256").hexdigest())
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        message = (
            f"tokenizer={os.fspath(path)!r} names no file of lines of a token in base64 and its "
            f"rank, as tiktoken.model is ({error}). An encoding is passed itself, not by its name."
        )
        raise ConfigError(message) from error


def _is_function(value: object) -> bool:
    return callable(value) and not iscoroutinefunction(value)


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # It was imported in some way that left no spec.
        return False


def _count(encoding: Encoding, text: str) -> float:
    if len(text) <= SLICE:
        return _count_slice(encoding, text)
    return sum(_count_slice(encoding, text[i : i + SLICE]) for i in range(0, len(text), SLICE))


def _count_slice(encoding: Encoding, text: str) -> float:
    try:
        return float(len(encoding.encode_ordinary(text)))
    except BaseException as error:
        if not _is_failure(error):
            raise
        return float(math.ceil(_ESTIMATOR.count(text)))


def _is_failure(error: BaseException) -> bool:
    """Tell a failure from an interrupt; Rust's panics are not `Exception`s."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _whole(value: float) -> float:
    number = math.ceil(value)
    if number < 0:
        message = f"{value!r} tokens"
        raise ValueError(message)
    return float(number)
