"""The official Python SDKs, set up as a caller of a gate would."""

import anthropic
import openai


def openai_client(base, key):
    return openai.OpenAI(base_url=base + "/v1", api_key=key, max_retries=0, timeout=30)


def anthropic_client(base, key):
    return anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, timeout=30)


def openai_calls(base, key):
    """Call kinds as in tests/node/openai.mjs, each giving plain data."""
    client = openai_client(base, key)

    def gather(params):
        with client.chat.completions.stream(**params) as stream:
            return stream.get_final_completion().model_dump()

    return {
        "create": lambda params: client.chat.completions.create(**params).model_dump(),
        "stream": lambda params: [
            chunk.model_dump() for chunk in client.chat.completions.create(**params, stream=True)
        ],
        "gather": gather,
    }


def anthropic_calls(base, key):
    """Call kinds as in tests/node/anthropic.mjs, each giving plain data."""
    client = anthropic_client(base, key)

    def gather(params):
        with client.messages.stream(**params) as stream:
            return stream.get_final_message().model_dump()

    return {
        "create": lambda params: client.messages.create(**params).model_dump(),
        "count": lambda params: client.messages.count_tokens(**params).model_dump(),
        "stream": lambda params: [
            event.model_dump() for event in client.messages.create(**params, stream=True)
        ],
        "gather": gather,
    }


CLIENTS = {"openai": openai_client, "anthropic": anthropic_client}
CALLS = {"openai": openai_calls, "anthropic": anthropic_calls}
MODULES = {"openai": openai, "anthropic": anthropic}
