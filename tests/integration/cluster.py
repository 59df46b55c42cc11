"""A cluster of real processes on loopback for the integration tests. It starts, kills and restarts
only its own processes, and prints the ends of their logs if a test fails.
Subclasses change command(), inside() and data() to run nodes elsewhere."""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ.get("LOGLOG_BIN", pathlib.Path(__file__).resolve().parents[2] / "build/release/bin"))


class PortBlock:
    """Ports of this process alone, below the range from which the kernel takes ports for outgoing
    connections. The block's first port stays bound for the life of the process.
    So no test that runs at the same time takes a port of the block, not even while its node is
    down."""

    FIRST, END, SIZE = 10000, 32000, 40

    def __init__(self):
        blocks = list(range(self.FIRST, self.END, self.SIZE))
        random.shuffle(blocks)
        for first in blocks:
            self.holder = socket.socket()
            try:
                self.holder.bind(("127.0.0.1", first))
                self.next, self.end = first + 1, first + self.SIZE
                return
            except OSError:
                self.holder.close()
        raise RuntimeError(f"no block of {self.SIZE} ports is free between {self.FIRST} and {self.END}")


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


blocks = []  # all blocks stay held until the process ends


def free_ports(count):
    """Returns `count` consecutive ports that are free."""
    if not blocks or blocks[-1].end - blocks[-1].next < count:
        blocks.append(PortBlock())
    block = blocks[-1]
    ports = list(range(block.next, block.next + count))
    block.next += count
    return ports if all(is_free(p) for p in ports) else free_ports(count)


class Cluster:
    """Sequencers seq1, seq2, ... and storage nodes node1, node2, ... with data and logs below
    `dir`. As a context manager it starts all nodes and stops them at the end."""
    def __init__(self, sequencers=3, storage=3, name="test", extra_storage=(), directory=None):
        self.dir = pathlib.Path(directory or tempfile.mkdtemp(prefix="loglog-test-"))
        self.name = name
        ports = free_ports(sequencers + storage)
        self.sequencers = {f"seq{i + 1}": f"127.0.0.1:{ports[i]}" for i in range(sequencers)}
        self.storage = {f"node{i + 1}": f"127.0.0.1:{ports[sequencers + i]}" for i in range(storage)}
        self.extra_storage = list(extra_storage)
        self.programs = {}  # by node: the folder of its program, if not BIN
        self.running = {}

    # ---- processes
    def address_list(self, which):
        return ",".join(f"{i + 1}={a}" for i, a in enumerate(which.values()))

    def command(self, name):
        number = "".join(c for c in name if c.isdigit())
        data = self.data(name)
        programs = self.programs.get(name, BIN)
        if name in self.storage:
            return [programs / "loglog-storage", "--id", number, "--cluster-name", self.name, "--listen", self.storage[name],
                    "--data", data, *self.extra_storage]
        return [programs / "loglog-sequencer", "--id", number, "--cluster-name", self.name, "--listen", self.sequencers[name],
                "--data", data, "--sequencers", self.address_list(self.sequencers), "--storage", self.address_list(self.storage)]

    def inside(self, name):
        """The words before a command that make it run at the place of `name`, which is a node or
        "clients". Empty on loopback."""
        return []

    def data(self, name):
        return self.dir / name

    def start(self, name):
        """Starts a node; its output is appended to `dir`/NAME.log."""
        self.data(name).mkdir(exist_ok=True)
        log = open(self.dir / f"{name}.log", "ab")
        self.running[name] = subprocess.Popen([str(c) for c in [*self.inside(name), *self.command(name)]], stdout=log, stderr=log)
        log.close()

    def start_all(self):
        for name in [*self.storage, *self.sequencers]:
            if name not in self.running:
                self.start(name)
        return self

    def kill(self, name, sig=signal.SIGKILL):
        """Sends `sig` and waits for the end. Returns the exit code."""
        process = self.running.pop(name)
        process.send_signal(sig)
        process.wait(timeout=20)
        return process.returncode

    def stop(self):
        for process in self.running.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log_of(self, name):
        path = self.dir / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self):
        return self.start_all()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for name in [*self.storage, *self.sequencers]:
                print(f"--- {name}\n" + "\n".join(self.log_of(name).splitlines()[-15:]))
        self.stop()

    # ---- the command line
    def addresses(self):
        return ",".join([*self.sequencers.values(), *self.storage.values()])

    def command_line(self, *args):
        return [str(c) for c in [*self.inside("clients"), BIN / "loglog", *args, "--cluster", self.addresses()]]

    def popen(self, *args, **kw):
        return subprocess.Popen(self.command_line(*args), **kw)

    def run(self, *args, input=None, check=True, timeout=60):
        """Runs `loglog` against the cluster. A failure raises unless `check` is off."""
        result = subprocess.run(self.command_line(*args), input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if check and result.returncode != 0:
            raise AssertionError(f"loglog {' '.join(map(str, args))} gave {result.returncode}: {result.stderr.decode(errors='replace')}")
        return result

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def try_status(self, timeout=10):
        """The status, or None if no answer covers the whole cluster."""
        try:
            r = self.run("status", "--json", check=False, timeout=timeout)
        except subprocess.TimeoutExpired:
            return None
        return json.loads(r.stdout) if r.returncode == 0 else None

    def is_whole(self, status, logs):
        """True if all nodes are up and every replica takes part and holds all that is committed.
        Under load a replica may be a moment behind. Without a leader the answer names no nodes
        and logs."""
        return (status is not None and [n["state"] for n in status["storage"]] == ["up"] * len(self.storage)
                and {log["name"] for log in status["logs"]} == set(logs)
                and [q["role"] for q in status["sequencers"]].count("leader") == 1
                and all(q["role"] in ("leader", "follower") for q in status["sequencers"])
                and all(r["state"] == "streaming" and r["durable"] >= log["committed"] for log in status["logs"] for r in log["replicas"]))

    def wait_whole(self, logs, timeout=60):
        """Waits until is_whole(); returns the status."""
        deadline = time.monotonic() + timeout
        while not self.is_whole(status := self.try_status(), logs):
            if time.monotonic() > deadline:
                raise AssertionError(f"not whole within {timeout} s: {json.dumps(status)}")
            time.sleep(0.05)
        return status

    def leader(self, timeout=20):
        """Waits for a leader; returns its name."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            result = self.run("status", "--json", check=False)
            if result.returncode == 0:
                for s in json.loads(result.stdout)["sequencers"]:
                    if s["role"] == "leader":
                        return f"seq{s['id']}"
            time.sleep(0.05)
        raise AssertionError("no leader")

    def create(self, log, *options, timeout=30):
        """Creates a log, and repeats until the cluster takes the request."""
        deadline = time.monotonic() + timeout
        while True:
            result = self.run("logs", "create", log, *options, check=False)
            if result.returncode == 0 or b"exists" in result.stderr:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"logs create {log}: {result.stderr.decode(errors='replace')}")
            time.sleep(0.1)

    def read_all(self, log, *options):
        out = self.run("read", log, "--format", "json", *options, timeout=180).stdout
        return [json.loads(line) for line in out.splitlines()]

    # ---- segment files
    def segments(self, node):
        return {p.relative_to(self.data(node) / "logs"): p for p in sorted((self.data(node) / "logs").glob("*/*.seg"))}

    def wait_identical(self, log, timeout=30):
        """Waits until all replicas hold the same bytes behind the segment headers and below
        committed."""
        deadline = time.monotonic() + timeout
        while True:
            info = next(l for l in self.status()["logs"] if l["name"] == log)
            problem = self.difference(info["committed"])
            if problem is None and all(r["durable"] >= info["committed"] for r in info["replicas"]):
                return info
            if time.monotonic() > deadline:
                raise AssertionError(f"replicas differ: {problem or info}")
            time.sleep(0.3)

    def difference(self, committed):
        """The first difference between the nodes' segment files, or None."""
        nodes = list(self.storage)
        sets = [self.segments(n) for n in nodes]
        for name in sets[0]:
            first = int(name.stem)
            if first >= committed:
                continue
            want = None
            for node, files in zip(nodes, sets):
                if name not in files:
                    return f"{node} lacks {name}"
                body = files[name].read_bytes()[4096:4096 + committed - first].rstrip(b"\0")
                if want is None:
                    want = body
                elif body != want:
                    return f"{node} differs in {name}"
        return None


def make_library(compiler, source, path):
    """Compiles C to a library that preloaded() takes."""
    subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", path, "-ldl"], input=source.encode(), check=True)


def preloaded(command, library, **environment):
    """The command with the library loaded before all others."""
    # because the sanitizer's library wants to be loaded first
    sanitizer = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
    return ["env", f"LD_PRELOAD={library}", *(f"{k}={v}" for k, v in environment.items()), f"ASAN_OPTIONS={sanitizer}", *command]


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def until(condition, what, timeout=20):
    """Fails with `what`, a sentence or a function that makes it, if the condition does not come true
    within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        check(time.monotonic() < deadline, what() if callable(what) else what)
        time.sleep(0.05)
