"""The gate's own TLS: the vendors' SDKs, versions, callers' certificates, and a
new certificate while a stream runs."""

import contextlib
import ssl
import time

import anthropic
import httpx2
import openai
import pytest
import trustme

from harness import http1, sse, tls
from harness.channels import CHANNELS
from harness.http1 import Request, converse
from harness.vendor import EVENTS, chunk, script

CONTENT = CHANNELS[0]


@pytest.fixture
def clients(behind_tls):
    """The official SDKs over TLS, trusting the gate's authority alone."""
    house, certificates = behind_tls
    with httpx2.Client(verify=certificates.trusting()) as http:
        more = {"max_retries": 0, "timeout": 30, "http_client": http}
        yield {
            "openai": openai.OpenAI(base_url=house.url + "/v1", api_key=house.key, **more),
            "anthropic": anthropic.Anthropic(base_url=house.url, api_key=house.key, **more),
        }


HELLO = {"model": "m", "messages": [{"role": "user", "content": "good morning"}]}


def test_the_sdks_speak_to_the_gate_over_tls(clients, behind_tls):
    assert behind_tls[0].url.startswith("https://")
    said = clients["openai"].chat.completions.create(**HELLO).choices[0].message.content
    assert said == "You said: good morning"
    parts = clients["openai"].chat.completions.create(**HELLO, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in parts if c.choices) == said
    message = clients["anthropic"].messages.create(**HELLO, max_tokens=64)
    assert message.content[0].text == said
    with clients["anthropic"].messages.stream(**HELLO, max_tokens=64) as stream:
        assert stream.get_final_text() == said


def test_who_does_not_trust_the_authority_sends_nothing(behind_tls):
    house, _ = behind_tls
    house.openai.forget()
    with httpx2.Client() as http:
        client = openai.OpenAI(
            base_url=house.url + "/v1", api_key=house.key, max_retries=0, http_client=http
        )
        with pytest.raises(openai.APIConnectionError):
            client.chat.completions.create(**HELLO)
    assert house.openai.requests() == []


def test_plain_http_at_a_tls_door_gets_nothing(behind_tls):
    house, _ = behind_tls
    house.openai.forget()
    with http1.line(house.url) as line:
        line.sendall(Request(house.url, house.key)())
        received = b""
        with contextlib.suppress(OSError):
            while part := line.recv(65536):
                received += part
    # At most a TLS alert (21), never a reply in the clear.
    assert b"HTTP/1.1" not in received and received[:1] in (b"", b"\x15")
    assert house.openai.requests() == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("version", "spoken"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
    ids=["1.1", "1.2", "1.3"],
)
def test_which_tls_is_spoken(behind_tls, version, spoken):
    house, certificates = behind_tls
    context = certificates.trusting()
    # This side would speak it; without this it refuses by itself.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    if not spoken:
        with pytest.raises(ssl.SSLError, match="(?i)alert|version"):
            converse(house.url, context=context)
        return
    with http1.line(house.url, context) as line:
        assert line.version() == f"TLSv1.{version.name[-1]}"
    (answer,), _ = converse(house.url, Request(house.url, house.key)(), context=context, replies=1)
    assert answer.status == 200


def test_both_protocols_are_offered(behind_tls):
    house, certificates = behind_tls
    for offered, chosen in [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)]:
        with http1.line(house.url, certificates.trusting(*offered)) as line:
            assert line.selected_alpn_protocol() == chosen


@pytest.fixture(scope="module")
def asking(_folders, tmp_path_factory):
    """A gate that asks callers for a certificate, and their authority."""
    callers = trustme.CA()
    file = tmp_path_factory.mktemp("callers") / "callers.pem"
    callers.cert_pem.write_to_path(file)
    house, certificates = tls.house(_folders("asking"), callers=file)
    yield house, certificates, callers
    house.close()


# version: 1.3 tells a caller only after its own handshake is over.
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("shown", ["none", "another authority's", "the gate's own", "the right one"])
def test_callers_are_asked_for_a_certificate(asking, shown, version):
    house, certificates, callers = asking
    house.openai.forget()
    context = certificates.trusting()
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    issuer = {
        "another authority's": trustme.CA(),
        "the gate's own": certificates.authority,
        "the right one": callers,
    }.get(shown)
    if issuer:
        issuer.issue_cert("caller@example.org").configure_cert(context)
    request = Request(house.url, house.key)()
    if shown == "the right one":
        (answer,), _ = converse(house.url, request, context=context, replies=1)
        assert answer.status == 200
        return
    with pytest.raises(ssl.SSLError), http1.line(house.url, context) as line:
        line.sendall(request)
        assert line.recv(65536) == b"", "no answer without a certificate"
        raise AssertionError("the connection ended without an alert")
    assert house.openai.requests() == []


@pytest.mark.parametrize("how", ["command", "file watch"])
def test_a_certificate_is_changed_while_a_stream_runs(_folders, how):
    house, certificates = tls.house(_folders("renewed"))
    try:
        context = certificates.trusting()
        before = tls.serial(context, house.url)
        pieces = CONTENT.stream([f"word{n} " for n in range(40)]).split(b"\n\n")[:-1]
        slow = [chunk(piece + b"\n\n", delay_ms=150) for piece in pieces]
        house.openai.script(script(*slow, kind=EVENTS))
        with http1.line(house.url, context) as line:
            line.settimeout(20)
            line.sendall(Request(house.url, house.key)(stream=True, more="connection: close"))
            received = b""
            while received.count(b"data: ") < 4:
                part = line.recv(65536)
                assert part, received
                received += part
            certificates.renew()
            if how == "command":
                result = house.gate.cli("reload")
                assert result.code == 0, result.text
            until = time.monotonic() + 5
            while tls.serial(context, house.url) == before:
                assert time.monotonic() < until, "the old certificate is still shown"
                time.sleep(0.05)
            assert b"data: [DONE]" not in received, "the stream is still open"
            while part := line.recv(65536):
                received += part
        (answer,) = http1.parse(received)
        assert sse.ended("openai", answer.body) == "stop"
        assert sse.said("openai", answer.body, True) == "".join(f"word{n} " for n in range(40))
        # A file that is no certificate changes nothing and is named.
        renewed, good = tls.serial(context, house.url), certificates.chain.read_bytes()
        certificates.chain.write_text("no certificate\n")
        result = house.gate.cli("reload")
        assert result.code != 0 and "PEM" in result.text
        # Longer than it takes a watched file to be taken up.
        time.sleep(1.5)
        assert tls.serial(context, house.url) == renewed
        certificates.chain.write_bytes(good)
        house.gate.await_leaf(lambda leaf: leaf.get("act") == "config-refused")
    finally:
        house.close()


def test_a_broken_certificate_is_in_nobodys_way(behind_tls):
    """The kill switch and the ledger are there while a file is being mended."""
    house, certificates = behind_tls
    good = certificates.chain.read_bytes()
    certificates.chain.write_text("no certificate\n")
    try:
        for words in (
            ("switch", "off", "vendor", "anthropic", "--reason", "test"),
            ("switch", "on", "vendor", "anthropic", "--reason", "test"),
            ("ledger", "tail"),
            ("key", "list"),
        ):
            result = house.gate.cli(*words)
            assert result.code == 0, result.text
    finally:
        certificates.chain.write_bytes(good)


def test_listening_beyond_loopback_needs_tls(_folders):
    """Only checked, never opened."""
    house = tls.House(_folders("beyond"), start=False)
    try:
        certificates = tls.Certificates(house.gate.folder / "certificates")
        for listen in ("0.0.0.0:4180", "[::]:4180", "192.0.2.1:4180"):
            text = house.config(gate={"listen": listen})
            house.gate.file.write_text(text)
            refused = house.gate.cli("config", "check")
            assert refused.code != 0 and "[gate.tls]" in refused.text, refused.text
            assert "merestone.toml:2:" in refused.text, "the line of the address"
            house.gate.file.write_text(text + certificates.config())
            result = house.gate.cli("config", "check")
            assert result.code == 0, result.text
        house.gate.file.write_text(house.config(gate={"listen": "127.0.0.1:0"}))
        assert house.gate.cli("config", "check").code == 0
    finally:
        house.close()
