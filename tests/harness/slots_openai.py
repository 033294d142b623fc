"""Every place in an OpenAI Chat Completions request where a text can stand."""

import base64

from .slots import HERE, Slot, nested, user


def _chat(name, *messages, edit=True, **more):
    flags = {flag: more.pop(flag) for flag in ("nested", "echo", "number") if flag in more}
    return Slot("openai", name, {"messages": list(messages), **more}, edit, **flags)


def _with(name, edit=True, **more):
    return _chat(name, user(), edit=edit, **more)


def _call(arguments, name="look_up"):
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


def _result(content="done"):
    return {"role": "tool", "tool_call_id": "call_1", "content": content}


def _tool(name="look_up", description="Looks things up.", **schema):
    parameters = {"type": "object", "properties": {"q": {"type": "string", **schema}}}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


def _schema(**parts):
    shape = {"name": "shape", "schema": {"type": "object", "properties": {}}}
    return {"type": "json_schema", "json_schema": {**shape, **parts}}


def _text(text):
    return {"type": "text", "text": text}


_PLAIN_FILE = "data:text/plain;base64," + base64.b64encode(b"nothing to see").decode()

# One row for each place, kept as a table.
# fmt: off
SLOTS = [
    _chat("system", {"role": "system", "content": HERE}, user()),
    _chat("system part", {"role": "system", "content": [_text(HERE)]}, user()),
    _chat("developer", {"role": "developer", "content": HERE}, user()),
    _chat("user", user(HERE), echo=True),
    _chat("user part", user([_text(HERE)]), echo=True),
    _chat("earlier user turn", user(HERE), {"role": "assistant", "content": "yes"}, user(), echo=False),
    _chat("assistant", user(), {"role": "assistant", "content": HERE}, user()),
    _chat("assistant part", user(), {"role": "assistant", "content": [_text(HERE)]}, user()),
    _chat("assistant refusal", user(), {"role": "assistant", "content": None, "refusal": HERE}, user()),
    _chat("refusal part", user(),
          {"role": "assistant", "content": [{"type": "refusal", "refusal": HERE}]}, user()),
    _chat("reasoning_content", user(),
          {"role": "assistant", "content": "yes", "reasoning_content": HERE}, user(), edit=None),
    _chat("name", {**user(), "name": HERE}, edit=None),
    _chat("tool call argument", user(), _call(nested({"q": HERE})), _result(), nested=True),
    _chat("tool call argument key", user(), _call(nested({HERE: 1})), _result(), nested=True, edit=False),
    _chat("tool call argument twice nested", user(), _call(nested({"q": [{"deep": HERE}]})), _result(),
          nested=True),
    _chat("tool call argument not JSON", user(), _call(f"look up {HERE}"), _result()),
    _chat("tool call name", user(), _call("{}", name=HERE), _result(), edit=False),
    _chat("tool call id", user(), {**_call("{}"), "tool_calls": [
        {**_call("{}")["tool_calls"][0], "id": HERE}]}, _result()),
    _chat("tool_call_id", user(), _call("{}"), {**_result(), "tool_call_id": HERE}),
    _chat("custom tool call", user(), {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "custom", "custom": {"name": "shell", "input": HERE}}]}, _result()),
    _chat("function_call", user(), {"role": "assistant", "content": None,
          "function_call": {"name": "look_up", "arguments": nested({"q": HERE})}}, user(), nested=True),
    _chat("tool result", user(), _call("{}"), _result(HERE)),
    _chat("tool result part", user(), _call("{}"), _result([_text(HERE)])),
    _chat("tool result JSON", user(), _call("{}"), _result(nested({"rows": [[HERE]]})), nested=True),
    _chat("tool result JSON key", user(), _call("{}"), _result(nested({HERE: 1})), nested=True, edit=None),
    _chat("function result", user(), {"role": "function", "name": "look_up", "content": HERE}, user()),
    _with("tool name", tools=[_tool(name=HERE)], edit=False),
    _with("tool description", tools=[_tool(description=HERE)]),
    _with("parameter title", tools=[_tool(title=HERE)], edit=None),
    _with("nested parameter description", tools=[_tool(items={"description": HERE})]),
    _with("parameter enum", tools=[_tool(enum=["a", HERE])], edit=None),
    _with("parameter default", tools=[_tool(default=HERE)], edit=None),
    _with("parameter example", tools=[_tool(examples=[HERE])], edit=None),
    _with("parameter pattern", tools=[_tool(pattern=HERE)], edit=None),
    _with("custom tool grammar", edit=None, tools=[{"type": "custom", "custom": {"name": "shell",
          "format": {"type": "grammar", "grammar": {"definition": HERE, "syntax": "lark"}}}}]),
    _with("functions", functions=[{"name": "f", "description": HERE, "parameters": {}}], edit=None),
    _with("schema description", response_format=_schema(description=HERE)),
    _with("schema", response_format=_schema(schema={"type": "object", "description": HERE})),
    _with("schema enum", response_format=_schema(schema={"type": "string", "enum": [HERE]}), edit=None),
    _with("prediction", prediction={"type": "content", "content": HERE}),
    _with("prediction part", prediction={"type": "content", "content": [_text(HERE)]}),
    _with("stop", stop=HERE, edit=None),
    _with("stop list", stop=["END", HERE], edit=None),
    _with("metadata value", metadata={"ticket": HERE}, edit=None),
    _with("metadata key", metadata={HERE: "ticket"}, edit=False),
    _with("user parameter", user=HERE, edit=None),
    _with("safety_identifier", safety_identifier=HERE, edit=None),
    _with("prompt_cache_key", prompt_cache_key=HERE, edit=None),
    _with("logit_bias key", logit_bias={HERE: 1}, edit=False),
    _with("user_location", edit=None, web_search_options={
        "user_location": {"type": "approximate", "approximate": {"city": HERE}}}),
    _with("unknown field", x_new_field=HERE, edit=None),
    _with("unknown nested field", x_new_field=[{"deep": {"deeper": [HERE]}}], edit=None),
    _with("unknown field name", edit=False, **{HERE: True}),
    _with("number", x_number=HERE, number=True, edit=False),
    _chat("number in tool schema", user(), tools=[_tool(minLength=HERE)], number=True, edit=False),
    _chat("unknown message field", {**user(), "x_note": HERE}, edit=None),
    _chat("unknown part type", user([{"type": "x_new", "x_text": HERE}]), edit=None),
    _chat("file name", user([{"type": "file", "file": {"filename": HERE, "file_data": _PLAIN_FILE}}]), edit=None),
    _chat("image link", user([{"type": "image_url", "image_url": {"url": f"https://example.org/?q={HERE}"}}]),
          edit=None),
    _chat("data link", user([{"type": "image_url", "image_url": {"url": f"data:text/plain,{HERE}"}}]),
          edit=None),
]
# fmt: on
