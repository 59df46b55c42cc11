"""Three sequencers and three storage nodes, each in its own network namespace, with their clients
in another, and recorders as clients."""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import BIN, Cluster  # noqa: E402

from disks import ForgetfulDisk, SmallDisk, forgetful_permitted  # noqa: E402
from namespaces import Network  # noqa: E402

FORGETFUL = BIN / "forgetful_fs"
HEALING_LIMIT = 60  # seconds within which a cluster without faults is whole again
RESUME_LIMIT = 20  # seconds within which its appends go on


class Violation(Exception):
    """A promise that was broken, found while the run goes on."""


class ChaosCluster(Cluster):
    def __init__(self, directory, disks=""):
        """disks: "forgetful" or "real". Empty means forgetful if FUSE is permitted."""
        self.data_of = {}  # nodes that are given another directory than their own
        super().__init__(name="chaos", directory=directory)
        self.nodes = [*self.sequencers, *self.storage]
        self.network = Network([*self.nodes, "clients"])
        for names in (self.sequencers, self.storage):
            for name in names:
                names[name] = f"{self.network.address[name]}:7000"
        self.disks = {}  # by node: disks that can run full, or forget
        self.no_power_cuts = "asked for" if disks == "real" else self.why_not_forgetful(directory)
        if disks == "forgetful" and self.no_power_cuts:
            raise RuntimeError(self.no_power_cuts)
        self.make_disks()
        self.histories = directory / "histories"
        self.histories.mkdir()
        self.recorders = {}
        self.log_ids = {}
        self.producers_begun = 0

    # ---- disks
    @staticmethod
    def why_not_forgetful(directory):
        mount = directory / "probe"
        mount.mkdir()
        return forgetful_permitted(FORGETFUL, mount)

    def make_disks(self):
        for name in self.nodes:
            self.data(name).mkdir()
            if not self.no_power_cuts:
                self.disks[name] = ForgetfulDisk(FORGETFUL, self.data(name))
            elif name in list(self.storage)[1:]:  # the first node has an ordinary disk
                self.disks[name] = SmallDisk(self.data(name))

    def small_disks(self):
        return [n for n in self.storage if n in self.disks]

    def keep_data(self):
        """Copies data from disks that end with the run to the place of logs and histories."""
        for name in self.disks:
            shutil.copytree(self.data(name), self.dir / "kept" / name)

    def inside(self, name):
        return self.network.inside(name)

    def data(self, name):
        return self.data_of.get(name, super().data(name))

    def make_log(self, log, *options):
        self.create(log, *options)
        self.log_ids[log] = json.loads(self.run("logs", "describe", log, "--json").stdout)["id"]

    # ---- what it says of itself
    def wait_healed(self, what, limit=HEALING_LIMIT):
        begin = time.monotonic()
        while True:
            status = self.try_status()
            if self.is_whole(status, self.log_ids):
                return status
            for name in self.nodes:
                process = self.running.get(name)
                if process is None or process.poll() is not None:
                    raise Violation(f"healing: {name} ended by itself {what}: {self.log_of(name)[-600:]}")
            if time.monotonic() > begin + limit:
                raise Violation(f"healing: not whole {limit} s {what}: {json.dumps(status)}")
            time.sleep(0.2)

    # ---- clients
    def record(self, log, role, name, *options):
        history = self.histories / f"{log}.{role}.{name}.jsonl"
        command = [*self.inside("clients"), BIN / "recorder", "--role", role, "--name", name, "--log", log, "--history", history,
                   "--cluster", self.addresses(), *options]
        errors = open(self.dir / f"recorder.{log}.{role}.{name}.log", "ab")
        self.recorders[log, role, name] = subprocess.Popen([str(c) for c in command], stderr=errors)
        errors.close()
        return history

    def begin_producer(self, log, random, rate):
        self.producers_begun += 1
        timeout_ms = random.choice([1000, 3000, 10_000])  # short timeouts give unknown outcomes
        self.record(log, "producer", f"p{self.producers_begun}", "--rate", rate, "--seed", random.randrange(1 << 32),
                    "--timeout-ms", timeout_ms)

    def end_recorder(self, key, limit=60, sig=signal.SIGTERM):
        process = self.recorders.pop(key)
        process.send_signal(sig)
        return process.wait(timeout=limit)

    def stop(self):
        for process in self.recorders.values():
            process.kill()
            process.wait()
        self.recorders.clear()
        for process in self.running.values():
            process.kill()  # also if the process is stopped
            process.wait()
        self.running.clear()
