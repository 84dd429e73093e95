"""Without a network, a key, a model or a vocabulary: counting and compaction work all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from kimi_clients import httpx_library

PRELUDE = """
import json, logging, socket, sys

class Blocked(socket.socket):
    def __init__(self, *args, **kwargs):
        raise OSError("a socket was opened")

socket.socket = socket.SocketType = Blocked
sys.modules["splintr"] = None

records = []

class Keep(logging.Handler):
    def emit(self, record):
        records.append([record.levelname, record.getMessage()])

logging.getLogger("memory").addHandler(Keep())

head = {"role": "system", "content": "You keep the books of a warehouse."}
messages = [head]
for n in range(200):
    messages.append({"role": "user", "content": f"Crate {n} came in, shelf {n * 7 % 50}. 第{n}箱"})
    messages.append({"role": "assistant", "content": f"Noted: crate {n}, shelf {n * 7 % 50}."})
messages.append({"role": "user", "content": "Where is crate 7?"})
"""

FIT = """
from memory import MemoryManager

manager = MemoryManager(budget=2_000)
view = manager.fit(messages)
again = manager.fit([*messages, {"role": "assistant", "content": "Shelf 49."}])
warnings = [text for level, text in records if level == "WARNING"]
print(json.dumps({
    "counter": manager.counter.name,
    "exact": manager.counter.exact,
    "total": manager.count(view).total,
    "full": manager.count(messages).total,
    "roles": [message["role"] for message in view[:2]],
    "same_tail": list(view[2:]) == messages[len(messages) - len(view) + 2:],
    "grows": list(again[: len(view)]) == list(view),
    "warnings": warnings,
}))
"""

WRAP = """
from openai import OpenAI
from memory import wrap
from memory.testing import FakeKimi
import httpx_library

fake = FakeKimi(count_text=lambda text: len(text.encode()) // 4 + 1)
http = httpx_library.Client(transport=fake.httpx_library_transport())
client = wrap(OpenAI(api_key="k", base_url="http://fake/v1", http_client=http), budget=2_000)
client.chat.completions.create(model="kimi-k2.6", messages=messages)
print(json.dumps({
    "kinds": [request.kind for request in fake.requests],
    "sent": len(fake.requests[-1].body["messages"]),
    "warnings": [text for level, text in records if level == "WARNING"],
}))
""".replace("httpx_library", httpx_library.__name__)


def run(code: str) -> dict[str, Any]:
    """Run code in an interpreter without sockets and vocabulary; return what it says."""
    command = [sys.executable, "-W", "error", "-c", PRELUDE + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (0, "") == (done.returncode, done.stderr)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_long_list_is_fitted() -> None:
    """The view is within the budget by the estimator, after a head and notes a suffix."""
    said = run(FIT)

    assert ("byte-class estimator", False) == (said["counter"], said["exact"])
    assert said["total"] <= 2_000 < said["full"]
    assert ["system", "user"] == said["roles"]
    assert said["same_tail"]
    assert said["grows"]


def test_there_is_one_warning_and_it_names_the_counter() -> None:
    """That tokens are estimated is said once a manager, and nothing else is worth a warning."""
    (warning,) = run(FIT)["warnings"]

    assert "byte-class estimator" in warning


def test_a_wrapped_client_needs_no_vocabulary_either() -> None:
    """A client on another transport than a socket compacts with the estimator."""
    said = run(WRAP)
    (warning,) = said["warnings"]

    assert ["summary", "chat"] == said["kinds"]
    assert said["sent"] < 200
    assert "byte-class estimator" in warning
