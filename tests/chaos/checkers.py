#!/usr/bin/env python3
"""A checker for each promise, over the histories that clients recorded (recorder.cpp). Each takes
the history of a log and returns a sentence for each violation; no sentence means that the
promise held.

    tests/chaos/checkers.py --self-test     a small good history for each checker, and a bad
                                            history to which it alone objects
"""

import collections
import json
import pathlib
import sys

FRAME_OVERHEAD = 44  # bytes of a frame around its payload
SHOWN_MAX = 5  # violations of the same kind that are spelled out

Append = collections.namedtuple("Append", "begin end outcome offset bytes hash")
Entry = collections.namedtuple("Entry", "id offset next term producer sequence bytes hash")
Tail = collections.namedtuple("Tail", "begin end committed")


class History:
    """The history of a log: appends by id, entries that followers received (by name; clients that
    read each replica by itself count as followers), tails, and the full read at the end."""

    def __init__(self, appends=None, followers=None, tails=None, final=None):
        self.appends = appends or {}
        self.followers = followers or {}
        self.tails = tails or []
        self.final = final or []

    @staticmethod
    def load(directory, log):
        h = History()
        for path in sorted(pathlib.Path(directory).glob(f"{log}.*.jsonl")):
            _, role, name, _ = path.name.split(".")
            lines = whole_lines(path)
            if role == "producer":
                read_appends(lines, h.appends)
            elif role == "tail":
                h.tails += [Tail(e["begin"], e["time"], e["committed"]) for e in lines if e["event"] == "tail"]
            else:
                entries = [Entry(e["id"], e["offset"], e["next"], e["term"], e["producer"], e["sequence"], e["bytes"], e["hash"])
                           for e in lines if e["event"] == "entry"]
                if (role, name) == ("reader", "all"):
                    h.final = entries
                else:
                    h.followers[name] = entries
        return h

    def count(self, outcome):
        return sum(a.outcome == outcome for a in self.appends.values())


def whole_lines(path):
    """The whole lines of a file. A killed client may leave half a line at the end, and nowhere
    else."""
    with open(path, "rb") as f:
        for line in f:
            if line.endswith(b"\n"):
                yield json.loads(line)


def read_appends(lines, appends):
    for e in lines:
        if e["event"] == "begin":
            if e["id"] in appends:
                raise ValueError(f"the recorder began {e['id']} twice")
            # until its end is found
            appends[e["id"]] = Append(e["time"], None, "unknown", None, e["bytes"], e["hash"])
        else:
            appends[e["id"]] = appends[e["id"]]._replace(end=e["time"], outcome=e["outcome"], offset=e.get("offset"))


# A checker for each promise.
def acknowledged_stays(h):
    """An acknowledged entry is at its offset at the end, unchanged."""
    at = {e.offset: e for e in h.final}
    for id_, a in h.appends.items():
        if a.outcome != "committed":
            continue
        e = at.get(a.offset)
        if e is None:
            yield f"{id_} was acknowledged at {a.offset}, where nothing is"
        elif e.id != id_:
            yield f"{id_} was acknowledged at {a.offset}, where {e.id} is"
        elif (e.bytes, e.hash) != (a.bytes, a.hash):
            yield f"{id_} at {a.offset} came back with other bytes"


def only_what_was_appended(h):
    """No reader gets an entry that nobody appended."""
    for who, entries in readers(h):
        for e in entries:
            a = h.appends.get(e.id)
            if a is None:
                yield f"{who} read {e.id} at {e.offset}, which nobody appended"
            elif (e.bytes, e.hash) != (a.bytes, a.hash) and a.outcome != "committed":
                yield f"{who} read {e.id} at {e.offset} with other bytes than were appended"


def no_entry_twice(h):
    ids, numbers = {}, {}
    for e in h.final:
        for seen, key, name in ((ids, e.id, e.id), (numbers, (e.producer, e.sequence), f"producer {e.producer}, sequence {e.sequence}")):
            if key in seen:
                yield f"{name} stands at {seen[key]} and at {e.offset}"
            seen[key] = e.offset


def producer_order(h):
    """A producer's entries stand in the order of its calls, and its sequence numbers grow."""
    last = {}
    for e in h.final:
        who, _, number = e.id.rpartition(":")
        for key, value in ((("calls of", who), int(number) if number.isdigit() else 0), (("sequences of", e.producer), e.sequence)):
            if value < last.get(key, 0):
                yield f"{key[0]} {key[1]}: {value} at {e.offset} after {last[key]}"
            last[key] = value


def refused_is_never_visible(h):
    for who, entries in readers(h):
        for e in entries:
            if e.id in h.appends and h.appends[e.id].outcome == "refused":
                yield f"{e.id} was refused, and {who} read it at {e.offset}"


def followers_agree(h):
    """Each follower received the whole log: in order, without holes, byte for byte."""
    for name, entries in h.followers.items():
        if entries == h.final:
            continue
        for mine, final in zip(entries, h.final):
            if mine != final:
                yield f"follower {name} was given {mine.id} at {mine.offset} where the log holds {final.id} at {final.offset}"
                break
        else:
            yield f"follower {name} was given {len(entries)} entries, the log holds {len(h.final)}"


def real_time_order(h):
    """An append that began after another had ended stands behind it."""
    placed = {e.id: e.offset for e in h.final}
    begun = sorted((a.begin, placed[i], i) for i, a in h.appends.items() if i in placed)
    ended = sorted((a.end, a.offset, i) for i, a in h.appends.items() if a.outcome == "committed")
    next_, most, whose = 0, -1, None
    for begin, offset, id_ in begun:
        while next_ < len(ended) and ended[next_][0] < begin:
            if ended[next_][1] > most:
                _, most, whose = ended[next_]
            next_ += 1
        if offset < most:
            yield f"{id_} at {offset} began after {whose} had ended, which is at {most}"


def tails_are_linearizable(h):
    """A tail reaches everything known before the question, and nothing begun after the answer lies
    below it (R2)."""
    known = sorted([(a.end, a.offset + a.bytes + FRAME_OVERHEAD, i) for i, a in h.appends.items() if a.outcome == "committed"] +
                   [(t.end, t.committed, "an earlier tail") for t in h.tails])
    next_, most, whose = 0, -1, None
    for t in sorted(h.tails):
        while next_ < len(known) and known[next_][0] < t.begin:
            if known[next_][1] > most:
                _, most, whose = known[next_]
            next_ += 1
        if t.committed < most:
            yield f"tail {t.committed} was asked for after {whose} had shown {most}"
    placed = {e.id: e.offset for e in h.final}
    told = sorted((t.end, t.committed) for t in h.tails)
    next_, most = 0, -1
    for begin, id_ in sorted((a.begin, i) for i, a in h.appends.items() if i in placed):
        while next_ < len(told) and told[next_][0] < begin:
            most = max(most, told[next_][1])
            next_ += 1
        if placed[id_] < most:
            yield f"{id_} at {placed[id_]} began after a tail of {most} was told"


def readers(h):
    yield "the full read", h.final
    for name, entries in h.followers.items():
        yield f"follower {name}", entries


HISTORY_CHECKERS = [acknowledged_stays, only_what_was_appended, no_entry_twice, producer_order, refused_is_never_visible,
                    followers_agree, real_time_order, tails_are_linearizable]


def check_history(history, finished=True):
    """All violations, as "checker: sentence". A run that broke off has no full read at the end: the
    longest follower's read replaces it, and entries missing there violate nothing."""
    if not finished:
        history.final = max([history.final, *history.followers.values()], key=len)
    found = []
    for checker in HISTORY_CHECKERS:
        if checker in (acknowledged_stays, followers_agree) and not finished:
            continue
        mine = list(checker(history))
        found += [f"{checker.__name__}: {v}" for v in mine[:SHOWN_MAX]]
        if len(mine) > SHOWN_MAX:
            found.append(f"{checker.__name__}: and {len(mine) - SHOWN_MAX} more")
    return found


def replicas_are_identical(directories, log_id, committed):
    """The segment files of each data directory are equal behind their headers and below committed,
    and begin at byte 0 there."""
    bodies = {}
    for directory in directories:
        files = sorted((int(p.stem), p) for p in (pathlib.Path(directory) / "logs" / str(log_id)).glob("*.seg"))
        bodies[str(directory)] = {first: p.read_bytes()[4096:4096 + committed - first] for first, p in files if first < committed}
    model, wanted = next(iter(bodies.items()))
    firsts = sorted(wanted)
    if committed > 0 and firsts[:1] != [0]:
        yield f"{model} has no file that begins at 0"
    for first, after in zip(firsts, [*firsts[1:], committed]):
        if len(wanted[first]) < after - first:
            yield f"{model}: {first}.seg holds {len(wanted[first])} bytes of the {after - first} up to {after}"
    for directory, mine in bodies.items():
        if sorted(mine) != firsts:
            yield f"{directory} has other segment files than {model}: {sorted(set(mine) ^ set(firsts))}"
        for first in firsts:
            if first in mine and mine[first] != wanted[first]:
                both = zip(mine[first], wanted[first])
                at = next((i for i, (a, b) in enumerate(both) if a != b), min(len(mine[first]), len(wanted[first])))
                yield f"{directory} differs from {model} in {first}.seg at {4096 + at}"


def healed_within(what, seconds, limit):
    if seconds > limit:
        yield f"{what} took {seconds:.1f} s after healing, {limit} s are allowed"


# ---- Self-test
def good():
    """Two producers: p:1 and then p:2 are committed; q:1 is unknown and present, q:2 refused, q:3
    unknown and absent."""
    a = {"p:1": Append(10, 20, "committed", 100, 5, "h1"), "p:2": Append(30, 40, "committed", 200, 6, "h2"),
         "q:1": Append(15, 60, "unknown", None, 7, "h3"), "q:2": Append(16, 18, "refused", None, 8, "h4"),
         "q:3": Append(17, None, "unknown", None, 9, "h5")}
    f = [Entry("p:1", 100, 149, 1, "aa", 1, 5, "h1"), Entry("q:1", 149, 200, 1, "bb", 1, 7, "h3"),
         Entry("p:2", 200, 250, 1, "aa", 2, 6, "h2")]
    return History(a, {"f": list(f)}, [Tail(21, 22, 149), Tail(41, 45, 250)], f)


def alter(h, at, **fields):
    """Changes an entry in the full read and in the follower's view."""
    h.final[at] = h.final[at]._replace(**fields)
    h.followers["f"] = list(h.final)


def bad_histories():
    """Tuples (checker, description, history): only that checker may object."""
    h = good()
    del h.final[0], h.followers["f"][0]
    yield acknowledged_stays, "an acknowledged entry is gone", h
    h = good()
    alter(h, 2, hash="other")
    yield acknowledged_stays, "an acknowledged entry has other bytes", h
    h = good()
    h.appends["p:1"] = h.appends["p:1"]._replace(offset=99)
    yield acknowledged_stays, "an acknowledged entry moved", h
    h = good()
    del h.appends["q:1"]
    yield only_what_was_appended, "an entry of nobody's", h
    h = good()
    alter(h, 1, hash="other")
    yield only_what_was_appended, "an unacknowledged entry with other bytes", h
    h = good()
    h.final.append(Entry("q:1", 250, 301, 1, "bb", 2, 7, "h3"))
    h.followers["f"] = list(h.final)
    yield no_entry_twice, "an entry twice, under another number", h
    h = good()
    alter(h, 1, producer="aa", sequence=1)
    yield no_entry_twice, "a producer's number twice", h
    h = good()
    h.appends["q:3"] = Append(12, None, "unknown", None, 9, "h5")
    h.final.insert(1, Entry("q:3", 110, 149, 1, "cc", 1, 9, "h5"))
    h.followers["f"] = list(h.final)
    yield producer_order, "calls in another order", h
    h = good()
    alter(h, 0, sequence=3)
    yield producer_order, "numbers that fall", h
    h = good()
    h.final.append(Entry("q:2", 250, 302, 1, "bb", 2, 8, "h4"))
    h.followers["f"] = list(h.final)
    yield refused_is_never_visible, "a refused entry is there", h
    for what, change in (("a hole", lambda f: f.pop(1)), ("an end too early", lambda f: f.pop()),
                         ("other bytes", lambda f: f.__setitem__(0, f[0]._replace(next=148))),
                         ("another order", lambda f: f.insert(1, f.pop()))):
        h = good()
        change(h.followers["f"])
        yield followers_agree, f"a follower saw {what}", h
    h = good()
    h.appends["q:1"] = h.appends["q:1"]._replace(begin=43)
    yield real_time_order, "one that began later stands before", h
    h = good()
    h.tails[1] = Tail(41, 45, 249)
    yield tails_are_linearizable, "a tail below an acknowledged entry", h
    h = good()
    h.tails.append(Tail(46, 47, 250 - 1))
    yield tails_are_linearizable, "a tail that went back", h
    h = good()
    h.tails[0] = Tail(21, 22, 250)
    yield tails_are_linearizable, "a tail ahead of an append begun later", h


def self_test_replicas():
    import tempfile
    with tempfile.TemporaryDirectory() as d:
        folders = [pathlib.Path(d) / n for n in "abc"]

        def write(folder, first, body):
            (folder / "logs/7").mkdir(parents=True, exist_ok=True)
            (folder / f"logs/7/{first:020}.seg").write_bytes(folder.name.encode() * 4096 + body)
        for f in folders:
            write(f, 0, b"x" * 100)
            # beyond committed the replicas may differ
            write(f, 100, b"y" * 50 + f.name.encode() * 9)
        yield "equal replicas", list(replicas_are_identical(folders, 7, 150)), False
        write(folders[1], 0, b"x" * 99 + b"z")
        yield "a byte differs", list(replicas_are_identical(folders, 7, 150)), True
        write(folders[1], 0, b"x" * 100)
        write(folders[2], 100, b"y" * 20)
        yield "one ends early", list(replicas_are_identical(folders, 7, 150)), True
        (folders[2] / f"logs/7/{100:020}.seg").unlink()
        yield "a file is missing", list(replicas_are_identical(folders, 7, 150)), True
        for f in folders:
            write(f, 100, b"y" * 20)
        yield "all end early", list(replicas_are_identical(folders, 7, 150)), True


def self_test():
    cases = [("a good history", set(), check_history(good()))]
    cases += [(what, {c.__name__}, check_history(h)) for c, what, h in bad_histories()]
    failures = [f"{what}: expected {sorted(want) or 'silence'}, got {found}" for what, want, found in cases
                if {v.split(":")[0] for v in found} != want]
    replicas = list(self_test_replicas())
    failures += [f"{what}: {found}" for what, found, bad in replicas if bool(found) != bad]
    failures += [] if list(healed_within("an append", 11, 10)) and not list(healed_within("an append", 9, 10)) else ["healed_within"]
    without = {c.__name__ for c in HISTORY_CHECKERS} - {n for _, want, _ in cases for n in want}
    failures += [f"no bad history for {n}" for n in sorted(without)]
    for f in failures:
        print(f)
    print(f"{len(cases) + len(replicas) + 1} histories: {len(failures)} misjudged")
    return 1 if failures else 0


if __name__ == "__main__":
    if sys.argv[1:] != ["--self-test"]:
        sys.exit("checkers.py --self-test; over real histories run.py runs them")
    sys.exit(self_test())
