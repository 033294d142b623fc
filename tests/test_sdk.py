"""The official Python SDKs through the gate: a base URL and a key change, nothing else."""

import json

import anthropic
import openai
import pytest

from harness import needles
from harness.calls import PARAMS
from harness.leaks import TOKEN, leaks
from harness.paths import VENDOR_KEY
from harness.sdk import CALLS, anthropic_client, openai_client

APIS = ["openai", "anthropic"]
PLAIN = "Tell me about boundary stones, in two lines: “one” and \\two 🪨."
KINDS = [
    ("openai", "create"),
    ("openai", "stream"),
    ("openai", "gather"),
    ("anthropic", "create"),
    ("anthropic", "stream"),
    ("anthropic", "gather"),
    ("anthropic", "count"),
]


def count_params(params):
    """What count_tokens takes of the parameters."""
    return {name: value for name, value in params.items() if name not in ("max_tokens", "stream")}


@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
@pytest.mark.parametrize(("api", "kind"), KINDS)
def test_nothing_differs_when_nothing_is_found(redacting, api, kind, tools):
    vendor = redacting.vendors[api]
    params = PARAMS[api](PLAIN, tools)
    params = count_params(params) if kind == "count" else params
    vendor.forget()
    direct = CALLS[api](vendor.url, VENDOR_KEY)[kind](params)
    gated = CALLS[api](redacting.url, redacting.key)[kind](params)
    assert gated == direct
    without, through = vendor.requests()
    assert through["body"] == without["body"], "an unedited body is forwarded byte for byte"
    assert through["path"].split("?")[0] == without["path"].split("?")[0]


def test_more_of_what_openai_callers_ask_for(redacting):
    vendor = redacting.openai
    params = PARAMS["openai"](
        PLAIN,
        n=3,
        temperature=0.5,
        stop=["END"],
        user="u-1",
        metadata={"ticket": "a"},
        max_completion_tokens=50,
        seed=7,
    )
    streamed = {**params, "stream_options": {"include_usage": True}}
    direct, gated = (
        CALLS["openai"](vendor.url, VENDOR_KEY),
        CALLS["openai"](redacting.url, redacting.key),
    )
    assert gated["create"](params) == direct["create"](params)
    chunks = gated["stream"](streamed)
    assert chunks == direct["stream"](streamed)
    assert chunks[-1]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("deltas", ["char", "whole", "bytes:1", "bytes:7"])
@pytest.mark.parametrize("api", APIS)
def test_however_the_stream_is_cut(build_house, api, deltas):
    house = build_house()
    vendor = house.vendors[api]
    vendor.behave(deltas=deltas)
    params = PARAMS[api](f"Write to {needles.ALL['email'].text} about {needles.ALL['card'].text}.")
    text = _text(api, CALLS[api](house.url, house.key)["gather"](params))
    assert text == "You said: " + params["messages"][-1]["content"]


def _text(api, message):
    if api == "openai":
        return message["choices"][0]["message"]["content"]
    return message["content"][0]["text"]


def _tool_input(api, message):
    if api == "openai":
        return json.loads(
            message["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
        )
    return message["content"][0]["input"]


@pytest.mark.parametrize("kind", ["create", "gather"])
@pytest.mark.parametrize("api", APIS)
def test_sensitive_text_is_redacted_and_restored(redacting, api, kind):
    vendor = redacting.vendors[api]
    vendor.forget()
    said = " and ".join(needle.text for needle in needles.ALL.values())
    message = CALLS[api](redacting.url, redacting.key)[kind](PARAMS[api](said))
    (seen,) = vendor.requests()
    assert not any(leaks(seen["body"], needle) for needle in needles.ALL.values())
    assert len(TOKEN.findall(seen["body"].decode())) == len(needles.ALL)
    assert _text(api, message) == f"You said: {said}"


@pytest.mark.parametrize("kind", ["create", "gather"])
@pytest.mark.parametrize("api", APIS)
def test_tools_get_the_value_only_where_the_route_allows_it(build_house, api, kind):
    email = needles.ALL["email"].text
    params = PARAMS[api](f"note {email}", tools=True)
    closed, opened = build_house(), build_house(restore={"write_down": ["email"]})
    withheld = _tool_input(api, CALLS[api](closed.url, closed.key)[kind](params))
    assert TOKEN.fullmatch(withheld["text"].removeprefix("note "))
    restored = _tool_input(api, CALLS[api](opened.url, opened.key)[kind](params))
    assert restored == {"text": f"note {email}"}


def test_counting_tokens_is_screened_too(redacting):
    redacting.anthropic.forget()
    params = count_params(PARAMS["anthropic"](f"call {needles.ALL['ssn'].text}"))
    counted = CALLS["anthropic"](redacting.url, redacting.key)["count"](params)
    assert counted["input_tokens"] == 2
    (seen,) = redacting.anthropic.requests()
    assert seen["path"].split("?")[0] == "/v1/messages/count_tokens"
    assert not leaks(seen["body"], needles.ALL["ssn"])


def test_a_conversation_with_a_tool_result(redacting):
    client = openai_client(redacting.url, redacting.key)
    params = PARAMS["openai"](f"who is {needles.ALL['email'].text}?", tools=True)
    asked = client.chat.completions.create(**params)
    call = asked.choices[0].message.tool_calls[0]
    params["messages"] += [
        asked.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": f"card {needles.ALL['card'].text}"},
    ]
    del params["tool_choice"]
    redacting.openai.forget()
    answer = client.chat.completions.create(**params).choices[0].message.content
    assert answer.endswith(f"The tool said: card {needles.ALL['card'].text}")
    (seen,) = redacting.openai.requests()
    assert not leaks(seen["body"], needles.ALL["card"])
    assert not leaks(seen["body"], needles.ALL["email"])


def test_every_reply_names_its_exchange(redacting):
    client = openai_client(redacting.url, redacting.key)
    raw = client.chat.completions.with_raw_response.create(**PARAMS["openai"]("hi"))
    exchange = raw.headers["x-merestone-exchange"]
    assert exchange.startswith("mx-")
    assert redacting.vendors["openai"].requests()[-1]["headers"]
    client = anthropic_client(redacting.url, redacting.key)
    raw = client.messages.with_raw_response.create(**PARAMS["anthropic"]("hi"))
    assert raw.headers["x-merestone-exchange"] != exchange


def test_old_anthropic_sdks_send_their_key_in_another_header(redacting):
    client = anthropic.Anthropic(
        base_url=redacting.url, auth_token=None, api_key="unused", max_retries=0
    )
    headers = {
        "x-api-key": redacting.key,
        "Authorization": anthropic.Omit() if hasattr(anthropic, "Omit") else "",
        "anthropic-version": "2023-06-01",
    }
    message = client.messages.create(**PARAMS["anthropic"]("hi"), extra_headers=headers)
    assert message.content[0].text == "You said: hi"


def test_the_async_clients(redacting):
    import asyncio

    async def both():
        first = openai.AsyncOpenAI(base_url=redacting.url + "/v1", api_key=redacting.key)
        second = anthropic.AsyncAnthropic(base_url=redacting.url, api_key=redacting.key)
        return await asyncio.gather(
            first.chat.completions.create(**PARAMS["openai"]("hi")),
            second.messages.create(**PARAMS["anthropic"]("hi")),
        )

    first, second = asyncio.run(both())
    assert first.choices[0].message.content == second.content[0].text == "You said: hi"
