#!/usr/bin/env python3
"""samples/local_cluster.sh as the README's quick start uses it, with nothing but the program
`loglog` that the quick start builds."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from cluster import BIN, check

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORTS = 12


def free_range():
    """A port whose next eleven are free too, below the range of the kernel's outgoing ports."""
    for first in range(21000, 31000, PORTS):
        sockets = []
        try:
            for port in range(first, first + PORTS):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise AssertionError("no ports are free")


def main():
    with tempfile.TemporaryDirectory(prefix="loglog-test-") as d:
        d = pathlib.Path(d)
        (d / "bin").mkdir()
        os.symlink(shutil.which(str(BIN / "loglog")), d / "bin" / "loglog")
        env = os.environ | {"LOGLOG_BIN": str(d / "bin"), "LOGLOG_DIR": str(d / "cluster"), "LOGLOG_PORT": str(free_range())}

        def shell(text, timeout=120):
            begin = time.monotonic()
            r = subprocess.run(["bash", "-c", text], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
            return r.returncode, (r.stdout + r.stderr).decode(), time.monotonic() - begin

        try:
            code, said, _ = shell('eval "$(samples/local_cluster.sh start)" && seq 1 5 | $LOGLOG_BIN/loglog append events --create && '
                                  "$LOGLOG_BIN/loglog follow events --count 5 && samples/local_cluster.sh status")
            check(code == 0 and "1\n2\n3\n4\n5\n" in said and "storage-3: process" in said, f"README's commands: {code} {said}")
            code, said, _ = shell("samples/local_cluster.sh kill storage-2 && samples/local_cluster.sh start storage-2 && samples/local_cluster.sh stop")
            check(code == 0, said)

            # A node's log output is bounded: the file and its predecessor. The last lines are
            # there.
            env["LOGLOG_LOG_BYTES"] = "1500"
            code, said, _ = shell("samples/local_cluster.sh start && samples/local_cluster.sh restart sequencer-1 && "
                                  "samples/local_cluster.sh restart sequencer-1 && samples/local_cluster.sh stop")
            check(code == 0, said)
            names = sorted(p.name for p in (d / "cluster").glob("sequencer-1.log*"))
            sizes = [(d / "cluster" / n).stat().st_size for n in names]
            check(names == ["sequencer-1.log", "sequencer-1.log.1"] and all(s < 3000 for s in sizes), f"log files: {names} {sizes}")
            line = (d / "cluster" / "sequencer-1.log.1").read_text().splitlines()[0]
            check(line[:2] == "20" and " sequencer 1: " in line, f"each line has its time: {line}")

            # Another process has a node's port: the node ends, and the script stops waiting.
            with socket.create_server(("127.0.0.1", int(env["LOGLOG_PORT"]) + 4)):
                code, said, took = shell('eval "$(samples/local_cluster.sh start)"')
            check(code != 0 and "storage-2 has ended" in said and "address" in said and took < 25, f"eval fails as the start does: {code} {said} {took}")
            shell("samples/local_cluster.sh destroy")
            env["LOGLOG_BIN"] = str(d / "none")
            code, said, took = shell('eval "$(samples/local_cluster.sh start)"')
            check(code != 0 and "quickstart.sh builds it" in said and took < 5, f"without the program: {code} {said}")
        finally:
            env["LOGLOG_BIN"] = str(d / "bin")
            shell("samples/local_cluster.sh destroy")
    print("local cluster: ok")


main()
