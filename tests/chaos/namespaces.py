"""Network and mount namespaces of the test's own. The test runs again inside a process, mount and
network namespace. Everything that it starts, mounts or plugs in there ends with the namespace,
however the test ends, and two runs never meet."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NETWORK = "10.77.0"
# Ends with its parent, so that neither Ctrl-C nor SIGKILL leaves anything behind.
OWN = ["setpriv", "--pdeathsig", "KILL",
       "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
AS_ROOT_OF_ITS_OWN = ["--user", "--map-root-user"]


def permitted():
    """The command that enters new namespaces, or the reason why they are not permitted."""
    reason = ""
    for extra in ([], AS_ROOT_OF_ITS_OWN):
        probe = "ip link add name probe type bridge && ip link add name one type veth peer name other && nft add table inet probe"
        r = subprocess.run([*OWN, *extra, "sh", "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if r.returncode == 0:
            return [*OWN, *extra], ""
        reason = r.stderr.decode(errors="replace").strip()
    return None, reason


def run_inside(main):
    """Runs main(directory) inside; its result becomes the exit code. The directory stays only if
    main fails."""
    inside = os.environ.get("LOGLOG_CHAOS_INSIDE")
    if inside:
        # the outer process ends this process, and with it all others inside
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(main(pathlib.Path(inside)))
    enter, reason = permitted()
    if enter is None:
        print(f"left out: no network namespaces with bridge, veth and nftables are permitted here ({reason})")
        sys.exit(0)
    directory = tempfile.mkdtemp(prefix="loglog-chaos-")
    process = subprocess.Popen([*enter, sys.executable, *sys.argv], env={**os.environ, "LOGLOG_CHAOS_INSIDE": directory})
    ended_early = []

    def end(number, _):
        ended_early.append(number)
        process.kill()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    code = process.wait()
    if code != 0 and not ended_early:
        print(f"histories, logs and data are kept in {directory}")
    else:
        remove(directory)
    sys.exit(128 + ended_early[0] if ended_early else code)


def remove(directory):
    """Removes a directory. Repeats, because the kernel may still be ending processes that write
    into it."""
    deadline = time.monotonic() + 10
    while os.path.exists(directory):
        shutil.rmtree(directory, ignore_errors=time.monotonic() < deadline)


class Network:
    """A bridge, and for each name a namespace with a link to it. A name's incoming packets from
    other names can be cut."""

    def __init__(self, names):
        self.holder = {}
        self.address = {name: f"{NETWORK}.{i + 1}" for i, name in enumerate(names)}
        self.cuts = []  # (from, to), an item for each reason
        run("ip", "link", "add", "name", "wires", "type", "bridge")
        run("ip", "link", "set", "wires", "up")
        for name in names:
            self.plug_in(name)

    def plug_in(self, name):
        holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready && exec cat"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder[name] = holder
        if holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"no network namespace for {name}")
        run("ip", "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        run("ip", "link", "set", name, "master", "wires", "up")
        inside = self.inside(name)
        run(*inside, "ip", "address", "add", f"{self.address[name]}/24", "dev", "eth0")
        run(*inside, "ip", "link", "set", "lo", "up")
        run(*inside, "ip", "link", "set", "eth0", "up")
        self.write_rules(name)

    def inside(self, name):
        return ["nsenter", "--target", str(self.holder[name].pid), "--net", "--"]

    def write_rules(self, name):
        cut = sorted({self.address[a] for a, b in self.cuts if b == name})
        rule = f"ip saddr {{ {', '.join(cut)} }} drop" if cut else ""
        chain = f"chain heard {{ type filter hook input priority 0; {rule}\n }}"
        text = f"table inet chaos\ndelete table inet chaos\ntable inet chaos {{ {chain}\n }}\n"
        run(*self.inside(name), "nft", "-f", "-", text=text)

    def cut(self, pairs):
        """Cuts all packets from the first to the second of each pair. Give the same pairs to
        mend()."""
        self.cuts += pairs
        for name in {b for _, b in pairs}:
            self.write_rules(name)

    def mend(self, pairs):
        for pair in pairs:
            self.cuts.remove(pair)
        for name in {b for _, b in pairs}:
            self.write_rules(name)

    @contextlib.contextmanager
    def slow_wire(self, program, name, delay_ms, jitter_ms, loss_percent):
        """Puts the program slow_wire between a name's link and the bridge."""
        slow = f"{name}-slow"  # the bridge's end of a link; the program works at the other end
        run("ip", "link", "add", "name", slow, "type", "veth", "peer", "name", f"{name}-end")
        run("ip", "link", "set", f"{name}-end", "up")
        run("ip", "link", "set", name, "nomaster")
        run("ip", "link", "set", slow, "master", "wires", "up")
        command = [program, name, f"{name}-end", delay_ms, jitter_ms, loss_percent]
        process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE)
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"no slow wire to {name}")
        try:
            yield
        finally:
            code = process.poll()
            process.kill()
            process.wait()
            run("ip", "link", "delete", slow)
            run("ip", "link", "set", name, "master", "wires")
        if code is not None:
            raise RuntimeError(f"the slow wire to {name} ended with {code}")


def run(*command, text=None):
    r = subprocess.run([str(c) for c in command], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if r.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {r.stderr.strip()}")
    return r.stdout
