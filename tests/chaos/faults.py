"""The faults of chaos runs. Each is a context manager that strikes on entry and heals on exit, so
that two can overlap. The run tells a fault which nodes it may touch, and prints its description
as a line."""

import contextlib
import os
import shutil
import signal
import time

from chaos_cluster import BIN, Violation

FAULTS = {}


def fault(weight, takes):
    """Registers a fault. `takes` says which nodes it needs: "storage", "small disk" or "any" for a
    node of that kind that no other fault holds, "all" for all nodes, "none".
    "all alone" is for a fault that strikes only if nothing else is wrong, because it waits for
    that.
    A " power" at the end means that it needs disks that can forget."""
    def register(function):
        FAULTS[function.__name__] = (weight, takes, contextlib.contextmanager(function))
        return function
    return register


def start(cluster, name):
    if name not in cluster.running:
        cluster.start(name)


def counts_as_up(cluster, name):
    status = cluster.try_status()
    return status is not None and any(n["state"] == "up" for n in status["storage"] if f"node{n['id']}" == name)


# ---- processes
@fault(6, "any")
def kill_9(cluster, random, node):
    cluster.kill(node)
    yield
    start(cluster, node)


@fault(3, "all")
def kill_9_leader_and_node(cluster, random, nodes):
    """Kills the leader and a storage node."""
    try:
        victims = [cluster.leader(timeout=5), random.choice(list(cluster.storage))]
    except AssertionError:
        victims = [random.choice(list(cluster.sequencers)), random.choice(list(cluster.storage))]
    for v in victims:
        cluster.kill(v)
    yield
    for v in victims:
        start(cluster, v)


@fault(4, "any")
def pause(cluster, random, node):
    cluster.running[node].send_signal(signal.SIGSTOP)
    yield
    cluster.running[node].send_signal(signal.SIGCONT)


@fault(1, "all")
def kill_9_of_all(cluster, random, nodes):
    order = list(nodes)
    random.shuffle(order)
    for n in order:
        cluster.kill(n)
    yield
    random.shuffle(order)
    for n in order:
        start(cluster, n)


@fault(1, "all")
def rolling_restart(cluster, random, nodes):
    """Stops every node in turn with SIGTERM; each comes back before the next."""
    order = list(nodes)
    random.shuffle(order)
    for n in order:
        code = cluster.kill(n, signal.SIGTERM)
        if code not in (0, -signal.SIGTERM):
            raise Violation(f"rolling restart: {n} ended with {code}: {cluster.log_of(n)[-600:]}")
        cluster.start(n)
        time.sleep(random.uniform(0.2, 1.5))
    yield


@fault(2, "none")
def client_dies(cluster, random, _):
    """Kills a producer with uploads and commits under way; another producer begins."""
    key = random.choice([k for k in cluster.recorders if k[1] == "producer"])
    cluster.end_recorder(key, sig=signal.SIGKILL)
    yield
    cluster.begin_producer(key[0], random, cluster.rate)


# ---- the network
def both_ways(some, others):
    return [(a, b) for a in some for b in others] + [(b, a) for a in some for b in others]


@contextlib.contextmanager
def cut(cluster, pairs):
    cluster.network.cut(pairs)
    yield
    cluster.network.mend(pairs)


@fault(4, "any")
def isolated(cluster, random, node):
    """Cuts a node off from all, clients too."""
    with cut(cluster, both_ways([node], [n for n in [*cluster.nodes, "clients"] if n != node])):
        yield


@fault(3, "all")
def split(cluster, random, nodes):
    """Splits the nodes into two halves that do not hear each other. Clients hear a single half or
    both."""
    order = list(nodes)
    random.shuffle(order)
    k = random.randrange(1, len(order))
    pairs = both_ways(order[:k], order[k:])
    side = random.choice([[], order[:k], order[k:]])
    with cut(cluster, pairs + both_ways(["clients"], side)):
        yield


@fault(4, "any")
def deaf(cluster, random, node):
    """The node sends and does not receive."""
    with cut(cluster, [(n, node) for n in [*cluster.nodes, "clients"] if n != node]):
        yield


@fault(4, "any")
def mute(cluster, random, node):
    """The node receives and is not heard."""
    with cut(cluster, [(node, n) for n in [*cluster.nodes, "clients"] if n != node]):
        yield


@fault(3, "none")
def one_way_cuts(cluster, random, _):
    """Cuts a few directed links, also between clients and nodes."""
    everyone = [*cluster.nodes, "clients"]
    pairs = [(a, b) for a in everyone for b in everyone if a != b]
    with cut(cluster, random.sample(pairs, random.randrange(1, 8))):
        yield


@fault(4, "any")
def slow_wire(cluster, random, node):
    """The node's packets come late, out of order, or not at all."""
    delay_ms = random.choice([1, 10, 50, 200])
    with cluster.network.slow_wire(BIN / "slow_wire", node, delay_ms, delay_ms * random.choice([0, 0.2, 1]), random.choice([0, 1, 5, 20])):
        yield


@fault(2, "none")
def slow_wire_to_clients(cluster, random, _):
    with cluster.network.slow_wire(BIN / "slow_wire", "clients", random.choice([1, 20, 100]), 5, random.choice([0, 1, 10])):
        yield


# ---- disks
def little_room(random):
    return random.choice([0, 1 << 16, 1 << 20, 3 << 20])


@fault(2, "small disk")
def full_disk(cluster, random, node):
    """Leaves a node little more space than it uses (K5)."""
    cluster.disks[node].leave_room(little_room(random))
    yield
    cluster.disks[node].leave_room(None)


@fault(1, "all")
def full_disks(cluster, random, nodes):
    """Fills so many disks that no write quorum has space: appends are refused."""
    full = random.sample(cluster.small_disks(), 2)
    for node in full:
        cluster.disks[node].leave_room(little_room(random))
    yield
    for node in full:
        cluster.disks[node].leave_room(None)


@fault(4, "any power")
def power_cut(cluster, random, node):
    """kill -9, and all unsynced bytes are gone (K1, D4, C3)."""
    cluster.kill(node)
    cluster.disks[node].forget(random)
    yield
    start(cluster, node)


@fault(2, "all power")
def power_cut_of_all(cluster, random, nodes):
    for n in nodes:
        cluster.running[n].send_signal(signal.SIGSTOP)  # so that all stop at the same moment
    for n in nodes:
        cluster.kill(n)
        cluster.disks[n].forget(random)
    yield
    order = list(nodes)
    random.shuffle(order)
    for n in order:
        start(cluster, n)


@fault(2, "all alone")
def damaged_segment(cluster, random, nodes):
    """Changes a byte below committed while the node is down. The other replicas are whole, because
    the promise covers the damage of a single copy (K3, K4)."""
    status = cluster.wait_healed("before a segment is damaged")
    node = random.choice(list(cluster.storage))
    log = random.choice(status["logs"])
    cluster.kill(node)
    files = [(int(name.stem), p) for name, p in cluster.segments(node).items() if int(name.parts[0]) == cluster.log_ids[log["name"]]]
    files = [(first, p) for first, p in files if first < log["committed"]]
    first, path = random.choice(files)
    length = min(path.stat().st_size - 4096, log["committed"] - first)
    at = 4096 + random.randrange(length)
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ (1 << random.randrange(8))]))
        f.flush()
        os.fsync(f.fileno())
    yield
    start(cluster, node)
    cluster.wait_healed(f"after byte {at} of {path.name} was changed on {node}")


@fault(1, "all alone")
def replaced_disk(cluster, random, _):
    """A disk is gone for good: the node begins with an empty directory, and an operator has it
    copied full (C1). Strikes alone, because no second disk may be lost before the copy ends."""
    cluster.wait_healed("before a disk is lost")
    node = random.choice(list(cluster.storage))
    cluster.kill(node)
    for entry in cluster.data(node).iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    time.sleep(random.uniform(0, 2))
    cluster.start(node)
    yield
    deadline = time.monotonic() + 30
    while (done := cluster.run("nodes", "replace-disk", node[-1], "--no-wait", check=False)).returncode != 0:
        if time.monotonic() > deadline:
            raise Violation(f"replaced disk: {node} is not taken: {done.stderr.decode(errors='replace')}")
        time.sleep(0.5)
    cluster.wait_healed(f"after the disk of {node} was replaced")


@fault(2, "storage")
def wiped_directory(cluster, random, node):
    """An empty directory under the old id seals and acknowledges nothing (T4); later the true
    directory comes back."""
    cluster.kill(node)
    cluster.data_of[node] = cluster.dir / f"{node}.empty"
    cluster.start(node)
    yield
    # A leader that was cut off from the node hears late that the old process is gone (W6).
    deadline = time.monotonic() + 10
    while counts_as_up(cluster, node):
        if time.monotonic() > deadline:
            raise Violation(f"wiped directory: {node} lost its disk and counts as up")
        time.sleep(0.2)
    if cluster.running[node].poll() is None:
        cluster.kill(node)
    else:
        cluster.running.pop(node)
    shutil.rmtree(cluster.data_of.pop(node))
    start(cluster, node)
