"""Writes the configuration of one test's gate."""

CONTROLS = ("screening", "redaction", "sanitising", "leakage")


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _table(name, entries):
    lines = [f"[{name}]"]
    lines += [f'"{key}" = {_value(value)}' for key, value in entries.items()]
    return "\n".join(lines) + "\n"


def write(
    openai_url,
    anthropic_url,
    redaction="redact",
    modes=None,
    actions=None,
    restore=None,
    limits=None,
    gate=None,
    openai_key="env:FAKE_OPENAI_KEY",
    anthropic_key="env:FAKE_ANTHROPIC_KEY",
    authority=None,
    openai=None,
    anthropic=None,
    tables=None,
):
    """The text of a merestone.toml.

    redaction: what is done about sensitive data in every slot.
    modes:     control -> enforce | off, or a table with mode and until.
    actions:   control -> {detector or detector@slot: action}.
    restore:   tool -> kinds that may be restored in its arguments.
    authority: file with a certificate authority for the first vendor.
    openai:    further entries of [vendors.openai]; anthropic likewise.
    tables:    name -> entries of further tables.
    """
    modes, actions = modes or {}, actions or {}
    more = {**({"authority": authority} if authority else {}), **(openai or {})}
    texts = [
        _table("gate", {"listen": "127.0.0.1:0", "state": "data", **(gate or {})}),
        _table("vendors.openai", {"api": "openai", "base_url": openai_url, "key": openai_key, **more}),
        _table(
            "vendors.anthropic",
            {"api": "anthropic", "base_url": anthropic_url, "key": anthropic_key, **(anthropic or {})},
        ),
    ]
    for control in CONTROLS:
        mode = modes.get(control, "enforce")
        texts.append(
            _table(f"controls.{control}", {"mode": mode} if isinstance(mode, str) else mode)
        )
        wanted = dict(actions.get(control, {}))
        if control == "redaction":
            wanted = {"*": redaction, **wanted}
        if wanted:
            texts.append(_table(f"controls.{control}.actions", wanted))
    if restore:
        texts.append(_table("restore.tools", restore))
    if limits:
        texts.append(_table("limits", limits))
    texts += [_table(name, entries) for name, entries in (tables or {}).items()]
    return "\n".join(texts)
