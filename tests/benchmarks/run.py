#!/usr/bin/env python3
"""Benchmark: the main table. A local cluster of 3 sequencers and 3 storage nodes as processes on
loopback, and peer systems beside it, in alternation.

    LOGLOG_BIN=build/release/bin tests/benchmarks/run.py [--rounds 3] [--seconds 5]
        [--only append-1k-256,...] [--peers DIR [--peer-configs etcd,redis-w1]] [--json
        FILE]

DIR holds a runner of peer clusters (run.py OUT.jsonl CONFIG ... that writes JSON lines). Without it
only this project is measured; a peer whose packages are missing is skipped with a message.
In each round every load runs once on each system, each on a fresh cluster; the order changes from
round to round.
Prints Markdown: median [least-most] of the rounds; CPU in seconds for 100 000 entries; memory of
all servers together. The last column says how many times better this project is than the peer, by
the figure in bold. Machines are noisy: compare only figures of the same run."""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
NODES = [f"{kind}-{i}" for kind in ("storage", "sequencer") for i in (1, 2, 3)]
OURS = "LogLog"

def many(logs, in_flight):
    """A load over many logs. The peers' runner has no such load."""
    return (f"{logs} logs, {in_flight} in flight", ["append", "--logs", logs, "--in-flight", in_flight], None, "per_s")


def small(clients):
    """A load of many clients with an append in flight each, all to one log."""
    return (f"{clients} clients, 1 in flight each", ["append", "--clients", clients, "--in-flight", clients], ("append", 1024, clients), "per_s")


# load: (description, our bench, the peers' part with size and in flight or None, the figure that
# counts)
LOADS = {
    "append-1k-256": ("append 1 KiB, 256 in flight", ["append", "--size", 1024, "--in-flight", 256], ("append", 1024, 256), "per_s"),
    "append-128-256": ("append 128 B, 256 in flight", ["append", "--size", 128, "--in-flight", 256], ("append", 128, 256), "per_s"),
    "append-64k-16": ("append 64 KiB, 16 in flight", ["append", "--size", 65536, "--in-flight", 16], ("append", 65536, 16), "mb_s"),
    "append-1k-1": ("append 1 KiB, 1 in flight", ["append", "--size", 1024, "--in-flight", 1], ("append", 1024, 1), "p50_us"),
    "follow-1k-1": ("append → delivered, 1 KiB, 1 in flight", ["follow", "--size", 1024, "--in-flight", 1], ("tail", 1024, 1), "p50_us"),
    "read-1k": ("catch up, 1 KiB entries", ["catchup", "--size", 1024], ("catchup", 1024, 1), "mb_s"),
    "append-1k-1000": ("append 1 KiB, 1000 in flight", ["append", "--size", 1024, "--in-flight", 1000], ("append", 1024, 1000), "per_s"),
    "logs-10-1000": many(10, 1000),
    "logs-100-1000": many(100, 1000),
    "logs-100-256": many(100, 256),
    "logs-1000-1000": many(1000, 1000),
    "logs-4000-1": many(4000, 1),
    "clients-200": small(200),
    "clients-1000": small(1000),
}
COLUMNS = {"per_s": ("entries/s", 0), "mb_s": ("MB/s", 1), "p50_us": ("p50 µs", 0), "p99_us": ("p99 µs", 0),
           "server_cpu": ("server CPU s", 2), "storage_cpu": ("of it storage nodes", 2), "client_cpu": ("client CPU s", 2), "memory_mb": ("memory MB", 0)}


class LocalCluster:
    """samples/local_cluster.sh in a folder of its own."""

    def __init__(self, binaries, port):
        self.dir = tempfile.TemporaryDirectory(prefix="loglog-bench-")
        self.env = dict(os.environ, LOGLOG_BIN=str(binaries), LOGLOG_DIR=self.dir.name, LOGLOG_PORT=str(port))
        self.addresses = ",".join(f"127.0.0.1:{port + i}" for i in range(3))

    def script(self, *args):
        subprocess.run([ROOT / "samples/local_cluster.sh", *args], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        try:
            self.script("start")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.script("destroy")
        self.dir.cleanup()

    def pids(self):
        return [int((pathlib.Path(self.dir.name) / f"{n}.pid").read_text()) for n in NODES]

    def cpu_s(self):
        """CPU seconds of all storage nodes, and of all sequencers."""
        fields = [pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self.pids()]
        used = [(int(f[11]) + int(f[12])) / TICKS for f in fields]
        return sum(used[:3]), sum(used[3:])

    def memory_mb(self):
        return sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids()) * os.sysconf("SC_PAGE_SIZE") / 1e6


def with_logs(c, o, bench):
    """Makes the logs of a load over many logs, and appends to them for a second, before anything is
    counted: the first append to a log makes its files."""
    if "--logs" not in bench:
        return bench
    subprocess.run([str(a) for a in [o.bin / "loglog", "bench", *bench, "--log", "bench", "--seconds", "1s", "--cluster", c.addresses]],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    return [*bench, "--log", "bench"]


def measure(o, bench):
    with LocalCluster(o.bin, o.port) as c:
        bench = with_logs(c, o, bench)
        storage, sequencers = c.cpu_s()
        out = subprocess.run([str(a) for a in [o.bin / "loglog", "bench", *bench, "--seconds", o.seconds, "--json", "--cluster", c.addresses]],
                             check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=o.seconds * 10 + 60).stdout
        r = json.loads(out.splitlines()[-1])
        per_100k = 100_000 / max(1, r["entries"])
        storage, sequencers = (after - before for after, before in zip(c.cpu_s(), (storage, sequencers)))
        return {"per_s": r["entries_per_s"], "mb_s": r["mb_per_s"], "p50_us": r["p50_us"], "p99_us": r["p99_us"],
                "server_cpu": (storage + sequencers) * per_100k, "storage_cpu": storage * per_100k, "client_cpu": r["client_cpu_s"] * per_100k, "memory_mb": c.memory_mb()}


def measure_peer(o, config, part, size, in_flight):
    """Returns None if the peer's runner cannot run the load."""
    with tempfile.TemporaryDirectory(prefix="loglog-bench-") as d:
        out = pathlib.Path(d) / "rows.jsonl"
        ran = subprocess.run([str(a) for a in [sys.executable, o.peers / "run.py", out, config, "--parts", part, "--sizes", size, "--concs", in_flight,
                                               "--secs", o.seconds, "--runs", 1, "--count", 100_000, "--gate", 2, "--tries", 1]],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=900)
        rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    rows = [r for r in rows if r["part"] == part and r["conc"] == in_flight and r["run"] != 99]
    if ran.returncode != 0 or not rows:
        print(f"run.py: {config}, {part}: left out: {(ran.stderr.strip().splitlines() or ['it gave no figures'])[-1]}", file=sys.stderr)
        return None
    r = rows[-1]
    latency = "del" if part == "tail" else "ack"
    return {"per_s": r["rate"], "mb_s": r["mbps"], "p50_us": r.get(f"{latency}_p50_us"), "p99_us": r.get(f"{latency}_p99_us"),
            "server_cpu": r["srv_cpu_per_100k"], "client_cpu": r["cli_cpu"] * 100_000 / max(1, r["total_ops"]), "memory_mb": r["rss_mb"]}


def fdatasync_us():
    """The median of a 4 KiB write with fdatasync on the clusters' disk: every acknowledged append
    waits for at least this."""
    with tempfile.NamedTemporaryFile(prefix="loglog-bench-") as f:
        times = []
        for _ in range(100):
            begin = time.monotonic()
            os.pwrite(f.fileno(), b"x" * 4096, 0)
            os.fdatasync(f.fileno())
            times.append((time.monotonic() - begin) * 1e6)
    return statistics.median(times)


def spread(values, digits):
    values = [v for v in values if v is not None]
    if len(values) < 2:
        return f"{values[0]:,.{digits}f}" if values else ""
    return f"{statistics.median(values):,.{digits}f} [{min(values):,.{digits}f}–{max(values):,.{digits}f}]"


def times_better(ours, theirs, figure):
    ours, theirs = (statistics.median(r[figure] for r in runs) for runs in (ours, theirs))
    return theirs / ours if figure.endswith("_us") else ours / theirs


def print_table(results, systems):
    print(f"| load | system | {' | '.join(f'{name}' for name, _ in COLUMNS.values())} | {OURS} is better by |")
    print(f"|---|---|{'---|' * (len(COLUMNS) + 1)}")
    for load, (title, _, _, figure) in LOADS.items():
        for system in systems:
            runs = results.get((load, system))
            if not runs:
                continue
            cells = [spread([r.get(k) for r in runs], digits) for k, (_, digits) in COLUMNS.items()]
            cells = [f"**{cell}**" if k == figure and cell else cell for k, cell in zip(COLUMNS, cells)]
            better = "" if system == OURS else f"{times_better(results[load, OURS], runs, figure):.1f} ×"
            print(f"| {title} | {system} | {' | '.join(cells)} | {better} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", type=pathlib.Path, default=os.environ.get("LOGLOG_BIN", ROOT / "build/release/bin"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--only", default=",".join(LOADS))
    p.add_argument("--port", type=int, default=27070)
    p.add_argument("--peers", type=pathlib.Path)
    p.add_argument("--peer-configs", default="etcd,redis-w1")
    p.add_argument("--json", type=pathlib.Path)
    o = p.parse_args()
    if unknown := set(o.only.split(",")) - set(LOADS):
        sys.exit(f"run.py: {', '.join(sorted(unknown))} is none of {', '.join(LOADS)}")
    loads = [name for name in LOADS if name in o.only.split(",")]
    systems = [OURS, *(o.peer_configs.split(",") if o.peers else [])]
    results, left_out = {}, set()
    for round_number in range(o.rounds):
        turn = round_number % len(systems)
        for load in loads:
            _, bench, part, _ = LOADS[load]
            for system in systems[turn:] + systems[:turn]:
                if (load, system) in left_out:
                    continue
                print(f"round {round_number + 1} of {o.rounds}: {load}, {system}", file=sys.stderr)
                run = measure(o, bench) if system == OURS else measure_peer(o, system, *part) if part else None
                if run is None:
                    left_out.add((load, system))
                else:
                    results.setdefault((load, system), []).append(run)
    peers = f" --peers DIR --peer-configs {o.peer_configs}" if o.peers else ""
    print(f"{time.strftime('%Y-%m-%d')}: {os.cpu_count()} cores, Linux {'.'.join(platform.release().split('.')[:2])}, a 4 KiB write with fdatasync "
          f"takes {fdatasync_us():.0f} µs. `tests/benchmarks/run.py --rounds {o.rounds} --seconds {o.seconds:g}{peers}`.\n")
    print_table(results, systems)
    if o.json:
        o.json.write_text(json.dumps({f"{load}, {system}": runs for (load, system), runs in results.items()}, indent=1))


main()
