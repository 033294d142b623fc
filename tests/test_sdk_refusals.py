"""Refusals and vendors' errors, as the official Python SDKs raise them."""

import json
import socket
import time

import httpx2
import pytest

from harness import needles
from harness.calls import PARAMS
from harness.channels import CHANNELS
from harness.sdk import CALLS, CLIENTS, MODULES
from harness.vendor import EVENTS, script

APIS = ["openai", "anthropic"]
TEXT = {"openai": CHANNELS[0], "anthropic": next(c for c in CHANNELS if c.name == "text")}
# The key's owner is known, the vendor is not asked: these carry a merestone code.
VENDOR_ERRORS = {
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    529: "APIStatusError",
}


@pytest.fixture(scope="module")
def house(_folders):
    from harness.gate import House

    house = House(_folders("refusals"), redaction="block")
    yield house
    house.close()


def call(house, api, kind="create", key=None, text="hi", **more):
    return CALLS[api](house.url, key or house.key)[kind](PARAMS[api](text, **more))


def error_of(api, name):
    return getattr(MODULES[api], name)


@pytest.mark.parametrize("kind", ["create", "stream"])
@pytest.mark.parametrize("api", APIS)
def test_a_blocked_request_is_a_bad_request(house, api, kind):
    with pytest.raises(error_of(api, "BadRequestError"), match="MS-SCREEN-001") as caught:
        call(house, api, kind, text=f"take {needles.ALL['card'].text}")
    told = str(caught.value)
    assert caught.value.response.headers["x-merestone-exchange"] in told
    assert "messages[" in told, "the place is named"
    assert needles.ALL["card"].text not in told


@pytest.mark.parametrize("api", APIS)
def test_a_refusal_reaches_a_caller_that_still_sends(house, api):
    """It was refused by its head, and has more to send than its socket holds."""
    little = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)]
    client = httpx2.Client(transport=httpx2.HTTPTransport(socket_options=little))
    caller = CLIENTS[api](house.url, "not-a-merestone-key").with_options(http_client=client)
    create = caller.chat.completions.create if api == "openai" else caller.messages.create
    with pytest.raises(error_of(api, "AuthenticationError"), match="MS-KNOW-002"):
        create(**PARAMS[api]("hi " * (2 << 20)))


@pytest.mark.parametrize("api", APIS)
def test_no_key_and_wrong_keys(house, api):
    for key in ["not-a-merestone-key", "mst_" + "a" * 50]:
        with pytest.raises(error_of(api, "AuthenticationError"), match="MS-KNOW-00[23]"):
            call(house, api, key=key)


@pytest.mark.parametrize("api", APIS)
def test_a_revoked_key_is_refused_within_a_second(house, api):
    key = house.gate.key(owner="leaver")
    assert call(house, api, key=key["key"])
    house.gate.revoke(key)
    revoked = time.monotonic()
    while True:
        try:
            call(house, api, key=key["key"])
        except error_of(api, "AuthenticationError") as error:
            assert "MS-KNOW-004" in str(error)
            break
        assert time.monotonic() - revoked < 1.0


@pytest.mark.parametrize("api", APIS)
def test_an_expired_key(house, api):
    key = house.gate.key(owner="guest", expires_in="1s")
    time.sleep(1.5)
    with pytest.raises(error_of(api, "AuthenticationError"), match="MS-KNOW-005"):
        call(house, api, key=key["key"])


@pytest.mark.parametrize("api", APIS)
def test_a_model_that_the_key_may_not_use(house, api):
    key = house.gate.key(owner="narrow", models=["gpt-other*"])
    with pytest.raises(error_of(api, "PermissionDeniedError"), match="MS-ADMIT-002"):
        call(house, api, key=key["key"])
    model = PARAMS[api]("x")["model"]
    key = house.gate.key(owner="fitting", models=[model[:4] + "*"])
    assert call(house, api, key=key["key"])


@pytest.mark.parametrize("api", APIS)
def test_a_vendor_that_the_key_may_not_use(house, api):
    (other,) = set(APIS) - {api}
    key = house.gate.key(owner="one-vendor", vendors=[other])
    with pytest.raises(error_of(api, "PermissionDeniedError"), match="MS-ADMIT-001"):
        call(house, api, key=key["key"])
    assert call(house, other, key=key["key"])


def _vendor_error(api, status):
    if api == "openai":
        return {
            "error": {"message": "vendor says no", "type": "some_error", "param": None, "code": "c"}
        }
    return {"type": "error", "error": {"type": "some_error", "message": "vendor says no"}}


@pytest.mark.parametrize("status", sorted(VENDOR_ERRORS))
@pytest.mark.parametrize("kind", ["create", "stream"])
@pytest.mark.parametrize("api", APIS)
def test_a_vendors_error_is_passed_in_its_shape(house, api, kind, status):
    body = json.dumps(_vendor_error(api, status))
    house.vendors[api].script(script(body, status=status, headers={"retry-after": "7"}))
    with pytest.raises(error_of(api, VENDOR_ERRORS[status])) as caught:
        call(house, api, kind)
    assert caught.value.status_code == status
    assert "vendor says no" in str(caught.value)
    assert "MS-" not in str(caught.value)
    assert caught.value.response.headers["retry-after"] == "7"
    exchange = caught.value.response.headers["x-merestone-exchange"]
    closed = house.gate.await_leaf(lambda l: l["type"] == "closed" and l["exchange"] == exchange)
    assert closed["outcome"] == "vendor-error" and closed["vendor"]["status"] == status


@pytest.mark.parametrize("api", APIS)
def test_a_vendors_error_is_searched_too(house, api):
    document = _vendor_error(api, 400)
    document["error"]["message"] = f"bad value {needles.ALL['card'].text}"
    house.vendors[api].script(script(json.dumps(document), status=400))
    with pytest.raises(error_of(api, "APIError")) as caught:
        call(house, api)
    assert needles.ALL["card"].text not in str(caught.value)


@pytest.mark.parametrize("api", APIS)
def test_a_blocked_stream_ends_with_the_protocols_own_signal(house, api):
    channel = TEXT[api]
    text = f"the number is {needles.ALL['card'].text} as you know"
    body = channel.stream([text[at : at + 4] for at in range(0, len(text), 4)])
    house.vendors[api].script(script(body, kind=EVENTS))
    events = call(house, api, "stream")
    if api == "openai":
        said = "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])
        reasons = {c["finish_reason"] for e in events for c in e["choices"]} - {None}
        assert reasons == {"content_filter"}
    else:
        said = "".join(e["delta"]["text"] for e in events if e["type"] == "content_block_delta")
        ends = [e["delta"]["stop_reason"] for e in events if e["type"] == "message_delta"]
        assert ends == ["refusal"] and events[-1]["type"] == "message_stop"
    assert "the number is ".startswith(said)


@pytest.mark.parametrize("api", APIS)
def test_a_blocked_reply_is_an_error_with_its_code(house, api):
    body = TEXT[api].whole(f"the number is {needles.ALL['card'].text}")
    house.vendors[api].script(script(body))
    with pytest.raises(error_of(api, "APIStatusError"), match="MS-REPLY-001") as caught:
        call(house, api)
    assert needles.ALL["card"].text not in str(caught.value)


@pytest.mark.parametrize("end", ["cut", "reset"])
@pytest.mark.parametrize("api", APIS)
def test_a_vendor_that_breaks_off_raises_in_the_sdk(house, api, end):
    body = TEXT[api].stream(["a few ", "words ", "and "])
    body = body[: body.index(b"and")]
    house.vendors[api].script(script(body, kind=EVENTS, end=end))
    with pytest.raises(error_of(api, "APIError")):
        call(house, api, "stream")


@pytest.mark.parametrize("api", APIS)
def test_a_stream_without_its_end_is_not_taken_for_whole(house, api):
    """The official OpenAI SDK takes a stream without [DONE] for complete; the
    gate must not let that happen."""
    body = TEXT[api].stream(["a few ", "words ", "and "])
    body = body[: body.rindex(b"\n\n", 0, body.index(b"and")) + 2]
    house.vendors[api].script(script(body, kind=EVENTS))
    with pytest.raises(error_of(api, "APIError")):
        call(house, api, "stream")


@pytest.mark.parametrize("api", APIS)
def test_a_vendors_error_event_raises_in_the_sdk(house, api):
    body = TEXT[api].stream(["a few ", "words "])
    start = body[: body.index(b"words")]
    start = start[: start.rindex(b"\n\n") + 2]
    if api == "openai":
        event = 'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'
    else:
        event = (
            'event: error\ndata: {"type": "error", "error": '
            '{"type": "overloaded_error", "message": "overloaded"}}\n\n'
        )
    house.vendors[api].script(script(start + event.encode(), kind=EVENTS))
    with pytest.raises(error_of(api, "APIError"), match="overloaded"):
        call(house, api, "stream")
