#!/usr/bin/env python3
"""The files of samples/deploy against the programs: the Dockerfile, compose.yaml and the Kubernetes
manifests.
The servers must take every environment variable of the files; names, ports, numbers, volumes and
probes must fit each other; the six services of compose.yaml must form a cluster.
prometheus.yaml must fit the local cluster, and each rule of alerts.yaml must fire on a series that
calls for it and stay silent on a healthy series."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

import yaml
from cluster import BIN, check
from names import MOUNT, OWN, permitted

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "samples/deploy"
PREFIX = {"loglog-storage": "LOGLOG_STORAGE_", "loglog-sequencer": "LOGLOG_SEQUENCER_"}
DATA = "/var/lib/loglog"
USER = re.search(r"--uid (\d+)", (DEPLOY / "Dockerfile").read_text())[1]


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def clean(environment):
    return {**{k: v for k, v in os.environ.items() if not k.startswith("LOGLOG_")}, **{k: str(v) for k, v in environment.items()}}


def options_of(program):
    text = subprocess.run([BIN / program, "--help"], stdout=subprocess.PIPE, text=True, timeout=20).stdout
    return {PREFIX[program] + o.upper().replace("-", "_") for o in re.findall(r"^  (?:-\w,)?--([a-z-]+)", text, re.M)}


def same_group(nodes):
    """nodes: {host: (program, environment)}. All sequencers must name every server by its number,
    host and port, and no others."""
    for program, option in (("loglog-sequencer", "LOGLOG_SEQUENCER_SEQUENCERS"), ("loglog-storage", "LOGLOG_SEQUENCER_STORAGE")):
        true = {f"{e[PREFIX[program] + 'ID']}={h}:{port_of(e[PREFIX[program] + 'LISTEN'])}" for h, (p, e) in nodes.items() if p == program}
        check(len(true) == 3, f"three of {program}: {true}")
        for host, (p, e) in nodes.items():
            check(p != "loglog-sequencer" or set(e[option].split(",")) == true, f"{host}: {option} names {true}")
    check(len({e[PREFIX[p] + "CLUSTER_NAME"] for p, e in nodes.values()}) == 1, "one cluster name")
    for host, (program, e) in nodes.items():
        check(set(e) <= options_of(program), f"{host}: {set(e) - options_of(program)} are no options of {program}")
        check(e[PREFIX[program] + "DATA"].startswith(DATA + "/"), f"{host}: its data is on its volume")


# ---- compose
def compose_nodes():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = {n: s for n, s in compose["services"].items() if n != "client"}
    nodes = {n: (s["command"][0], s["environment"]) for n, s in services.items()}
    same_group(nodes)
    published = []
    for name, s in services.items():
        program, e = nodes[name]
        http = port_of(e[PREFIX[program] + "HTTP"])
        check(s["healthcheck"]["test"] == ["CMD", "loglog-healthcheck", str(http)], f"{name}: its health is asked at {http}")
        volume, path = s["volumes"][0].split(":")
        check(path == DATA and volume == name and volume in compose["volumes"], f"{name}: a volume of its own at {DATA}")
        for p in s.get("ports", []):
            where, outside, inside = p.rsplit(":", 2)
            check(where == "127.0.0.1" and int(inside) == http, f"{name}: publishes its pages, on this machine alone: {p}")
            published.append(outside)
    check(len(published) == len(set(published)) == 3, f"each port is published once: {published}")
    named = {f"{n}:{port_of(e[PREFIX[p] + 'LISTEN'])}" for n, (p, e) in nodes.items()}
    check(set(compose["services"]["client"]["environment"]["LOGLOG_CLUSTER"].split(",")) == named, f"clients are given {named}")
    return nodes


def compose_runs(nodes):
    """Runs the services as processes on addresses of their own instead of containers. A private
    /etc/hosts maps the names."""
    if (why := permitted()) is not None:
        print(f"deploy_files: compose.yaml was not run, no mount namespace of one's own is permitted here ({why})")
        return
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        at = {name: f"127.0.77.{i + 1}" for i, name in enumerate(nodes)}
        (d / "hosts").write_text("".join(f"{a} {n}\n" for n, a in at.items()))
        (d / "nsswitch.conf").write_text("hosts: files\n")

        def inside(*words, **environment):
            return {"args": [*OWN, "sh", "-c", MOUNT, "sh", str(d), *map(str, words)], "env": clean(environment)}

        running = []
        try:
            for name, (program, e) in nodes.items():
                p = PREFIX[program]
                own = {**e, p + "DATA": d / name, p + "LISTEN": f"{at[name]}:{port_of(e[p + 'LISTEN'])}",
                       p + "HTTP": f"{at[name]}:{port_of(e[p + 'HTTP'])}"}
                with open(d / f"{name}.log", "wb") as log:
                    running.append(subprocess.Popen(**inside(BIN / program, **own), stdout=log, stderr=log))
            cluster = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["client"]["environment"]

            def loglog(*words, **kw):
                return subprocess.run(**inside(BIN / "loglog", *words, **cluster), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **kw)

            deadline = time.monotonic() + 40
            while (r := loglog("status", "--json")).stdout.count(b'"state": "up"') != 3:
                check(time.monotonic() < deadline, f"three storage nodes are up: {r.stdout.decode()} {r.stderr.decode()}")
                time.sleep(0.2)
            r = loglog("append", "events", "--create", input=b"one\ntwo\n")
            check(r.returncode == 0 and loglog("read", "events").stdout == b"one\ntwo\n", f"an append is read back: {r.stderr.decode()}")

            script = (DEPLOY / "healthcheck").read_text()
            check("/dev/tcp/127.0.0.1/" in script, "the health check asks its own machine")

            def healthy(address, port, path):
                (d / "healthcheck").write_text(script.replace("/dev/tcp/127.0.0.1/", f"/dev/tcp/{address}/"))
                return subprocess.run(["bash", str(d / "healthcheck"), str(port), path], stderr=subprocess.DEVNULL, timeout=20).returncode == 0

            for name, (program, e) in nodes.items():
                http = port_of(e[PREFIX[program] + "HTTP"])
                check(healthy(at[name], http, "/healthz"), f"{name} is healthy")
                check(not healthy(at[name], http, "/nothing"), f"{name}: another answer than 200 is not healthy")
            running[0].kill()
            running[0].wait()
            check(not healthy(at[next(iter(nodes))], 9081, "/healthz"), "a node that has gone is not healthy")
        except AssertionError:
            for name in nodes:
                print(f"--- {name}\n{(d / f'{name}.log').read_text()[-1500:]}")
            raise
        finally:
            for p in running:
                p.terminate()
            for p in running:
                p.wait(timeout=20)


# ---- Kubernetes
def environment_in_pod(container, pod, d):
    """The environment that the container's command gives its server. The server only checks its
    options here."""
    program = re.search(r"exec (loglog-\w+)$", container["command"][2])[1]
    (d / program).write_text(f'#!/bin/sh\nenv | grep ^LOGLOG_\nexec {(BIN / program).resolve()} --check-config\n')
    (d / program).chmod(0o755)
    given = clean({e["name"]: e["value"] for e in container["env"]})
    r = subprocess.run(container["command"], env={**given, "HOSTNAME": pod, "PATH": f"{d}:{given['PATH']}"}, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=20)
    check(r.returncode == 0, f"{pod}: {program} takes its options: {r.stdout}")
    return program, dict(line.split("=", 1) for line in r.stdout.splitlines() if line.startswith("LOGLOG_"))


def kubernetes(d):
    files = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())["resources"]
    check(sorted(files) == sorted(p.name for p in (DEPLOY / "kubernetes").glob("*.yaml") if p.name != "kustomization.yaml"), "all files are applied")
    found = {}
    for file in files:
        for x in yaml.safe_load_all((DEPLOY / "kubernetes" / file).read_text()):
            found[x["kind"], x["metadata"]["name"]] = x
    nodes = {}
    for (kind, name), x in found.items():
        if kind != "StatefulSet":
            continue
        spec, template = x["spec"], x["spec"]["template"]
        labels, pod = template["metadata"]["labels"], template["spec"]
        check(spec["selector"]["matchLabels"] == labels, f"{name} selects its pods")
        budget = found["PodDisruptionBudget", name]["spec"]
        check(budget["selector"]["matchLabels"] == labels and budget["maxUnavailable"] == 1, f"{name}: one at a time may be disturbed")
        apart = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
        check(apart["labelSelector"]["matchLabels"] == labels and apart["topologyKey"] == "kubernetes.io/hostname", f"{name}: on machines apart")
        spread = pod["topologySpreadConstraints"][0]
        check(spread["labelSelector"]["matchLabels"] == labels and spread["topologyKey"] == "topology.kubernetes.io/zone", f"{name}: over zones")
        check({pod["securityContext"][k] for k in ("runAsUser", "runAsGroup", "fsGroup")} == {int(USER)}, f"{name} runs as the image's user")
        service = found["Service", spec["serviceName"]]["spec"]
        check(service["selector"] == labels and service["clusterIP"] == "None" and service["publishNotReadyAddresses"] is True,
              f"{name}: its service names each pod, ready or not")
        server = next(c for c in [*pod.get("initContainers", []), *pod["containers"]] if "exec loglog-" in c["command"][-1])
        check(server in pod["containers"] or server["restartPolicy"] == "Always", f"{name}: its server stays")
        ports = {p["name"]: p["containerPort"] for p in server["ports"]}
        check(ports == {p["name"]: p["port"] for p in service["ports"]}, f"{name}: service and container have the same ports")
        policy = found["NetworkPolicy", name]["spec"]
        check(policy["podSelector"]["matchLabels"] == labels and policy["policyTypes"] == ["Ingress"], f"{name}: a network policy of its own")
        check({p["port"] for rule in policy["ingress"] for p in rule["ports"]} == set(ports.values()), f"{name}: its policy opens its ports alone")
        peers = [f.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name") for f in policy["ingress"][0]["from"]]
        check({"orders", "loglog-storage"} <= set(peers), f"{name}: the cluster's own pods reach it")
        scraped = template["metadata"]["annotations"]
        check(scraped["prometheus.io/port"] == str(ports["http"]) and scraped["prometheus.io/path"] == "/metrics", f"{name}: scraped at its pages")
        check(server["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}, f"{name}: alive")
        check(server["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}, f"{name}: ready")
        mounts = {m["name"]: m["mountPath"] for m in server["volumeMounts"]}
        check(mounts == {c["metadata"]["name"]: DATA for c in spec["volumeClaimTemplates"]}, f"{name}: a volume of its own at {DATA}")
        for c in [*pod.get("initContainers", []), *pod["containers"]]:
            s = c["securityContext"]
            check(not s["allowPrivilegeEscalation"] and s["readOnlyRootFilesystem"] and s["capabilities"] == {"drop": ["ALL"]}, f"{name}: confined")
        for ordinal in range(spec["replicas"]):
            program, e = environment_in_pod(server, f"{name}-{ordinal}", d)
            prefix = PREFIX[program]
            check({port_of(e[prefix + "LISTEN"]), port_of(e[prefix + "HTTP"])} == set(ports.values()), f"{name}: listens where its ports say")
            check(e[prefix + "ID"] == str(ordinal + 1), f"{name}-{ordinal} is number {ordinal + 1}")
            nodes[f"{name}-{ordinal}.{spec['serviceName']}"] = (program, e)
    same_group(nodes)
    app = next(c for c in found["StatefulSet", "orders"]["spec"]["template"]["spec"]["containers"] if c["name"] == "app")
    cluster = app["env"][0]["value"].split(",")
    check(cluster[0] == "127.0.0.1:7071" and all(a.rsplit(":", 1)[0] in nodes for a in cluster[1:]), f"the application is given nodes: {cluster}")
    words = re.search(r"loglog (append.*)$", app["command"][2])[1].split()
    known = subprocess.run([BIN / "loglog", words[0], "--help"], stdout=subprocess.PIPE, text=True, timeout=20).stdout
    check(all(w in known for w in words if w.startswith("--")), f"loglog takes {words}")


def prometheus():
    """prometheus.yaml is valid and names the six addresses at which samples/local_cluster.sh serves
    pages."""
    r = subprocess.run(["promtool", "check", "config", DEPLOY / "prometheus.yaml"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    check(r.returncode == 0, f"promtool: {r.stdout}")
    port = int(re.search(r"port=\$\{LOGLOG_PORT:-(\d+)\}", (DEPLOY.parent / "local_cluster.sh").read_text())[1])
    jobs = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"]
    named = {j["job_name"]: j["static_configs"][0]["targets"] for j in jobs}
    expected = {"loglog-sequencer": port + 6, "loglog-storage": port + 9}
    check(named == {job: [f"127.0.0.1:{first + i}" for i in range(3)] for job, first in expected.items()}, f"targets: {named}")


# A healthy cluster as series with a value every 5 s, and for each rule the series that raise it.
# "aXn" repeats a n more times; "a+bXn" adds b each time.
WELL = {
    'up{job="loglog-sequencer", instance="s1"}': "1x240",
    'up{job="loglog-storage", instance="n1"}': "1x240",
    'loglog_sequencer_leads{instance="s1"}': "1x240",
    'loglog_sequencer_leads{instance="s2"}': "0x240",
    'loglog_sequencer_storage_nodes{instance="s1", state="up"}': "3x240",
    'loglog_sequencer_storage_nodes{instance="s1", state="unreachable"}': "0x240",
    'loglog_sequencer_storage_nodes{instance="s1", state="foreign_disk"}': "0x240",
    'loglog_sequencer_storage_nodes{instance="s1", state="refuses_leader"}': "0x240",
    'loglog_sequencer_run_twice{instance="s1"}': "0x240",
    'loglog_sequencer_logs{instance="s1"}': "7x240",
    'loglog_sequencer_logs{instance="s2"}': "7x240",
    'loglog_sequencer_open_logs{instance="s1"}': "7x240",
    'loglog_sequencer_open_logs{instance="s2"}': "0x240",
    'loglog_sequencer_halted_logs{instance="s1"}': "0x240",
    'loglog_sequencer_clock_off_seconds{instance="s1"}': "0.02x240",
    'loglog_sequencer_replica_lag_seconds{instance="s1", log="1", node="1"}': "0x240",
    'loglog_storage_suspect_logs{instance="n1"}': "0x240",
    'loglog_storage_lost_logs{instance="n1"}': "0x240",
    'loglog_storage_data_loss{instance="n1"}': "0x240",
    'loglog_storage_corruptions_found_total{instance="n1"}': "3x240",
    'loglog_storage_disk_errors_total{instance="n1"}': "0x240",
    'loglog_storage_refused_requests_total{instance="n1", error="busy"}': "9x240",
    'loglog_storage_refused_requests_total{instance="n1", error="no_space"}': "9x240",
    'loglog_storage_disk_free_bytes{instance="n1"}': "9000000000x240",
    'loglog_sequencer_refusing_logs{instance="s1"}': "0x240",
    'loglog_storage_fdatasync_duration_seconds_bucket{instance="n1", le="0.001"}': "0+100x240",
    'loglog_storage_fdatasync_duration_seconds_bucket{instance="n1", le="0.5"}': "0+100x240",
    'loglog_storage_fdatasync_duration_seconds_bucket{instance="n1", le="+Inf"}': "0+100x240",
}
RAISED = {
    "LoglogNoLeader": {'loglog_sequencer_leads{instance="s1"}': "0x240", 'loglog_sequencer_open_logs{instance="s1"}': "0x240"},
    "LoglogSequencerUnreachable": {'up{job="loglog-sequencer", instance="s1"}': "0x240"},
    "LoglogNodeUnreachable": {'up{job="loglog-storage", instance="n1"}': "0x240"},
    "LoglogNodeUnreachableForLeader": {'loglog_sequencer_storage_nodes{instance="s1", state="unreachable"}': "1x240"},
    "LoglogNodeForeignDisk": {'loglog_sequencer_storage_nodes{instance="s1", state="foreign_disk"}': "1x240"},
    "LoglogSequencersWentBack": {'loglog_sequencer_storage_nodes{instance="s1", state="refuses_leader"}': "1x240"},
    "LoglogSequencerTwice": {'loglog_sequencer_run_twice{instance="s1"}': "1x240"},
    "LoglogNodeSuspect": {'loglog_storage_suspect_logs{instance="n1"}': "1x240"},
    "LoglogDamageFound": {'loglog_storage_corruptions_found_total{instance="n1"}': "3x120 4x119"},
    "LoglogNodeDataLoss": {'loglog_storage_lost_logs{instance="n1"}': "1x240"},
    "LoglogDiskRefuses": {'loglog_storage_disk_errors_total{instance="n1"}': "0+1x240"},
    "LoglogAppendsRefused": {'loglog_sequencer_refusing_logs{instance="s1"}': "1x240"},
    "LoglogDiskFullSoon": {'loglog_storage_disk_free_bytes{instance="n1"}': "9000000000-5000000x240"},
    "LoglogStagingFull": {'loglog_storage_refused_requests_total{instance="n1", error="busy"}': "9+1x240"},
    "LoglogLogHalted": {'loglog_sequencer_halted_logs{instance="s1"}': "1x240"},
    "LoglogClocksDiffer": {'loglog_sequencer_clock_off_seconds{instance="s1"}': "86400x240"},
    "LoglogLogsNotOpen": {'loglog_sequencer_open_logs{instance="s1"}': "6x240"},
    "LoglogReplicaBehind": {'loglog_sequencer_replica_lag_seconds{instance="s1", log="1", node="1"}': "0+5x240"},
    "LoglogDiskSlow": {'loglog_storage_fdatasync_duration_seconds_bucket{instance="n1", le="0.001"}': "0+10x240"},
}


def alerts(d):
    """Every rule fires on its own condition and on no other, names a figure that a node serves, and
    has an alarm that is explained."""
    rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]
    check({r["alert"] for r in rules} == set(RAISED), "each rule has its case here")
    readmes = {n: (DEPLOY.parents[1] / n / "README.md").read_text() for n in ("sequencer", "storage-node")}
    for r in rules:
        for figure in re.findall(r"\bloglog_\w+", r["expr"]):
            check(f"`{figure.removesuffix('_bucket')}`" in readmes["sequencer"] + readmes["storage-node"], f"{r['alert']}: no node serves {figure}")
        check(f"\n### {r['labels']['alarm']}\n" in readmes["sequencer"], f"{r['alert']}: {r['labels']['alarm']} is explained")

    def case(series, *raised):
        return {"interval": "5s", "input_series": [{"series": k, "values": v} for k, v in series.items()],
                "promql_expr_test": [{"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "15m",
                                      "exp_samples": [{"labels": f'{{alertname="{a}"}}', "value": 1} for a in raised]}]}

    cases = [case(WELL)]
    for alert, series in RAISED.items():
        check(set(series) <= set(WELL), f"{alert}: its series are among those of a cluster that is well")
        cases.append(case(WELL | series, alert))
    silent = {k: v for k, v in WELL.items() if not k.startswith("loglog_sequencer")}
    cases.append(case(silent, "LoglogNoLeader"))

    def holds(cases):
        (d / "test.yaml").write_text(yaml.safe_dump({"rule_files": [str(DEPLOY / "alerts.yaml")], "evaluation_interval": "5s", "tests": cases}))
        return subprocess.run(["promtool", "test", "rules", d / "test.yaml"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)

    r = holds(cases)
    check(r.returncode == 0, f"promtool: {r.stdout}")
    check(holds([case(WELL, "LoglogNoLeader")]).returncode != 0, "positive control: promtool misses an alert that is not raised")


def dashboard():
    """dashboard.json draws figures that a node serves; each panel has a title and a unit."""
    board = json.loads((DEPLOY / "dashboard.json").read_text())
    readmes = "".join((DEPLOY.parents[1] / n / "README.md").read_text() for n in ("sequencer", "storage-node"))
    check(len(board["panels"]) >= 8, "panels")
    for p in board["panels"]:
        check(p["title"] and p["fieldConfig"]["defaults"]["unit"], f"panel {p['id']}: a title and a unit")
        for t in p["targets"]:
            figures = re.findall(r"\bloglog_\w+", t["expr"])
            check(figures, f"{p['title']}: draws a figure")
            for figure in figures:
                check(f"`{figure.removesuffix('_bucket')}`" in readmes, f"{p['title']}: no node serves {figure}")


def main():
    prometheus()
    dashboard()
    nodes = compose_nodes()
    compose_runs(nodes)
    with tempfile.TemporaryDirectory() as d:
        alerts(pathlib.Path(d))
        kubernetes(pathlib.Path(d))
    print("deploy_files: ok")


if __name__ == "__main__":
    main()
