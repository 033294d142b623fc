"""Who may do what: policies behind the keys' grants, verbs, and keys that
make keys. What does not say yes is a no."""

import json
import subprocess
import time

import pytest

from harness import raw
from harness.gate import ENV, Gate, House
from harness.paths import MERESTONE
from harness.running import Call, await_that, trickle

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ALL = "permit (principal, action, resource);\n"
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def ask(house, key, path=CHAT, **more):
    return raw.post(house.url, path, {**HELLO, "max_tokens": 9, **more}, key["key"])


def put(house, policies):
    """Writes the policies beside the configuration."""
    (house.gate.folder / "p.cedar").write_text(policies)


@pytest.fixture
def ruled(build_house):
    """A running house under these policies."""

    def build(policies, **wanted):
        house = build_house(start=False, tables={"permission": {"policies": "p.cedar"}}, **wanted)
        put(house, policies)
        house.gate.start()
        return house

    return build


@pytest.fixture(scope="module")
def free(_folders):
    """A house without policies: what a grant allows is allowed."""
    house = House(_folders("free"))
    yield house
    house.close()


def denied(reply, code="MS-ADMIT-013"):
    return reply.status == 403 and code in reply.message


def hour():
    return time.gmtime().tm_hour


# name: (condition, what fits, what does not); each is what differs from a
# plain request of Ada's for the model m.
CONDITIONS = {
    "owner": ('principal.owner == "Ada"', {}, {"owner": "Bob"}),
    "key": ("principal == Key::\"{key}\"", {}, {"owner": "Bob"}),
    "vendor": ('resource in Vendor::"openai"', {}, {"path": MESSAGES}),
    "model": ('resource == Model::"openai/m"', {}, {"model": "n"}),
    "model name": ('resource.name like "m*"', {"model": "m-1"}, {"model": "n"}),
    "source": ('context.source.isInRange(ip("127.0.0.1/32"))', {}, {"source": "127.0.0.2"}),
    "route": ('context.route == "openai-chat"', {}, {"path": MESSAGES}),
    "stream": ("!context.stream", {}, {"stream": True}),
    "tools": ("context.tools <= 1", {"tools": [TOOL]}, {"tools": [TOOL, TOOL]}),
    "most tokens": (
        "context has output_tokens_max && context.output_tokens_max <= 9",
        {},
        {"max_tokens": 10},
    ),
}


@pytest.mark.parametrize("name", sorted(CONDITIONS))
def test_a_permit_with_a_condition(ruled, name):
    condition, fits, fails = CONDITIONS[name]
    house = ruled("permit (principal is Account, action, resource);")
    keys = {owner: house.gate.key(owner=owner) for owner in ("Ada", "Bob")}
    assert denied(ask(house, keys["Ada"])), "before, no policy permits it"
    condition = condition.replace("{key}", keys["Ada"]["id"])
    rule = f'permit (principal, action == Action::"infer", resource) when {{ {condition} }};'
    put(house, f"permit (principal is Account, action, resource);\n{rule}\n")
    assert house.gate.cli("reload").code == 0

    def call(owner="Ada", source="127.0.0.1", path=CHAT, **more):
        body = {**HELLO, "max_tokens": 9, **more}
        return raw.post_from(source, house.url, path, body, keys[owner]["key"])

    assert call(**fits).status == 200
    assert denied(call(**fails))
    assert sum(len(vendor.requests()) for vendor in house.vendors.values()) == 1
    leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "refused")
    assert leaf["code"] == "MS-ADMIT-013"


def test_a_permit_for_some_hours(ruled):
    # Anew if the hour turns meanwhile.
    for _ in range(3):
        now = hour()
        house = ruled(f"permit (principal, action, resource) when {{ context.hour == {now} }};")
        key = house.gate.key()
        first = ask(house, key)
        put(house, f"permit (principal, action, resource) when {{ context.hour != {now} }};")
        # Who may reload is asked by the policies in force, by the hour too.
        assert house.gate.cli("reload").code == 0 or hour() != now
        second = ask(house, key)
        if hour() == now:
            break
    assert first.status == 200 and denied(second)


FORBID = '@id("no-tools") forbid (principal, action == Action::"infer", resource)'


def test_a_forbid_wins(ruled):
    house = ruled(ALL + FORBID + " when { context.tools > 0 };")
    key = house.gate.key()
    assert ask(house, key).status == 200
    assert denied(ask(house, key, tools=[TOOL]))
    assert len(house.openai.requests()) == 1


OVERFLOW = ALL + FORBID + " when { context.tools * 9223372036854775807 > 5 };"


def test_a_forbid_that_errs_denies(ruled):
    """Cedar passes over a policy that errs; then this one would forbid nothing."""
    house = ruled(OVERFLOW)
    key = house.gate.key()
    assert ask(house, key).status == 200
    assert denied(ask(house, key, tools=[TOOL])), "one tool: the forbid applies"
    house.openai.forget()
    assert denied(ask(house, key, tools=[TOOL, TOOL])), "two tools: it overflows"
    assert house.openai.requests() == []
    # A third time, out of what is remembered.
    assert denied(ask(house, key, tools=[TOOL, TOOL]))


@pytest.mark.parametrize("policies", ["", "// nothing\n", FORBID + " when { false };"])
def test_without_a_permit_nothing_is_allowed(ruled, policies):
    house = ruled(policies)
    # The commands are denied as well.
    made = house.gate.ask_key()
    assert made.code != 0 and "admin" in made.text
    house.gate.stop()
    key = house.gate.key()
    house.gate.start()
    assert denied(ask(house, key))
    assert house.openai.requests() == []


def test_policies_are_behind_the_grant_never_in_its_place(ruled):
    house = ruled(ALL)
    key = house.gate.key(models=["other"])
    assert denied(ask(house, key), "MS-ADMIT-002")
    key = house.gate.key(vendors=["anthropic"])
    assert denied(ask(house, key), "MS-ADMIT-001")


# name: (policies, line, what is said)
UNFIT = {
    "an unknown attribute": (
        ALL + 'permit (principal, action == Action::"infer", resource) when { context.tolls > 1 };',
        2,
        "tolls",
    ),
    "an unknown action": (ALL + '\npermit (principal, action == Action::"infre", resource);', 3, "infre"),
    "another type": (
        ALL + 'permit (principal, action == Action::"infer", resource)\n  when { context.tools == "1" };',
        3,
        "",
    ),
    "a maybe missing attribute": (
        'permit (principal, action == Action::"infer", resource)\n'
        "  when { context.output_tokens_max < 5 };",
        2,
        "output_tokens_max",
    ),
    "no policy at all": (ALL + "permit (principal, action, resource\n", None, ""),
    "a slot": ("permit (principal == ?principal, action, resource);", None, "slot"),
}


@pytest.mark.parametrize("name", sorted(UNFIT))
def test_policies_that_do_not_fit_are_refused_with_their_place(ruled, name):
    policies, line, says = UNFIT[name]
    house = ruled(ALL + '@id("m-only") forbid (principal, action == Action::"infer", resource) when { resource.name != "m" };')
    key = house.gate.key()
    file = house.gate.folder / "p.cedar"
    good = file.read_text()
    put(house, policies)
    for words in (["config", "check"], ["policy", "check"], ["reload"], ["up"]):
        result = house.gate.cli(*words)
        assert result.code != 0, words
        place = f"{file}:{line}:" if line else f"{file}"
        assert place in result.text and says in result.text, (words, result.text)
        column = result.text.split(place, 1)[1].split(":")[0]
        assert not line or int(column) >= 1, result.text
    # The old ones stay in force.
    assert ask(house, key).status == 200
    assert denied(ask(house, key, model="n"))
    put(house, good)


def test_a_refused_reload_is_recorded(build_house):
    tables = {"permission": {"policies": "p.cedar"}, "reload": {"watch": False}}
    house = build_house(start=False, tables=tables)
    put(house, ALL)
    house.gate.start()
    put(house, ALL + "permit (principal, action, nothing);")
    assert house.gate.cli("reload").code != 0
    put(house, ALL)
    # The commands read the policies too.
    house.gate.await_leaf(lambda leaf: leaf.get("act") == "config-refused", 3)


def test_a_missing_file_of_policies_is_told_at_its_line(build_house):
    house = build_house(start=False, tables={"permission": {"policies": "nowhere.cedar"}})
    result = house.gate.cli("config", "check")
    line = 1 + house.gate.file.read_text().splitlines().index('"policies" = "nowhere.cedar"')
    assert result.code != 0 and f"{house.gate.file}:{line}:" in result.text, result.text


def test_a_changed_file_of_policies_is_taken_up_by_itself(ruled):
    house = ruled(ALL)
    key = house.gate.key()
    assert ask(house, key).status == 200
    put(house, ALL + FORBID + ";")
    await_that(lambda: denied(ask(house, key)), 10)


def test_the_schema_is_printed_and_the_policies_are_checked(ruled):
    house = ruled(ALL)
    done = house.gate.cli("policy", "check")
    assert done.code == 0 and "digest" in done.text
    other = ALL + " "
    put(house, other)
    assert house.gate.cli("policy", "check").text != done.text
    # Without `--config`, which it does not need.
    schema = subprocess.run(
        [MERESTONE, "policy", "schema"], capture_output=True, env=ENV, timeout=30, check=True
    )
    for word in (b"entity Key", b"entity Model in [Vendor]", b"action infer", b"output_tokens_max?"):
        assert word in schema.stdout


def explain(house, key, *more, vendor="openai", model="m"):
    words = ["policy", "explain", "--key", key["id"], "--vendor", vendor, "--model", model]
    told = house.gate.cli(*words, *more)
    assert told.code == 0, told.text
    return told.stdout, house.gate.cli(*words, *more, "--json").json


def test_explain_tells_whether_and_by_which_policies(ruled):
    house = ruled('@id("everybody") ' + OVERFLOW)
    key = house.gate.key(models=["m", "k*"])
    text, facts = explain(house, key)
    assert text.startswith("allowed\n") and "everybody" in text
    assert facts["allowed"] is True and facts["because"] == ["everybody"] and not facts["erred"]
    text, facts = explain(house, key, "--tools", 1)
    assert text.startswith("not allowed\n") and "no-tools" in text
    assert facts["allowed"] is False and facts["because"] == ["no-tools"]
    text, facts = explain(house, key, "--tools", 2)
    assert text.startswith("not allowed\n") and "no-tools erred" in text
    assert facts["allowed"] is False and facts["erred"] == ["no-tools"]
    text, facts = explain(house, key, model="other")
    assert text.startswith("not allowed\n") and "MS-ADMIT-002" in text
    assert facts["allowed"] is False and "MS-ADMIT-002" in facts["grant"]
    assert facts["policies_allow"] is True
    house.gate.revoke(key)
    text, facts = explain(house, key)
    assert text.startswith("not allowed\n") and facts["key"] == "revoked"


def test_explain_without_a_permit_says_so(ruled):
    rule = 'permit (principal, action == Action::"infer", resource) when { context.stream };'
    house = ruled("permit (principal is Account, action, resource);\n" + rule)
    key = house.gate.key()
    text, facts = explain(house, key)
    assert text.startswith("not allowed\n") and "no policy permits it" in text
    assert facts["allowed"] is False and facts["because"] == [] and facts["erred"] == []
    assert explain(house, key, "--stream")[1]["allowed"] is True


def test_explain_says_what_it_does_not_know(free):
    words = ["policy", "explain", "--model", "m"]
    unknown = free.gate.cli(*words, "--vendor", "openai", "--key", "mk-000000000000")
    assert unknown.code != 0 and "no such key" in unknown.text
    key = free.gate.key()
    unknown = free.gate.cli(*words, "--vendor", "nobody", "--key", key["id"])
    assert unknown.code != 0 and "nobody" in unknown.text


def test_explain_and_the_gate_agree_about_a_key_whose_maker_is_gone(free):
    maker = free.gate.key(owner="maker", verb=["admin", "infer"])
    child = free.gate.key(owner="child", maker=maker)
    assert explain(free, child)[1]["allowed"] is True
    free.gate.revoke(maker)
    reply = ask(free, child)
    assert reply.status == 401 and "MS-KNOW-004" in reply.message
    text, facts = explain(free, child)
    assert text.startswith("not allowed\n") and facts["allowed"] is False, text
    listed = free.gate.cli("key", "list", "--json").json["keys"]
    (line,) = [line for line in listed if line["id"] == child["id"]]
    assert line["state"] != "active", "a list of keys tells which ones work"


# Verbs

NOT_INFER = ["finetune", "view_log", "reveal", "export", "admin"]


@pytest.mark.parametrize("verb", NOT_INFER)
def test_a_key_without_the_verb_infer_calls_no_model(free, verb):
    free.openai.forget()
    key = free.gate.key(verb=verb)
    assert denied(ask(free, key), "MS-ADMIT-012")
    assert denied(ask(free, key, path=MESSAGES), "MS-ADMIT-012")
    both = free.gate.key(verb=[verb, "infer"])
    assert ask(free, both).status == 200
    assert len(free.openai.requests()) == 1


def test_a_verb_that_is_none(free):
    result = free.gate.ask_key(verb="rule")
    assert result.code != 0 and "`rule` is no verb" in result.text and "admin" in result.text


# Attenuation

MAKER = {
    "verb": ["admin", "infer", "view_log"],
    "vendors": ["openai"],
    "models": ["gpt-*", "m"],
    "requests_per_minute": 50,
    "tokens_per_minute": 50_000,
    "in_flight": 5,
}
CHILD = {
    "vendors": ["openai"],
    "models": ["m"],
    "requests_per_minute": 50,
    "tokens_per_minute": 40_000,
    "in_flight": 1,
}
# name: (what the child asks for in place of CHILD's, what is said)
BEYOND = {
    "a verb": ({"verb": ["infer", "reveal"]}, "verb"),
    "another vendor": ({"vendors": ["anthropic"]}, "vendor"),
    "one vendor more": ({"vendors": ["openai", "anthropic"]}, "vendor"),
    "all vendors": ({"vendors": []}, "vendor"),
    "another model": ({"models": ["o4"]}, "model"),
    "a wider pattern": ({"models": ["g*"]}, "model"),
    "all models": ({"models": []}, "model"),
    "more requests": ({"requests_per_minute": 51}, "limit"),
    "requests without limit": ({"requests_per_minute": None}, "limit"),
    "more tokens": ({"tokens_per_minute": 50_001}, "limit"),
    "tokens without limit": ({"tokens_per_minute": None}, "limit"),
    "more at once": ({"in_flight": 6}, "limit"),
    "any number at once": ({"in_flight": None}, "limit"),
}


def without_none(wanted):
    return {name: value for name, value in wanted.items() if value is not None}


@pytest.fixture(scope="module")
def maker(free):
    return free.gate.key(owner="maker", **MAKER)


def count_keys(house):
    return len(house.gate.cli("key", "list", "--json").json["keys"])


@pytest.mark.parametrize("name", sorted(BEYOND))
def test_a_key_never_holds_more_than_the_one_that_made_it(free, maker, name):
    wider, says = BEYOND[name]
    before = count_keys(free)
    result = free.gate.ask_key(owner="child", maker=maker, **without_none({**CHILD, **wider}))
    assert result.code != 0 and result.stdout == "", result.stdout
    assert says in result.stderr and "key which makes it" in result.stderr, result.stderr
    assert count_keys(free) == before


def test_a_child_within_its_maker_works_and_is_told_apart(free, maker):
    child = free.gate.key(owner="child", maker=maker, verb=["admin", "infer"], **CHILD)
    assert ask(free, child).status == 200
    assert denied(ask(free, child, model="gpt-1"), "MS-ADMIT-002")
    leaf = free.gate.await_leaf(lambda leaf: leaf.get("subject") == child["id"])
    assert leaf["act"] == "key-created" and leaf["by"] == maker["id"]
    assert leaf["facts"]["made_by"] == maker["id"]
    listed = free.gate.cli("key", "list", "--json").json["keys"]
    (line,) = [line for line in listed if line["id"] == child["id"]]
    assert line["made_by"] == maker["id"]
    # Further down the same holds.
    result = free.gate.ask_key(maker=child, **{**CHILD, "models": ["gpt-1"]})
    assert result.code != 0 and "model" in result.stderr
    grandchild = free.gate.key(maker=child, **CHILD)
    assert ask(free, grandchild).status == 200


def test_keys_made_by_keys_come_to_an_end(free):
    """A chain is followed up to eight keys; a longer one cannot be made."""
    key = free.gate.key(owner="first", verb=["admin", "infer"])
    for _ in range(7):
        key = free.gate.key(owner="next", maker=key, verb=["admin", "infer"])
    assert ask(free, key).status == 200
    result = free.gate.ask_key(maker=key)
    assert result.code != 0 and "cannot make another" in result.stderr


def test_only_a_key_with_the_verb_admin_makes_keys(free):
    plain = free.gate.key(owner="plain", verb=["infer", "view_log"])
    result = free.gate.ask_key(maker=plain)
    assert result.code != 0 and result.stdout == "" and "`admin`" in result.stderr
    leaf = free.gate.await_leaf(lambda leaf: leaf.get("act") == "admin-denied")
    assert leaf["by"] == plain["id"]


def test_a_policy_can_keep_a_key_from_making_keys(ruled):
    rule = '@id("no-makers") forbid (principal is Key, action == Action::"admin", resource);'
    house = ruled(ALL + rule)
    maker = house.gate.key(verb=["admin", "infer"])
    assert ask(house, maker).status == 200
    result = house.gate.ask_key(maker=maker)
    assert result.code != 0 and "`admin`" in result.stderr
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("act") == "admin-denied")
    assert leaf["by"] == maker["id"]


def test_makers_that_are_none(free, _folders):
    elsewhere = Gate(_folders("elsewhere"), free.config()).key(verb="admin")
    for key, says in ((elsewhere["key"], "not known"), ("nonsense", "not a merestone key")):
        result = free.gate.ask_key(maker={"key": key})
        assert result.code != 0 and result.stdout == "" and says in result.stderr, result.text
        assert key not in result.text
    gone = free.gate.key(verb=["admin", "infer"])
    free.gate.revoke(gone)
    result = free.gate.ask_key(maker=gone)
    assert result.code != 0 and "revoked" in result.stderr
    result = free.gate.cli("key", "create", "--owner", "x", "--made-by-env", "NO_SUCH_NAME")
    assert result.code != 0 and "no such variable" in result.stderr


def test_no_key_makes_another_while_no_gate_runs(build_house):
    house = build_house(start=False)
    maker = house.gate.key(verb=["admin", "infer"])
    result = house.gate.ask_key(maker=maker)
    assert result.code != 0 and "no gate is running" in result.stderr


def is_refused(house, key, code):
    reply = ask(house, key)
    return reply.status == 401 and code in reply.message


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_the_end_of_the_maker_is_the_end_of_its_keys(build_house, end):
    house = build_house()
    house.openai.script(trickle("openai", once=False, model="long"))
    began = time.monotonic()
    lasts = {"expires_in": "6s"} if end == "expired" else {}
    maker = house.gate.key(owner="maker", verb=["admin", "infer"], **lasts)
    child = house.gate.key(owner="child", maker=maker, verb=["admin", "infer"])
    grandchild = house.gate.key(owner="grandchild", maker=child)
    other = house.gate.key(owner="other")
    keys = [maker, child, grandchild]
    streams = [Call(house.url, "openai", key["key"], model="long").await_start() for key in keys]
    free = Call(house.url, "openai", other["key"], model="long").await_start()
    assert all(ask(house, key).status == 200 for key in keys)
    if end == "revoked":
        ended = time.monotonic()
        house.gate.revoke(maker)
        code = "MS-KNOW-004"
    else:
        ended = began + 6
        code = "MS-KNOW-005"
        await_that(lambda: is_refused(house, maker, code), 10)
    for key in keys:
        await_that(lambda key=key: is_refused(house, key, code), 3)
    assert time.monotonic() - ended < 6
    for stream in streams:
        reply = stream.wait(4.0)
        assert code.encode() in reply.body, reply.body[-300:]
    assert free.is_running(), "nobody else is touched"
    free.leave()
    ids = {stream.headers["x-merestone-exchange"] for stream in streams}
    closed = [leaf for leaf in house.gate.ledger() if leaf["type"] == "closed"]
    cut = {leaf["exchange"] for leaf in closed if leaf["outcome"] == "switched-off"}
    assert cut == ids


# The account's own rights

NO_ADMIN = '@id("no-admin") forbid (principal is Account, action == Action::"admin", resource);\n'
NO_LOG = '@id("no-log") forbid (principal is Account, action == Action::"view_log", resource);\n'


def test_an_account_that_may_not_steer_can_still_switch_off(ruled):
    house = ruled(ALL)
    key, other = house.gate.key(), house.gate.key()
    put(house, ALL + NO_ADMIN)
    assert house.gate.cli("reload").code == 0
    commands = {
        "create": ["key", "create", "--owner", "x"],
        "revoke": ["key", "revoke", key["id"]],
        "reload": ["reload"],
        "on": ["switch", "on", "vendor", "anthropic", "--reason", "no reason"],
    }
    for name, words in commands.items():
        result = house.gate.cli(*words)
        assert result.code != 0 and "`admin`" in result.stderr, (name, result.text)
    assert ask(house, key).status == 200, "it was not revoked"
    denials = [leaf for leaf in house.gate.ledger() if leaf.get("act") == "admin-denied"]
    assert len(denials) == len(commands)
    assert all(leaf["facts"]["verb"] == "admin" for leaf in denials)
    assert "uid:" not in json.dumps(denials), "the account stands as a commitment"
    # To look is another verb.
    assert house.gate.cli("key", "list").code == 0
    off = house.gate.cli("switch", "off", "key", other["id"], "--reason", "an emergency")
    assert off.code == 0
    reply = ask(house, other)
    assert reply.status == 503 and "MS-KILL-001" in reply.message
    on = house.gate.cli("switch", "on", "key", other["id"], "--reason", "over")
    assert on.code != 0 and ask(house, other).status == 503
    # Who can write the file of policies has the last word.
    put(house, ALL)
    await_that(lambda: house.gate.cli("reload").code == 0, 10)
    on = house.gate.cli("switch", "on", "key", other["id"], "--reason", "over")
    assert on.code == 0 and ask(house, other).status == 200


def test_an_account_that_may_not_look(ruled):
    house = ruled(ALL + NO_LOG)
    for words in (["key", "list"], ["top", "--once", "--json"]):
        result = house.gate.cli(*words)
        assert result.code != 0 and "`view_log`" in result.stderr, result.text
    assert house.gate.cli("switch", "list").code == 0
