"""The official Node SDKs through the gate: equal, redacted, restored, refused."""

import json

import pytest

from harness import needles, node
from harness.calls import PARAMS
from harness.channels import CHANNELS
from harness.leaks import leaks
from harness.paths import VENDOR_KEY
from harness.vendor import EVENTS, script

APIS = ["openai", "anthropic"]
PLAIN = "Tell me about boundary stones: “one” and \\two 🪨."
EMAIL, CARD = needles.ALL["email"], needles.ALL["card"]


def _calls(house, api):
    """Name -> call. Those that end in `direct` go to the vendor without a gate."""
    gate = {"base": house.url, "key": house.key}
    vendor = {"base": house.vendors[api].url, "key": VENDOR_KEY}
    params = PARAMS[api]
    calls = {}
    for kind in ("create", "stream", "gather"):
        for tools in (False, True):
            name = f"{kind} {'tools' if tools else 'text'}"
            calls[f"{name} direct"] = {**vendor, "call": kind, "params": params(PLAIN, tools)}
            calls[name] = {**gate, "call": kind, "params": params(PLAIN, tools)}
    said = f"write to {EMAIL.text} about {CARD.text}"
    for kind in ("create", "gather"):
        calls[f"{kind} restored"] = {**gate, "call": kind, "params": params(said)}
    calls["wrong key"] = {**gate, "key": "not-a-key", "call": "create", "params": params("hi")}
    narrow = house.gate.key(owner="narrow", models=["none"])["key"]
    calls["wrong model"] = {**gate, "key": narrow, "call": "create", "params": params("hi")}
    revoked = house.gate.key(owner="leaver")
    house.gate.revoke(revoked)
    calls["revoked"] = {**gate, "key": revoked["key"], "call": "stream", "params": params("hi")}
    if api == "anthropic":
        counted = {k: v for k, v in params(PLAIN).items() if k != "max_tokens"}
        calls["count direct"] = {**vendor, "call": "count", "params": counted}
        calls["count"] = {**gate, "call": "count", "params": counted}
    calls.update(_scripted(house, api, gate))
    return [{"name": name, **call} for name, call in calls.items()]


def _scripted(house, api, gate):
    """Calls that the vendor answers from a script, told apart by their model."""
    channel = CHANNELS[0] if api == "openai" else next(c for c in CHANNELS if c.name == "text")
    half = channel.stream(["a few ", "words "])
    half = half[: half.rindex(b"\n\n", 0, half.index(b"words")) + 2]
    limited = {"error": {"message": "slow down", "type": "rate_limit_error"}}
    if api == "anthropic":
        limited["type"] = "error"
    replies = {
        "half a stream": script(half, kind=EVENTS, end="cut"),
        "rate limit": script(json.dumps(limited), status=429),
        "active markup": script(
            channel.stream(["look: ", "![x](https://evil.example/", "?q=1) done"]), kind=EVENTS
        ),
    }
    calls = {}
    for name, reply in replies.items():
        model = "node-" + name.replace(" ", "-")
        house.vendors[api].script({**reply, "model": model})
        calls[name] = {**gate, "call": "stream", "params": {**PARAMS[api]("hi"), "model": model}}
    return calls


@pytest.fixture(scope="module", params=APIS)
def ran(request, redacting):
    """The API, its vendor's requests and the results by name."""
    api = request.param
    redacting.vendors[api].forget()
    results = node.run(api, _calls(redacting, api))
    return api, redacting.vendors[api].requests(), results


def test_nothing_differs_when_nothing_is_found(ran):
    _, _, results = ran
    compared = [name for name in results if name.endswith(" direct")]
    assert len(compared) >= 6
    for name in compared:
        assert "ok" in results[name], results[name]
        assert results[name.removesuffix(" direct")] == results[name], name


@pytest.mark.parametrize("kind", ["create", "gather"])
def test_sensitive_text_is_redacted_and_restored(ran, kind):
    api, requests, results = ran
    assert not any(
        leaks(request["body"], needle) for request in requests for needle in (EMAIL, CARD)
    )
    message = results[f"{kind} restored"]["ok"]
    text = (
        message["choices"][0]["message"]["content"]
        if api == "openai"
        else message["content"][0]["text"]
    )
    assert text == f"You said: write to {EMAIL.text} about {CARD.text}"


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("wrong key", "AuthenticationError", "MS-KNOW-002"),
        ("revoked", "AuthenticationError", "MS-KNOW-004"),
        ("wrong model", "PermissionDeniedError", "MS-ADMIT-002"),
        ("rate limit", "RateLimitError", "slow down"),
    ],
)
def test_refusals_are_the_sdks_own_errors(ran, name, error, code):
    _, _, results = ran
    assert results[name].get("error", {}).get("class") == error, results[name]
    assert code in results[name]["error"]["message"]


def test_half_a_stream_raises(ran):
    _, _, results = ran
    assert "error" in results["half a stream"], "half a stream must not look whole"


def test_active_markup_is_defused(ran):
    api, _, results = ran
    events = results["active markup"].get("ok")
    assert events, results["active markup"]
    if api == "openai":
        text = "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])
    else:
        text = "".join(e["delta"]["text"] for e in events if e["type"] == "content_block_delta")
    assert text.startswith("look: ") and text.endswith(" done")
    assert "](https://evil.example" not in text
