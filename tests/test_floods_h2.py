"""Floods in HTTP/2, as frames that no library would send: the gate keeps its
memory, serves its other callers, and ends the connection where RFC 9113 says
so."""

import contextlib
import json
import struct
import time

import pytest

from harness import frames, paths
from harness.channels import CHANNELS
from harness.floods import peak_mib
from harness.frames import CALM, END_HEADERS, REFUSED_STREAM, Peer, frame
from harness.metrics import ADMIN, Metrics
from harness.running import await_that
from harness.vendor import chunk, script

HELLO = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
MIB = 1 << 20
STREAMS_MAX = 128


def ids(count):
    return range(1, 2 * count, 2)


def is_200(block):
    # The first field of a reply's head: `:status 200` of the static table.
    return block[:1] == b"\x88" or b"\x88" in block[:4]


def ok(peer, stream):
    return any(is_200(payload) for _, _, of, payload in peer.of(frames.HEADERS) if of == stream)


def test_the_frames_by_hand_are_right(siege):
    """The twin of all others: what they vary is answered as it is."""
    besieged = siege()
    block = frames.head(besieged.url, besieged.house.key, len(HELLO))
    with besieged.attacked() as attack:
        while attack.again():
            with Peer(besieged.url) as peer:
                for stream in ids(5):
                    peer.send(frames.open_stream(stream, block, HELLO))
                    assert peer.await_that(lambda peer, stream=stream: ok(peer, stream))
                assert not peer.goaways and not peer.resets and not peer.ended


@pytest.mark.parametrize("key", ["known", "unknown"])
def test_streams_that_are_reset_at_once(siege, key):
    """Rapid reset (CVE-2023-44487): it ends long before its end."""
    besieged = siege()
    count = 20_000
    block = frames.head(besieged.url, besieged.house.key if key == "known" else "nobody", 5)
    data = b"".join(frames.open_stream(n, block) + frames.reset(n) for n in ids(count))
    with besieged.attacked() as attack:
        while attack.again():
            for _ in range(3):
                with Peer(besieged.url) as peer:
                    peer.send(data)
                    assert peer.await_end(), "the connection goes on"
                    assert peer.goaways[-1:] == [CALM]
    assert besieged.house.openai.bodies().get("m") is None


def test_streams_that_are_reset_after_a_moment(siege):
    """Each is looked at before it is reset; each costs what a request costs,
    and there are never more at once than are allowed."""
    besieged = siege()
    block = frames.head(besieged.url, "nobody", 5)
    with besieged.attacked() as attack:
        while attack.again():
            with Peer(besieged.url) as peer:
                for at in range(0, 2_000, 50):
                    batch = list(ids(2_000))[at : at + 50]
                    peer.send(b"".join(frames.open_stream(n, block) for n in batch))
                    peer.send(b"".join(frames.reset(n) for n in batch))
                    peer.await_that(lambda _: False, 0.01)
                    if peer.ended:
                        assert peer.goaways[-1:] == [CALM]
                        break


def test_a_head_that_never_ends(siege):
    """CONTINUATION frames without END_HEADERS, of any size."""
    besieged = siege()
    # A field that is longer than all of them, so that nothing is malformed.
    begin = b"\x00" + b"\x01x" + frames._length(1 << 27, 7, 0)
    for size in (16_000, 100, 0):
        more = frame(frames.CONTINUATION, b"y" * size, stream=1)
        total = min(64 * MIB, 200_000 * len(more))
        with besieged.attacked() as attack:
            while attack.again():
                with Peer(besieged.url) as peer:
                    peer.send(frame(frames.HEADERS, begin, stream=1))
                    took = peer.send(more * (total // len(more)))
                    assert peer.await_end(), f"frames of {size} bytes go on for ever"
                    assert took < total or peer.goaways, "it took all of it"
                    if peer.goaways:
                        assert peer.goaways[-1] != 0


# name: the frames that are sent again and again
CHATTER = {
    "settings": frames.settings(initial_window_size=65_535),
    "empty settings": frame(frames.SETTINGS),
    "pings": frame(frames.PING, b"12345678"),
    "answers to no ping": frame(frames.PING, b"12345678", frames.ACK),
    "windows": frame(frames.WINDOW, struct.pack(">I", 1)),
    "priorities": frame(frames.PRIORITY, struct.pack(">IB", 0, 9), stream=1),
    "unknown frames": frame(0x42, b"x" * 64),
}


@pytest.mark.parametrize("reads", [True, False], ids=["read", "unread"])
@pytest.mark.parametrize("kind", CHATTER)
def test_chatter(siege, kind, reads):
    """Frames that cost little to send and want an answer, or none."""
    besieged = siege()
    data = CHATTER[kind] * 100_000
    with besieged.attacked() as attack:
        while attack.again():
            with Peer(besieged.url, buffer_bytes=None if reads else 4096) as peer:
                if reads:
                    peer.send(data, 5)
                else:
                    peer.line.settimeout(3)
                    try:
                        peer.line.sendall(data)
                    except OSError:
                        pass  # No more is taken, or it was ended.
                assert peer.await_end(), "it may go on for ever"
                assert len(peer.frames) <= 2_500, "more are answered than may be asked"
                assert set(peer.goaways) <= {CALM}
    stderr = besieged.house.gate.process.stderr_path
    assert stderr.stat().st_size < 4_096, "what a caller sends fills the log"


def test_who_says_of_each_piece_that_it_was_read_may_go_on(siege):
    """The twin of the chatter: as many frames, but for something."""
    house = siege().house
    said = CHANNELS[0].stream(["word "] * 2_500)
    events = [chunk(event + b"\n\n", 1) for event in said.split(b"\n\n") if event]
    house.openai.script(script(*events, kind="text/event-stream", model="long"))
    # In pieces of nine bytes, and no more of them than may wait unread while
    # the gate decides: the HTTP library counts 256 bytes less its size for each
    # against half of the connection's window, and ends the connection then.
    pad = "x" * 4_000
    ask = json.dumps({**json.loads(HELLO), "model": "long", "stream": True, "user": pad}).encode()
    block = frames.head(house.url, house.key, len(ask))
    one = struct.pack(">I", 1)
    # Of the connection and of the stream.
    read = frame(frames.WINDOW, one) + frame(frames.WINDOW, one, stream=1)
    with Peer(house.url, frames.settings(initial_window_size=1 << 24)) as peer:
        peer.send(frame(frames.WINDOW, struct.pack(">I", 1 << 24)))
        ended = lambda: any(flags & frames.END_STREAM for _, flags, _, _ in peer.of(frames.DATA))
        peer.send(frames.open_stream(1, block))
        # The body a few bytes at a time.
        for at in range(0, len(ask), 9):
            peer.send(frame(frames.DATA, ask[at : at + 9], stream=1))
        peer.send(frame(frames.DATA, b"", frames.END_STREAM, 1))
        told, until = 0, time.monotonic() + 60
        while not ended() and not peer.ended and time.monotonic() < until:
            peer.await_that(lambda peer: len(peer.of(frames.DATA)) > told or peer.ended, 1)
            fresh, told = len(peer.of(frames.DATA)) - told, len(peer.of(frames.DATA))
            # As who is late and then says it of all: within what may be at once.
            peer.send(read * min(fresh, 400))
        came = {"goaways": peer.goaways, "resets": peer.resets, "gone": peer.ended, "told": told}
        assert ended() and not peer.goaways and not peer.resets, came
        assert told > 600, "it was said too seldom to show anything"


def test_windows_of_zero_and_replies_that_wait(siege):
    """Whole replies that are never fetched: their room comes back, and with it
    the memory, however many there are in the end."""
    besieged = siege(tables=ADMIN, caller_idle_seconds_max=2)
    house, metrics = besieged.house, Metrics(besieged.house.gate)
    # Blanks cost the gate nothing to look through.
    body = CHANNELS[0].whole("fine") + b" " * MIB
    house.openai.script(script(body, once=False, model="big"))
    ask = json.dumps({**json.loads(HELLO), "model": "big"}).encode()
    block = frames.head(besieged.url, house.key, len(ask))
    peers, streams, rounds = [], 16, 14
    idle = peak_mib(house.gate)
    with besieged.attacked(), contextlib.ExitStack() as stack:
        for number in range(1, rounds + 1):
            peer = Peer(besieged.url, frames.settings(initial_window_size=0))
            peers.append(stack.enter_context(peer))
            peer.send(b"".join(frames.open_stream(n, block, ask) for n in ids(streams)))
            served = lambda peer: all(ok(peer, n) for n in ids(streams))
            assert peer.await_that(served, 60), "the heads come, the bodies cannot"
            assert metrics("exchanges_total", outcome="complete") >= number * streams
            await_that(lambda: metrics("replies_unfetched_total") == number * streams, 20)
        assert idle + rounds * streams * len(body) / MIB > 256, "kept, they would be too much"
        assert not any(peer.of(frames.DATA) for peer in peers)
        # Those that open their window now learn that the rest is gone.
        peer = peers[-1]
        peer.send(frame(frames.WINDOW, struct.pack(">I", 1 << 20), stream=1))
        assert peer.await_that(lambda peer: 1 in peer.resets, 5)


def test_windows_of_zero_and_streams_that_wait(siege):
    besieged = siege(tables=ADMIN, caller_idle_seconds_max=2)
    house, metrics = besieged.house, Metrics(besieged.house.gate)
    body = CHANNELS[0].stream(["word " * 2_000] * 20)
    house.openai.script(script(body, kind="text/event-stream", once=False, model="long"))
    ask = json.dumps({**json.loads(HELLO), "model": "long", "stream": True}).encode()
    block = frames.head(besieged.url, house.key, len(ask))
    closed = lambda: metrics("exchanges_total", outcome="caller-gone")
    streams, rounds = 60, 0
    with besieged.attacked() as attack:
        while attack.again():
            rounds += 1
            with Peer(besieged.url, frames.settings(initial_window_size=0)) as peer:
                for n in ids(streams):
                    peer.send(frames.open_stream(n, block, ask))
                    # All at once they would be work, whose share everybody
                    # gets, and what is asked is what those cost that wait.
                    time.sleep(0.03)
                served = lambda peer: all(ok(peer, n) for n in ids(streams))
                assert peer.await_that(served, 30)
                await_that(lambda: closed() == rounds * streams, 30, "they go on")
    gone = [leaf for leaf in house.gate.ledger() if leaf.get("outcome") == "caller-gone"]
    assert len(gone) == rounds * streams and {leaf["code"] for leaf in gone} == {"MS-REPLY-005"}


@pytest.mark.parametrize("how", ["one large field again and again", "many fields", "a table that grows"])
def test_heads_that_unpack_to_very_much(siege, how):
    """HPACK bombs: few bytes that stand for many."""
    besieged = siege()
    block = frames.head(besieged.url, besieged.house.key, len(HELLO))
    large = frames.field("x-a", "b" * 4_000, indexed=True)
    if how == "one large field again and again":
        # Stands for 48 MB each.
        heads = [block + large] + [block + frames.NEWEST * 12_000] * 200
    elif how == "many fields":
        heads = [block + frames.field("a", "b") * 3_000] * 200
    else:
        # The table is told to be larger than the gate lets it be.
        heads = [b"\x3f\xe1\xff\xff\x7f" + block]
    told = lambda peer: len(peer.resets) + len(peer.of(frames.HEADERS)) >= len(heads)
    last, times = ids(len(heads))[-1], 0
    with besieged.attacked() as attack:
        while attack.again():
            times += 1
            with Peer(besieged.url) as peer:
                for n, fields in zip(ids(len(heads)), heads):
                    peer.send(frames.open_stream(n, fields, HELLO))
                assert peer.await_that(told, 20) or peer.ended, "some got no answer"
                assert not ok(peer, last), "what is more than is allowed was taken"
    # The very first of the large fields is within what a head may have.
    fair = times if how == "one large field again and again" else 0
    assert len(besieged.house.openai.bodies().get("m", [])) <= fair


def test_more_streams_than_may_be_at_once(siege):
    """A thousand: those beyond the limit are refused, and the connection ends
    when it goes on so."""
    besieged = siege()
    block = frames.head(besieged.url, besieged.house.key, len(HELLO))
    refused = lambda peer: sum(code == REFUSED_STREAM for code in peer.resets.values()) >= 200
    begin = 2 * (STREAMS_MAX + 200) + 1
    with besieged.attacked() as attack:
        while attack.again():
            with Peer(besieged.url) as peer:
                peer.send(b"".join(frames.open_stream(n, block) for n in ids(STREAMS_MAX + 200)))
                assert peer.await_that(refused, 10) and not peer.ended
                # Those within it are as good as any.
                peer.send(frame(frames.DATA, HELLO, frames.END_STREAM, 1))
                assert peer.await_that(lambda peer: ok(peer, 1))
                more = range(begin, begin + 1_000, 2)
                peer.send(b"".join(frames.open_stream(n, block) for n in more))
                assert peer.await_end(), "it may go on for ever"
                assert peer.goaways[-1:] == [CALM]


@pytest.mark.skipif(not paths.LONG, reason="it takes minutes")
def test_what_is_never_fetched_and_heads_that_dribble_end(siege):
    """Peers that answer every ping, and peers that cannot."""
    besieged = siege(caller_idle_seconds_max=2)
    house = besieged.house
    block = frames.head(besieged.url, house.key, len(HELLO))
    with besieged.attacked():
        with Peer(besieged.url, frames.settings(initial_window_size=0)) as idle, Peer(
            besieged.url
        ) as dribbling:
            idle.send(frames.open_stream(1, block, HELLO))
            dribbling.send(frame(frames.HEADERS, b"", stream=1))
            until = time.monotonic() + 200
            ended = {}
            answered = 0
            while len(ended) < 2 and time.monotonic() < until:
                pings = [f for f in idle.of(frames.PING) if not f[1] & frames.ACK]
                for ping in pings[answered:]:
                    idle.send(frame(frames.PING, ping[3], frames.ACK))
                answered = len(pings)
                if not dribbling.ended:
                    dribbling.send(frame(frames.CONTINUATION, b"", 0, 1))
                for name, peer in (("idle", idle), ("dribbling", dribbling)):
                    if peer.await_end(0.5):
                        ended.setdefault(name, time.monotonic())
            assert set(ended) == {"idle", "dribbling"}


@pytest.mark.skipif(not paths.LONG, reason="a connection is idle for a minute or two first")
def test_a_request_that_crosses_the_idle_end_is_served(siege):
    """The gate takes leave of a connection that is not used; what was on its
    way by then is answered, and then it ends."""
    besieged = siege()
    block = frames.head(besieged.url, besieged.house.key, len(HELLO))
    with Peer(besieged.url) as peer:
        peer.send(frames.open_stream(1, block, HELLO))
        assert peer.await_that(lambda peer: ok(peer, 1))
        until, answered = time.monotonic() + 200, 0
        while not peer.goaways and time.monotonic() < until:
            pings = [f for f in peer.of(frames.PING) if not f[1] & frames.ACK]
            for ping in pings[answered:]:
                peer.send(frame(frames.PING, ping[3], frames.ACK))
            answered = len(pings)
            peer.await_that(lambda peer: peer.goaways, 0.2)
        assert peer.goaways == [0] and not peer.ended
        # Its farewell's own ping is not answered yet: the last word is not said.
        peer.send(frames.open_stream(3, block, HELLO))
        assert peer.await_that(lambda peer: ok(peer, 3)), "it was let go unanswered"
        for ping in [f for f in peer.of(frames.PING) if not f[1] & frames.ACK][answered:]:
            peer.send(frame(frames.PING, ping[3], frames.ACK))
        assert peer.await_end() and not peer.resets
    assert len(besieged.house.openai.bodies()["m"]) >= 2


def test_all_of_it_on_one_gate_leaves_no_memory_behind(siege):
    """What the connections of the floods held is given back."""
    besieged = siege(tables=ADMIN)
    metrics = Metrics(besieged.house.gate)
    block = frames.head(besieged.url, "nobody", 5)
    data = b"".join(frames.open_stream(n, block) + frames.reset(n) for n in ids(2_000))
    with besieged.attacked() as attack:
        while attack.again():
            for _ in range(40):
                with Peer(besieged.url) as peer:
                    peer.send(data)
    await_that(lambda: metrics("connections") <= 1, 10, "connections are left behind")
    assert metrics("in_flight") == 0
    assert peak_mib(besieged.house.gate) < 256
