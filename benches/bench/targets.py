"""The programs that are measured. Each is started once and asked in turn."""

import json
import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

from harness import raw
from harness.gate import Gate
from harness.paths import VENDOR_KEY
from harness.process import Process
from harness.vendor import EVENTS, Vendor, script

from . import processes
from .cells import STREAM_CHUNKS, STREAM_PACE_MS

CHAT = "/v1/chat/completions"
LANES = ("quick", "paced")


def free_port():
    """A port that is free now, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Vendors:
    """Two fake vendors: `quick` answers at once with a canned reply (its
    `--quiet-load`), `paced` with the same reply after a wait, or a stream."""

    name, title = "vendor", "fake vendor alone"
    key = VENDOR_KEY

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "quick").mkdir(exist_ok=True)
        self.quick = Vendor("openai", folder / "quick", "--quiet-load")
        self.paced = Vendor("openai", folder)
        body = {"stream": False, "model": "fake-quick", "messages": []}
        self.reply = raw.post(self.quick.url, CHAT, body, VENDOR_KEY).body

    @property
    def pids(self):
        return [self.quick.process.popen.pid, self.paced.process.popen.pid]

    def url(self, lane):
        return getattr(self, lane).url + CHAT

    def prepare(self, cell):
        """Makes the paced vendor answer as the cell says, and forget the past."""
        self.paced.forget()
        self.paced.unscript()
        if cell.stream:
            pace = STREAM_PACE_MS[cell.callers]
            events = stream_events()
            chunks = [
                {**each, "delay_ms": pace if at else 0}
                for at, each in enumerate(script(*events)["chunks"])
            ]
            reply = script(*chunks, kind=EVENTS)
        else:
            reply = script(self.reply, headers={"content-length": str(len(self.reply))})
        self.paced.script({**reply, "head_delay_ms": cell.delay_ms, "once": False})

    def stop(self):
        self.quick.stop()
        self.paced.stop()


def stream_events():
    """A stream of Chat Completions: a role, words, the reason for the end, [DONE]."""
    words = "and so the quiet river follows the garden wall to the mill".split()
    base = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_767_225_600}

    def event(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps({**base, 'model': 'fake', 'choices': [choice]})}\n\n"

    events = [event({"role": "assistant", "content": ""})]
    for at in range(STREAM_CHUNKS - 3):
        events.append(event({"content": words[at % len(words)] + " "}))
    return [*events, event({}, "stop"), "data: [DONE]\n\n"]


class Nginx:
    """nginx as a plain proxy: one worker, kept-alive upstreams, no buffering."""

    name, title = "nginx", "nginx, plain proxy"
    key = VENDOR_KEY

    CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn; {user}
events {{ worker_connections 4096; }}
http {{
    access_log off; client_max_body_size 1m; client_body_buffer_size 256k;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""
    SERVER = """
    upstream {lane} {{ server {vendor}; keepalive 512; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://{lane}; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_buffering off;
        }}
    }}
"""

    def __init__(self, folder, vendors):
        folder.mkdir(parents=True, exist_ok=True)
        self.ports = {lane: free_port() for lane in LANES}
        servers = "".join(
            self.SERVER.format(
                lane=lane, port=self.ports[lane], vendor=getattr(vendors, lane).url[7:]
            )
            for lane in LANES
        )
        user = "user root;" if os.geteuid() == 0 else ""
        path = folder / "nginx.conf"
        path.write_text(self.CONFIG.format(folder=folder, servers=servers, user=user))
        self.process = Process(["nginx", "-p", folder, "-c", path], folder, "nginx")

    @property
    def pids(self):
        return [self.process.popen.pid]

    def url(self, lane):
        return f"http://127.0.0.1:{self.ports[lane]}{CHAT}"

    def stop(self):
        self.process.stop()


CONTROLS = ("screening", "redaction", "sanitising", "leakage")


def gate_config(vendors, mode):
    """A configuration as `merestone init` writes it, but for the vendors;
    `mode` is that of every control."""
    tables = ['[gate]\nlisten = "127.0.0.1:0"\nstate = "data"\n']
    for lane in LANES:
        tables.append(
            f'[vendors.{lane}]\napi = "openai"\nbase_url = "{getattr(vendors, lane).url}"\n'
            f'key = "env:FAKE_OPENAI_KEY"\nprefix = "/{lane}"\n'
        )
    tables += [f'[controls.{control}]\nmode = "{mode}"\n' for control in CONTROLS]
    return "\n".join(tables)


class Merestone:
    """The gate, in one of three ways."""

    TITLES = {
        "gate": "merestone, all guards, durable ledger",
        "gate-off": "merestone, guards off, durable ledger",
        "gate-ram": "merestone, all guards, ledger in memory (no disk wait)",
    }

    def __init__(self, name, folder, vendors):
        self.name, self.title = name, self.TITLES[name]
        self.temporary = None
        if name == "gate-ram":
            self.temporary = Path(tempfile.mkdtemp(prefix="merestone-bench-", dir="/dev/shm"))
            folder = self.temporary
        mode = "off" if name == "gate-off" else "enforce"
        self.gate = Gate(folder, gate_config(vendors, mode))
        self.start()

    def start(self):
        self.gate.start()
        self.key = self.gate.key()["key"]

    def renew(self):
        """Starts it with an empty ledger: a round must not fill the disk."""
        self.stop_gate()
        shutil.rmtree(self.gate.folder / "data")
        self.start()

    @property
    def pids(self):
        return [self.gate.process.popen.pid]

    def url(self, lane):
        return f"{self.gate.url}/{lane}{CHAT}"

    def ledger_bytes(self):
        files = (self.gate.folder / "data").rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file())

    def stop_gate(self):
        if self.gate.process.popen.poll() is None:
            self.gate.stop()

    def stop(self):
        try:
            self.stop_gate()
        finally:
            if self.temporary:
                shutil.rmtree(self.temporary, ignore_errors=True)


class LiteLLM:
    """LiteLLM's proxy: one worker, no database, its content filter masking."""

    name, title = "litellm", "LiteLLM proxy, content filter"
    PATTERNS = (
        "email us_ssn visa mastercard amex discover credit_card aws_access_key aws_secret_key "
        "github_token slack_token generic_api_key iban"
    ).split()

    def __init__(self, folder, vendors, venv):
        folder.mkdir(parents=True, exist_ok=True)
        self.key, self.port = "sk-" + secrets.token_hex(8), free_port()
        path = folder / "config.json"  # JSON is YAML
        path.write_text(json.dumps(self.config(vendors), indent=1))
        command = [venv / "bin/litellm", "--config", path, "--host", "127.0.0.1"]
        command += ["--port", self.port, "--num_workers", 1, "--telemetry", "False"]
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        env |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
        env |= {"LITELLM_MODE": "PRODUCTION", "NO_PROXY": "127.0.0.1"}
        self.process = Process(command, folder, "litellm", env=env, cwd=folder)

    def config(self, vendors):
        models = [
            {
                "model_name": f"fake-{lane}",
                "litellm_params": {
                    "model": f"openai/fake-{lane}",
                    "api_base": getattr(vendors, lane).url + "/v1",
                    "api_key": VENDOR_KEY,
                },
            }
            for lane in LANES
        ]
        patterns = [
            {"pattern_type": "prebuilt", "pattern_name": name, "action": "MASK"}
            for name in self.PATTERNS
        ]
        guard = {
            "guardrail_name": "filter",
            "litellm_params": {
                "guardrail": "litellm_content_filter",
                "mode": ["pre_call", "post_call"],
                "default_on": True,
                "patterns": patterns,
            },
        }
        return {
            "model_list": models,
            "guardrails": [guard],
            "general_settings": {"master_key": self.key},
            "litellm_settings": {"num_retries": 0, "request_timeout": 120},
        }

    @property
    def pids(self):
        return [self.process.popen.pid]

    def url(self, _lane):
        return f"http://127.0.0.1:{self.port}{CHAT}"

    def stop(self):
        self.process.stop(30)


def rss(target):
    """Resident bytes of a target."""
    return sum(map(processes.rss_bytes, target.pids))


def has_memory_folder():
    """Whether /dev/shm has room for a round's ledger (the gate wants 256 MiB free)."""
    return os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 2 << 30
