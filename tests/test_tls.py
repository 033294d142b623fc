"""TLS towards the vendor: only who proves to be the vendor gets a request."""

import datetime
import ssl

import pytest
import trustme

from harness import raw
from harness.gate import House
from harness.sockets import tls_front

CHAT = "/v1/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def server_context(authority, name="localhost", **more):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, **more).configure_cert(context)
    return context


@pytest.fixture
def ask(build_house, tmp_path):
    """Asks through a vendor behind TLS: the reply, what the vendor saw, and
    the closing record."""

    def do(context, trusted, host="localhost"):
        file = tmp_path / "authority.pem"
        trusted.cert_pem.write_to_path(file)
        house = build_house()
        with tls_front(house.openai.url, context) as port:
            url = f"https://{host}:{port}"
            house.gate.restart(house.config(openai_url=url, authority=str(file)))
            reply = raw.post(house.url, CHAT, HELLO, house.key)
            leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "closed")
        return reply, house.openai.requests(), leaf

    return do


def test_a_vendor_that_proves_itself_is_asked(ask):
    authority = trustme.CA()
    reply, seen, closed = ask(server_context(authority), authority)
    assert reply.status == 200 and len(seen) == 1
    assert closed["vendor"]["tls"].startswith("TLSv1_3"), closed["vendor"]


PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
LIARS = {
    "another authority": lambda ours: server_context(trustme.CA()),
    "another name": lambda ours: server_context(ours, "vendor.example"),
    "an expired certificate": lambda ours: server_context(ours, not_after=PAST),
}


@pytest.mark.parametrize("liar", sorted(LIARS))
def test_a_vendor_that_proves_nothing_gets_nothing(ask, liar):
    ours = trustme.CA()
    reply, seen, closed = ask(LIARS[liar](ours), ours)
    assert reply.status == 502 and "MS-VENDOR-001" in reply.message
    assert seen == [] and closed["code"] == "MS-VENDOR-001"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_not_spoken(ask):
    authority = trustme.CA()
    context = server_context(authority)
    # The server would speak it; without this it refuses by itself.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    reply, seen, _ = ask(context, authority)
    assert reply.status == 502 and seen == []


def test_plain_http_to_a_vendor_elsewhere_is_no_configuration(_folders):
    house = House(_folders("plain-vendor"), start=False)
    try:
        house.gate.file.write_text(house.config(openai_url="http://vendor.example"))
        result = house.gate.cli("config", "check")
        assert result.code != 0 and "write https://" in result.text
    finally:
        house.close()
