"""The same calls for the Python and the Node SDKs, as plain data."""

TOOL_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def openai_params(text, tools=False, **more):
    params = {
        "model": "gpt-fake",
        "messages": [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": text},
        ],
        **more,
    }
    if tools:
        function = {
            "name": "write_down",
            "description": "Writes a text down.",
            "parameters": TOOL_SCHEMA,
        }
        params["tools"] = [{"type": "function", "function": function}]
        params["tool_choice"] = "required"
    return params


def anthropic_params(text, tools=False, **more):
    params = {
        "model": "claude-fake",
        "max_tokens": 64,
        "system": "Answer briefly.",
        "messages": [{"role": "user", "content": text}],
        **more,
    }
    if tools:
        params["tools"] = [
            {
                "name": "write_down",
                "description": "Writes a text down.",
                "input_schema": TOOL_SCHEMA,
            }
        ]
        params["tool_choice"] = {"type": "any"}
    return params


PARAMS = {"openai": openai_params, "anthropic": anthropic_params}
