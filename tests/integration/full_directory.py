#!/usr/bin/env python3
"""A disk so full that a log's directory has no room for the next segment's name (K5). No process
ends, appends are refused with the reason, and they go on by themselves once there is space.
A library that is preloaded makes `rename` fail with ENOSPC while a file exists. Without a compiler
the test is skipped."""

import shutil
import time

from cluster import Cluster, check, make_library, preloaded

SEGMENT = 256 << 10
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int rename(const char* from, const char* to) {
  const size_t n = strlen(to);
  if (n > 4 && strcmp(to + n - 4, ".seg") == 0 && access(getenv("NO_ROOM_WHILE"), F_OK) == 0) {
    errno = ENOSPC;
    return -1;
  }
  return ((int (*)(const char*, const char*))dlsym(RTLD_NEXT, "rename"))(from, to);
}
"""


class NoRoom(Cluster):
    """While the file `full` exists, no storage node can give a segment file its name."""

    def __init__(self, compiler):
        super().__init__(sequencers=1, storage=3)
        self.full = self.dir / "full"
        self.library = self.dir / "no_room.so"
        make_library(compiler, SHIM, self.library)

    def command(self, name):
        command = super().command(name)
        if name not in self.storage:
            return command
        return preloaded(command, self.library, NO_ROOM_WHILE=self.full)


def append(c, lines, timeout):
    r = c.run("append", "log", "--timeout", timeout, input=b"\n".join(lines) + b"\n", check=False, timeout=60)
    return len(r.stdout.split()), r.stderr


def main():
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        print("left out: there is no C compiler")
        return
    with NoRoom(compiler) as c:
        c.create("log", "--segment-size", SEGMENT)
        lines = [b"%04d" % i + b"x" * 1000 for i in range(600)]
        done, error = append(c, lines[:100], 20)
        check(done == 100, f"appends before: {error}")
        c.full.touch()
        begun = time.monotonic()
        more, error = append(c, lines[100:], 5)
        check(0 < 100 + more < 600, f"appends end at the segment's end: {more}")
        # appends ordered before may or may not be written; nothing new is taken
        refused, error = append(c, [b"refused"], 3)
        check(refused == 0 and b"no_space" in error, f"the reason is named: {error[-300:]}")
        check(time.monotonic() - begun < 40, "and in time")
        for name, process in c.running.items():
            check(process.poll() is None, f"{name} runs on: {c.log_of(name)[-500:]}")
        check(any("No space left" in c.log_of(n) and "free space or trim logs" in c.log_of(n) for n in c.storage), "an alarm says so")
        status = c.run("status", check=False)
        check(status.returncode == 12 and b"appends to log are refused" in status.stdout, f"loglog status: {status.stdout}")
        acknowledged = lines[:100 + more]
        check(c.run("read", "log").stdout.splitlines()[:len(acknowledged)] == acknowledged, "what was acknowledged is read")
        c.full.unlink()
        done, error = append(c, [b"after"], 20)
        check(done == 1, f"appends go on: {error}")
        got = c.run("read", "log").stdout.splitlines()
        check(got[:len(acknowledged)] == acknowledged and got[-1] == b"after", "nothing is lost")
        for name in c.storage:
            deadline = time.monotonic() + 20  # a replica of three may be behind the others
            while "there is space again" not in c.log_of(name):
                check(time.monotonic() < deadline, f"{name} says that it has space again")
                time.sleep(0.1)
            c.kill(name)
            c.start(name)
        check(c.run("read", "log").stdout.splitlines() == got, "nor after a restart")


main()
