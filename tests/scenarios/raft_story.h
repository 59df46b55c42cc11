// A Raft story is a set of sequencers' Raft cores driven by hand: the test decides when a letter (a
// Raft message) is delivered, when a save ends, and for which sequencer time passes.
// Every step is checked for two promises of C3: a Raft term has a single leader, and no two
// sequencers apply different commands.
#pragma once
#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sequencer/core/raft/raft.h"
#include "tests/simulator/simulated_raft_disk.h"

namespace loglog::scenarios {

/// Sequencers have the numbers 1 to count. Functions that take a number fail the test on an
/// impossible step, such as a letter that does not exist.
class RaftStory {
 public:
  /// Starts all sequencers with empty logs. With `entries_apart` every message carries a single
  /// entry.
  explicit RaftStory(std::uint32_t count, bool entries_apart = false)
      : entries_apart_(entries_apart) {
    for (std::uint32_t i = 1; i <= count; ++i) voters_.push_back(SequencerId{i});
    for (const SequencerId v : voters_) boot(v.value);
  }

  // ---- Events

  /// Lets time pass for `i` alone, and delivers everything, until `i` leads.
  void elect(std::uint32_t i) {
    for (int step = 0; step < 200 && !leads(i); ++step) {
      wait_alone(i, 50ms);
      deliver_all();
    }
    REQUIRE_MESSAGE(leads(i), "sequencer " << i << " is not elected");
  }
  /// The same, but delivers votes alone: the new leader's own messages wait.
  void elect_unheard(std::uint32_t i) {
    for (int step = 0; step < 200 && !leads(i); ++step) {
      wait_alone(i, 50ms);
      for (bool any = true; any;) {
        any = false;
        for (auto& [pair, letters] : letters_)
          while (!letters.empty() && is_vote(letters.front())) {
            deliver(pair.first, pair.second);
            any = true;
          }
      }
    }
    REQUIRE_MESSAGE(leads(i), "sequencer " << i << " is not elected");
  }
  /// Lets time pass for every running sequencer in steps of 10 ms; letters arrive at once.
  void pass(Duration d) {
    for (const Time end = now_ + d; now_ < end;) {
      now_ += 10ms;
      for (const SequencerId v : voters_) {
        if (!runs(v.value)) continue;
        one(v.value).raft->tick(now_);
        take(v.value);
      }
      deliver_all();
    }
  }
  /// Lets time pass for sequencer `i` alone. Its letters wait.
  void wait_alone(std::uint32_t i, Duration d) {
    now_ += d;
    one(i).raft->tick(now_);
    take(i);
  }
  /// Gives leader `i` a command. Its letters wait.
  void propose(std::uint32_t i, const std::string& command) {
    RaftIndex index{};
    REQUIRE(one(i).raft->propose(now_, Bytes::copy_of(command), index));
    take(i);
  }
  /// Loses every letter between `a` and `b`, in both directions, until heal().
  void cut(std::uint32_t a, std::uint32_t b) {
    cut_.insert({a, b});
    cut_.insert({b, a});
  }
  void cut_off(std::uint32_t i) {
    for (const SequencerId v : voters_)
      if (v.value != i) cut(i, v.value);
  }
  void heal() { cut_.clear(); }
  /// Delivers letters, and the letters that these cause, until none is left.
  void deliver_all() {
    for (bool any = true; any;) {
      any = false;
      for (auto& [pair, letters] : letters_)
        if (!letters.empty()) {
          deliver(pair.first, pair.second);
          any = true;
        }
    }
  }
  /// Delivers the oldest letter from `from` to `to`. A letter to a crashed sequencer or over a cut
  /// link is lost.
  void deliver(std::uint32_t from, std::uint32_t to) {
    auto& letters = letters_[{from, to}];
    REQUIRE_MESSAGE(!letters.empty(), "no letter from " << from << " to " << to);
    const Message m = letters.front();
    letters.pop_front();
    if (!runs(to) || cut_.contains({from, to})) return;
    one(to).raft->receive(now_, SequencerId{from}, m);
    take(to);
  }
  /// Keeps the saves of `i` in memory until save_all(i); a crash loses them.
  void hold_saves(std::uint32_t i) { one(i).slow_disk = true; }
  void save_all(std::uint32_t i) {
    one(i).slow_disk = false;
    take(i);
  }
  /// Ends `i` at once: its unsaved state and all letters from and to it are lost.
  void crash(std::uint32_t i) {
    one(i).raft.reset();
    one(i).unsaved.clear();
    for (auto& [pair, letters] : letters_)
      if (pair.first == i || pair.second == i) letters.clear();
  }
  void restart(std::uint32_t i) { boot(i); }
  /// Turns the commands that `i` has applied into its snapshot and drops their entries from the
  /// log.
  void compact(std::uint32_t i) {
    std::string state;
    for (const std::string& c : one(i).applied) state += c + ",";
    one(i).raft->compact(one(i).raft->committed(), Bytes::copy_of(state));
    take(i);
  }

  // ---- Observations

  bool runs(std::uint32_t i) const { return one(i).raft != nullptr; }
  bool leads(std::uint32_t i) const { return runs(i) && one(i).raft->is_leader(); }
  const sequencer::raft::Raft& raft(std::uint32_t i) const { return *one(i).raft; }
  /// The commands that `i` has applied since it started, without the empty entries that leaders
  /// add.
  const std::vector<std::string>& applied(std::uint32_t i) const { return one(i).applied; }
  /// The commands that are durable at `i` and not in its snapshot.
  std::vector<std::string> durable(std::uint32_t i) const {
    std::vector<std::string> out;
    for (const RaftEntry& e : one(i).disk.entries)
      if (!e.command.empty()) out.emplace_back(e.command.text());
    return out;
  }
  /// The leader with the highest term, or 0.
  std::uint32_t leader() const {
    std::uint32_t who = 0;
    for (const SequencerId v : voters_)
      if (leads(v.value) && (who == 0 || raft(v.value).term() > raft(who).term())) who = v.value;
    return who;
  }
  /// The number of letters of type M that wait from `from` to `to`.
  template <class M>
  std::size_t waiting(std::uint32_t from, std::uint32_t to) const {
    const auto l = letters_.find({from, to});
    if (l == letters_.end()) return 0;
    std::size_t n = 0;
    for (const Message& m : l->second) n += std::holds_alternative<M>(m) ? 1 : 0;
    return n;
  }
  std::size_t snapshots_sent = 0;

 private:
  struct One {
    std::unique_ptr<sequencer::raft::Raft> raft;  // null while the sequencer is crashed
    sequencer::RaftDisk disk;
    std::deque<sequencer::SaveRaft> unsaved;
    bool slow_disk = false;
    std::vector<std::string> applied;
  };

  static bool is_vote(const Message& m) {
    return std::holds_alternative<RequestVote>(m) || std::holds_alternative<Vote>(m);
  }
  One& one(std::uint32_t i) { return all_[i]; }
  const One& one(std::uint32_t i) const { return all_.at(i); }

  /// Starts or restarts `i` on its disk.
  void boot(std::uint32_t i) {
    sequencer::raft::Config c{SequencerId{i}, voters_};
    if (entries_apart_) c.append_bytes_max = 1;
    One& o = one(i);
    if (o.disk.hard_state == sequencer::HardState{})
      o.disk.hard_state.vote = SequencerId{i};  // otherwise an empty directory would not vote (C3)
    o.applied.clear();
    o.slow_disk = false;
    o.raft = std::make_unique<sequencer::raft::Raft>(c, o.disk, 100 + i, nullptr);
    o.raft->start(now_);
    take(i);
  }

  /// Takes the outputs of `i`: letters are queued, committed entries applied, and saves end at once
  /// unless hold_saves(i) is in force.
  void take(std::uint32_t i) {
    One& o = one(i);
    do {
      sequencer::raft::Output& out = o.raft->output();
      auto saves = std::exchange(out.saves, {});
      auto sends = std::exchange(out.sends, {});
      o.unsaved.insert(o.unsaved.end(), saves.begin(), saves.end());
      for (auto& [to, m] : sends) {
        if (std::holds_alternative<InstallSnapshot>(m)) ++snapshots_sent;
        letters_[{i, to.value}].push_back(std::move(m));
      }
      if (std::exchange(out.install_snapshot, false)) read_snapshot(o, out.snapshot);
      for (const RaftEntry& e : std::exchange(out.committed, {}))
        if (!e.command.empty()) o.applied.emplace_back(e.command.text());
      check_all(i);
      if (o.slow_disk || o.unsaved.empty()) return;
      const sequencer::SaveRaft s = o.unsaved.front();
      o.unsaved.pop_front();
      simulator::apply(o.disk, s);
      o.raft->save_done(now_, s.ticket);
    } while (true);
  }

  static void read_snapshot(One& o, const Bytes& snapshot) {
    o.applied.clear();
    std::string word;
    for (const char c : snapshot.text())
      if (c != ',') word += c;
      else o.applied.push_back(std::exchange(word, {}));
  }

  /// Checks the two promises that the head of the file names.
  void check_all(std::uint32_t i) {
    if (leads(i)) {
      const auto [at, fresh] = leader_of_.try_emplace(raft(i).term(), i);
      CHECK_MESSAGE((fresh || at->second == i),
                    "two leaders in Raft term " << raft(i).term().value << " (C3)");
    }
    const std::vector<std::string>& mine = one(i).applied;
    for (std::size_t n = 0; n < mine.size(); ++n) {
      if (n == history_.size()) history_.push_back(mine[n]);
      CHECK_MESSAGE(history_[n] == mine[n], "sequencer " << i << " applies " << mine[n]
                                                         << " where another one applied "
                                                         << history_[n]);
    }
  }

  bool entries_apart_;
  std::vector<SequencerId> voters_;
  std::map<std::uint32_t, One> all_;
  /// Letters by (from, to), oldest first.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::deque<Message>> letters_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> cut_;
  std::map<RaftTerm, std::uint32_t> leader_of_;
  std::vector<std::string> history_;
  Time now_ = Time{} + 1h;
};

}  // namespace loglog::scenarios
