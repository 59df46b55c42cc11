"""The disks of the nodes: either the forgetful file system of forgetful_fs.cpp, which can lose
power and run full, or the machine's own disk and tmpfs, which can only run full."""

import os
import subprocess

from namespaces import run

TMPFS_SIZE = 2 << 30


class ForgetfulDisk:
    """forgetful_fs mounted at a path."""

    def __init__(self, program, path):
        self.process = subprocess.Popen([str(program), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise OSError(f"forgetful_fs: {self.process.stderr.read().decode(errors='replace').strip()}")

    def command(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if answer != b"done\n":
            raise RuntimeError(f"forgetful_fs: {line}: {answer!r}")

    def forget(self, random):
        """A power cut: all unsynced bytes are gone, or some of them by chance."""
        self.command(random.choice(["forget", f"forget some {random.randrange(1 << 32)}"]))

    def leave_room(self, size):
        """Limits the free space to `size` bytes; None removes the limit."""
        self.command(f"room {'all' if size is None else size}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


class SmallDisk:
    """A tmpfs mounted at a path."""

    def __init__(self, path):
        self.path = path
        run("mount", "-t", "tmpfs", "-o", f"size={TMPFS_SIZE}", "tmpfs", path)

    def leave_room(self, size):
        s = os.statvfs(self.path)
        used = (s.f_blocks - s.f_bfree) * s.f_frsize
        run("mount", "-o", f"remount,size={TMPFS_SIZE if size is None else used + size}", self.path)


def forgetful_permitted(program, path):
    """Empty if FUSE is permitted, otherwise the reason."""
    if not os.access(program, os.X_OK):
        return "built without libfuse3"
    try:
        ForgetfulDisk(program, path).close()
    except OSError as e:
        return str(e)
    return ""
