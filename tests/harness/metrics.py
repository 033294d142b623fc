"""What a gate's metrics say, for tests that are about something else. That the
text itself is right is the business of test_admin_side.py."""

import http.client
import re

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}


class Metrics:
    """The admin side of a running gate, which has [admin] (`ADMIN`)."""

    def __init__(self, gate):
        start = "metrics and readiness are on http://"
        self._at = gate.process.wait_for_line(start, gate.process.stderr_path, 1)

    def __call__(self, name, **labels):
        """The sum of the samples with this name and these labels."""
        connection = http.client.HTTPConnection(self._at, timeout=10)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        found = 0.0
        for line in text.splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == "merestone_" + name:
                has = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
                found += float(match[3]) if labels.items() <= has.items() else 0
        return found
