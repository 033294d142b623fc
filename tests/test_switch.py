"""The kill switch, by command and by file, and revoked keys: what runs ends
within a second, nothing new passes, and the record tells how long it took."""

import http.client
import json
import socket
import time
from threading import Thread
from urllib.parse import urlsplit

import pytest

from harness import needles, raw, sse
from harness.calls import PARAMS
from harness.gate import House
from harness.paths import rng
from harness.running import CONTENT, Call, await_that, never, trickle
from harness.sdk import CALLS, MODULES
from harness.sockets import connect, unused_port
from harness.vendor import EVENTS, script

APIS = ["openai", "anthropic"]
HELLO = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
# A second is the promise; the rest is for the command to start and for slow machines.
HOLDS_SECONDS = 3.0


@pytest.fixture
def house(build_house):
    return build_house()


@pytest.fixture(scope="module")
def shared(_folders):
    house = House(_folders("switching"))
    yield house
    house.close()


def switch(house, word, scope, reason="a test of the switch"):
    words = ["switch", word, *scope.split(" "), "--reason", reason, "--json"]
    return house.gate.cli(*words)


def post(house, api, key=None, **more):
    return raw.post(house.url, CONTENT[api].route, {**HELLO, **more}, key or house.key)


def is_off(reply):
    return reply.status == 503 and "MS-KILL-001" in reply.message


def events(house, act):
    return [leaf for leaf in house.gate.ledger() if leaf.get("act") == act]


def ended_by_switch(house, exchanges, outcome="switched-off", code="MS-KILL-001"):
    """Each of these exchanges has its one closing record, and what it says."""
    exchanges = set(exchanges)

    def all_there():
        closed = [leaf for leaf in house.gate.ledger() if leaf["type"] == "closed"]
        return [leaf for leaf in closed if leaf["exchange"] in exchanges]

    await_that(lambda: len(all_there()) >= len(exchanges), HOLDS_SECONDS, "a record is missing")
    leaves = all_there()
    assert len(leaves) == len(exchanges)
    assert {(leaf["outcome"], leaf["code"]) for leaf in leaves} == {(outcome, code)}


def await_in_flight(house, count=1):
    """So many exchanges of known callers are under way, `top` says."""
    told = lambda: house.gate.cli("top", "--once", "--json").json["in_flight"]
    await_that(lambda: told() == count, 10)


# What each scope stops of a call to openai for the model m, and of the other
# calls: openai for n, anthropic for m, and openai for m with another key.
SCOPES = {
    "all": (True, True, True),
    "vendor openai": (True, False, True),
    "model m": (False, True, True),
    "route openai-chat": (True, False, True),
    "key": (True, True, False),
}


@pytest.mark.parametrize("by_file", [False, True], ids=["command", "file"])
@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_a_scope_is_off_and_nothing_else(house, scope, by_file):
    key, other = house.gate.key(), house.gate.key()
    if scope == "key":
        stopped, scope = SCOPES["key"], f"key {key['id']}"
    else:
        stopped = SCOPES[scope]
    calls = [
        lambda: post(house, "openai", key["key"], model="n"),
        lambda: post(house, "anthropic", key["key"]),
        lambda: post(house, "openai", other["key"]),
    ]
    target = lambda: post(house, "openai", key["key"])
    assert target().status == 200
    file = house.gate.folder / "data" / "switches"
    if by_file:
        file.write_text(f"# by hand\n\noff {scope}: a leak\n")
        await_that(lambda: target().status == 503, HOLDS_SECONDS)
    else:
        assert switch(house, "off", scope, "a leak").json["changed"] is True
    for vendor in house.vendors.values():
        vendor.forget()
    assert is_off(target())
    assert [is_off(call()) for call in calls] == list(stopped)
    reached = sum(len(vendor.requests()) for vendor in house.vendors.values())
    assert reached == stopped.count(False), "what is off reaches no vendor"
    listed = house.gate.cli("switch", "list", "--json").json["off"]
    assert {name: off["reason"] for name, off in listed.items()} == {scope: "a leak"}
    if by_file:
        file.write_text(f"off {scope}: a leak\non {scope}: mended\n")
        await_that(lambda: target().status == 200, HOLDS_SECONDS)
    else:
        assert switch(house, "on", scope, "mended").json["changed"] is True
    assert target().status == 200 and all(call().status == 200 for call in calls)
    for act, reason in (("switched-off", "a leak"), ("switched-on", "mended")):
        (leaf,) = events(house, act)
        assert leaf["subject"] == scope and leaf["facts"]["reason"] == reason
        assert int(leaf["facts"]["took_us"]) < 1_000_000 and leaf["facts"]["left"] == "0"
        # A call by which the test looks may be under way when a file is seen.
        assert int(leaf["facts"]["ended"]) <= by_file
        assert (leaf["by"] == "node") == by_file


@pytest.mark.parametrize("kind", ["create", "stream"])
@pytest.mark.parametrize("api", APIS)
def test_the_sdks_raise_what_is_off(shared, api, kind):
    assert switch(shared, "off", f"vendor {api}").code == 0
    try:
        with pytest.raises(MODULES[api].InternalServerError, match="MS-KILL-001") as caught:
            CALLS[api](shared.url, shared.key)[kind](PARAMS[api]("hi"))
        response = caught.value.response
        assert caught.value.status_code == 503
        assert response.headers["x-should-retry"] == "false", "trying again would not help"
        assert "retry-after" not in response.headers
    finally:
        assert switch(shared, "on", f"vendor {api}").code == 0
    assert CALLS[api](shared.url, shared.key)[kind](PARAMS[api]("hi"))


@pytest.mark.parametrize("by_file", [False, True], ids=["command", "file"])
@pytest.mark.parametrize("api", APIS)
def test_what_runs_ends_within_a_second(house, api, by_file):
    """A stream, a reply that has begun, one that has not; other vendors' go on."""
    vendor = house.vendors[api]
    (other,) = set(APIS) - {api}
    vendor.script(
        trickle(api, once=False, model="long"),
        never(api, once=False, model="half"),
        script(b"", head_delay_ms=60_000, once=False, model="silent"),
    )
    house.vendors[other].script(trickle(other, once=False, model="long"))
    stream = Call(house.url, api, house.key, model="long").await_start()
    half = Call(house.url, api, house.key, stream=False, model="half")
    silent = Call(house.url, api, house.key, stream=False, model="silent")
    free = Call(house.url, other, house.key, model="long").await_start()
    await_that(lambda: len(vendor.requests()) == 3)
    time.sleep(0.2)  # so that what was sent of the half reply is there
    began = time.monotonic()
    if by_file:
        (house.gate.folder / "data" / "switches").write_text(f"off vendor {api}: a leak\n")
    else:
        held = switch(house, "off", f"vendor {api}").json
        assert held["ended"] == 3 and held["left"] == 0 and held["took_us"] < 1_000_000
    replies = [call.wait() for call in (stream, half, silent)]
    for call in (stream, half, silent):
        assert call.ended - began < HOLDS_SECONDS
    assert sse.ended(api, replies[0].body) == "error" and b"MS-KILL-001" in replies[0].body
    assert all(is_off(reply) for reply in replies[1:])
    assert free.is_running()
    free.leave()
    ended_by_switch(house, [call.headers["x-merestone-exchange"] for call in (stream, half, silent)])
    (leaf,) = events(house, "switched-off")
    assert leaf["facts"]["ended"] == "3" and leaf["facts"]["left"] == "0"
    assert int(leaf["facts"]["took_us"]) < 1_000_000
    # The vendor is no longer asked for what nobody gets.
    await_that(lambda: vendor.tell()["open"] == 0, HOLDS_SECONDS)


@pytest.mark.parametrize("api", APIS)
def test_a_stream_that_is_switched_off_raises_in_the_sdk(shared, api):
    shared.vendors[api].script(trickle(api, model="long"))
    module = MODULES[api]
    if api == "openai":
        client = module.OpenAI(base_url=shared.url + "/v1", api_key=shared.key, max_retries=0)
        open_stream = client.chat.completions.create
    else:
        client = module.Anthropic(base_url=shared.url, api_key=shared.key, max_retries=0)
        open_stream = client.messages.create
    stream = open_stream(**PARAMS[api]("hi", model="long"), stream=True)
    seen = 0
    try:
        with pytest.raises(module.APIError, match="MS-KILL-001"):
            for _ in stream:
                seen += 1
                if seen == 5:
                    assert switch(shared, "off", "model long").code == 0
                assert seen < 200, "it goes on and on"
        assert seen >= 5
    finally:
        assert switch(shared, "on", "model long").code == 0


@pytest.mark.parametrize("api", APIS)
def test_a_caller_that_does_not_read_keeps_nothing_running(house, api):
    # More than the sockets of both sides hold.
    body = CONTENT[api].stream(["word " * 20_000] * 200)
    house.vendors[api].script(script(body, kind=EVENTS))
    request = json.dumps({**HELLO, "stream": True}).encode()
    head = (
        f"POST {CONTENT[api].route} HTTP/1.1\r\nhost: {house.url[7:]}\r\n"
        f"authorization: Bearer {house.key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(request)}\r\n\r\n"
    ).encode()
    with connect(house.url) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(head + request)
        await_that(house.vendors[api].requests)
        time.sleep(1)  # so that all buffers are full
        await_in_flight(house)
        held = switch(house, "off", "all").json
        assert held["ended"] == 1 and held["left"] == 0 and held["took_us"] < 1_000_000
        leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "closed", HOLDS_SECONDS)
        assert (leaf["outcome"], leaf["code"]) == ("switched-off", "MS-KILL-001")


def test_twenty_streams_at_once(house):
    for api in APIS:
        house.vendors[api].script(trickle(api, once=False, model="long"))
    keys = [house.gate.key()["key"] for _ in range(4)]
    calls = [
        Call(house.url, APIS[number % 2], keys[number % 4], model="long") for number in range(20)
    ]
    for call in calls:
        call.await_start()
    began = time.monotonic()
    held = switch(house, "off", "all").json
    assert held["ended"] == 20 and held["left"] == 0 and held["took_us"] < 1_000_000
    for call in calls:
        reply = call.wait()
        assert call.ended - began < HOLDS_SECONDS
        assert sse.ended(call.api, reply.body) == "error" and b"MS-KILL-001" in reply.body
    ended_by_switch(house, [call.headers["x-merestone-exchange"] for call in calls])
    assert is_off(post(house, "openai")) and is_off(post(house, "anthropic"))
    house.gate.verify()


# A body that is not yet whole


class Upload:
    """A request of which only the head and the first bytes were sent."""

    def __init__(self, house, key, model="m"):
        self.body = json.dumps({**HELLO, "model": model}).encode()
        parts = urlsplit(house.url)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        self._connection.putrequest("POST", CONTENT["openai"].route)
        self._connection.putheader("authorization", f"Bearer {key}")
        self._connection.putheader("content-type", "application/json")
        self._connection.putheader("content-length", str(len(self.body)))
        self._connection.endheaders(self.body[:20])

    def finish(self):
        """Sends the rest, as far as it is still taken; the reply."""
        try:
            self._connection.send(self.body[20:])
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self.reply()

    def reply(self):
        reply = self._connection.getresponse()
        heads = {name.lower(): value for name, value in reply.getheaders()}
        return raw.Reply(reply.status, heads, reply.read())


@pytest.mark.parametrize("scope", ["all", "vendor openai", "route openai-chat", "key"])
def test_a_switch_during_an_upload(house, scope):
    key = house.gate.key()
    scope = f"key {key['id']}" if scope == "key" else scope
    upload = Upload(house, key["key"])
    await_in_flight(house)
    began = time.monotonic()
    assert switch(house, "off", scope).json["ended"] == 1
    # It is told at once, without the rest of the body.
    assert is_off(upload.reply())
    assert time.monotonic() - began < HOLDS_SECONDS
    assert house.openai.requests() == []
    assert house.gate.await_leaf(lambda leaf: leaf["type"] == "refused")["code"] == "MS-KILL-001"


def test_a_model_that_is_switched_off_during_the_upload(house):
    """Until the body is there nobody knows the model: then it is refused."""
    upload = Upload(house, house.key)
    await_in_flight(house)
    assert switch(house, "off", "model m").json["ended"] == 0
    assert is_off(upload.finish())
    assert house.openai.requests() == []


def test_a_key_that_is_revoked_during_the_upload(house):
    key = house.gate.key()
    upload = Upload(house, key["key"])
    await_in_flight(house)
    house.gate.revoke(key)
    reply = upload.finish()
    assert reply.status == 401 and "MS-KNOW-004" in reply.message
    assert house.openai.requests() == []
    leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "refused")
    assert leaf["code"] == "MS-KNOW-004"


@pytest.mark.parametrize("api", APIS)
def test_a_revoked_key_ends_its_streams_within_a_second(house, api):
    house.vendors[api].script(trickle(api, once=False, model="long"))
    key, other = house.gate.key(), house.gate.key()
    gone = Call(house.url, api, key["key"], model="long").await_start()
    free = Call(house.url, api, other["key"], model="long").await_start()
    began = time.monotonic()
    house.gate.revoke(key)
    reply = gone.wait()
    assert gone.ended - began < HOLDS_SECONDS
    assert sse.ended(api, reply.body) == "error" and b"MS-KNOW-004" in reply.body
    assert free.is_running()
    free.leave()
    ended_by_switch(house, [gone.headers["x-merestone-exchange"]], code="MS-KNOW-004")


@pytest.mark.parametrize("api", APIS)
def test_a_key_that_expires_ends_its_streams_within_a_second(house, api):
    house.vendors[api].script(trickle(api, once=False, model="long"))
    key = house.gate.key(expires_in="3s")
    began = time.monotonic()
    call = Call(house.url, api, key["key"], model="long").await_start()
    reply = call.wait(8)
    assert 1.0 < call.ended - began < 3 + HOLDS_SECONDS
    assert sse.ended(api, reply.body) == "error" and b"MS-KNOW-005" in reply.body
    ended_by_switch(house, [call.headers["x-merestone-exchange"]], code="MS-KNOW-005")


# Reasons

CARD = needles.card(rng("a reason")).text
# A reason that is none, and what is said of it.
NO_REASONS = {
    "empty": ("", "1 to 256 bytes"),
    "blank": ("  ", "1 to 256 bytes"),
    "two lines": ("one\ntwo", "one line"),
    "a control character": ("red \x1b[31m", "one line"),
    "too long": ("x" * 257, "1 to 256 bytes"),
    "sensitive": (f"the card {CARD} leaked", "sensitive"),
}


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_switch_needs_a_reason_fit_for_the_record(build_house, running):
    house = build_house()
    assert switch(house, "off", "vendor openai", "a leak").code == 0
    if not running:
        house.gate.stop()
    taken = []
    for word, scope in (("off", "vendor anthropic"), ("on", "vendor openai")):
        missing = house.gate.cli("switch", word, *scope.split(" "))
        assert missing.code != 0 and "--reason" in missing.stderr
        for name, (reason, says) in NO_REASONS.items():
            result = switch(house, word, scope, reason)
            if result.code == 0 or says not in result.stderr:
                taken.append((word, name, result.text))
            assert CARD not in result.text
    assert not taken
    assert set(house.gate.cli("switch", "list", "--json").json["off"]) == {"vendor openai"}
    assert len(events(house, "switched-off")) == 1 and not events(house, "switched-on")


def test_what_is_no_scope_is_refused(shared):
    for scope in ("everything", "vendor", "all of it", "key gpt-5", "model a b"):
        result = shared.gate.cli("switch", "off", *scope.split(" "), "--reason", "x")
        assert result.code != 0 and "switched" not in result.stdout, scope
    assert shared.gate.cli("switch", "list", "--json").json["off"] == {}


def test_on_what_is_not_off_is_told(shared):
    result = switch(shared, "on", "vendor openai")
    assert result.code != 0 and "not switched off" in result.stderr
    assert switch(shared, "off", "model x", "first").json["changed"] is True
    assert switch(shared, "off", "model x", "second").json["changed"] is False
    listed = shared.gate.cli("switch", "list")
    assert listed.code == 0 and "model x" in listed.stdout and "first" in listed.stdout
    assert switch(shared, "on", "model x").code == 0
    assert "nothing is switched off" in shared.gate.cli("switch", "list").stdout
    subjects = [leaf["subject"] for leaf in events(shared, "switched-off")]
    assert subjects.count("model x") == 1, "only what changed something is an act"


# Over restarts


@pytest.mark.parametrize("by_file", [False, True], ids=["command", "file"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_it_holds_over_a_restart(house, how, by_file):
    assert post(house, "openai").status == 200
    file = house.gate.folder / "data" / "switches"
    if by_file:
        file.write_text("off vendor openai: a leak\n")
        await_that(lambda: is_off(post(house, "openai")), HOLDS_SECONDS)
        await_that(lambda: events(house, "switched-off"), HOLDS_SECONDS)
        # What a file said is not forgotten with it.
        file.unlink()
    else:
        assert switch(house, "off", "vendor openai", "a leak").code == 0
    getattr(house.gate, how)()
    house.gate.start()
    house.openai.forget()
    assert is_off(post(house, "openai")) and house.openai.requests() == []
    assert post(house, "anthropic").status == 200
    listed = house.gate.cli("switch", "list", "--json").json["off"]
    assert listed["vendor openai"]["reason"] == "a leak"
    assert len(events(house, "switched-off")) == 1, "to keep it is no act"
    assert switch(house, "on", "vendor openai", "mended").code == 0
    getattr(house.gate, how)()
    house.gate.start()
    assert post(house, "openai").status == 200


def test_a_switch_while_no_gate_runs(house):
    assert post(house, "openai").status == 200
    house.gate.stop()
    assert switch(house, "off", "vendor openai", "a leak").json["changed"] is True
    house.gate.start()
    assert is_off(post(house, "openai")) and post(house, "anthropic").status == 200
    house.gate.kill()
    assert switch(house, "on", "vendor openai", "mended").json["changed"] is True
    house.gate.start()
    assert post(house, "openai").status == 200
    for act, reason in (("switched-off", "a leak"), ("switched-on", "mended")):
        (leaf,) = events(house, act)
        assert leaf["subject"] == "vendor openai" and leaf["facts"]["reason"] == reason
        assert leaf["facts"]["took_us"].isdigit()


def test_the_file_alone_is_enough_at_a_start(house):
    key = house.key
    house.gate.stop()
    (house.gate.folder / "data" / "switches").write_text("off all: before the start\n")
    house.gate.start()
    # From the first request on.
    assert is_off(post(house, "openai", key)) and is_off(post(house, "anthropic", key))
    assert house.openai.requests() == []
    (leaf,) = events(house, "switched-off")
    assert leaf["subject"] == "all" and leaf["facts"]["reason"] == "before the start"


# The file


def test_a_wrong_line_changes_nothing_and_is_recorded_once(house):
    file = house.gate.folder / "data" / "switches"
    file.write_text("off vendor anthropic: a leak\n")
    await_that(lambda: is_off(post(house, "anthropic")), HOLDS_SECONDS)
    wrong = "off vendor anthropic: a leak\noff vendor openai: another\nstop everything now\n"
    file.write_text(wrong)
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("act") == "switches-refused")
    assert "line 3" in leaf["facts"]["why"]
    # It is looked at several times a second.
    time.sleep(1)
    assert len(events(house, "switches-refused")) == 1
    assert post(house, "openai").status == 200, "not even what is right in it is carried out"
    assert is_off(post(house, "anthropic")), "and nothing is switched on"
    file.write_text(wrong.replace("stop everything now", "# all is well"))
    await_that(lambda: is_off(post(house, "openai")), HOLDS_SECONDS)
    # The same mistake made again is told again.
    file.write_text(wrong)
    await_that(lambda: len(events(house, "switches-refused")) == 2, 5, "it is told no second time")


# A file that is refused as a whole, and what is said.
WRONG_FILES = {
    "no reason": (b"off all\n", "line"),
    "an empty reason": (b"off all: \n", "line"),
    "no scope": (b"off: why\n", "line"),
    "an unknown scope": (b"off everything: why\n", "line"),
    "another word": (b"stop all: why\n", "line"),
    "a long reason": (b"off all: " + b"x" * 257 + b"\n", "line"),
    "no text": (b"off all: \xff\xfe\n", "read"),
    "too large": (b"# " + b"x" * 70_000 + b"\noff all: why\n", "larger"),
}


def test_wrong_files_are_refused(house):
    file = house.gate.folder / "data" / "switches"
    for number, (name, (data, says)) in enumerate(WRONG_FILES.items()):
        # Each at a line of its own, so that no two say the same.
        file.write_bytes(b"#\n" * number + data)
        says = f"line {number + 1}:" if says == "line" else says
        house.gate.await_leaf(
            lambda leaf, says=says: leaf.get("act") == "switches-refused"
            and says in leaf["facts"]["why"]
        )
        assert post(house, "openai").status == 200, name
    assert house.gate.cli("switch", "list", "--json").json["off"] == {}


def test_a_line_that_is_removed_switches_nothing_on(house):
    file = house.gate.folder / "data" / "switches"
    file.write_text("off vendor openai: a leak\n")
    await_that(lambda: is_off(post(house, "openai")), HOLDS_SECONDS)
    for gone in (lambda: file.write_text(""), file.unlink):
        gone()
        time.sleep(1)
        assert is_off(post(house, "openai"))
    assert switch(house, "on", "vendor openai", "mended").code == 0
    assert post(house, "openai").status == 200
    # Written again it is a new word.
    file.write_text("off vendor openai: a leak\n")
    await_that(lambda: is_off(post(house, "openai")), HOLDS_SECONDS)


def test_a_command_overrules_the_file_until_it_says_something_new(house):
    file = house.gate.folder / "data" / "switches"
    file.write_text("off vendor openai: a leak\n")
    await_that(lambda: is_off(post(house, "openai")), HOLDS_SECONDS)
    assert switch(house, "on", "vendor openai", "mended").code == 0
    time.sleep(1)
    assert post(house, "openai").status == 200, "what was carried out is not carried out again"
    house.gate.restart()
    assert post(house, "openai").status == 200
    file.write_text("off vendor openai: another leak\n")
    await_that(lambda: is_off(post(house, "openai")), HOLDS_SECONDS)


def test_a_sensitive_reason_in_the_file_switches_and_is_withheld(house):
    file = house.gate.folder / "data" / "switches"
    file.write_text(f"off all: the card {CARD} leaked\n")
    await_that(lambda: is_off(post(house, "openai")), HOLDS_SECONDS)
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("act") == "switched-off")
    assert leaf["facts"]["reason"] == "(withheld)"
    assert CARD not in json.dumps(house.gate.ledger())


# In need of nothing


def test_a_broken_configuration_keeps_nobody_from_switching_off(house):
    """A file half edited is no time for the switch to fail."""
    key = house.key
    house.gate.file.write_text(house.config() + "\n[nonsense]\n")
    # The running gate goes on with the old one.
    assert post(house, "openai", key).status == 200
    result = switch(house, "off", "all")
    house.gate.file.write_text(house.config())
    assert result.code == 0, result.text
    assert is_off(post(house, "openai", key))


def test_the_file_works_while_the_configuration_is_broken(house):
    key = house.key
    house.gate.file.write_text(house.config() + "\n[nonsense]\n")
    (house.gate.folder / "data" / "switches").write_text("off all: a leak\n")
    await_that(lambda: is_off(post(house, "openai", key)), HOLDS_SECONDS)
    house.gate.file.write_text(house.config())


def told(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read()
        return reply.status
    finally:
        connection.close()


def test_readiness_tells_of_a_switch_and_is_not_asked_by_it(build_house):
    """Only when all is off is the gate of no use; it lives, and is steered."""
    port = urlsplit(unused_port()).port
    house = build_house(tables={"admin": {"listen": f"127.0.0.1:{port}"}})
    assert told(port, "/readyz") == 200
    assert switch(house, "off", "vendor openai").code == 0
    assert told(port, "/readyz") == 200, "the other vendor can be asked"
    assert switch(house, "off", "all").code == 0
    assert told(port, "/readyz") == 503 and told(port, "/livez") == 200
    assert is_off(post(house, "anthropic"))
    assert switch(house, "on", "all").code == 0
    assert told(port, "/readyz") == 200 and post(house, "anthropic").status == 200
    assert is_off(post(house, "openai")), "what was off apart stays off"


def test_the_list_of_a_stopped_gate_knows_the_file(house):
    """What holds from the next start on, also what no gate has seen yet."""
    assert switch(house, "off", "vendor openai", "a leak").code == 0
    house.gate.stop()
    file = house.gate.folder / "data" / "switches"
    listed = lambda: house.gate.cli("switch", "list", "--json")
    assert set(listed().json["off"]) == {"vendor openai"}
    file.write_text("off model m: by file\noff key mk-0123456789ab: too\non vendor openai: mended\n")
    assert {name: off["reason"] for name, off in listed().json["off"].items()} == {
        "model m": "by file",
        "key mk-0123456789ab": "too",
    }
    # Looking changes nothing.
    assert len(events(house, "switched-off")) == 1 and not events(house, "switched-on")
    # A wrong file changes nothing, and that is said.
    file.write_text("off model m: by file\nstop everything\n")
    wrong = listed()
    assert set(wrong.json["off"]) == {"vendor openai"}
    assert "not carried out" in wrong.stderr and "line 2" in wrong.stderr
    # A command carries the file out first, as a gate would have.
    file.write_text(f"off model m: by file\noff vendor anthropic: the card {CARD} leaked\n")
    assert switch(house, "on", "model m", "mended").json["changed"] is True
    assert set(listed().json["off"]) == {"vendor openai", "vendor anthropic"}
    acts = [leaf for leaf in house.gate.ledger() if leaf.get("act", "").startswith("switched-")]
    told = [(leaf["act"], leaf["subject"], leaf["facts"]["reason"]) for leaf in acts]
    assert sorted(told[1:3]) == [
        ("switched-off", "model m", "by file"),
        ("switched-off", "vendor anthropic", "(withheld)"),
    ]
    assert told[3:] == [("switched-on", "model m", "mended")]
    house.gate.start()
    assert set(listed().json["off"]) == {"vendor openai", "vendor anthropic"}
    assert is_off(post(house, "anthropic")) and is_off(post(house, "openai"))
    assert len(events(house, "switched-off")) == 3, "what was carried out is not carried out again"


def test_a_switch_in_the_middle_of_a_long_look(house):
    """A text that takes the controls long: nothing of it reaches the vendor,
    and the switch does not wait for them."""
    text = "".join(rng("long").choices("abcdef0123456789", k=4_000_000))
    body = {**HELLO, "messages": [{"role": "user", "content": text}]}
    calls = [Thread(target=raw.post, args=(house.url, CONTENT["openai"].route, body, house.key)) for _ in range(3)]
    for call in calls:
        call.start()
    await_in_flight(house, 3)
    held = switch(house, "off", "all").json
    assert held["ended"] == 3 and held["left"] == 0 and held["took_us"] < 1_000_000
    for call in calls:
        call.join()
    assert house.openai.requests() == []
