// The faults look at the sequencers' disks to know which entries exist where, and judge nothing but
// `steady`.
#include "tests/simulator/raft_faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tests/simulator/checkers.h"
#include "tests/simulator/fault_steps.h"

namespace loglog::simulator {
namespace {

// The newest index and term on the sequencer's disk.
RaftIndex last_index(const SequencerProcess& s) {
  return s.disk().entries.empty() ? s.disk().snapshot_index : s.disk().entries.back().index;
}
RaftTerm last_term(const SequencerProcess& s) {
  return s.disk().entries.empty() ? s.disk().snapshot_term : s.disk().entries.back().term;
}

/// How many faults have met a sequencer so far.
std::uint64_t disturbances(const World& world) {
  static const std::set<std::string> harmless = {"come_back",   "kill_storage", "power_storage",
                                                 "kill_client", "trims",        "trims refused"};
  std::uint64_t n = 0;
  for (const auto& [kind, count] : world.faults.by_kind)
    if (!harmless.contains(kind)) n += count;
  return n;
}

// C3 (pre-vote): a returning follower must not depose a leader by its higher term. Any other fault
// meanwhile may explain a change of leader, so the judgement is dropped then.
bool come_back(World& world, Random& random) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr || world.network.partitioned()) return false;
  for (const auto& s : world.sequencers)
    if (!s->alive() || s->paused()) return false;
  std::vector<SequencerProcess*> others;
  for (auto& s : world.sequencers)
    if (s.get() != leader) others.push_back(s.get());
  const SequencerProcess& absent = *others[random.below(others.size())];
  for (auto& s : world.sequencers)
    if (s.get() != &absent) cut(world, absent, *s);
  const Duration away = between(random, 2500ms, 5s);
  heal_later(world, away);
  later(world, away + 1500ms,
        [&world, leader, &absent, life = leader->life(), term = leader->machine()->leading_term(),
         before = disturbances(world)] {
          if (disturbances(world) != before || leader->life() != life ||
              leader->machine()->leading_term() == term)
            return;
          violated(world, promise::steady,
                   fmt::format("{} led in term {} until {} came back", leader->name(), term.value,
                               absent.name()));
        });
  return true;
}

/// The three sequencers of old_entry, by their parts in the story.
struct OldEntry {
  SequencerProcess* first;        // has an entry that no other sequencer has
  SequencerProcess* second = {};  // has an entry of a newer term at the same index
  SequencerProcess* third = {};   // only votes
  RaftIndex index{};              // of both entries
};

// The first leader dies with its new term's entry unsaved, and the second comes back with its newer
// entry.
void second_takes_it_back(World& world, Random& random, const OldEntry& e) {
  e.first->kill();
  e.third->kill();
  e.first->saves_slower_by = {};
  start_later(world, *e.first, 1ms);
  start_later(world, *e.second, 1ms);
  start_later(world, *e.third, between(random, 2500ms, 4s));
}

// The first leader, whose entry is old, leads again and replicates the entry. C3: it must not count
// the entry as committed by that.
void first_leads_again(World& world, Random& random, const OldEntry& e) {
  e.second->kill();
  world.network.heal();
  e.first->saves_slower_by = 60ms;
  e.first->start();
  when(
      world, 6s,
      [e] {
        return e.first->alive() && e.first->machine()->role() == RaftRole::leader &&
               e.first->machine()->metadata().version >= e.index;
      },
      [&world, &random, e] { second_takes_it_back(world, random, e); },
      [&world, e] {
        e.first->saves_slower_by = {};
        e.second->start();
      });
}

// Waits until a second leader has an entry of its own at the same index, on its own disk alone.
void second_leads(World& world, Random& random, SequencerProcess& first) {
  const RaftIndex index = last_index(first);
  first.kill();
  world.network.heal();
  world.network.watch(
      [&world, &random, &first, index](const Process& from, const Process&, const Message& m) {
        const auto* a = std::get_if<AppendEntries>(&m);
        if (a == nullptr) return true;
        OldEntry e{&first};
        e.index = index;
        for (auto& s : world.sequencers)
          if (s.get() == &from) e.second = s.get();
          else if (s.get() != &first) e.third = s.get();
        if (e.second == nullptr || e.third == nullptr) return true;
        cut(world, *e.second, *e.third);  // the second leader's entry stays on its disk alone
        when(
            world, 2s, [e, term = a->term] { return last_term(*e.second) == term; },
            [&world, &random, e] { first_leads_again(world, random, e); },
            [&world, &first] {
              world.network.heal();
              first.start();
            });
        return false;
      });
}

// Cuts the leader off and waits until it has an entry that no other sequencer has.
bool old_entry(World& world, Random& random) {
  SequencerProcess* first = leader_of(world);
  if (first == nullptr || world.sequencers.size() != 3 || world.network.partitioned()) return false;
  for (const auto& s : world.sequencers)
    if (!s->alive()) return false;
  for (auto& s : world.sequencers)
    if (s.get() != first) cut(world, *first, *s);
  const auto alone = [&world, first] {
    return std::all_of(world.sequencers.begin(), world.sequencers.end(), [&](const auto& s) {
      return s.get() == first || last_index(*s) < last_index(*first);
    });
  };
  when(
      world, 800ms, [first, alone] { return first->alive() && alone(); },
      [&world, &random, first] { second_leads(world, random, *first); },
      [&world] { world.network.heal(); });
  return true;
}

}  // namespace

bool inject_in_raft(World& world, Random& random, const std::string& kind) {
  if (kind == "come_back") return come_back(world, random);
  if (kind == "old_entry") return old_entry(world, random);
  return false;
}

}  // namespace loglog::simulator
