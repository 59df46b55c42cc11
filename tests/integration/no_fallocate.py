#!/usr/bin/env python3
"""A file system without fallocate: the storage nodes make room by writing zeros behind the end of
a segment file (K5), while groups are written before that end. No byte of a group is lost.
A library that is preloaded makes `fallocate` fail with EOPNOTSUPP and counts the calls. Without a
compiler the test is skipped."""

import shutil

from cluster import Cluster, check, make_library, preloaded

SEGMENT = 1 << 20
SHIM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static int refuse(void) {
  const int fd = open(getenv("FALLOCATE_CALLS"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd >= 0) {
    (void)!write(fd, ".", 1);
    close(fd);
  }
  errno = EOPNOTSUPP;
  return -1;
}
int fallocate(int fd, int mode, off_t at, off_t size) { return refuse(); }
int fallocate64(int fd, int mode, off64_t at, off64_t size) { return refuse(); }
"""


class NoFallocate(Cluster):
    def __init__(self, compiler):
        super().__init__(sequencers=1, storage=3)
        self.library = self.dir / "no_fallocate.so"
        make_library(compiler, SHIM, self.library)

    def calls(self, name):
        return self.dir / f"{name}.calls"

    def command(self, name):
        command = super().command(name)
        if name not in self.storage:
            return command
        return preloaded(command, self.library, FALLOCATE_CALLS=self.calls(name))


def main():
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        print("left out: there is no C compiler")
        return
    with NoFallocate(compiler) as c:
        c.create("log", "--segment-size", SEGMENT)
        lines = [b"%06d" % i + bytes([97 + i % 26]) * (37 + i * 7919 % 20_000) for i in range(1200)]
        done = c.run("append", "log", "--timeout", 60, input=b"\n".join(lines) + b"\n", timeout=90)
        check(len(done.stdout.split()) == len(lines), f"all are acknowledged: {done.stderr}")
        for name in c.storage:
            check(c.calls(name).stat().st_size > 10, f"{name} asked for space, and was refused")
        check(c.run("read", "log").stdout.splitlines() == lines, "each entry is read as it was appended")
        verified = c.run("verify", "log", check=False, timeout=60)
        check(verified.returncode == 0, f"all replicas hold the same good bytes: {verified.stdout} {verified.stderr}")
        for name in c.storage:
            c.kill(name)
            c.start(name)
        check(c.run("read", "log").stdout.splitlines() == lines, "and after a kill of each node")
        check(not any("ALARM" in c.log_of(n) for n in c.storage), "no node raised an alarm")


if __name__ == "__main__":
    main()
