"""`merestone detect`: what is found, told, taken out, explained and measured."""

import gzip
import json
import re
import subprocess

import pytest

from harness import needles
from harness.gate import ENV
from harness.paths import MERESTONE, ROOT, rng

RULES = """
title = "a rule file of gitleaks"
[[rules]]
id = "acme-key"
regex = '''acme_[0-9a-z]{16}'''
keywords = ["acme_"]
[[rules]]
id = "not-here"
path = '''\\.p12$'''
"""


def detect(*words, given=b"", code=None):
    done = subprocess.run(
        [MERESTONE, "detect", *map(str, words)],
        input=given if isinstance(given, bytes) else given.encode(),
        capture_output=True,
        env=ENV,
        timeout=300,
        check=False,
    )
    assert b"panicked" not in done.stderr, done.stderr.decode(errors="replace")
    if code is not None:
        assert done.returncode == code, (done.returncode, done.stderr.decode(errors="replace"))
    return done


def findings(text, *words, code=1):
    return json.loads(detect("text", "--json", *words, given=text, code=code).stdout)["findings"]


def key(name="github"):
    return needles.fill(needles.KEYS[name][0], rng("detect", name))


def mail(number=0):
    return needles.fill("{lower:6}.{lower:5}@{lower:7}.org", rng("detect mail", number))


def test_findings_stand_at_their_bytes():
    secret, address = key(), mail()
    text = f"grüße, {address}\nkey: {secret}!\n"
    all_ = findings(text)
    assert [(each["detector"], each["kind"]) for each in all_] == [
        ("email", "email"),
        ("github-token", "key"),
    ]
    raw = text.encode()
    for each, value in zip(all_, (address, secret)):
        assert raw[each["start"] : each["end"]].decode() == value
        assert 1 <= each["score"] <= 100 and each["view"] == "plain"
    assert [(each["line"], each["column"]) for each in all_] == [(1, 8), (2, 6)]
    assert findings("nothing to see\n", code=0) == []


def test_no_output_holds_what_was_found(tmp_path):
    secret, address = key(), mail()
    file = tmp_path / "text.txt"
    file.write_text(f"{address} {secret}")
    for words in (["text"], ["text", "--json"], ["explain"], ["explain", "--json"]):
        done = detect(*words, file, code=1)
        output = done.stdout + done.stderr
        assert secret.encode() not in output and address.encode() not in output, words
        assert b"email" in done.stdout, words
    shown = detect("text", "--show-secrets", "--json", file, code=1)
    assert [each["text"] for each in json.loads(shown.stdout)["findings"]] == [address, secret]


def test_redaction_leaves_no_part_and_the_rest_as_it_was():
    secret, address = key("openai"), mail(1)
    before, between = b"a\x00\xff\r\n", " – 東京 ".encode()
    text = before + secret.encode() + between + address.encode() + b".\n"
    done = detect("text", "--redact", given=text, code=1)
    assert done.stdout == before + b"[KEY]" + between + b"[EMAIL].\n"
    assert b"1 bytes are no UTF-8" in done.stderr
    clean = detect("text", "--redact", given=between, code=0)
    assert clean.stdout == between


def test_exit_codes_tell_clean_from_found_from_not_done(tmp_path):
    detect("text", given="clean", code=0)
    detect("text", given=mail(), code=1)
    missing = detect("text", tmp_path / "missing", code=2)
    assert b"missing" in missing.stderr and not missing.stdout
    detect("text", "--profile", "other", code=2)
    detect("text", tmp_path, code=2)
    # More matches than may be judged: nobody can say that the rest is clean.
    file = tmp_path / "rules.toml"
    file.write_text('[[rules]]\nid = "a"\nregex = "a"\nentropy = 1\n')
    words = ["text", "--json", "--rules", file, "--only-rules"]
    done = detect(*words, given="a" * 10_001, code=2)
    assert json.loads(done.stdout)["whole"] is False and b"not everything" in done.stderr
    assert json.loads(detect(*words, given="a" * 9_000, code=0).stdout)["whole"] is True


def test_a_long_text_is_looked_at_in_pieces_and_nothing_is_lost(tmp_path):
    source = rng("detect long")
    addresses = [mail(number) for number in range(300)]
    lines, at, starts = [], 0, []
    for number, address in enumerate(addresses):
        # Lines short and long, so that pieces end anywhere.
        filler = "word " * source.randrange(1, 6_000)
        newline = "\n" if number % 3 else " "
        starts.append(at + len(filler))
        line = f"{filler}{address}{newline}"
        lines.append(line)
        at += len(line)
    text = "".join(lines)
    assert len(text) > 3 << 20, "several pieces"
    file = tmp_path / "long.txt"
    file.write_text(text)
    found = findings("", file)
    assert [each["start"] for each in found] == starts
    for each, start in zip(found, starts):
        before = text[:start]
        assert each["line"] == before.count("\n") + 1
        assert each["column"] == start - (before.rfind("\n") + 1) + 1
    redacted = detect("text", "--redact", file, code=1).stdout.decode()
    expected = text
    for address in addresses:
        expected = expected.replace(address, "[EMAIL]")
    assert redacted == expected


def test_memory_stays_bounded(tmp_path):
    file = tmp_path / "large.txt"
    with open(file, "w") as out:
        for number in range(40):
            out.write("all is well here, and nothing is secret.\n" * 26_000)
            out.write(f"{mail(number)}\n")
    assert file.stat().st_size > 40 << 20
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-c", MEASURE, MERESTONE, "detect", "text", "--json", file],
        capture_output=True,
        env=ENV,
        timeout=600,
        check=False,
    )
    code, kib = done.stderr.split()[-2:]
    assert int(code) == 1 and len(json.loads(done.stdout)["findings"]) == 40
    assert int(kib) < 256 << 10, f"{int(kib) >> 10} MiB for a text of 40"


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def test_lines_of_json_are_answered_one_by_one():
    secret = key()
    lines = [
        json.dumps({"prompt": f"é {secret}"}),
        json.dumps({"prompt": "clean"}),
        json.dumps({"other": 1}),
        "no json",
        json.dumps({"prompt": mail()}),
    ]
    done = detect("text", "--jsonl", "prompt", given="\n".join(lines), code=2)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["line"] for answer in answers] == [1, 2, 3, 4, 5]
    assert [len(answer.get("findings", "no")) for answer in answers] == [1, 0, 2, 2, 1]
    assert "error" in answers[2] and "error" in answers[3]
    one = answers[0]["findings"][0]
    assert (one["start"], one["end"]) == (3, 3 + len(secret))
    nested = json.dumps({"messages": [{"content": secret}]})
    done = detect("text", "--jsonl", "/messages/0/content", given=nested, code=1)
    assert json.loads(done.stdout)["findings"][0]["detector"] == "github-token"
    detect("text", "--jsonl", "prompt", given=json.dumps({"prompt": "clean"}), code=0)
    assert detect("text", "--jsonl", "prompt", given="", code=0).stdout == b""


def test_a_line_is_answered_before_the_next_is_written():
    program = subprocess.Popen(
        [MERESTONE, "detect", "text", "--jsonl", "t"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENV,
    )
    try:
        for text, count in ((mail(), 1), ("clean", 0), (mail(2), 1)):
            program.stdin.write(json.dumps({"t": text}).encode() + b"\n")
            program.stdin.flush()
            assert len(json.loads(program.stdout.readline())["findings"]) == count
        program.stdin.close()
        assert program.wait(30) == 1
    finally:
        program.kill()


def test_overlapping_findings_are_told_once_and_explained():
    secret = key("openai")
    text = f'api_key = "{secret}"\nacme_0123456789abcdef {mail()}'
    told = findings(text)
    for one, next_ in zip(told, told[1:]):
        assert one["end"] <= next_["start"]
    all_ = findings(text, "--overlapping")
    explained = json.loads(detect("explain", "--json", given=text, code=1).stdout)["matches"]
    seen = [each for each in explained if each["told"] or each["why"].startswith("overlaps")]
    assert len(seen) == len(all_)
    assert [each for each in explained if each["told"]] != []
    for each in explained:
        assert (each["why"] is None) == each["told"]
        assert each["told"] == any(one["start"] == each["start"] for one in told) or each["why"]


def test_everything_that_is_let_go_is_explained(tmp_path):
    source = rng("detect let go")
    digits = needles.fill("4{digit:14}", source)
    sums = sum(sum(divmod(int(digit) * (2 - at % 2), 10)) for at, digit in enumerate(digits))
    card = f"{digits}{(-sums + 1) % 10}"
    hexes = "".join(source.choice("0123456789abcdef") for _ in range(32))
    secret = key("github")
    parts = {
        "its check says it is none (`card`)": card,
        "it reads as a placeholder": 'password = "changeme"',
        "no context word stands before it": hexes,
        "it begins in the middle of another word": f"a{secret}",
        "does not look in this direction": "![a](https://pictures.example/a.png)",
    }
    file = tmp_path / "text.txt"
    file.write_text("\n".join(parts.values()))
    done = detect("explain", "--json", file)
    assert done.returncode in (0, 1)
    explained = json.loads(done.stdout)
    assert explained["whole"] and not explained["more"]
    for why, text in parts.items():
        start = file.read_text().index(text)
        here = [
            each["why"] or ""
            for each in explained["matches"]
            if start <= each["start"] <= each["end"] <= start + len(text)
        ]
        assert any(why in each for each in here), (why, here)
    table = detect("explain", file)
    for output in (done.stdout + done.stderr, table.stdout + table.stderr):
        assert not any(text.encode() in output for text in (card, hexes, secret, "changeme"))
    assert b"other detectors" in table.stdout, "one row for one reason at one place"
    shown = detect("explain", "--show-secrets", "--json", file)
    assert any(each.get("text") == card for each in json.loads(shown.stdout)["matches"])
    # Bounded, and that it is so is said.
    file.write_text(" ".join(needles.fill("000-{digit:2}-{digit:4}", source) for _ in range(12_000)))
    done = detect("explain", "--json", file)
    explained = json.loads(done.stdout)
    let_go = [each for each in explained["matches"] if not each["told"]]
    assert explained["more"] and explained["whole"] and len(let_go) <= 10_000
    assert b"than is told" in done.stderr


def test_imported_rules_look_too_and_what_is_not_supported_is_told(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    value = needles.fill("acme_{lower:16}", rng("detect acme"))
    text = f"{value} {mail()}"
    done = detect("text", "--json", "--rules", file, given=text, code=1)
    found = json.loads(done.stdout)["findings"]
    assert [each["detector"] for each in found] == ["acme-key", "email"]
    assert b"not-here" in done.stderr and b"left out" in done.stderr
    only = findings(text, "--rules", file, "--only-rules")
    assert [each["detector"] for each in only] == ["acme-key"]
    redacted = detect("text", "--redact", "--rules", file, given=text, code=1).stdout
    assert redacted == b"[KEY] [EMAIL]"
    checked = detect("check", "--only-rules", "--rules", file, "--json", code=0)
    report = json.loads(checked.stdout)["rule_files"][0]
    assert report["rules"] == 1 and report["unsupported"][0]["rule"] == "not-here"
    file.write_text("[[rules]\n")
    assert b"line 1" in detect("text", "--rules", file, given="x", code=2).stderr
    detect("text", "--rules", tmp_path / "missing.toml", given="x", code=2)


def test_every_detector_is_listed_and_explained():
    all_ = json.loads(detect("list", "--json", code=0).stdout)["detectors"]
    assert len(all_) >= 24
    table = detect("list", code=0).stdout.decode()
    page = detect("list", "--markdown", code=0).stdout.decode()
    assert page == (ROOT / "docs/guide/detectors.md").read_text()
    for each in all_:
        assert f"`{each['id']}`" in page and each["id"] in table
        explained = detect("explain", each["id"], code=0).stdout.decode()
        assert each["title"] in explained and "finds, for example" in explained
    card = json.loads(detect("explain", "card", "--json", code=0).stdout)
    assert card["check"] == "card" and re.search(r"\d{12}", card["examples"][0])
    raised = json.loads(detect("explain", "deepseek-key", "--json", code=0).stdout)
    assert raised["context_score"] > raised["score"] and card["context_score"] is None
    says = detect("explain", "deepseek-key", code=0).stdout.decode()
    assert f"raise the score to {raised['context_score']}" in says
    page = detect("list", "--markdown", code=0).stdout.decode()
    assert f"{raised['context_score']} behind a context word" in page
    assert b"neither a detector nor a file" in detect("explain", "no-such", code=2).stderr


def test_all_examples_hold_in_all_surroundings():
    report = json.loads(detect("check", "--json", code=0).stdout)
    assert report["failures"] == [] and report["tried"] > 2_000
    for figures in report["detectors"].values():
        examples, counter = figures["examples"], figures["counter_examples"]
        assert examples["found"] == examples["tried"] > 0 and counter["found"] == 0 < counter["tried"]


def records(count=20):
    for number in range(count):
        address = mail(number)
        text = f"é to {address} {number}"
        start = text.index(address)
        yield {
            "text": text,
            "spans": [{"start": start, "end": start + len(address), "type": "EMAIL_ADDRESS"}],
            "label": "pos",
        }
    # Marked where nothing is, and something where nothing is marked.
    yield {"text": "nobody here", "spans": [{"start": 0, "end": 6, "type": "email"}]}
    yield {"text": f"see {mail(99)}", "spans": [], "label": "neg"}
    yield {"text": "Ada", "spans": [{"start": 0, "end": 3, "type": "PERSON"}]}


@pytest.mark.parametrize("zipped", [False, True])
def test_the_bench_counts_what_is_right_and_wrong(tmp_path, zipped):
    lines = "".join(json.dumps(each) + "\n" for each in records()).encode()
    file = tmp_path / ("data.jsonl.gz" if zipped else "data.jsonl")
    file.write_bytes(gzip.compress(lines) if zipped else lines)
    clean = tmp_path / "clean" / "deep"
    clean.mkdir(parents=True)
    (clean / "a.txt").write_text("nothing\n" * 1_000)
    (clean / "b.txt").write_text(mail())
    words = ["bench", file, "--characters", "--clean", tmp_path / "clean", "--json"]
    report = json.loads(detect(*words, code=0).stdout)
    types = {each["type"]: each for each in report["types"]}
    sent = types["EMAIL_ADDRESS"]
    assert (sent["spans"], sent["touched"], sent["covered"]) == (20, 20, 20)
    assert sent["precision"] == pytest.approx(20 / 21) and sent["recall"] == 1
    assert types["email"]["recall"] == 0 and types["PERSON"]["kinds"] == []
    assert report["wrong"] == {"email": 1} and report["wrong_per_mb"] > 0
    assert report["all"]["recall"] == pytest.approx(20 / 21)
    assert report["labels"]["positive"] == {"texts": 20, "found": 20}
    assert report["labels"]["negative"] == {"texts": 1, "found": 1, "findings": 1}
    assert report["texts"] == 23 and report["mb_per_cpu_second"] > 0
    assert report["clean"]["files"] == 2 and report["clean"]["findings"] == {"email": 1}
    assert detect(*words[:-1], code=0).stdout.count(b"EMAIL_ADDRESS") == 1


def test_the_bench_takes_another_table_and_refuses_bad_data(tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps({"text": mail(), "spans": [{"start": 0, "end": 4, "type": "Box"}]}))
    table = tmp_path / "types.toml"
    table.write_text("[types]\nBox = ['email']\n")
    report = json.loads(detect("bench", file, "--types", table, "--json", code=0).stdout)
    assert report["types"][0]["recall"] == 1
    for bad in ("{", '{"text": "a", "spans": [{"start": 0, "end": 5, "type": "x"}]}', '{"t": 1}'):
        file.write_text(f'{{"text": ""}}\n{bad}\n')
        assert b"line 2" in detect("bench", file, code=2).stderr, bad
    detect("bench", code=2)
