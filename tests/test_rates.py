"""How much may be asked for: limits of a key, a model and a source; sources
that are locked out; a vendor that is left alone.

Nothing here waits for a minute to pass: each test is done within the one in
which its limit is met.
"""

import json
import re
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import needles, raw, sse
from harness.calls import PARAMS
from harness.gate import Gate
from harness.running import CONTENT, Call, await_that, trickle
from harness.sdk import CALLS, MODULES
from harness.sockets import unused_port
from harness.vendor import EVENTS, Vendor, script

APIS = ["openai", "anthropic"]
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HELLO = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
CALLERS = 64


def post(house, key=None, path=CHAT, **more):
    return raw.post(house.url, path, {**HELLO, **more}, (key or {"key": house.key})["key"])


def at_once(do, count=CALLERS):
    """So many callers, each on its own thread, let go together."""
    gate = threading.Barrier(count)

    def one(number):
        gate.wait(30)
        return do(number)

    return raw.in_parallel(one, range(count), workers=count)


def codes(replies):
    """How many replies came with 200, and how many with each code."""
    return Counter(200 if reply.status == 200 else reply.message[:12] for reply in replies)


def limited(reply, code, party):
    """The reply says that this party's limit was met, and when to come back."""
    assert reply.status == 429 and code in reply.message, reply.body
    assert f"limit of the {party}" in reply.message, reply.message
    assert 1 <= int(reply.headers["retry-after"]) <= 61
    assert reply.headers["x-should-retry"] == "true"
    return True


def uses(house, sort, name):
    """What `top` says that a party uses."""
    for party in house.gate.cli("top", "--once", "--json").json["parties"]:
        if (party["sort"], party["name"]) == (sort, name):
            return party
    return {"requests": 0, "tokens": 0, "in_flight": 0}


# Requests in a minute


@pytest.mark.parametrize("how", ["rates.key", "option"])
def test_64_callers_at_once_share_the_limit_of_a_key(build_house, how):
    tables = {"rates.key": {"requests_per_minute": 20}} if how == "rates.key" else {}
    house = build_house(tables=tables)
    key = house.gate.key(**({} if tables else {"requests_per_minute": 20}))
    replies = at_once(lambda _: post(house, key))
    assert Counter(reply.status for reply in replies) == {200: 20, 429: CALLERS - 20}
    assert all(limited(r, "MS-LIMIT-001", "key") for r in replies if r.status == 429)
    assert len(house.openai.requests()) == 20, "what is refused reaches no vendor"
    # It is the key's, whichever vendor; and another key has its own.
    assert limited(post(house, key, MESSAGES), "MS-LIMIT-001", "key")
    assert post(house, house.gate.key()).status == 200
    refused = [leaf for leaf in house.gate.ledger() if leaf["type"] == "refused"]
    assert len(refused) == CALLERS - 20 + 1
    assert {(leaf["code"], leaf["place"]) for leaf in refused} == {("MS-LIMIT-001", "limit of the key")}


def test_a_keys_own_limit_goes_before_the_common_one(build_house):
    house = build_house(tables={"rates.key": {"requests_per_minute": 3}})
    wide, narrow = house.gate.key(requests_per_minute=5), house.gate.key(requests_per_minute=1)
    common = house.gate.key(tokens_per_minute=1_000_000)
    for key, most in ((wide, 5), (narrow, 1), (common, 3)):
        assert [post(house, key).status for _ in range(7)] == [200] * most + [429] * (7 - most)


def test_64_callers_at_once_share_the_limit_of_a_model(build_house):
    house = build_house(tables={"rates.model": {"requests_per_minute": 20}})
    keys = [house.gate.key() for _ in range(4)]
    replies = at_once(lambda number: post(house, keys[number % 4]))
    assert Counter(reply.status for reply in replies) == {200: 20, 429: CALLERS - 20}
    assert all(limited(r, "MS-LIMIT-001", "model") for r in replies if r.status == 429)
    assert len(house.openai.requests()) == 20
    assert post(house, keys[0], model="n").status == 200, "another model has its own"
    assert post(house, keys[0], MESSAGES).status == 200, "and the same of another vendor too"


def test_64_callers_at_once_share_the_limit_of_a_source(build_house):
    house = build_house(tables={"rates.source": {"requests_per_minute": 20}})
    keys = [house.gate.key() for _ in range(4)]
    replies = at_once(lambda number: post(house, keys[number % 4], [CHAT, MESSAGES][number % 2]))
    assert Counter(reply.status for reply in replies) == {200: 20, 429: CALLERS - 20}
    assert all(limited(r, "MS-LIMIT-001", "source") for r in replies if r.status == 429)
    assert sum(len(vendor.requests()) for vendor in house.vendors.values()) == 20
    # It is asked before who is calling: a stranger is told the same.
    assert limited(raw.post(house.url, CHAT, HELLO, "nobody's"), "MS-LIMIT-001", "source")
    elsewhere = raw.post_from("127.0.0.2", house.url, CHAT, HELLO, keys[0]["key"])
    assert elsewhere.status == 200
    # Nobody was known yet, so it is counted and not recorded one by one.
    house.gate.stop()
    leaves = house.gate.ledger()
    assert not [leaf for leaf in leaves if leaf["type"] == "refused"]
    counted = [leaf for leaf in leaves if leaf["type"] == "refused-summary"]
    assert sum(leaf["count"] for leaf in counted) == CALLERS - 20 + 1
    assert {leaf["code"] for leaf in counted} == {"MS-LIMIT-001"}


@pytest.mark.parametrize("kind", ["create", "stream"])
@pytest.mark.parametrize("api", APIS)
def test_the_sdks_raise_a_rate_limit_error(build_house, api, kind):
    house = build_house()
    key = house.gate.key(requests_per_minute=1)["key"]
    call = CALLS[api](house.url, key)[kind]
    assert call(PARAMS[api]("hi"))
    with pytest.raises(MODULES[api].RateLimitError, match="MS-LIMIT-001.*limit of the key") as caught:
        call(PARAMS[api]("hi"))
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 61


def test_a_reload_forgets_no_count(build_house):
    house = build_house(tables={"rates.key": {"requests_per_minute": 3}})
    key = house.gate.key()
    assert [post(house, key).status for _ in range(3)] == [200] * 3
    house.gate.file.write_text(house.config(tables={"rates.key": {"requests_per_minute": 4}}))
    assert house.gate.cli("reload").code == 0
    assert [post(house, key).status for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("how", ["own", "common"])
def test_children_share_the_limit_of_their_maker(build_house, how):
    common = {"rates.key": {"requests_per_minute": 5}} if how == "common" else {}
    own = {"requests_per_minute": 5} if how == "own" else {}
    house = build_house(tables=common)
    maker = house.gate.key(owner="maker", verb=["admin", "infer"], **own)
    children = [house.gate.key(owner="child", maker=maker, **own) for _ in range(4)]
    replies = at_once(lambda number: post(house, children[number % 4]), 32)
    assert Counter(reply.status for reply in replies) == {200: 5, 429: 27}
    assert all(limited(r, "MS-LIMIT-001", "key") for r in replies if r.status == 429)
    assert post(house, maker).status == 429
    assert post(house, house.gate.key()).status == 200


def test_limits_that_are_none_are_refused(build_house):
    house = build_house(start=False)
    for option in ("requests-per-minute", "tokens-per-minute", "in-flight"):
        for value in ("0", "-1", "many"):
            result = house.gate.cli("key", "create", "--owner", "x", f"--{option}={value}")
            assert result.code != 0 and option in result.stderr, result.text
    for entries in ({"requests_per_minute": 0}, {"requests_per_hour": 5}):
        house.gate.file.write_text(house.config(tables={"rates.key": entries}))
        (name,) = entries
        lines = house.gate.file.read_text().splitlines()
        at = next(number for number, line in enumerate(lines, 1) if name in line)
        result = house.gate.cli("config", "check")
        assert result.code != 0 and f"merestone.toml:{at}:" in result.stderr, result.text


# At once


class Counting:
    """A double of a vendor that counts how many requests it has at once."""

    def __init__(self, seconds):
        self.now, self.most, self.total = 0, 0, 0
        lock, counting = threading.Lock(), self
        body = CONTENT["openai"].whole("fine")

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    counting.now += 1
                    counting.total += 1
                    counting.most = max(counting.most, counting.now)
                time.sleep(seconds)
                # Before the gate can know that the reply is whole.
                with lock:
                    counting.now -= 1
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def counting():
    vendor = Counting(0.3)
    yield vendor
    vendor.close()


@pytest.mark.parametrize("party", ["key", "option", "model", "source"])
def test_never_more_at_the_vendor_than_are_allowed_at_once(build_house, counting, party):
    most = 5
    tables = {} if party == "option" else {f"rates.{party}": {"in_flight": most}}
    house = build_house(tables=tables, openai_url=counting.url)
    key = house.gate.key(**({"in_flight": most} if party == "option" else {}))
    seen = []

    def persist(_):
        """Comes again until it is let in, as an SDK would."""
        for _ in range(400):
            reply = post(house, key)
            seen.append(reply)
            if reply.status == 200:
                return True
            time.sleep(0.05)
        return False

    assert all(at_once(persist, 32))
    assert counting.most <= most, f"{counting.most} at once"
    assert counting.most == most, "as many as are allowed are let in"
    assert counting.total == 32
    refused = [reply for reply in seen if reply.status != 200]
    name = "key" if party == "option" else party
    assert refused and all(limited(reply, "MS-LIMIT-003", name) for reply in refused)
    assert {reply.headers["retry-after"] for reply in refused} == {"1"}


@pytest.mark.parametrize("api", APIS)
def test_the_sdks_raise_a_rate_limit_error_for_too_many_at_once(build_house, api):
    house = build_house()
    house.vendors[api].script(trickle(api, model="long"))
    key = house.gate.key(in_flight=1)["key"]
    call = Call(house.url, api, key, model="long").await_start()
    with pytest.raises(MODULES[api].RateLimitError, match="MS-LIMIT-003"):
        CALLS[api](house.url, key)["create"](PARAMS[api]("hi"))
    call.leave()


# Tokens


def told(api, read, written, stream=False):
    """A reply in which the vendor says how many tokens it counted."""
    channel = CONTENT[api]
    if api == "openai":
        usage = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
    else:
        usage = {"input_tokens": read, "output_tokens": written}
    if not stream:
        return json.dumps({**json.loads(channel.whole("fine")), "usage": usage}).encode()
    body = channel.stream(["fi", "ne"])
    if api == "openai":
        last = {
            "id": "chatcmpl-fake",
            "object": "chat.completion.chunk",
            "created": 1767225600,
            "model": "fake",
            "choices": [],
            "usage": usage,
        }
        return body.replace(b"data: [DONE]", f"data: {json.dumps(last)}\n\ndata: [DONE]".encode())
    body = body.replace(b'"input_tokens": 1,', f'"input_tokens": {read},'.encode())
    return body.replace(b'"usage": {"output_tokens": 1}', f'"usage": {{"output_tokens": {written}}}'.encode())


def tell(house, api, read, written, stream=False, **more):
    kind = EVENTS if stream else "application/json"
    body = told(api, read, written, stream)
    house.vendors[api].script(script(body, kind=kind, once=False, **more))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", APIS)
def test_tokens_are_settled_by_what_the_vendor_counted(build_house, api, stream):
    """4000 a minute, 1000 asked for, 500 used: seven calls fit, where four
    would if what is set aside were kept and eight if nothing were."""
    house = build_house()
    tell(house, api, 400, 100, stream)
    key = house.gate.key(tokens_per_minute=4_000)
    path = CONTENT[api].route
    replies = [post(house, key, path, max_tokens=900, stream=stream) for _ in range(8)]
    assert [reply.status for reply in replies] == [200] * 7 + [429]
    assert limited(replies[-1], "MS-LIMIT-002", "key")
    used = uses(house, "key", key["id"])
    assert (used["tokens"], used["in_flight"]) == (3_500, 0)
    # A smaller one still fits.
    assert post(house, key, path, max_tokens=100, stream=stream).status == 200
    assert len(house.vendors[api].requests()) == 8


@pytest.mark.parametrize("party", ["key", "model", "source"])
def test_64_callers_at_once_share_the_tokens(build_house, party):
    house = build_house(tables={f"rates.{party}": {"tokens_per_minute": 10_000}})
    # Less than was set aside for each: the request is some 30 tokens by its bytes.
    tell(house, "openai", 20, 900, head_delay_ms=200)
    key = house.gate.key()
    replies = at_once(lambda _: post(house, key, max_tokens=900))
    went = codes(replies)
    # At 930 each ten fit at once; those that come when others have ended
    # find what these gave back.
    assert set(went) == {200, "MS-LIMIT-002"} and went[200] * 920 <= 10_000 and went[200] == 10
    assert all(limited(r, "MS-LIMIT-002", party) for r in replies if r.status != 200)
    assert len(house.openai.requests()) == went[200]
    if party != "source":
        name = key["id"] if party == "key" else "openai/m"
        assert uses(house, party, name)["tokens"] == went[200] * 920


def test_never_more_tokens_than_the_limit_and_what_a_reply_went_over(build_house):
    house = build_house()
    tell(house, "openai", 100, 2_900, head_delay_ms=1_500)
    key = house.gate.key(tokens_per_minute=4_000)
    replies = at_once(lambda _: post(house, key, max_tokens=900))
    went = codes(replies)
    # Four were let in at once at some 930 each; each used 3000.
    assert went[200] == 4 and len(house.openai.requests()) == 4
    used = uses(house, "key", key["id"])["tokens"]
    assert used == 12_000 and used <= 4_000 + 4 * (3_000 - 900)
    assert limited(post(house, key, max_tokens=1), "MS-LIMIT-002", "key")


def test_without_a_limit_of_the_caller_some_are_assumed(build_house):
    house = build_house(tables={"rates.key": {"tokens_per_minute": 1_000}, "rates": {"output_tokens_assumed": 2_000}})
    body = {name: value for name, value in HELLO.items() if name != "max_tokens"}
    reply = raw.post(house.url, CHAT, body, house.key)
    assert reply.status == 429 and "MS-LIMIT-002" in reply.message
    assert post(house, max_tokens=500).status == 200
    # Each choice may be as long.
    assert post(house, max_tokens=500, n=2).status == 429


@pytest.mark.parametrize("api", APIS)
def test_what_is_larger_than_the_whole_limit_is_not_to_be_tried_again(build_house, api):
    house = build_house()
    key = house.gate.key(tokens_per_minute=1_000)
    for more in ({"max_tokens": 1_001}, {"messages": [{"role": "user", "content": "word " * 1_000}]}):
        reply = post(house, key, CONTENT[api].route, **more)
        assert reply.status == 429 and "MS-LIMIT-002" in reply.message
        assert "limit of the key" in reply.message
        assert "retry-after" not in reply.headers and reply.headers["x-should-retry"] == "false"
    with pytest.raises(MODULES[api].RateLimitError, match="MS-LIMIT-002"):
        CALLS[api](house.url, key["key"])["create"](PARAMS[api]("hi", max_tokens=1_001))
    assert house.vendors[api].requests() == []
    assert uses(house, "key", key["id"])["tokens"] == 0, "nothing stays set aside"
    assert post(house, key, CONTENT[api].route).status == 200


def came_back(house, key):
    """As much fits as before, less what really went to and fro."""
    await_that(lambda: uses(house, "key", key["id"])["in_flight"] == 0, 5)
    assert uses(house, "key", key["id"])["tokens"] < 4_000
    house.openai.unscript()
    assert post(house, key, max_tokens=6_000).status == 200


# 10,000 a minute and one at once; each call sets 9000 aside.
TIGHT = {"tokens_per_minute": 10_000, "in_flight": 1}


@pytest.mark.parametrize("end", ["caller", "switch", "cut", "reset", "dead", "garbage"])
def test_what_was_set_aside_comes_back_however_it_ends(build_house, end):
    house = build_house()
    key = house.gate.key(**TIGHT)
    if end in ("caller", "switch"):
        house.openai.script(trickle("openai", model="m"))
        call = Call(house.url, "openai", key["key"], max_tokens=9_000).await_start()
        held = uses(house, "key", key["id"])
        assert held["in_flight"] == 1 and held["tokens"] >= 9_000, held
        assert post(house, key).status == 429
        if end == "caller":
            call.leave()
        else:
            assert house.gate.cli("switch", "off", "all", "--reason", "a test").code == 0
            assert b"MS-KILL-001" in call.wait().body
            assert house.gate.cli("switch", "on", "all", "--reason", "a test").code == 0
    elif end == "dead":
        url = house.openai.url
        house.openai.behave(delay_ms=20_000)
        call = Call(house.url, "openai", key["key"], stream=False, max_tokens=9_000)
        await_that(house.openai.requests)
        house.openai.stop()
        reply = call.wait()
        assert reply.status == 502, reply.body
        # Another in its place.
        folder = house.gate.folder
        house.vendors["openai"] = house.openai = Vendor(
            "openai", folder, "--listen", url.removeprefix("http://")
        )
    elif end == "garbage":
        house.openai.script(script("not JSON", kind="text/html"))
        assert post(house, key, max_tokens=9_000).status == 502
    else:
        body = CONTENT["openai"].stream(["a few ", "words "])
        body = body[: body.index(b"words")]
        house.openai.script(script(body, kind=EVENTS, end=end))
        reply = post(house, key, max_tokens=9_000, stream=True)
        assert sse.ended("openai", reply.body) == "error"
    came_back(house, key)


def test_what_is_refused_sets_nothing_aside(build_house):
    house = build_house(redaction="block", tables={"rates.model": {"in_flight": 1}})
    key = house.gate.key(models=["m"], **TIGHT)
    card = [{"role": "user", "content": f"take {needles.ALL['card'].text}"}]
    for more, status in (({"messages": card}, 400), ({"model": "n"}, 403), ({"messages": 1}, 400)):
        for _ in range(3):
            assert post(house, key, max_tokens=9_000, **more).status == status
    assert uses(house, "key", key["id"])["tokens"] == 0
    assert post(house, key, max_tokens=9_000).status == 200


def test_killed_exchanges_of_many_callers_give_everything_back(build_house):
    house = build_house(tables={"rates.key": {"in_flight": 20, "tokens_per_minute": 100_000}})
    house.openai.script(trickle("openai", model="long", once=False))
    key = house.gate.key()
    calls = [Call(house.url, "openai", key["key"], model="long", max_tokens=4_000) for _ in range(20)]
    for call in calls:
        call.await_start()
    assert post(house, key).status == 429
    assert house.gate.cli("switch", "off", "model", "long", "--reason", "a test").code == 0
    for call in calls:
        call.wait()
    await_that(lambda: uses(house, "key", key["id"])["in_flight"] == 0, 5)
    replies = at_once(lambda _: post(house, key), 20)
    assert {reply.status for reply in replies} == {200}


# Lock-out

LOCKOUT = {"lockout": {"failures_max": 10, "minutes": 30}}
BAD = "not-a-merestone-key"


def attempt(house, key, source="127.0.0.1", path=CHAT):
    return raw.post_from(source, house.url, path, HELLO, key)


def is_locked(reply, minutes=30):
    if reply.status != 429:
        return False
    assert "MS-KNOW-007" in reply.message and reply.headers["x-should-retry"] == "true"
    assert minutes * 60 - 20 <= int(reply.headers["retry-after"]) <= minutes * 60
    return True


def lock(house, source="127.0.0.1", failures=10):
    for _ in range(failures):
        assert attempt(house, BAD, source).status == 401


@pytest.fixture(scope="module")
def bad_keys(_folders):
    """Every sort of a key that does not work, beside the one that does."""

    def make(house):
        elsewhere = Gate(_folders("elsewhere"), house.config()).key()["key"]
        revoked, short = house.gate.key(), house.gate.key(expires_in="1s")
        house.gate.revoke(revoked)
        time.sleep(1.2)
        return {
            "malformed": (BAD, "MS-KNOW-002"),
            "unknown": (elsewhere, "MS-KNOW-003"),
            "revoked": (revoked["key"], "MS-KNOW-004"),
            "expired": (short["key"], "MS-KNOW-005"),
        }

    return make


def test_the_tenth_bad_key_locks_the_source_and_no_other(build_house, bad_keys):
    house = build_house(tables=LOCKOUT)
    kinds = list(bad_keys(house).values())
    for number in range(10):
        key, code = kinds[number % len(kinds)]
        reply = attempt(house, key)
        assert reply.status == 401 and code in reply.message, (number, reply.body)
        # What works in between takes nothing back, and what is missing is no attempt.
        if number < 9:
            assert attempt(house, house.key).status == 200
            assert attempt(house, None).status == 401
    for key in (house.key, BAD, None):
        assert is_locked(attempt(house, key)), "from now on it is out, whatever it sends"
    assert is_locked(attempt(house, house.key, path=MESSAGES))
    assert is_locked(attempt(house, house.key, path="/nowhere"))
    house.openai.forget()
    assert is_locked(attempt(house, house.key)) and house.openai.requests() == []
    for other in ("127.0.0.2", "127.1.2.3"):
        assert attempt(house, house.key, other).status == 200
    for api in APIS:
        with pytest.raises(MODULES[api].RateLimitError, match="MS-KNOW-007"):
            CALLS[api](house.url, house.key)["create"](PARAMS[api]("hi"))
    # A new configuration lets nobody in again.
    assert house.gate.cli("reload").code == 0
    assert is_locked(attempt(house, house.key))


def test_each_source_has_its_own_count(build_house):
    house = build_house(tables=LOCKOUT)
    for source in ("127.0.0.2", "127.0.0.3"):
        lock(house, source, 9)
    assert attempt(house, house.key, "127.0.0.2").status == 200
    lock(house, "127.0.0.2", 1)
    assert is_locked(attempt(house, house.key, "127.0.0.2"))
    assert attempt(house, house.key, "127.0.0.3").status == 200


def test_a_lock_out_is_an_event_that_names_nobody(build_house):
    house = build_house(tables=LOCKOUT)
    lock(house, "127.0.0.2")
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("act") == "source-locked")
    assert leaf["by"] == "node" and leaf["facts"]["count"] == "1"
    assert leaf["facts"]["failures_max"] == "10" and leaf["facts"]["minutes"] == "30"
    assert re.search(r"[0-9a-f]{32}", leaf["subject"]), "a commitment"
    text = json.dumps(house.gate.ledger())
    assert "127.0.0.2" not in text and "127.0.0.0" not in text


def test_missing_keys_lock_nobody_out(build_house):
    house = build_house(tables=LOCKOUT)
    for _ in range(25):
        assert attempt(house, None).status == 401
    assert attempt(house, house.key).status == 200


def test_a_flood_after_the_lock_is_counted_and_costs_no_leaf_each(build_house):
    house = build_house(tables=LOCKOUT)
    lock(house)
    house.gate.await_leaf(lambda leaf: leaf.get("act") == "source-locked")
    before = len(house.gate.ledger())
    count = 1_000
    replies = raw.in_parallel(lambda _: raw.post(house.url, CHAT, HELLO, BAD), range(count), workers=16)
    assert all(reply.status == 429 for reply in replies)
    house.gate.stop()
    leaves = house.gate.ledger()
    counted = [leaf for leaf in leaves if leaf["type"] == "refused-summary"]
    locked = sum(leaf["count"] for leaf in counted if leaf["code"] == "MS-KNOW-007")
    assert locked == count, "none is lost"
    # One line a second at most for one network and cause.
    assert len(leaves) - before < 60, Counter(leaf["type"] for leaf in leaves)
    assert len([leaf for leaf in leaves if leaf.get("act") == "source-locked"]) == 1


def test_64_bad_keys_at_once_let_no_more_than_ten_be_tried(build_house):
    """Whoever comes at once does not get more attempts by it."""
    house = build_house(tables=LOCKOUT)
    replies = at_once(lambda _: attempt(house, BAD))
    tried = sum(reply.status == 401 for reply in replies)
    # Those that were past the door when the tenth failed; one for each core
    # that may be there, and some.
    assert 10 <= tried <= 10 + 8, tried
    assert is_locked(attempt(house, house.key))


def test_without_a_lockout_nothing_locks(build_house):
    house = build_house()
    lock(house, failures=30)
    assert attempt(house, house.key).status == 200


def test_the_pci_profile_locks_out_and_records_before_it_sends(build_house):
    house = build_house(gate={"profile": "pci"})
    assert attempt(house, house.key).status == 200
    leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "admitted")
    assert leaf["durability"] == "before-dispatch"
    lock(house)
    assert is_locked(attempt(house, house.key))
    shown = house.gate.cli("config", "show", "--json")
    assert shown.code == 0 and "before-dispatch" in shown.stdout


def test_the_pci_profile_may_be_stricter(build_house):
    house = build_house(gate={"profile": "pci"}, tables={"lockout": {"failures_max": 3, "minutes": 60}})
    lock(house, failures=3)
    assert is_locked(attempt(house, house.key), minutes=60)


# name: (tables, the entry at whose line it is told)
WEAKER = {
    "more failures": ({"lockout": {"failures_max": 11, "minutes": 30}}, '"failures_max"'),
    "fewer minutes": ({"lockout": {"failures_max": 10, "minutes": 29}}, '"minutes"'),
    "a later record": ({"evidence": {"durability": "before-reply"}}, '"durability"'),
}


@pytest.mark.parametrize("name", sorted(WEAKER))
def test_what_falls_short_of_the_pci_profile_is_a_config_error_at_its_line(build_house, name):
    tables, entry = WEAKER[name]
    house = build_house(start=False, tables=tables)
    assert house.gate.cli("config", "check").code == 0, "without the profile it is fine"
    house.gate.file.write_text(house.config(tables=tables, gate={"profile": "pci"}))
    lines = house.gate.file.read_text().splitlines()
    at = next(number for number, line in enumerate(lines, 1) if line.startswith(entry))
    for words in (["config", "check"], ["up"]):
        result = house.gate.cli(*words)
        assert result.code != 0 and "PCI" in result.stderr, result.text
        assert f"merestone.toml:{at}:" in result.stderr, result.stderr


# A vendor that is left alone


def tripping(build_house, failures=3, pause=2, dead=True, **more):
    """A house whose first vendor cannot be reached, and its address."""
    url = unused_port()
    wanted = {"openai_url": url} if dead else {}
    entries = {"failures_max": failures, "pause_seconds": pause}
    return build_house(openai=entries, **wanted, **more), url


def is_left_alone(reply, pause):
    if reply.status != 503:
        return False
    assert "MS-VENDOR-009" in reply.message
    assert 1 <= int(reply.headers["retry-after"]) <= pause
    return True


def trip(house, failures=3):
    for _ in range(failures):
        reply = post(house)
        assert reply.status == 502 and "MS-VENDOR-001" in reply.message, reply.body


def test_a_vendor_that_fails_is_left_alone_and_asked_again(build_house):
    house, url = tripping(build_house, pause=4)
    trip(house)
    tripped = time.monotonic()
    assert is_left_alone(post(house), 4)
    with pytest.raises(MODULES["openai"].InternalServerError, match="MS-VENDOR-009"):
        CALLS["openai"](house.url, house.key)["create"](PARAMS["openai"]("hi"))
    vendor = Vendor("openai", house.gate.folder, "--listen", url.removeprefix("http://"))
    try:
        # It is back, and not asked before its time.
        refused = 0
        while time.monotonic() - tripped < 3.0:
            assert is_left_alone(post(house), 4)
            refused += 1
            time.sleep(0.1)
        assert refused and vendor.requests() == [], "nothing reaches it"
        assert post(house, path=MESSAGES).status == 200, "the other vendor goes on"
        house.gate.await_leaf(
            lambda leaf: leaf["type"] == "refused" and leaf["code"] == "MS-VENDOR-009"
        )
        await_that(lambda: post(house).status == 200, 6)
        assert time.monotonic() - tripped > 3.5
        assert {post(house).status for _ in range(6)} == {200}
        assert len(vendor.requests()) == 7
    finally:
        vendor.stop()


def test_after_the_pause_one_is_tried_and_the_others_wait(build_house):
    house, url = tripping(build_house, pause=2)
    trip(house)
    vendor = Vendor("openai", house.gate.folder, "--listen", url.removeprefix("http://"))
    try:
        vendor.script(script(CONTENT["openai"].whole("fine"), head_delay_ms=1_500))
        time.sleep(2.1)
        replies = at_once(lambda _: post(house), 16)
        assert Counter(reply.status for reply in replies) == {200: 1, 503: 15}
        assert all(is_left_alone(reply, 2) for reply in replies if reply.status != 200)
        assert len(vendor.requests()) == 1
        assert {post(house).status for _ in range(6)} == {200}
    finally:
        vendor.stop()


def test_a_try_that_fails_is_another_pause(build_house):
    house, _ = tripping(build_house, pause=1)
    trip(house)
    for _ in range(2):
        assert is_left_alone(post(house), 1)
        reply = await_that(lambda: next((r for r in [post(house)] if r.status == 502), None), 5)
        assert "MS-VENDOR-001" in reply.message


def test_a_vendor_that_says_nothing_fails(build_house):
    limits = {"first_byte_seconds_max": 1}
    house, _ = tripping(build_house, failures=2, dead=False, limits=limits)
    house.openai.script(script(b"", head_delay_ms=30_000, once=False))
    for _ in range(2):
        reply = post(house)
        assert reply.status == 504 and "MS-VENDOR-002" in reply.message
    assert is_left_alone(post(house), 2)
    assert len(house.openai.requests()) == 2


def test_an_answer_is_no_failure_whatever_it_says(build_house):
    house, _ = tripping(build_house, failures=2, dead=False)
    error = json.dumps({"error": {"message": "no", "type": "server_error"}})
    house.openai.script(script(error, status=500, once=False))
    assert {post(house).status for _ in range(6)} == {500}


def test_callers_that_leave_are_no_failure_of_the_vendor(build_house):
    house, _ = tripping(build_house, failures=2, dead=False)
    house.openai.script(script(b"", head_delay_ms=30_000, once=False, model="slow"))
    for number in range(1, 5):
        call = Call(house.url, "openai", house.key, stream=False, model="slow")
        await_that(lambda n=number: len(house.openai.requests()) == n)
        call.leave()
    gone = lambda: [leaf for leaf in house.gate.ledger() if leaf.get("outcome") == "caller-gone"]
    await_that(lambda: len(gone()) == 4)
    assert post(house).status == 200


def test_failures_that_are_not_in_a_row_trip_nothing(build_house):
    house, url = tripping(build_house, failures=3)
    for _ in range(2):
        trip(house, 1)
        vendor = Vendor("openai", house.gate.folder, "--listen", url.removeprefix("http://"))
        try:
            # A connection that died with the vendor before may be met once.
            assert 200 in (post(house).status, post(house).status)
        finally:
            vendor.stop()
    trip(house, 3)
    assert is_left_alone(post(house), 3)


def test_without_a_number_of_failures_it_is_always_asked(build_house):
    house, _ = tripping(build_house, failures=0)
    trip(house, 12)
