"""A small disk that another program can fill."""

import os
import subprocess

MIB = 1 << 20


class Disk:
    """A small file system for a gate's state folder."""

    def __init__(self, folder, mib):
        assert os.geteuid() == 0, "a small disk is a tmpfs, and only root mounts one"
        self.folder = folder
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "merestone-test", folder]
        subprocess.run(list(map(str, command)), check=True, timeout=30)

    @property
    def free(self):
        facts = os.statvfs(self.folder)
        return facts.f_bavail * facts.f_frsize

    def fill(self, leave=0):
        """Another program takes what is free."""
        with open(self.folder / "another-program", "ab") as file:
            while self.free > leave:
                length = min(self.free - leave, MIB)
                try:
                    file.write(b"x" * length)
                    file.flush()
                except OSError:
                    break

    def clear(self):
        (self.folder / "another-program").unlink(missing_ok=True)

    def close(self):
        subprocess.run(["umount", "-l", str(self.folder)], check=True, timeout=30)
