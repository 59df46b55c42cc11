#!/usr/bin/env python3
"""The figures that nodes serve over HTTP: they move with the events that they count, have the names
that Prometheus and the READMEs know, and come with health and readiness."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from cluster import BIN, Cluster, check, free_ports

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')


class Watched(Cluster):
    """A cluster whose nodes serve HTTP."""

    def __init__(self, **options):
        super().__init__(**options)
        names = [*self.sequencers, *self.storage]
        self.http = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)))}

    def command(self, name):
        return [*super().command(name), "--http", self.http[name]]

    def get(self, name, path):
        try:
            with urllib.request.urlopen(f"http://{self.http[name]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except (urllib.error.URLError, ConnectionError) as e:  # the node has just been started
            return 0, str(e)

    def figures(self, name):
        """Returns {(name, {label: value} as sorted pairs): number}."""
        code, text = self.get(name, "/metrics")
        check(code == 200, f"{name} /metrics: {code} {text}")
        out = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            found = SAMPLE.match(line)
            check(found, f"{name} serves what is no sample: {line}")
            labels = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or "")))
            check((found[1], labels) not in out, f"{name} serves a series twice: {line}")
            out[found[1], labels] = float(found[3])
        return out

    def log_bytes(self, node):
        """The bytes of the node's log files, including files that wait to be used."""
        return sum(p.stat().st_size for p in (self.data(node) / "logs").glob("*/*") if p.name == "next" or p.suffix == ".seg")

    def figure(self, at, family, **labels):
        """The sum of all series of this name with these labels, or 0 if there is none."""
        wanted = set(labels.items())
        return sum(v for (n, has), v in self.figures(at).items() if n == family and wanted <= set(has))


def eventually(what, look, timeout=60):
    """Waits for the first true value of look() and returns it."""
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        check(time.monotonic() < deadline, f"in {timeout} s: {what}")
        time.sleep(0.1)


def families(text):
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))


def client_text():
    r = subprocess.run([str(BIN / "client_figures"), "--text"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    check(r.returncode == 0, f"client_figures --text: {r.returncode} {r.stderr}")
    return r.stdout


def names_are_documented(c):
    """The names and types that a node serves, or a client writes, are those that its README lists.
    """
    for node, readme, text in (("node1", "storage-node/README.md", c.get("node1", "/metrics")[1]),
                               ("seq1", "sequencer/README.md", c.get("seq1", "/metrics")[1]), ("a client", "sdk/README.md", client_text())):
        served = families(text)
        listed = dict(re.findall(r"^\| `((?:loglog|process)_\w+)`[^|]*\| (counter|gauge|histogram) \|", (ROOT / readme).read_text(), re.M))
        check(served == listed, f"{readme} and {node} differ: {set(served.items()) ^ set(listed.items())}")


def promtool_takes_it(c):
    if shutil.which("promtool") is None:
        check(False, "promtool is missing: install the Debian package prometheus")
    pages = {node: c.get(node, "/metrics")[1] for node in c.http}
    for node, text in (*pages.items(), ("a client", client_text())):
        r = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        check(r.returncode == 0 and not r.stdout, f"promtool on {node}: {r.returncode} {r.stdout.decode()}")
    r = subprocess.run(["promtool", "check", "metrics"], input=b"# TYPE bad counter\nbad 1\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=60)
    check(r.returncode != 0, "positive control: promtool complains of a counter without _total and help")


def appends_are_counted(c, leader):
    entries = [f"entry {i}" for i in range(200)]
    sent = sum(len(e) for e in entries)
    before = {n: c.figures(n) for n in c.storage}
    committed = c.figure(leader, "loglog_sequencer_appended_entries_total")
    c.run("append", "events", input="\n".join(entries).encode() + b"\n")
    f = c.figures(leader)
    check(f["loglog_sequencer_appended_entries_total", ()] - committed == 200, "the leader counts what was appended")
    check(f["loglog_sequencer_appended_bytes_total", ()] >= sent + 44 * 200, "and its bytes, frames and all")
    runs = f["loglog_sequencer_appended_runs_total", ()]
    check(f["loglog_sequencer_commit_duration_seconds_count", ()] == runs > 0, "each run has its commit latency")
    check(f["loglog_sequencer_commit_duration_seconds_sum", ()] > 0, "which takes time")

    def written_everywhere():
        for n in c.storage:
            now = c.figures(n)
            grown = {k: now[k, ()] - before[n][k, ()] for k in ("loglog_storage_appended_entries_total", "loglog_storage_uploaded_bytes_total",
                                                                "loglog_storage_fdatasync_duration_seconds_count")}
            if grown["loglog_storage_appended_entries_total"] != 200:
                return False
            check(grown["loglog_storage_uploaded_bytes_total"] >= sent + 44 * 200, f"{n} counts the bytes that came: {grown}")
            check(grown["loglog_storage_fdatasync_duration_seconds_count"] > 0, f"{n} counts its fdatasyncs: {grown}")
            check(now["loglog_storage_group_size_bytes_sum", ()] >= sent + 44 * 200, f"{n} counts its groups")
        return True

    eventually("every storage node has written the 200 entries", written_everywhere)
    for n in c.storage:
        eventually(f"{n} says what the files of its logs take", lambda n=n: c.figure(n, "loglog_storage_log_disk_bytes") == c.log_bytes(n))
    eventually("the leader tells it of each replica", lambda: all(
        r["disk_bytes"] == c.log_bytes(f"node{r['id']}") for r in json.loads(c.run("status", "--json").stdout)["logs"][0]["replicas"]))
    eventually("nothing is staged any more", lambda: all(c.figure(n, "loglog_storage_staged_bytes") == 0 for n in c.storage))
    log = next(l for l in c.status()["logs"] if l["name"] == "events")
    check(c.figure(leader, "loglog_sequencer_log_committed_offset_bytes", name="events") == log["committed"], "the committed offset is shown")
    eventually("storage nodes know it too", lambda: all(
        c.figure(n, "loglog_storage_log_committed_offset_bytes", name="events") == log["committed"] for n in c.storage))
    c.run("read", "events", "--count", "200")
    check(sum(c.figure(n, "loglog_storage_read_bytes_total") for n in c.storage) >= sent, "what was read is counted")


def refusals_are_counted(c, leader):
    """A follower refuses requests that only a leader answers; a used name is refused too."""
    check(c.run("logs", "create", "events", check=False).returncode != 0, "the log is there already")
    check(c.figure(leader, "loglog_sequencer_refused_requests_total", error="log_exists") >= 1, "the refusal is counted by its error")


def lag_grows(c, leader):
    c.kill("node2")
    for _ in range(3):
        c.run("append", "events", input=b"while one is dead\n" * 50)
    lag = lambda what: c.figure(leader, f"loglog_sequencer_replica_lag_{what}", name="events", node="2")
    eventually("the dead replica lags by 150 entries", lambda: lag("bytes") >= 150 * (44 + len("while one is dead")))
    first = eventually("and by some time", lambda: lag("seconds"))
    eventually("which grows", lambda: lag("seconds") > first + 1)
    check(c.figure(leader, "loglog_sequencer_replica_lag_bytes", name="events", node="1") == 0, "a live one does not lag")
    check(c.figure(leader, "loglog_sequencer_storage_nodes") == 3, "all are registered")
    eventually("one is unreachable", lambda: c.figure(leader, "loglog_sequencer_storage_nodes", state="unreachable") == 1)
    c.start("node2")
    eventually("it catches up", lambda: lag("bytes") == 0 and lag("seconds") == 0)
    eventually("by copying, and says so", lambda: c.figure("node2", "loglog_storage_peer_copied_bytes_total") > 0)
    eventually("it is ready again", lambda: c.get("node2", "/readyz")[0] == 200)


def elections_are_counted(c, leader):
    rest = [s for s in c.sequencers if s != leader]
    won = sum(c.figure(s, "loglog_sequencer_elections_won_total") for s in rest)
    term = c.figure(leader, "loglog_sequencer_term")
    c.kill(leader)
    new = eventually("another one leads", lambda: next((s for s in rest if c.figure(s, "loglog_sequencer_leads") == 1), None))
    check(sum(c.figure(s, "loglog_sequencer_elections_won_total") for s in rest) > won, "it won an election")
    check(c.figure(new, "loglog_sequencer_term") > term, "in a higher term")
    eventually("the storage nodes are sealed in it", lambda: all(
        c.figure(n, "loglog_storage_promised_term") == c.figure(new, "loglog_sequencer_term") for n in c.storage))
    c.start(leader)
    eventually("the old one follows", lambda: c.get(leader, "/readyz") == (200, f"ready: follows sequencer {new[3:]}\n"))
    return new


def health(c, leader):
    for n in c.http:
        check(c.get(n, "/healthz") == (200, "alive\n"), f"{n} lives")
        eventually(f"{n} is ready", lambda: c.get(n, "/readyz")[0] == 200)
    check(c.get(leader, "/readyz")[1].startswith("ready: leads in term "), "the leader says so")
    check(c.get("node1", "/nothing")[0] == 404, "what is not there is not found")
    rest = [s for s in c.sequencers if s != leader]
    for s in rest:
        c.kill(s)
    eventually("a leader without a majority is not ready", lambda: c.get(leader, "/readyz")[0] == 503)
    c.kill(leader)
    eventually("nor is a storage node without any sequencer", lambda: c.get("node1", "/readyz")[0] == 503)
    check("not ready: " in c.get("node1", "/readyz")[1], "and says why")
    check(c.get("node1", "/healthz")[0] == 200, "but lives")
    for s in (leader, *rest):
        c.start(s)
    for n in c.http:
        eventually(f"{n} is ready again", lambda: c.get(n, "/readyz")[0] == 200)


def prometheus_scrapes(c):
    """A real Prometheus scrapes all six targets and returns a figure on a query."""
    with tempfile.TemporaryDirectory(prefix="loglog-prometheus-") as d:
        config, log = pathlib.Path(d) / "prometheus.yml", pathlib.Path(d) / "log"
        targets = ", ".join(f'"{a}"' for a in c.http.values())
        config.write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                          f"scrape_configs: [{{job_name: loglog, static_configs: [{{targets: [{targets}]}}]}}]\n")
        where = f"127.0.0.1:{free_ports(1)[0]}"
        with log.open("wb") as out:
            p = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={d}/data", f"--web.listen-address={where}"],
                                 stdout=out, stderr=out)
        try:
            def ask(query):
                check(p.poll() is None, f"prometheus runs: {log.read_text()[-2000:]}")
                url = f"http://{where}/api/v1/query?" + urllib.parse.urlencode({"query": query})
                try:
                    with urllib.request.urlopen(url, timeout=10) as answer:
                        return json.load(answer)["data"]["result"]
                except (urllib.error.URLError, ConnectionError):  # Prometheus does not listen yet
                    return []

            eventually("six targets are up", lambda: len(ask("up == 1")) == 6)
            total = eventually("it knows how much was appended", lambda: ask("sum(loglog_storage_appended_entries_total)"))
            check(float(total[0]["value"][1]) >= 400, f"what Prometheus has is what was served: {total}")
        finally:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(timeout=30)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()


def main():
    with Watched() as c:
        leader = c.leader()
        c.create("events")
        c.create("a/log.of-its_own")
        health(c, leader)
        leader = c.leader()
        appends_are_counted(c, leader)
        refusals_are_counted(c, leader)
        names_are_documented(c)
        lag_grows(c, leader)
        elections_are_counted(c, leader)
        promtool_takes_it(c)
        prometheus_scrapes(c)
    print("metrics: ok")


if __name__ == "__main__":
    main()
