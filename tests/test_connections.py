"""What one caller may hold: connections from one source, a body that dribbles,
a reply that is not fetched. Each ends at a limit, and is counted by its cause."""

import contextlib
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from harness import frames, http1, raw, tls
from harness.channels import CHANNELS
from harness.floods import Crowd, Witness
from harness.frames import Peer
from harness.gate import House
from harness.http1 import Request
from harness.metrics import ADMIN, Metrics
from harness.running import await_that
from harness.streaming import CHAT, Streaming, slow_script
from harness.vendor import EVENTS, script

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
HERE, THERE = "127.0.0.2", "127.0.0.3"


@pytest.fixture
def told(build_house):
    """A house with these limits, and what its metrics say."""

    def build(**limits):
        house = build_house(limits=limits, tables=ADMIN)
        return house, Metrics(house.gate)

    return build


# Connections from one source


@contextlib.contextmanager
def lines(url, count, source, begin=b""):
    """So many connections from this address, of which this was sent."""
    parts = urlsplit(url)
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            line = socket.create_connection(
                (parts.hostname, parts.port), timeout=5, source_address=(source, 0)
            )
            opened.append(stack.enter_context(line))
            # One that is closed at once may be so by now.
            with contextlib.suppress(OSError):
                line.sendall(begin)
        yield opened


def is_closed(line, seconds=3.0):
    line.settimeout(seconds)
    try:
        return line.recv(65536) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def served(url, key, line=None, source=THERE):
    """Whether a call is answered, on this line or on a new one."""
    with contextlib.ExitStack() as stack:
        if line is None:
            (line,) = stack.enter_context(lines(url, 1, source))
        line.settimeout(10)
        try:
            line.sendall(Request(url, key)())
            return line.recv(65536).startswith(b"HTTP/1.1 200 ")
        except OSError:
            return False


def test_a_source_has_so_many_connections_and_no_more(told):
    house, metrics = told(connections_per_source_max=20)
    with lines(house.url, 20, HERE) as allowed, lines(house.url, 5, HERE) as more:
        assert all(is_closed(line) for line in more), "they are closed at once"
        assert not any(is_closed(line, 0.05) for line in allowed)
        assert served(house.url, house.key, allowed[7]), "the others are as good as any"
        assert served(house.url, house.key, source=THERE), "another source has its own"
        assert not served(house.url, house.key, source=HERE)
        assert metrics("connections") >= 20
        for line in allowed[:3]:
            line.close()
        await_that(lambda: served(house.url, house.key, source=HERE), 5, "a place came back")
    refused = metrics("connections_ended_total", cause="source-full")
    assert refused >= 6
    assert metrics("refusals_total", code="MS-ARRIVE-015") == refused
    await_that(lambda: metrics("connections") == 0, 5, "places are not given back")
    house.gate.stop()
    counts = [
        leaf["count"]
        for leaf in house.gate.ledger()
        if leaf["type"] == "refused-summary" and leaf["code"] == "MS-ARRIVE-015"
    ]
    assert sum(counts) == refused, "the ledger tells of every one"


def test_an_exempt_network_has_as_many_as_it_likes(told):
    """A proxy in front: its connections stand for many callers."""
    house, metrics = told(
        connections_per_source_max=5, connections_per_source_exempt=["127.0.0.2/31", "10.0.0.7"]
    )
    with lines(house.url, 30, HERE) as opened:
        assert all(served(house.url, house.key, line) for line in opened)
        with lines(house.url, 6, "127.0.0.4") as bounded:
            assert sum(is_closed(line, 0.5) for line in bounded) == 1
    assert metrics("connections_ended_total", cause="source-full") == 1


@pytest.mark.parametrize("wrong", ["10.0.0", "10.0.0.0/33", "proxy.example", ""])
def test_what_is_no_network_is_refused(build_house, wrong):
    house = build_house(start=False)
    house.gate.file.write_text(house.config(limits={"connections_per_source_exempt": [wrong]}))
    result = house.gate.cli("config", "check")
    assert result.code != 0 and "an address or a network" in result.text


def test_a_handshake_counts_from_its_first_moment(_folders):
    """Whoever never says hello has a place all the same, and not for long."""
    limits = {"connections_per_source_max": 8, "header_seconds_max": 2}
    house, certificates = tls.house(_folders("handshakes"), limits=limits, tables=ADMIN)
    try:
        metrics = Metrics(house.gate)
        with lines(house.url, 8, HERE), lines(house.url, 4, HERE) as more:
            assert all(is_closed(line, 1) for line in more)
            cause = {"name": "connections_ended_total", "cause": "handshake-slow"}
            await_that(lambda: metrics(**cause) == 8, 10, "slow handshakes are not ended")
        with lines(house.url, 1, HERE, b"GET / HTTP/1.1\r\n\r\n"):
            failed = {"name": "connections_ended_total", "cause": "handshake-failed"}
            await_that(lambda: metrics(**failed) == 1, 10, "no handshake at all")
    finally:
        house.close()


# Bodies that dribble


def dribble(url, head, every, most):
    """Sends a byte now and then; how long it was let, and what was said."""
    started = time.monotonic()
    with Crowd(url, 1, head, b" ", every=every) as crowd:
        crowd.run(most)
        (answer,) = crowd.answers.values()
        return time.monotonic() - started, answer, crowd.open


# name: (limits, from and to which second it ends)
TOO_SLOW = {
    "below the floor": ({"body_bytes_per_second_min": 100, "body_seconds_max": 600}, 1.5, 6),
    "longer than it may": ({"body_bytes_per_second_min": 0, "body_seconds_max": 5}, 4, 9),
}


@pytest.mark.parametrize("how", TOO_SLOW)
def test_a_byte_each_second_is_not_enough(told, how):
    """Within each idle time, and for ever."""
    limits, least, most = TOO_SLOW[how]
    house, metrics = told(body_idle_seconds_max=2, **limits)
    head = Request(house.url, house.key)(body=b"{", more="content-length: 100000", length=False)
    witness = Witness(house.url, house.key)
    lasted, answer, left = dribble(house.url, head, 1.0, 20)
    assert left == 0 and least <= lasted <= most, lasted
    assert answer.startswith(b"HTTP/1.1 408 ") and b"MS-ARRIVE-005" in answer
    assert not witness.stop(10).failed
    assert metrics("refusals_total", code="MS-ARRIVE-005") == 1
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("code") == "MS-ARRIVE-005")
    assert leaf["type"] == "refused"
    assert "m" not in house.openai.bodies()


# A caller that still sends when it is refused


def hold_little(line):
    """Of what it sends, so that its other end must take the rest."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)


# name: (the header lines beside the body's, the code)
STILL_SENDS = {
    "with a length": ([], "MS-KNOW-002"),
    "chunked": ([], "MS-KNOW-002"),
    "in a bad head": (["no header"], "MS-ARRIVE-011"),
    "to be upgraded": (["connection: upgrade", "upgrade: websocket"], "MS-ARRIVE-010"),
}


@pytest.mark.parametrize("way", STILL_SENDS)
@pytest.mark.parametrize("secure", [False, True], ids=["clear", "TLS"])
def test_a_refusal_reaches_who_still_sends(_folders, secure, way):
    """All is taken, whatever it is, and the reply can be read behind it."""
    more, code = STILL_SENDS[way]
    folder = _folders("still-sends")
    house, certificates = tls.house(folder) if secure else (House(folder), None)
    body = b"x" * (6 << 20)
    if way == "chunked":
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    framed = "transfer-encoding: chunked" if way == "chunked" else f"content-length: {len(body)}"
    head = Request(house.url, "nobody")(more=[framed, *more], length=False, body=b"")
    context = certificates.trusting("http/1.1") if secure else None
    try:
        with http1.line(house.url, context) as line:
            hold_little(line)
            line.settimeout(10)
            line.sendall(head + body)
            received = b""
            while part := line.recv(65536):
                received += part
    finally:
        house.close()
    (answer,) = http1.parse(received)
    assert answer.code == code


def test_a_refused_caller_does_not_go_on_for_ever(told):
    """Neither with bytes nor with time; who says nothing more is soon let go."""
    house, metrics = told()
    head = Request(house.url, "nobody")(more="content-length: 999999999", length=False, body=b"")
    sent, piece = 0, b"x" * (64 << 10)
    with http1.line(house.url) as line:
        hold_little(line)
        line.settimeout(10)
        line.sendall(head)
        with contextlib.suppress(OSError):
            while sent < 500 << 20:
                sent += line.send(piece)
    assert 8 << 20 <= sent < 100 << 20
    for goes_on, least, most in [(True, 4, 9), (False, 0.5, 4)]:
        await_that(lambda: metrics("connections") == 0, 10, "the one before is still there")
        with http1.line(house.url) as line:
            line.settimeout(10)
            line.sendall(head)
            assert b"MS-KNOW-002" in line.recv(65536)
            assert metrics("connections") == 1
            started = time.monotonic()
            while metrics("connections") and time.monotonic() - started < 20:
                if goes_on:
                    with contextlib.suppress(OSError):
                        line.send(b"x")
                time.sleep(0.1)
            assert least <= time.monotonic() - started <= most


def test_without_a_floor_it_has_its_whole_time(told):
    """The twin: the same dribble is let where the operator lets it."""
    house, _ = told(body_idle_seconds_max=2, body_bytes_per_second_min=0)
    head = Request(house.url, house.key)(body=b"{", more="content-length: 100000", length=False)
    _, answer, left = dribble(house.url, head, 1.0, 8)
    assert left == 1 and answer == b""


def test_a_byte_each_second_on_http2_is_not_enough(told):
    house, metrics = told(body_idle_seconds_max=2, body_bytes_per_second_min=100)
    with Peer(house.url) as peer:
        peer.send(frames.open_stream(1, frames.head(house.url, house.key)))
        started = time.monotonic()
        while not peer.of(frames.HEADERS) and time.monotonic() - started < 20:
            peer.send(frames.frame(frames.DATA, b" ", stream=1))
            peer.await_that(lambda peer: peer.of(frames.HEADERS), 0.5)
        assert 1.5 <= time.monotonic() - started <= 6
        peer.await_that(lambda peer: peer.of(frames.DATA), 3)
        assert b"MS-ARRIVE-005" in peer.of(frames.DATA)[0][3]
    assert metrics("refusals_total", code="MS-ARRIVE-005") == 1


def test_a_body_that_keeps_the_pace_arrives(told):
    """Slow, longer than the idle time, and all of it."""
    house, _ = told(body_idle_seconds_max=1, body_bytes_per_second_min=100)
    body = json.dumps({**HELLO, "pad": "x" * 1_400}).encode()
    head = Request(house.url, house.key)(body=b"", more=f"content-length: {len(body)}", length=False)
    with http1.line(house.url) as line:
        line.sendall(head)
        for at in range(0, len(body), 100):
            line.sendall(body[at : at + 100])
            time.sleep(0.3)
        line.settimeout(10)
        assert line.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert len(house.openai.bodies()["m"][0]) == len(body)


def test_the_pace_of_bodies_is_not_that_of_streams(told):
    """A reply may take its time."""
    house, _ = told(body_idle_seconds_max=1, body_seconds_max=2, body_bytes_per_second_min=10_000)
    house.openai.script(slow_script(words=40))
    started = time.monotonic()
    stream = Streaming(house.url, house.key).await_end(20)
    assert stream.ended_cleanly and time.monotonic() - started > 3


# Requests that are taken back


def test_what_is_taken_back_before_it_was_looked_at_is_counted_and_no_more(told):
    """Ten streams at a time, opened and reset in one go: too few for the
    connection to end, and none costs the log what a request costs."""
    house, metrics = told()
    block = frames.head(house.url, house.key, 5)
    ids = iter(range(1, 2_000, 2))
    with Peer(house.url) as peer:
        for _ in range(30):
            few = [next(ids) for _ in range(10)]
            peer.send(b"".join(frames.open_stream(n, block) + frames.reset(n) for n in few))
            peer.await_that(lambda _: False, 0.02)
        taken_back = lambda: metrics("refusals_total", code="MS-REPLY-004")
        await_that(lambda: taken_back() == 300, 10, "each is counted")
        # The connection is as good as any, and what comes whole is a request.
        last, body = next(ids), json.dumps(HELLO).encode()
        head = frames.head(house.url, house.key, len(body))
        peer.send(frames.open_stream(last, head, body))
        assert peer.await_that(lambda peer: any(f[2] == last for f in peer.of(frames.HEADERS)))
        assert not peer.goaways and not peer.ended
    house.gate.stop()
    leaves = house.gate.ledger()
    counts = [leaf["count"] for leaf in leaves if leaf["type"] == "refused-summary"]
    assert sum(counts) == 300 and len(counts) <= 10
    assert [leaf["type"] for leaf in leaves].count("admitted") == 1
    assert not any(leaf["type"] == "refused" for leaf in leaves)


def test_what_is_taken_back_while_it_is_read_has_its_record(told):
    """The twin: a moment later it is somebody's."""
    house, _ = told()
    with Peer(house.url) as peer:
        peer.send(frames.open_stream(1, frames.head(house.url, house.key, 5)))
        peer.await_that(lambda _: False, 0.5)
        peer.send(frames.reset(1))
        leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "refused", 10)
    assert leaf["caller"]["key"]


# Replies that are not fetched

BIG = 12 << 20


def big(house):
    # Blanks cost the gate nothing to look through.
    body = CHANNELS[0].whole("fine") + b" " * BIG
    house.openai.script(script(body, once=False, model="big"))
    return Request(house.url, house.key, model="big")()


@contextlib.contextmanager
def narrow(url):
    """A connection whose caller has little room."""
    parts = urlsplit(url)
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(20)
        line.connect((parts.hostname, parts.port))
        yield line


def test_a_reply_that_nobody_fetches_is_not_kept(told):
    house, metrics = told(caller_idle_seconds_max=2, in_flight_bytes_max=32 << 20)
    request = big(house)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(narrow(house.url)) for _ in range(2)]
        for line in held:
            line.sendall(request)
        closed = lambda: metrics("exchanges_total", outcome="complete") == 2
        await_that(closed, 60, "both replies are there")
        await_that(lambda: metrics("replies_unfetched_total") == 2, 20, "they are kept")
        await_that(lambda: metrics("connections") == 0, 20, "they are held for ever")
        # Their room is free for others.
        assert raw.post(house.url, CHAT, {**HELLO, "model": "big"}, house.key).status == 200
        for line in held:
            data = b""
            with contextlib.suppress(OSError):
                while part := line.recv(1 << 20):
                    data += part
            assert len(data) < BIG // 2, "what is not fetched in time is lost"


def test_a_reply_that_is_fetched_slowly_arrives_whole(told):
    house, metrics = told(caller_idle_seconds_max=2)
    request = big(house)
    with narrow(house.url) as line:
        line.sendall(request)
        started, data = time.monotonic(), b""
        while part := line.recv(1 << 17):
            data += part
            if len(data) >= BIG:
                head, _, body = data.partition(b"\r\n\r\n")
                if len(body) >= int(dict(http1._lines(head.partition(b"\r\n")[2]))["content-length"]):
                    break
            time.sleep(0.03 if time.monotonic() - started < 5 else 0)
        assert time.monotonic() - started > 4, "longer than the idle time"
        (answer,) = http1.parse(data)
        assert answer.status == 200 and len(answer.body) > BIG
    assert metrics("replies_unfetched_total") == 0
    assert metrics("connections_ended_total", cause="peer-slow") == 0


def test_a_stream_that_nobody_fetches_leaves_no_connection(told):
    """Its walk ends it; what is in the connection's buffers holds it no longer."""
    house, metrics = told(caller_idle_seconds_max=1)
    body = CHANNELS[0].stream(["word " * 20_000] * 200)
    house.openai.script(script(body, kind=EVENTS))
    with narrow(house.url) as line:
        line.sendall(Request(house.url, house.key)(stream=True))
        leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "closed", 30)
        assert (leaf["outcome"], leaf["code"]) == ("caller-gone", "MS-REPLY-005")
        ended = {"name": "connections_ended_total", "cause": "peer-slow"}
        await_that(lambda: metrics(**ended) == 1, 30, "it is held for ever")
        assert metrics("connections") == 0
