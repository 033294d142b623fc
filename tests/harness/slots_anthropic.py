"""Every place in an Anthropic Messages request where a text can stand."""

import base64

from .slots import HERE, Slot, nested, user

_SIGNATURE = base64.b64encode(b"signature of a fake vendor").decode()


def _ask(name, *messages, edit=True, **more):
    flag_names = ("nested", "echo", "number", "path")
    flags = {flag: more.pop(flag) for flag in flag_names if flag in more}
    request = {"max_tokens": 64, "messages": list(messages), **more}
    return Slot("anthropic", name, request, edit, **flags)


def _with(name, edit=True, **more):
    return _ask(name, user(), edit=edit, **more)


def _assistant(*blocks):
    return {"role": "assistant", "content": list(blocks)}


def _use(tool_input, name="look_up"):
    return _assistant({"type": "tool_use", "id": "toolu_1", "name": name, "input": tool_input})


def _result(content):
    return user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": content}])


def _text(text, **more):
    return {"type": "text", "text": text, **more}


def _document(**parts):
    source = {"type": "text", "media_type": "text/plain", "data": "nothing to see"}
    return {"type": "document", "source": source, **parts}


def _search(**parts):
    return {
        "type": "search_result",
        "source": "notes",
        "title": "Notes",
        "content": [_text("nothing to see")],
        **parts,
    }


def _tool(name="look_up", description="Looks things up.", **schema):
    shape = {"type": "object", "properties": {"q": {"type": "string", **schema}}}
    return {"name": name, "description": description, "input_schema": shape}


def _cited(**parts):
    citation = {
        "type": "char_location",
        "cited_text": "x",
        "document_index": 0,
        "document_title": "t",
        "start_char_index": 0,
        "end_char_index": 1,
    }
    return _assistant(_text("yes", citations=[{**citation, **parts}]))


# One row for each place, kept as a table.
# fmt: off
SLOTS = [
    _with("system", system=HERE),
    _with("system block", system=[_text("be brief"), _text(HERE)]),
    _ask("user", user(HERE), echo=True),
    _ask("user block", user([_text(HERE)]), echo=True),
    _ask("user, counted", user(HERE), path="/v1/messages/count_tokens"),
    _ask("assistant", user(), {"role": "assistant", "content": HERE}, user()),
    _ask("assistant block", user(), _assistant(_text(HERE)), user()),
    _ask("document text", user([_document(source={"type": "text", "media_type": "text/plain", "data": HERE})])),
    _ask("document title", user([_document(title=HERE)]), edit=None),
    _ask("document context", user([_document(context=HERE)])),
    _ask("document content", user([_document(source={"type": "content", "content": [_text(HERE)]})])),
    _ask("document content string", user([_document(source={"type": "content", "content": HERE})])),
    _ask("document link", user([_document(source={"type": "url", "url": f"https://example.org/{HERE}"})]),
         edit=None),
    _ask("search result content", user([_search(content=[_text(HERE)])])),
    _ask("search result title", user([_search(title=HERE)]), edit=None),
    _ask("search result source", user([_search(source=HERE)]), edit=None),
    _ask("tool input", user(), _use({"q": HERE}), _result("done")),
    _ask("tool input deep", user(), _use({"q": [{"a": {"b": [HERE]}}]}), _result("done")),
    _ask("tool input key", user(), _use({HERE: 1}), _result("done"), edit=False),
    _ask("tool input number", user(), _use({"q": HERE}), _result("done"), number=True, edit=False),
    _ask("tool input JSON", user(), _use({"q": nested({"deep": HERE})}), _result("done"), nested=True),
    _ask("tool use name", user(), _use({}, name=HERE), _result("done"), edit=False),
    _ask("tool result", user(), _use({}), _result(HERE)),
    _ask("tool result block", user(), _use({}), _result([_text(HERE)])),
    _ask("tool result JSON", user(), _use({}), _result(nested([{"row": HERE}])), nested=True),
    _ask("tool result search", user(), _use({}), _result([_search(content=[_text(HERE)])])),
    _ask("tool result document", user(), _use({}), _result([_document(
        source={"type": "text", "media_type": "text/plain", "data": HERE})])),
    _ask("thinking", user(),
         _assistant({"type": "thinking", "thinking": HERE, "signature": _SIGNATURE}, _text("yes")),
         user(), edit=None),
    _ask("citation", user(), _cited(cited_text=HERE), user(), edit=None),
    _ask("citation title", user(), _cited(document_title=HERE), user(), edit=None),
    _ask("tool_use id", user(), _assistant({"type": "tool_use", "id": HERE, "name": "f", "input": {}}),
         _result("done")),
    _ask("tool_use_id", user(), _use({}), user([{"type": "tool_result", "tool_use_id": HERE}])),
    _ask("server tool input", user(), _assistant({"type": "server_tool_use", "id": "srvtoolu_1",
         "name": "web_search", "input": {"query": HERE}}), user(), edit=None),
    _ask("web search result", user(), _assistant({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1",
         "content": [{"type": "web_search_result", "title": HERE, "url": "notes",
                      "encrypted_content": _SIGNATURE}]}), user(), edit=None),
    _ask("code execution result", user(), _assistant({"type": "code_execution_tool_result",
         "tool_use_id": "srvtoolu_1", "content": {"type": "code_execution_result", "stdout": HERE,
                                                 "stderr": "", "return_code": 0, "content": []}}),
         user(), edit=None),
    _with("tool name", tools=[_tool(name=HERE)], edit=False),
    _with("tool description", tools=[_tool(description=HERE)]),
    _with("schema description", tools=[_tool(items={"description": HERE})]),
    _with("schema property", tools=[_tool(**{"$comment": HERE})], edit=None),
    _with("schema enum", tools=[_tool(enum=[HERE])], edit=None),
    _with("schema default", tools=[_tool(default=HERE)], edit=None),
    _with("schema key", tools=[_tool(properties={HERE: {}})], edit=False),
    _with("tool choice", tools=[_tool()], tool_choice={"type": "tool", "name": HERE}, edit=False),
    _with("user_id", metadata={"user_id": HERE}, edit=None),
    _with("stop sequence", stop_sequences=["END", HERE], edit=None),
    _with("output schema", output_config={"format": {"type": "json_schema",
          "schema": {"type": "object", "description": HERE}}}, edit=None),
    _with("unknown field", x_new_field=HERE, edit=None),
    _with("unknown nested field", x_new_field={"deep": [[HERE]]}, edit=None),
    _with("unknown field name", edit=False, **{HERE: True}),
    _with("number", x_number=HERE, number=True, edit=False),
    _ask("unknown block field", user([_text("hi", x_note=HERE)]), edit=None),
    _ask("unknown block type", user([{"type": "x_new", "x_text": HERE}]), edit=None),
]
# fmt: on
