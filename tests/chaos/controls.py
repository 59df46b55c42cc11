#!/usr/bin/env python3
"""The positive control of each injector: a cut affects a single direction, a slow wire delays and
loses packets, a forgetful disk forgets exactly the unsynced bytes, a full disk is full.
An injector without effect would make every chaos run pass."""

import errno
import os
import select
import subprocess
import sys

from chaos_cluster import BIN
from disks import ForgetfulDisk, SmallDisk, forgetful_permitted
from namespaces import Network, run_inside

ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 9))
print("ready", flush=True)
while True:
    data, whom = s.recvfrom(2048)
    print("heard", flush=True)
    s.sendto(data, whom)
"""
ASK = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
times = []
for i in range(int(sys.argv[2])):
    begin = time.monotonic()
    s.sendto(b"%d" % i, (sys.argv[1], 9))
    try:
        while s.recv(2048) != b"%d" % i:
            pass
        times.append(time.monotonic() - begin)
    except TimeoutError:
        pass
print(*times)
"""


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def ask(network, times=3):
    """The round trips from one namespace to the other that came back, in seconds."""
    r = subprocess.run([*network.inside("one"), sys.executable, "-c", ASK, network.address["other"], str(times)],
                       stdout=subprocess.PIPE, check=True)
    return [float(t) for t in r.stdout.split()]


def network_faults():
    network = Network(["one", "other"])
    echo = subprocess.Popen([*network.inside("other"), sys.executable, "-u", "-c", ECHO], stdout=subprocess.PIPE)
    check(echo.stdout.readline() == b"ready\n", "the echo listens")

    def heard():
        os.set_blocking(echo.stdout.fileno(), False)
        readable, _, _ = select.select([echo.stdout], [], [], 0.2)
        return os.read(echo.stdout.fileno(), 65536).count(b"heard") if readable else 0

    check(len(ask(network)) == 3 and heard() == 3, "all arrives while nothing is cut")
    network.cut([("one", "other")])
    check(not ask(network) and heard() == 0, "nothing is heard behind a cut")
    network.mend([("one", "other")])
    network.cut([("other", "one")])
    check(not ask(network) and heard() == 3, "a cut of the way back is none of the way there")
    network.mend([("other", "one")])
    check(len(ask(network)) == 3, "all arrives again")
    with network.slow_wire(BIN / "slow_wire", "other", 50, 0, 0):
        times = ask(network)
        check(len(times) == 3 and all(0.1 <= t < 0.5 for t in times), f"50 ms each way: {times}")
    with network.slow_wire(BIN / "slow_wire", "other", 0, 0, 30):
        times = ask(network, 30)
        check(2 <= len(times) <= 27, f"30 % are lost each way: {len(times)} of 30 came back")
    check(len(ask(network)) == 3, "all arrives after the slow wire")
    echo.kill()
    echo.wait()


def write(path, data, sync=True):
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        at = 0
        while at < len(data):
            at += os.pwrite(fd, data[at:], at)
        if sync:
            os.fdatasync(fd)
    finally:
        os.close(fd)


def sync_directory(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def forgetful_disk(path):
    disk = ForgetfulDisk(BIN / "forgetful_fs", path)
    write(path / "kept", b"old" * 5000)
    write(path / "nameless", b"synced, and its name not")
    (path / "kept").rename(path / "renamed")
    sync_directory(path)
    (path / "nameless").unlink()
    write(path / "renamed", b"new", sync=False)
    write(path / "late", b"synced, and its name not")
    (path / "renamed").rename(path / "again")
    open_one = os.open(path / "again", os.O_RDONLY)
    check(os.pread(open_one, 4, 0) == b"newo", "what was written is read")
    os.close(open_one)
    disk.command("forget")
    check(sorted(os.listdir(path)) == ["nameless", "renamed"], f"names are those of the last fsync: {os.listdir(path)}")
    check((path / "renamed").read_bytes() == b"old" * 5000, "bytes are those of the last fdatasync")
    write(path / "renamed", b"x" * 400_000, sync=False)
    disk.command("forget some 1")
    left = (path / "renamed").read_bytes()
    check(b"x" in left and left != b"x" * 400_000, "some unsynced blocks survive and some do not")
    write(path / "renamed", b"y" * 400_000)
    disk.command("forget some 2")
    check((path / "renamed").read_bytes() == b"y" * 400_000, "what was synced survives every power cut")
    full(path, disk)
    write(path / "fits", b"z" * 100)
    with open(path / "fits", "r+b") as f:
        os.posix_fallocate(f.fileno(), 0, 100_000)
        f.truncate(50)
    check((path / "fits").read_bytes() == b"z" * 50, "a file can be cut")
    disk.close()


def full(path, disk):
    disk.leave_room(65536)
    try:
        write(path / "large", b"z" * (1 << 20))
        raise AssertionError("a full disk took a mebibyte")
    except OSError as e:
        check(e.errno == errno.ENOSPC, f"a full disk says so: {e}")
    disk.leave_room(None)
    write(path / "large", b"z" * (1 << 20))


def main(directory):
    network_faults()
    print("cuts and slow wires: ok")
    mount = directory / "tmpfs"
    mount.mkdir()
    full(mount, SmallDisk(mount))
    print("full disks: ok")
    mount = directory / "forgetful"
    mount.mkdir()
    reason = forgetful_permitted(BIN / "forgetful_fs", mount)
    if reason:
        print(f"power cuts are left out: {reason}")
    else:
        forgetful_disk(mount)
        print("forgetful disks: ok")
    return 0


if __name__ == "__main__":
    run_inside(main)
