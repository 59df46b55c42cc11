// Whole clusters of the production Raft under random faults: lost, late, doubled and reordered
// messages, partitions, slow disks, crashes that lose unsaved state, and lost disks (C3).
// Checked at every step: election safety, leader completeness, state machine safety, that a
// committed entry is durable at a majority, and that a confirmed read sees everything committed
// before it (R2). Log matching is checked now and then.
#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "sequencer/core/raft/raft.h"
#include "tests/simulator/simulated_raft_disk.h"

using namespace loglog;
using namespace loglog::sequencer;
using raft::Raft;

namespace {

/// A committed entry, as the first sequencer that applied it reported it.
struct Committed {
  RaftTerm term;
  std::string command;
  std::uint64_t digest;  // of all commands up to here; the content of a snapshot
};

/// A sequencer of the world with its disk.
struct Sequencer {
  SequencerId id;
  std::unique_ptr<Raft> raft;  // null while it is crashed
  RaftDisk disk;               // durable
  RaftDisk log;                // the log in memory: the disk once everything under way is saved
  std::deque<SaveRaft> saving;
  /// When the save in front of `saving` ends.
  Time saved_at{};
  /// When a crashed sequencer starts again.
  Time back_at{};
  RaftIndex applied{};
  // By token: the committed index of the world when the read was asked.
  std::map<std::uint64_t, RaftIndex> reads;
};

/// A message on its way.
struct Letter {
  Time due;
  SequencerId from, to;
  Message message;
};

/// A world is a function of its seed. The first violation of a promise is kept as result().
class World {
 public:
  World(std::uint32_t count, std::uint64_t seed, bool trust_empty = false)
      : random_(seed), trust_empty_(trust_empty), harsh_(seed % 4 < 2) {
    for (std::uint32_t i = 1; i <= count; ++i) voters_.push_back(SequencerId{i});
    nodes_.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      nodes_[i].id = voters_[i];
      boot(nodes_[i]);
    }
  }

  /// 3000 steps of 10 ms with random faults.
  void trouble() {
    for (int step = 0; step < 3000 && broken_.empty(); ++step) {
      advance();
      for (Sequencer& n : nodes_) {
        if (!n.raft) continue;
        if (random_.chance(1, 12) && n.raft->is_leader()) propose(n);
        if (random_.chance(1, 40) && n.raft->is_leader()) read(n);
        if (random_.chance(1, harsh_ ? 200 : 400)) crash(n);
        else if (random_.chance(1, 300) && may_lose_another()) lose_disk(n);
      }
      if (random_.chance(1, harsh_ ? 60 : 150))
        island_ = random_.chance(1, 3) ? 0 : random_.below(1ull << (nodes_.size() + 1));
      if (random_.chance(1, 100)) loss_ = random_.below(30);
      if (random_.chance(1, 60)) {
        // A connection closed, which tells nothing about the peer's life.
        Sequencer &a = any(), &b = any();
        if (a.raft && &a != &b) {
          a.raft->peer_disconnected(now_, b.id);
          drain(a);
        }
        if (a.raft && &a != &b) {
          a.raft->peer_connected(now_, b.id);
          drain(a);
        }
      }
    }
    match_logs();
  }

  /// Ends all faults. A single leader must remain, commit an entry, and bring every sequencer to
  /// the same end.
  void peace() {
    loss_ = 0;
    island_ = 0;
    calm_ = true;
    for (Sequencer& n : nodes_) n.back_at = now_;
    for (int step = 0; step < 2000 && broken_.empty(); ++step) advance();
    const std::size_t before = committed_.size();
    std::size_t leaders = 0;
    for (Sequencer& n : nodes_)
      if (n.raft && n.raft->is_leader()) ++leaders, propose(n);
    for (int step = 0; step < 200 && broken_.empty(); ++step) advance();
    if (leaders != 1) broken("no leader after all faults ended");
    if (committed_.size() != before + 1) broken("nothing is committed after all faults ended");
    for (const Sequencer& n : nodes_)
      if (n.applied.value != committed_.size())
        broken("a sequencer does not catch up after all faults ended");
    match_logs();
  }

  const std::string& result() const { return broken_; }
  std::size_t commits() const { return committed_.size(); }
  std::size_t crashes = 0, lost = 0, elections = 0, snapshots = 0, reads = 0;

 private:
  /// Keeps the first violation.
  void broken(const std::string& what) {
    if (broken_.empty()) broken_ = what;
  }
  Sequencer& any() { return nodes_[random_.below(nodes_.size())]; }
  /// True if a partition separates the two.
  bool cut(SequencerId a, SequencerId b) const {
    return ((island_ >> a.value) & 1) != ((island_ >> b.value) & 1);
  }
  /// The highest committed index of the world.
  RaftIndex frontier() const { return RaftIndex{committed_.size()}; }
  static std::uint64_t mix(std::uint64_t digest, RaftTerm term, const std::string& command) {
    return Random(digest ^ (term.value << 32) ^ std::hash<std::string>{}(command)).next();
  }

  /// Starts a sequencer on its disk and connects it to all others.
  void boot(Sequencer& n) {
    n.log = n.disk;
    n.applied = RaftIndex{};
    const auto first = [this] { return Bytes::copy_of("first" + std::to_string(++commands_)); };
    raft::Config config{n.id, voters_};
    config.election_timeout_min = 250ms;
    config.heartbeat_interval = 50ms;
    config.append_bytes_max = 120;  // a few entries a message
    config.trust_empty = trust_empty_;
    n.raft = std::make_unique<Raft>(config, n.disk, random_.next(), first);
    n.raft->start(now_);
    drain(n);
    for (Sequencer& other : nodes_) {
      if (other.id == n.id || !other.raft) continue;
      n.raft->peer_connected(now_, other.id);
      drain(n);
      other.raft->peer_connected(now_, n.id);
      drain(other);
    }
  }

  /// Crashes a sequencer. The save in front may or may not have reached the disk; the others are
  /// lost.
  void crash(Sequencer& n) {
    ++crashes;
    if (!n.saving.empty() && random_.chance(1, 2)) simulator::apply(n.disk, n.saving.front());
    n.saving.clear();
    n.reads.clear();
    n.raft.reset();
    n.back_at = now_ + Duration(static_cast<std::int64_t>(
                           random_.below(!harsh_ || random_.chance(1, 5) ? 3'000'000 : 100'000)));
  }

  /// True while fewer than a minority have lost their disks, because C3 promises nothing beyond.
  bool may_lose_another() const {
    const auto forgot = std::ranges::count_if(nodes_, [](const Sequencer& n) {
      return n.raft ? n.raft->vote_right() != raft::VoteRight::voter
                    : n.disk.hard_state == HardState{} ||
                          n.disk.hard_state.vote == raft::votes_not_yet;
    });
    return static_cast<std::size_t>(forgot) < (nodes_.size() - 1) / 2;
  }
  /// Loses the disk. Messages sent before may still arrive until the sequencer is back; later
  /// messages would come over a new connection.
  void lose_disk(Sequencer& n) {
    ++lost;
    crash(n);
    n.disk = RaftDisk{};
    std::erase_if(letters_, [&](const Letter& l) { return l.from == n.id && l.due >= n.back_at; });
  }

  void propose(Sequencer& n) {
    RaftIndex index{};
    n.raft->propose(now_, Bytes::copy_of("c" + std::to_string(++commands_)), index);
    drain(n);
  }

  void read(Sequencer& n) {
    n.reads[++tokens_] = frontier();
    n.raft->read_index(now_, tokens_);
    drain(n);
  }

  /// A step of 10 ms: saves end, timers run, and due messages arrive in random order.
  void advance() {
    now_ += 10ms;
    for (Sequencer& n : nodes_) {
      if (!n.raft) {
        if (now_ >= n.back_at) boot(n);
        continue;
      }
      while (!n.saving.empty() && now_ >= n.saved_at) {
        simulator::apply(n.disk, n.saving.front());
        const std::uint64_t ticket = n.saving.front().ticket;
        n.saving.pop_front();
        start_save(n);
        n.raft->save_done(now_, ticket);
        drain(n);
      }
      n.raft->tick(now_);
      drain(n);
    }
    std::vector<Letter> due;
    std::erase_if(letters_, [&](Letter& l) {
      if (l.due > now_) return false;
      due.push_back(std::move(l));
      return true;
    });
    while (!due.empty()) {
      std::swap(due[random_.below(due.size())], due.back());
      const Letter l = std::move(due.back());
      due.pop_back();
      Sequencer& to = nodes_[l.to.value - 1];
      if (!to.raft || cut(l.from, l.to)) continue;
      to.raft->receive(now_, l.from, l.message);
      drain(to);
    }
    if (random_.chance(1, 20)) match_logs();
  }

  void start_save(Sequencer& n) {
    const std::uint64_t most = !calm_ && random_.chance(1, 6) ? 600'000 : 30'000;
    n.saved_at = now_ + Duration(static_cast<std::int64_t>(random_.below(most)));
  }

  /// Takes the outputs of a sequencer, sends its messages with loss and delay, and checks the
  /// promises.
  void drain(Sequencer& n) {
    const raft::Output out = std::exchange(n.raft->output(), {});
    for (const SaveRaft& s : out.saves) {
      simulator::apply(n.log, s);
      n.saving.push_back(s);
      if (n.saving.size() == 1) start_save(n);
    }
    for (const auto& [to, m] : out.sends) {
      for (int copies = random_.chance(1, 30) ? 2 : 1; copies > 0; --copies) {
        if (random_.chance(loss_, 100)) continue;
        const std::uint64_t most = !calm_ && random_.chance(1, 15) ? 1'500'000 : 30'000;
        letters_.push_back(
            {now_ + Duration(static_cast<std::int64_t>(random_.below(most))), n.id, to, m});
      }
    }
    check_leader(n);
    if (out.install_snapshot) {
      ++snapshots;
      const RaftIndex i = out.snapshot_index;
      if (i <= n.applied || i > frontier())
        broken("a snapshot goes back, or beyond what is committed");
      else if (out.snapshot.text() != std::to_string(committed_[i.value - 1].digest))
        broken("state machine safety: a snapshot differs");
      n.applied = i;
    }
    for (const RaftEntry& e : out.committed) apply_entry(n, e);
    for (std::uint64_t token : out.failed_reads) n.reads.erase(token);
    for (std::uint64_t token : out.reads) {
      ++reads;
      if (n.applied < n.reads.at(token))
        broken("a confirmed read misses what was committed before it");
      n.reads.erase(token);
    }
    if (n.applied.value > n.log.snapshot_index.value + 5 && random_.chance(1, 20) &&
        broken_.empty()) {
      n.raft->compact(n.applied,
                      Bytes::copy_of(std::to_string(committed_[n.applied.value - 1].digest)));
      drain(n);
    }
  }

  /// Checks a committed entry against the world's history, or adds it.
  void apply_entry(Sequencer& n, const RaftEntry& e) {
    const std::string command(e.command.text());
    if (e.index != n.applied + 1) return broken("committed entries are not handed out in order");
    n.applied = e.index;
    if (e.index <= frontier()) {
      const Committed& c = committed_[e.index.value - 1];
      if (c.term != e.term || c.command != command)
        broken("state machine safety: two commands at one index");
      return;
    }
    std::size_t durable = 0;
    for (const Sequencer& other : nodes_) {
      // A sequencer that lost its disk may have held the entry before. It is not counted as lost,
      // because it does not vote before it holds all committed entries again (C3).
      const bool forgot = other.raft ? other.raft->vote_right() != raft::VoteRight::voter
                                     : other.disk.hard_state == HardState{} ||
                                           other.disk.hard_state.vote == raft::votes_not_yet;
      if (holds(other.disk, e.index, e.term) || forgot) ++durable;
    }
    if (durable < nodes_.size() / 2 + 1)
      broken("an entry is committed that is not durable at a majority");
    const std::uint64_t before = committed_.empty() ? 0 : committed_.back().digest;
    committed_.push_back({e.term, command, mix(before, e.term, command)});
  }

  /// True if the disk or its snapshot has the entry.
  static bool holds(const RaftDisk& d, RaftIndex index, RaftTerm term) {
    if (index <= d.snapshot_index) return true;
    const std::uint64_t at = index.value - d.snapshot_index.value - 1;
    return at < d.entries.size() && d.entries[at].index == index && d.entries[at].term == term;
  }

  /// Checks election safety, and for a new leader leader completeness.
  void check_leader(const Sequencer& n) {
    if (!n.raft->is_leader()) return;
    const auto [it, fresh] = leaders_.emplace(n.raft->term(), n.id);
    if (it->second != n.id) broken("election safety: two leaders of one term");
    if (!fresh) return;
    ++elections;
    for (std::uint64_t i = 1; i <= committed_.size(); ++i)
      if (!holds(n.log, RaftIndex{i}, committed_[i - 1].term))
        return broken("leader completeness: a leader lacks a committed entry");
  }

  /// Log matching: logs that agree on term and index agree on everything before.
  void match_logs() {
    for (const Sequencer& a : nodes_)
      for (const Sequencer& b : nodes_)
        if (a.id < b.id) match(a.log, b.log), match(a.disk, b.disk);
  }
  void match(const RaftDisk& a, const RaftDisk& b) {
    // From the end: if two entries have equal terms, all entries before must be equal.
    bool equal = false;
    std::uint64_t i = std::min(a.snapshot_index.value + a.entries.size(),
                               b.snapshot_index.value + b.entries.size());
    for (; i > std::max(a.snapshot_index.value, b.snapshot_index.value); --i) {
      const RaftEntry& x = a.entries[i - a.snapshot_index.value - 1];
      const RaftEntry& y = b.entries[i - b.snapshot_index.value - 1];
      equal = equal || x.term == y.term;
      if (equal && (x.term != y.term || x.command != y.command))
        return broken("log matching: one term at one index, and different logs");
    }
  }

  Random random_;
  bool trust_empty_;
  bool harsh_;  // on: short crashes and frequent partitions; off: long ones
  Time now_ = Time{} + 1h;
  std::vector<SequencerId> voters_;
  std::vector<Sequencer> nodes_;
  std::vector<Letter> letters_;
  std::vector<Committed> committed_;  // by index - 1, as first applied anywhere
  std::map<RaftTerm, SequencerId> leaders_;
  std::uint64_t island_ = 0;  // bit per sequencer: the side of the partition on which it is
  std::uint64_t loss_ = 5;    // per cent
  bool calm_ = false;         // messages and disks take their usual time
  std::uint64_t commands_ = 0, tokens_ = 0;
  std::string broken_;
};

}  // namespace

TEST_CASE(
    "raft: 200 random histories of 3 and 5 sequencers keep every safety property and end in "
    "agreement (C3, R2)") {
  std::size_t commits = 0, crashes = 0, lost = 0, elections = 0, snapshots = 0, reads = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    World w(seed % 2 == 0 ? 3 : 5, seed);
    w.trouble();
    w.peace();
    REQUIRE(w.result() == "");
    commits += w.commits();
    crashes += w.crashes;
    lost += w.lost;
    elections += w.elections;
    snapshots += w.snapshots;
    reads += w.reads;
  }
  // The histories contain enough of each event to prove something.
  MESSAGE("commits ", commits, ", crashes ", crashes, ", disks lost ", lost, ", elections ",
          elections, ", snapshots ", snapshots, ", reads ", reads);
  CHECK(commits > 200 * 20);
  CHECK(crashes > 200 * 3);
  CHECK(lost > 200);
  CHECK(elections > 200 * 2);
  CHECK(snapshots > 200);
  CHECK(reads > 200);
}

TEST_CASE("raft: where an empty disk is trusted, the same histories lose what was committed") {
  // The same histories without C3's rule must break a promise; otherwise the checks are blind.
  std::string found;
  for (std::uint64_t seed = 1; seed <= 200 && found.empty(); ++seed) {
    World w(seed % 2 == 0 ? 3 : 5, seed, true);
    w.trouble();
    found = w.result();
  }
  CHECK(found != "");
}
