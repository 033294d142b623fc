"""Child processes that end with the test run, each by its own id."""

import ctypes
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One child whose two output streams go to a file each."""

    def __init__(self, command, folder, name, env=None, cwd=None):
        self.stdout_path = folder / f"{name}.stdout"
        self.stderr_path = folder / f"{name}.stderr"
        self._files = [open(self.stdout_path, "ab"), open(self.stderr_path, "ab")]
        self.popen = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=self._files[1],
            env=env,
            cwd=cwd,
            preexec_fn=_die_with_parent,
            # A file that may not grow is an error, as a full disk is, no end.
            restore_signals=False,
        )

    def wait_for_line(self, start, path, seconds=30.0, skip_bytes=0):
        """Waits for an output line that holds `start`; returns what follows it."""
        until = time.monotonic() + seconds
        while True:
            text = path.read_bytes()[skip_bytes:].decode(errors="replace")
            for line in text.splitlines(keepends=True):
                if start in line and line.endswith("\n"):
                    return line.split(start, 1)[1].strip()
            if self.popen.poll() is not None:
                raise AssertionError(f"the process ended with {self.popen.returncode}: {text}")
            if time.monotonic() > until:
                raise AssertionError(f"no line with {start!r} within {seconds} s: {text}")
            time.sleep(0.01)

    def stop(self, seconds=15.0):
        """Asks the process to end and returns its exit code."""
        if self.popen.poll() is None:
            self.popen.terminate()
        return self._reap(seconds)

    def kill(self):
        """Ends the process without asking, as a power cut would."""
        if self.popen.poll() is None:
            self.popen.kill()
        return self._reap(15.0)

    def _reap(self, seconds):
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(15.0)
            raise AssertionError(f"the process did not end within {seconds} s") from None
        finally:
            for file in self._files:
                file.close()
        return code
