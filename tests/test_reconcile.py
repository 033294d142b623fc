"""Head-counts, and a vendor's usage export held against the ledger.

The exports are written from what the fake vendors saw: each request that
reached one is put to it again, and its answer's own usage is what it counted.
"""

import csv
import datetime
import http.client
import io
import json
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest

from harness import raw
from harness.paths import VENDOR_KEY
from harness.streaming import Streaming, slow_script
from harness.vendor import script

PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
DAY = 86_400
GATE_KEY, OTHER_KEY = "key_of_gate", "key_of_somebody"


@pytest.fixture(autouse=True)
def _one_day():
    """What passes near midnight may be counted on either day."""
    if not 600 < time.time() % DAY < DAY - 600:
        pytest.skip("too near to midnight UTC to tell days apart")


def body(model="m-1", words=3, stream=False, **more):
    text = " ".join(["word"] * words)
    request = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    if stream:
        request["stream"] = True
    return request


def post(house, api="openai", key=None, **more):
    if api == "anthropic":
        more.setdefault("max_tokens", 64)
    elif more.get("stream"):
        more.setdefault("stream_options", {"include_usage": True})
    reply = raw.post(house.url, PATHS[api], body(**more), key or house.key)
    assert reply.status == 200, reply.body
    return reply


def to_vendor(vendor, request, **heads):
    """A request straight to the vendor, with the gate's own key."""
    heads |= {"content-type": "application/json", "anthropic-version": "2026-10-21"}
    heads |= {"authorization": f"Bearer {VENDOR_KEY}", "x-api-key": VENDOR_KEY}
    reply = raw.send(vendor.url, "POST", PATHS[vendor.api], json.dumps(request).encode(), heads)
    assert reply.status == 200, reply.body
    return reply


def counted(vendor):
    """What the vendor counted of all that reached it: rows by model."""
    rows = {}
    for each in vendor.requests():
        # Its own question is none that it counts.
        if each["path"] != PATHS[vendor.api] or ["asked-again", "1"] in each["headers"]:
            continue
        request = json.loads(each["body"])
        request.pop("stream_options", None)
        again = to_vendor(vendor, {**request, "stream": False}, **{"asked-again": "1"})
        usage = again.json["usage"]
        row = rows.setdefault(request["model"], Counter())
        row["requests"] += 1
        row["in"] += usage.get("prompt_tokens", usage.get("input_tokens"))
        row["out"] += usage.get("completion_tokens", usage.get("output_tokens"))
    return rows


def today():
    return int(time.time()) // DAY * DAY


def iso(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def openai_page(rows, key=GATE_KEY, begin=None):
    begin = begin or today()
    results = [
        {
            "object": "organization.usage.completions.result",
            "input_tokens": row["in"],
            "output_tokens": row["out"],
            "input_cached_tokens": row["cached"],
            "input_audio_tokens": 0,
            "num_model_requests": row["requests"],
            "api_key_id": key,
            "model": model,
            "batch": None,
        }
        for model, row in rows.items()
    ]
    bucket = {"object": "bucket", "start_time": begin, "end_time": begin + DAY, "results": results}
    return json.dumps({"object": "page", "data": [bucket], "has_more": False, "next_page": None}, indent=1)


def anthropic_page(rows, key=GATE_KEY, begin=None):
    begin = begin or today()
    results = [
        {
            "uncached_input_tokens": row["in"],
            "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
            "cache_read_input_tokens": row["cached"],
            "output_tokens": row["out"],
            "server_tool_use": {"web_search_requests": 0},
            "api_key_id": key,
            "model": model,
            "service_tier": "standard",
        }
        for model, row in rows.items()
    ]
    bucket = {"starting_at": iso(begin), "ending_at": iso(begin + DAY), "results": results}
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None}, indent=1)


def table(names, lines):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(lines)
    return text.getvalue()


def openai_table(rows):
    names = "start_time,end_time,project_id,num_model_requests,api_key_id,model,input_tokens,output_tokens,input_cached_tokens"
    lines = [
        [today(), today() + DAY, "proj_1", row["requests"], GATE_KEY, model, row["in"], row["out"], row["cached"]]
        for model, row in rows.items()
    ]
    # A day on which nothing was used.
    lines.append([today() - DAY, today(), "", "", "", "", "", "", ""])
    return table(names.split(","), lines)


def anthropic_table(rows):
    names = (
        "usage_date_utc,model_version,api_key,workspace,usage_type,usage_input_tokens_no_cache,"
        "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,"
        "usage_input_tokens_cache_read,usage_output_tokens"
    )
    lines = [
        [iso(today())[:10], model, GATE_KEY, "Default", "standard", row["in"], 0, 0, row["cached"], row["out"]]
        for model, row in rows.items()
    ]
    return table(names.split(","), lines)


EXPORTS = {
    "openai-page": ("openai", openai_page),
    "openai-table": ("openai", openai_table),
    "anthropic-page": ("anthropic", anthropic_page),
    "anthropic-table": ("anthropic", anthropic_table),
}


def reconcile(house, text, *words, vendor="openai"):
    file = house.gate.folder / "export"
    file.write_text(text)
    result = house.gate.cli("ledger", "reconcile", "--vendor", vendor, file, "--json", *words)
    assert result.code in (0, 1) and not result.stderr, result.text
    done = json.loads(result.stdout)
    assert done["explained"] == (result.code == 0)
    return done


def differences(done):
    """By measure: reasons with amounts, what is left, and its name."""
    return {
        each["measure"]: (
            {one["reason"]: one["amount"] for one in each["explained"]},
            each["unexplained"],
            each["named"],
        )
        for each in done["differences"]
    }


@pytest.mark.parametrize("shape", EXPORTS)
def test_what_the_vendor_counted_is_what_the_ledger_has(build_house, shape):
    api, write = EXPORTS[shape]
    house = build_house()
    for number in range(6):
        post(house, api, model=f"m-{number % 2}", words=2 + number, stream=number % 3 == 0)
    refused = raw.post(house.url, PATHS[api], body(model=7), house.key)
    assert refused.status == 400
    done = reconcile(house, write(counted(house.vendors[api])), vendor=api)
    assert done["explained"] and not done["differences"], done
    assert done["vendor"] == done["ledger"]
    assert done["ledger"]["requests"] == (6 if api == "openai" else None)
    assert done["ledger"]["input_tokens"] > 0 and done["ledger"]["output_tokens"] > 0


@pytest.mark.parametrize("api", PATHS)
def test_a_request_past_the_gate_is_named(build_house, api):
    house = build_house()
    vendor, (_, write) = house.vendors[api], EXPORTS[f"{api}-page"]
    for _ in range(3):
        post(house, api)
    past = to_vendor(vendor, body(words=5, max_tokens=9)).json["usage"]
    done = reconcile(house, write(counted(vendor)), vendor=api)
    found = differences(done)
    assert not done["explained"]
    read = past.get("prompt_tokens", past.get("input_tokens"))
    assert found["input-tokens"] == ({}, read, "vendor-only")
    if api == "openai":
        assert found["requests"] == ({}, 1, "vendor-only")
    # The people's form says so too, and fails as well.
    words = ("--vendor", api, house.gate.folder / "export")
    told = house.gate.cli("ledger", "reconcile", *words)
    assert told.code == 1 and "NOT EXPLAINED" in told.stdout and "went past the gate" in told.stdout


def test_a_key_that_the_gate_does_not_use_is_named(build_house):
    house = build_house()
    post(house)
    own = counted(house.openai)
    pages = openai_page(own) + "\n" + openai_page({"m-1": Counter(requests=2, **{"in": 70, "out": 9})}, OTHER_KEY)
    done = reconcile(house, pages, "--gate-key", GATE_KEY)
    assert not done["explained"] and not done["differences"]
    (past,) = done["bypassed"]
    assert (past["key"], past["requests"], past["input_tokens"]) == (OTHER_KEY, 2, 70)
    # Without a word about keys it is the vendor's excess.
    assert differences(reconcile(house, pages))["requests"] == ({}, 2, "vendor-only")


def test_what_the_vendor_did_not_count_is_named(build_house):
    house = build_house()
    for _ in range(3):
        post(house)
    rows = counted(house.openai)
    rows["m-1"]["requests"] -= 1
    assert differences(reconcile(house, openai_page(rows))) == {"requests": ({}, 1, "ledger-only")}
    # An SDK's second try may be counted once.
    heads = {"x-stainless-retry-count": "1"}
    reply = raw.post(house.url, PATHS["openai"], body(), house.key, **heads)
    assert reply.status == 200
    rows = counted(house.openai)
    rows["m-1"]["requests"] -= 1
    found = differences(reconcile(house, openai_page(rows)))
    assert found == {"requests": ({"retry": 1}, 0, None)}


def leave(house, **more):
    """A caller that reads the first piece of a stream and goes."""
    parts = urlsplit(house.url)
    line = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    heads = {"content-type": "application/json", "authorization": f"Bearer {house.key}"}
    line.request("POST", PATHS["openai"], json.dumps(body(stream=True, **more)), heads)
    reply = line.getresponse()
    assert reply.read1(64)
    exchange = reply.headers["x-merestone-exchange"]
    reply.close()
    line.close()
    return exchange


def test_a_stream_cut_short_explains_what_it_can_and_no_more(build_house):
    house = build_house()
    post(house)
    rows = counted(house.openai)
    house.openai.behave(delay_ms=100)
    exchange = leave(house, words=60, max_tokens=50)
    leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "closed" and leaf["exchange"] == exchange)
    assert leaf["outcome"] == "caller-gone" and "usage" not in leaf
    # The vendor counts none of it, or what it wrote until it noticed.
    assert reconcile(house, openai_page(rows))["explained"]
    rows["m-1"].update({"requests": 1, "in": 5, "out": 50})
    done = reconcile(house, openai_page(rows))
    assert done["explained"]
    assert differences(done) == {
        "requests": ({"cut-short": 1}, 0, None),
        "input-tokens": ({"cut-short": 5}, 0, None),
        "output-tokens": ({"cut-short": 50}, 0, None),
    }
    rows["m-1"].update({"requests": 1, "out": 1})
    found = differences(reconcile(house, openai_page(rows)))
    assert found["requests"] == ({"cut-short": 1}, 1, "vendor-only")
    assert found["output-tokens"] == ({"cut-short": 50}, 1, "vendor-only")


def test_streams_without_usage_and_refusals_of_the_vendor(build_house):
    house = build_house()
    post(house, stream=True, stream_options={"include_usage": False})
    house.openai.script(script('{"error": {"message": "no", "type": "rate_limit"}}', status=429))
    assert raw.post(house.url, PATHS["openai"], body(), house.key).status == 429
    rows = counted(house.openai)
    found = differences(reconcile(house, openai_page(rows)))
    assert found["requests"] == ({"vendor-refused": 1}, 0, None)
    assert set(found["input-tokens"][0]) == {"without-usage"} and found["input-tokens"][1] == 0
    # A vendor that does not count what it refused.
    rows["m-1"]["requests"] -= 1
    assert "requests" not in differences(reconcile(house, openai_page(rows)))


def test_open_and_killed_exchanges_are_told_apart(build_house):
    house = build_house()
    post(house)
    rows = counted(house.openai)
    house.openai.script(slow_script())
    running = Streaming(house.url, house.key, model="m-1").await_words()
    verified = house.gate.verify().stdout
    assert running.exchange in verified and "except 1 that are open" in verified
    assert house.gate.cli("ledger", "verify", "--json").json["complete"] is False
    rows["m-1"].update({"requests": 1, "in": 1, "out": 7})
    assert differences(reconcile(house, openai_page(rows)))["requests"] == ({"open": 1}, 0, None)
    house.gate.kill()
    running.await_end(10)
    house.gate.start()
    done = reconcile(house, openai_page(rows))
    assert done["explained"]
    assert differences(done)["requests"] == ({"node-stopped": 1}, 0, None)
    # One more may have been on its way when the node was stopped; two were not.
    rows["m-1"]["requests"] += 1
    found = differences(reconcile(house, openai_page(rows)))
    assert found["requests"] == ({"node-stopped": 1, "unclean-start": 1}, 0, None)
    rows["m-1"]["requests"] += 1
    assert differences(reconcile(house, openai_page(rows)))["requests"][1] == 1
    verified = house.gate.verify().stdout
    assert "without a gap" in verified and "closed exactly once\n" in verified


def test_days_of_another_time_zone(build_house):
    house = build_house()
    post(house)
    rows = counted(house.openai)
    # A day that began some hours ago, at no midnight.
    begin = int(time.time()) // 3_600 * 3_600 - 7 * 3_600
    if begin % DAY == 0:
        begin -= 3_600
    done = reconcile(house, openai_page(rows, begin=begin))
    assert done["explained"] and not done["differences"]
    assert done["days_begin_seconds"] == begin % DAY
    assert "time-zone" in [remark["reason"] for remark in done["remarks"]]


def test_head_counts_are_what_callers_counted(build_house):
    house = build_house()
    second = house.gate.key(owner="second")["key"]
    tokens = Counter()
    for number in range(7):
        key = house.key if number < 4 else second
        reply = post(house, key=key, model=f"m-{number % 2}", words=number + 1)
        usage = reply.json["usage"]
        tokens["in"] += usage["prompt_tokens"]
        tokens["out"] += usage["completion_tokens"]
    assert raw.post(house.url, PATHS["openai"], body(model=7), house.key).status == 400
    done = house.gate.cli("ledger", "count", "--json").json
    total = done["total"]
    assert (total["requests"], total["refused"], total["without_usage"]) == (7, 1, 0)
    assert (total["input_tokens"], total["output_tokens"]) == (tokens["in"], tokens["out"])
    requests = {
        (each["group"]["key"], each["group"]["model"]): each["count"]["requests"]
        for each in done["groups"]
        if each["count"]["requests"]
    }
    assert sorted(requests.values()) == [1, 2, 2, 2] and len({key for key, _ in requests}) == 2
    assert {each["group"]["day"] for each in done["groups"]} == {iso(today())[:10]}
    people = house.gate.cli("ledger", "count", "--day", iso(today())[:10])
    assert people.code == 0 and "m-1" in people.stdout
    yesterday = iso(today() - DAY)[:10]
    assert house.gate.cli("ledger", "count", "--until", yesterday, "--json").json["groups"] == []


def test_what_is_no_export_is_refused_with_its_place_and_without_its_text(build_house):
    house = build_house()
    post(house)
    page = openai_page(counted(house.openai))
    more = page.replace('"has_more": false', '"has_more": true')
    for text, told in [
        (page.replace('"input_tokens": ', '"input_tokens": "NEEDLE", "x": '), "line 11"),
        (more, "more pages"),
        ("start_time,end_time\n1,2\n", "no column `num_model_requests`"),
        (anthropic_page({"m": Counter(requests=1)}), "page 1"),
        ("", "empty"),
    ]:
        file = house.gate.folder / "export"
        file.write_text(text)
        result = house.gate.cli("ledger", "reconcile", "--vendor", "openai", file)
        assert result.code == 1 and told in result.stderr, result.text
        assert "NEEDLE" not in result.text and not result.stdout
    file.write_text(page)
    result = house.gate.cli("ledger", "reconcile", "--vendor", "nobody", file)
    assert result.code == 1 and "no vendor of this name" in result.stderr
    result = house.gate.cli("ledger", "reconcile", "--vendor", "openai", file, "--day", "26.11.2026")
    assert result.code == 2 and "2026-11-26" in result.stderr
