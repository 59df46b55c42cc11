#!/usr/bin/env python3
"""Each reason to end a server has its exit code and a sentence on stderr: options, directories,
formats, identities, addresses."""

import os
import pathlib
import socket
import subprocess
import tempfile

from cluster import BIN, check, free_ports


def start(program, data, *more, listen="127.0.0.1:0", id=1, name="codes"):
    own = {"loglog-storage": [], "loglog-sequencer": ["--sequencers", f"1={listen}", "--storage", "1=127.0.0.1:1"]}[program]
    return subprocess.run([str(BIN / program), "--id", str(id), "--cluster-name", name, "--listen", listen, "--data", str(data), *own, *more],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)


def run_briefly(program, data):
    """Starts a node on an empty directory, waits until it serves, and stops it."""
    port = free_ports(1)[0]
    own = {"loglog-storage": [], "loglog-sequencer": ["--sequencers", f"1=127.0.0.1:{port}", "--storage", "1=127.0.0.1:1"]}[program]
    p = subprocess.Popen([str(BIN / program), "--id", "1", "--cluster-name", "codes", "--listen", f"127.0.0.1:{port}", "--data", str(data), *own],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in p.stderr:
        if b"serves on" in line:
            break
    p.terminate()
    _, rest = p.communicate(timeout=20)
    check(p.returncode == 0, f"{program} stops cleanly: {p.returncode} {rest}")
    return port


def expect(result, code, *words):
    text = result.stderr.decode(errors="replace")
    check(result.returncode == code, f"exit code {code} expected, got {result.returncode}: {text}")
    for word in words:
        check(word in text, f"'{word}' is said: {text}")


def main():
    for program in ("loglog-storage", "loglog-sequencer"):
        with tempfile.TemporaryDirectory() as d:
            d = pathlib.Path(d)
            expect(start(program, d / "a", "--no-such-option"), 2, "--no-such-option")
            expect(start(program, d / "a", id=0), 2)
            (d / "file").write_text("x")
            expect(start(program, d / "file"), 4, str(d / "file"))

            data = d / "data"
            run_briefly(program, data)
            expect(start(program, data, name="another"), 6, "another", "codes")
            expect(start(program, data, id=2, listen="127.0.0.1:0"), 6 if program == "loglog-storage" else 2)

            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                address = f"127.0.0.1:{taken.getsockname()[1]}"
                expect(start(program, d / "b", listen=address), 7, address)

            identity = data / "identity"
            good = identity.read_bytes()
            newer = bytearray(good)
            newer[4] = 99  # the format version, behind the magic
            identity.write_bytes(newer)
            expect(start(program, data), 5, "99")
            identity.write_bytes(good)
            run_briefly(program, data)
            check(os.listdir(d), "")
        print(f"{program}: ok")


main()
