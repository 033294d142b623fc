"""`merestone demo`: the whole story, and a gate that stays up for the reader."""

import re
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import sdk
from harness.gate import ENV
from harness.paths import MERESTONE
from harness.process import Process


@pytest.fixture
def temporary():
    """An empty folder for temporary files. Its path is short, since a control
    socket's path has to be."""
    with tempfile.TemporaryDirectory(prefix="mst-") as folder:
        yield Path(folder)


def steps(text):
    """The story's steps by their number."""
    parts = re.split(r"^(\d+)\. ", text, flags=re.MULTILINE)
    return {int(number): told for number, told in zip(parts[1::2], parts[2::2])}


def says(step, name):
    return re.search(rf"^ +{name}  *(.*)$", step, re.MULTILINE).group(1)


def test_the_story_is_told_to_its_end():
    ran = subprocess.run(
        [MERESTONE, "demo", "--exit"], capture_output=True, text=True, env=ENV, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    told = steps(ran.stdout)
    assert "the same bytes" in says(told[1], "vendor saw")
    sent = says(told[2], "application sent")
    card, mail = re.search(r"\d{16}", sent).group(), re.search(r"\S+@example.com", sent).group()
    for step, got in ((2, "application got"), (3, "streamed"), (3, "application got")):
        seen = says(told[step], "vendor saw")
        assert card not in seen and mail not in seen and "MSCARD" in seen
        assert card in says(told[step], got) and mail in says(told[step], got)
    assert says(told[4], "the key").startswith("400 MS-SCREEN-001")
    assert says(told[4], "the tool's result").startswith("400 MS-SCREEN-001")
    assert says(told[4], "vendor saw") == "neither"
    leaked = re.search(r"AKIA\w{16}", says(told[5], "vendor streamed")).group()
    got = says(told[5], "application got")
    assert got.startswith("The deployment ") and leaked[:8] not in got
    assert "evil.example" not in says(told[6], "application got")
    assert card in says(told[7], "application got")
    assert "evil.example" not in says(told[7], "application got")
    assert "MS-VENDOR-004" in says(told[8], "stream's end")
    assert says(told[9], "refused").startswith("401 MS-KNOW-004")
    assert "tokens: 1 put back" in told[10]
    assert re.search(r"sound +\d+ entries, 9 admitted, 9 closed, 2 refused", told[11])
    proved = re.findall(r"^ (\d+) .*(?:enforced|observed)", told[12], re.MULTILINE)
    assert {8, 9, 22, 23, 25, 41, 46, 57, 58} <= set(map(int, proved))
    assert "Paste" not in ran.stdout


def test_the_demo_stays_up_and_its_lines_work(tmp_path, temporary):
    env = {**ENV, "TMPDIR": str(temporary)}
    demo = Process([MERESTONE, "demo"], tmp_path, "demo", env=env)
    try:
        line = demo.wait_for_line("client = openai.OpenAI(", demo.stdout_path)
        base, key = re.search(r'base_url="(.*)/v1", api_key="(.*)"', line).groups()
        demo.wait_for_line("Ctrl-C ends it", demo.stdout_path)
        ask = {"messages": [{"role": "user", "content": "I am ada@example.com"}]}
        reply = sdk.openai_client(base, key).chat.completions.create(model="gpt-x", **ask)
        assert reply.choices[0].message.content == "You said: I am ada@example.com"
        reply = sdk.anthropic_client(base, key).messages.create(
            model="claude-x", max_tokens=9, **ask
        )
        assert reply.content[0].text == "You said: I am ada@example.com"
        curl = demo.stdout_path.read_text().split("  curl ", 1)[1].split("\n\n")[0]
        pasted = subprocess.run(
            ["bash", "-c", "curl -sS " + curl], capture_output=True, text=True, timeout=30
        )
        assert "ada@example.com" in pasted.stdout, pasted.stderr
        (folder,) = temporary.iterdir()
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "vendor.key")]
        assert modes == [0o700, 0o600]
    finally:
        demo.popen.send_signal(signal.SIGINT)
        assert demo.stop() == 0
    assert not list(temporary.iterdir()), "nothing is left behind"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_stopped_in_mid_story_leaves_nothing(tmp_path, temporary, sign):
    demo = Process([MERESTONE, "demo"], tmp_path, "demo", env={**ENV, "TMPDIR": str(temporary)})
    try:
        demo.wait_for_line("1. A clean prompt", demo.stdout_path)
        demo.popen.send_signal(sign)
        assert demo.popen.wait(30) == 0
    finally:
        demo.kill()
    assert not list(temporary.iterdir())


def test_a_demo_whose_reader_leaves_leaves_nothing(temporary):
    demo = subprocess.Popen(
        [MERESTONE, "demo", "--exit"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**ENV, "TMPDIR": str(temporary)},
    )
    with demo.stdout as lines:
        lines.readline()
    assert demo.wait(60) == 141
    assert not list(temporary.iterdir())


def test_a_folder_laid_in_the_demos_way_is_left_alone(temporary):
    """Whoever shares the folder for temporary files may guess a process's id."""
    laid = temporary / "laid"
    laid.write_text("mine")
    trap = 'mkdir "$TMPDIR/merestone-demo-$$" && cd "$TMPDIR/merestone-demo-$$"'
    trap += ' && ln -s ../laid vendor.key && ln -s ../laid merestone.toml && exec "$0" demo --exit'
    ran = subprocess.run(
        ["bash", "-c", trap, MERESTONE],
        capture_output=True,
        env={**ENV, "TMPDIR": str(temporary)},
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert laid.read_text() == "mine"
    (left,) = temporary.glob("merestone-demo-*")
    assert sorted(path.name for path in left.iterdir()) == ["merestone.toml", "vendor.key"]


def test_a_reader_that_leaves_is_no_crash(build_house):
    house = build_house()
    house.gate.stop()
    command = [MERESTONE, "matrix", "--config", house.gate.file, "--json"]
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV
    )
    program.stdout.close()
    complaint = program.stderr.read()
    program.stderr.close()
    assert (program.wait(30), complaint) == (141, b"")
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=ENV, timeout=30
        )
    assert ran.returncode == 1 and b"standard output cannot be written" in ran.stderr
