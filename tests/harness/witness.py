"""A caller that keeps calling on one connection until it is told to stop.

Reads `URL KEY` from standard input, says `served` after the first call, then
reads how many calls it has to make at the least; prints how long each took
and what failed.
"""

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit

SECONDS_MAX, PAUSE = 20, 0.005


def call(connection, key):
    body = {
        "model": "witness",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "still there?"}],
    }
    heads = {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": key,
    }
    connection.request("POST", "/v1/messages", json.dumps(body), heads)
    reply = connection.getresponse()
    data = reply.read().decode(errors="replace")
    return None if reply.status == 200 else data[-300:]


def main():
    url, key = sys.stdin.readline().split()
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    wanted, took, failed = [], [], []
    threading.Thread(target=lambda: wanted.append(sys.stdin.readline()), daemon=True).start()
    stopped = None
    while True:
        started = time.monotonic()
        try:
            wrong = call(connection, key)
        except (OSError, http.client.HTTPException) as error:
            wrong = repr(error)
            connection.close()
        took.append(time.monotonic() - started)
        if wrong:
            failed.append(wrong)
        if len(took) == 1:
            print("served", flush=True)
        if wanted:
            stopped = stopped or time.monotonic()
            enough = len(took) >= int(wanted[0] or 0)
            if enough or time.monotonic() - stopped > SECONDS_MAX:
                break
        time.sleep(PAUSE)
    print(json.dumps([took, failed]))


if __name__ == "__main__":
    main()
