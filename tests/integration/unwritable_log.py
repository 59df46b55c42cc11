#!/usr/bin/env python3
"""Nodes whose stderr is full, closed, without a reader, or a pipe that nobody reads, and a node
that starts with descriptors 0 to 2 closed.
Each has messages to write (a leader that dies, SIGHUP); none ends and none stalls."""

import os
import signal
import subprocess
import time

from cluster import Cluster, check


class Mute(Cluster):
    """A cluster whose nodes cannot write their logs, each for a different reason."""

    def start(self, name):
        self.data(name).mkdir(exist_ok=True)
        command = [str(c) for c in self.command(name)]
        if name in ("node1", "seq1"):
            with open("/dev/full", "wb") as full:
                self.running[name] = subprocess.Popen(command, stdout=full, stderr=full)
        elif name in ("node2", "seq2"):
            reader, writer = os.pipe()
            self.running[name] = subprocess.Popen(command, stdout=writer, stderr=writer)
            os.close(writer)
            if name == "seq2":
                self.unread = reader  # open, and read by nobody
            else:
                os.close(reader)
        else:
            self.running[name] = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command])

    def all_run(self, when):
        ended = {name: p.returncode for name, p in self.running.items() if p.poll() is not None}
        check(not ended, f"{when}: ended {ended}")


def main():
    with Mute() as c:
        c.create("log")
        c.run("append", "log", input=b"one\n")
        c.all_run("after the start")
        for _ in range(400):  # more lines than a pipe holds
            for process in c.running.values():
                process.send_signal(signal.SIGHUP)
            time.sleep(0.005)
        c.kill(c.leader())
        c.run("append", "log", "--timeout", "20", input=b"two\n")
        c.all_run("after a leader died")
        entries = c.run("read", "log").stdout.split()
        check(entries == [b"one", b"two"], f"read {entries}")
        for name in list(c.running):
            check(c.kill(name, signal.SIGTERM) == 0, f"{name} does not stop in order")
        os.close(c.unread)
    print("unwritable_log: ok")


if __name__ == "__main__":
    main()
