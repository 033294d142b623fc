"""Everything that is measured, started; and stopped again whatever happens."""

import shutil
import time

from harness import raw

from . import targets


class Rig:
    """All targets on this machine, idle except the one that is asked."""

    def __init__(self, folder, venv, say):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, self.targets, self.say = folder, [], say
        try:
            self._start(venv)
        except BaseException:
            self.stop()
            raise
        self.by_name = {target.name: target for target in self.targets}

    def _start(self, venv):
        self.vendors = self._add(targets.Vendors(self.folder / "vendors"))
        self._add(targets.Nginx(self.folder / "nginx", self.vendors))
        for name in targets.Merestone.TITLES:
            if name == "gate-ram" and not targets.has_memory_folder():
                self.say("no /dev/shm with room: the row without the disk wait is left out")
                continue
            self._add(targets.Merestone(name, self.folder / name, self.vendors))
        if venv is not None:
            litellm = self._add(targets.LiteLLM(self.folder / "litellm", self.vendors, venv))
            self._await(litellm, 120)
        self._await(self.targets[1], 10)

    def _add(self, target):
        self.targets.append(target)
        self.say(f"started: {target.title}")
        return target

    def _await(self, target, seconds):
        """Waits until a target answers one request well."""
        url = target.url("quick")
        cut = url.index("/", len("http://"))
        body = {"stream": False, "model": "fake-quick", "messages": [{"role": "user", "content": "hi"}]}
        until, answer = time.monotonic() + seconds, "nothing"
        while time.monotonic() < until:
            try:
                reply = raw.post(url[:cut], url[cut:], body, target.key)
                if reply.status == 200:
                    return
                answer = f"{reply.status} {reply.body[:200]}"
            except OSError as error:
                answer = repr(error)
            time.sleep(0.2)
        raise RuntimeError(f"{target.name} is not ready within {seconds} s: {answer}")

    def gates(self):
        return [target for target in self.targets if isinstance(target, targets.Merestone)]

    def stop(self):
        """Ends every process by its id, the newest first."""
        for target in reversed(self.targets):
            try:
                target.stop()
            except Exception as error:  # the others must end all the same
                self.say(f"{target.name} did not end well: {error}")
        self.targets = []
