"""The fake Kimi server: routes, keys and models, its log, and what identifies a reply."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_kimi_requests import assistant, chat, said, send, user

import corpora
from memory.testing import FakeKimi, Model, Request


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_models_are_listed_with_their_windows(prefix: str) -> None:
    """The list says how long each window is; the prefix of the path is optional."""
    _, body = send(FakeKimi(), path=f"{prefix}/models")

    assert {
        "kimi-k3": 1_048_576,
        "kimi-k2.7-code": 262_144,
        "kimi-k2.7-code-highspeed": 262_144,
        "kimi-k2.6": 262_144,
    } == {model["id"]: model["context_length"] for model in body["data"]}
    assert all(model["supports_image_in"] for model in body["data"])


def test_the_balance_is_told() -> None:
    """The balance has the envelope of the API, not that of OpenAI."""
    status, body = send(FakeKimi(), path="/v1/users/me/balance")

    assert (200, True, 49.58894) == (status, body["status"], body["data"]["available_balance"])


def test_unknown_routes_are_answered_by_the_gateway() -> None:
    """An unknown URL is a 404 of another shape, given before the key is looked at."""
    status, body = send(FakeKimi(), path="/v1/embeddings", key="")

    assert (404, "url.not_found", "/v1/embeddings") == (status, body["error"], body["url"])


def test_a_missing_key_is_refused() -> None:
    """Without a bearer token nothing is served, not even to an unknown model."""
    assert (
        401,
        {"error": {"message": "Invalid Authentication", "type": "invalid_authentication_error"}},
    ) == send(FakeKimi(), {"model": "nonsense"}, key="")


def test_a_wrong_key_is_refused() -> None:
    """A server that knows its key takes no other."""
    fake = FakeKimi(api_key="sk-right")
    refused = {"message": "Incorrect API key provided", "type": "incorrect_api_key_error"}

    assert (401, {"error": refused}) == send(fake, {}, key="Bearer sk-wrong")
    assert 200 == send(fake, path="/v1/models", key="Bearer sk-right")[0]


@pytest.mark.parametrize("model", ["kimi-k2.5", "moonshot-v1-8k", "kimi-k2-0905-preview", "gpt-4o"])
def test_models_that_are_not_served_are_not_found(model: str) -> None:
    """Retired and foreign models are 404, before anything else of the body is looked at."""
    message = f"Not found the model {model} or Permission denied"

    assert (404, {"error": {"message": message, "type": "resource_not_found_error"}}) == send(
        FakeKimi(), {"model": model, "messages": [], "temperature": 2}
    )


def test_a_legacy_server_still_serves_k2_5() -> None:
    """Third parties go on serving kimi-k2.5."""
    assert "kimi-k2.5" == chat(FakeKimi(legacy=True), user("Hi"), model="kimi-k2.5")["model"]


def test_models_can_be_given() -> None:
    """A server may offer a model of one's own."""
    fake = FakeKimi(models=[Model(id="mine", family="k2.6", context_length=9)])

    assert [("mine", 9)] == [(model.id, model.context_length) for model in fake.models.values()]


def test_bodies_that_are_too_large_are_refused() -> None:
    """More than 100 MB is too much, whatever it says."""
    headers = {"Authorization": "Bearer sk-test"}
    body = bytes(100 * 1024 * 1024 + 1)
    request = Request(method="POST", path="/v1/chat/completions", headers=headers, body=body)

    assert 413 == FakeKimi().handle(request).status


def test_bodies_that_are_no_objects_are_refused() -> None:
    """What is no JSON object is a 400."""
    headers = {"Authorization": "Bearer sk-test"}
    request = Request(method="POST", path="/v1/chat/completions", headers=headers, body=b"{")

    assert 400 == FakeKimi().handle(request).status


@pytest.mark.parametrize(
    "corpus",
    [
        pytest.param(name, marks=corpora.requires(name))
        for name in ("tau_airline", "bfcl_multi_turn", "swe_agent", "zh_haystack")
    ],
)
def test_real_conversations_are_accepted(corpus: str) -> None:
    """What real users and tools said passes every rule, wherever an assistant answered it."""
    for conversation in corpora.load(corpus, limit=2):
        fake, messages = FakeKimi(), conversation["messages"][:60]
        for end, message in enumerate(messages):
            if message["role"] == "assistant":
                said(fake, *messages[:end], tools=conversation["tools"])


def test_requests_are_logged() -> None:
    """Each request leaves an entry with what was sent, counted and answered."""
    fake = FakeKimi()
    reply = chat(fake, user("Hi"))
    send(fake, {"model": "gpt-4o", "messages": [user("Hi")]})
    served, refused = fake.requests

    assert {"model": "kimi-k2.6", "messages": [user("Hi")]} == served.body
    assert reply["usage"]["prompt_tokens"] == served.prompt_tokens
    assert reply["usage"]["completion_tokens"] == served.completion_tokens
    assert ("chat", 200, None, False, "Bearer sk-test") == (
        served.kind,
        served.status,
        served.error,
        served.stream,
        served.headers["authorization"],
    )
    assert (404, "Not found the model gpt-4o or Permission denied") == (
        refused.status,
        refused.error,
    )


def test_messages_in_the_log_are_shared() -> None:
    """A message that is sent again and again is held once."""
    fake = FakeKimi()
    chat(fake, user("Hi"))
    chat(fake, user("Hi"), assistant("Ho"), user("Hi"))
    first, second = (served.body["messages"] for served in fake.requests)

    assert first[0] is second[0]


def test_identifiers_are_deterministic() -> None:
    """Two servers of one seed give the same replies, at the time their clock shows."""
    replies = [chat(FakeKimi(seed="s", clock=lambda: 7.9), user("Hi")) for _ in range(2)]

    assert replies[0] == replies[1]
    assert ("chatcmpl-", 24, 7) == (
        replies[0]["id"][:9],
        len(replies[0]["id"][9:]),
        replies[0]["created"],
    )


def test_headers_are_those_of_the_service() -> None:
    """A reply is identified by headers of Moonshot; OpenAI's are absent."""
    fake = FakeKimi()
    request = Request(
        method="POST",
        path="/v1/chat/completions",
        headers={"Authorization": "Bearer sk-test"},
        body=json.dumps({"model": "kimi-k2.6", "messages": [user("Hi")]}).encode(),
    )
    first, second = (fake.handle(request).headers for _ in range(2))

    assert first["Msh-Request-Id"] != second["Msh-Request-Id"]
    assert 32 == len(first["X-Msh-Trace-Id"])
    assert ("Msh-Context-Cache-Token-Saved" in first, "9") == (
        False,
        second["Msh-Context-Cache-Token-Saved"],
    )
    assert not {"x-request-id", "x-ratelimit-limit"} & {name.lower() for name in first}


def test_threads_share_a_server() -> None:
    """Requests at the same time are all served, logged and identified."""
    fake = FakeKimi()
    for number in range(40):
        fake.queue_reply(str(number))
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda number: chat(fake, user(f"Hi {number}")), range(40)))

    texts = {reply["choices"][0]["message"]["content"] for reply in replies}
    assert {str(number) for number in range(40)} == texts
    assert 40 == len({reply["id"] for reply in replies}) == len(fake.requests)
