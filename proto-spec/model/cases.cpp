// The settings of all models but the journal's (journal_cases.cpp): their bounds, and why these are
// wide enough for the parts that are removed within them. A wider bound costs states (up to thirty
// million), so each setting opens only what its parts need.
#include "proto-spec/model/cases.h"

#include <cstdlib>

namespace loglog::model {
namespace {

// Three times the largest setting; a search that hits it has a bound that is wrong.
constexpr std::size_t most_states = 30'000'000;

// A deposed leader with an entry that it has ordered, and its successor with another entry. This is
// enough for every rule about the actions of an old leader. All steps of a write are apart.
Setting two_terms() {
  recovery::Bounds bounds;
  return {"two terms",
          bounds,
          {Part::t3_every_command, Part::t3_order, Part::s1, Part::s2_quorum, Part::s4_divergence,
           Part::s4_state, Part::d2, Part::d5, Part::r2}};
}

// A promise or a frame that is only in memory is lost at a single power loss.
Setting power_loss() {
  recovery::Bounds bounds;
  bounds.power_losses = 1;
  return {"a power loss", bounds, {Part::t3_durable, Part::d4}};
}

// A loss below the file system shows only in two steps. First the process dies or an fdatasync
// fails, and then the power goes.
Setting page_cache() {
  recovery::Bounds bounds;
  bounds.restarts = bounds.failed_syncs = bounds.power_losses = 1;
  return {"a restart, a failed fdatasync, a power loss", bounds, {Part::k1, Part::k2}};
}

// A single frame goes bad, before or after its replica is read again.
Setting damage() {
  recovery::Bounds bounds;
  bounds.entries[1] = 0;  // the newer term start is enough to take the place of the older entry
  bounds.bit_rots = bounds.power_losses = 1;
  return {"a bad frame, a power loss", bounds, {Part::s2_suspects, Part::k3, Part::k4_skip}};
}

// As `damage`, but an acknowledgement breaks the promise if it leaves fewer than W whole copies.
// Without that count, K4.count does no visible harm before a second disk is lost.
Setting damage_counted() {
  recovery::Bounds bounds;
  bounds.bit_rots = 1;
  bounds.count_copies = true;
  return {"a bad frame, copies counted", bounds, {Part::k4_count}};
}

// A disk that comes back empty, an unreadable promise, and a log that is deleted by mistake.
Setting disk_loss() {
  recovery::Bounds bounds;
  bounds.one_step_writes = true;  // this setting loses nothing between the steps of a write
  bounds.disk_losses = 1;
  return {"a lost disk or promise", bounds, {Part::t4_disk, Part::t4_promise, Part::t5}};
}

// C1: a lost disk is replaced. The replacement begins a term, and the next term may seal the new
// disk. The setting with W = 3 removes nothing: it shows that the rules suffice there.
Setting disk_replaced(int quorum, std::string_view name) {
  recovery::Bounds bounds;
  bounds.write_quorum = quorum;
  bounds.leaders = 3;
  bounds.entries[2] = 0;
  bounds.one_step_writes = true;
  bounds.disk_losses = bounds.replacements = 1;
  return {name, bounds,
          quorum == 2 ? std::vector{Part::c1_term, Part::c1_seal} : std::vector<Part>{}};
}

// The extremes of the quorum arithmetic: W = N needs a single answer to a seal, W = 1 needs all of
// them.
Setting write_quorum(int quorum, std::string_view name) {
  recovery::Bounds bounds;
  bounds.write_quorum = quorum;
  bounds.power_losses = 1;
  bounds.count_copies = true;
  return {name, bounds, {}};
}

// Two entries in a term are the shortest log that is longer than a newer, better log. They are also
// the fewest for two orders at the same offset. Without S6.tails the third term counts copies that
// do not exist and a fourth would lose the entry; counting copies shows it in the third.
Setting two_entries() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[0] = 2;
  bounds.entries[1] = bounds.entries[2] = 0;
  bounds.one_step_writes = bounds.count_copies = true;
  return {"three terms, two entries, copies counted", bounds, {Part::d1, Part::s6_tails}};
}

// An error in a second term becomes a loss in the third. Without T1 the second and the third leader
// share a term.
Setting three_terms() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[2] = 0;
  bounds.one_step_writes = true;
  return {"three terms",
          bounds,
          {Part::t1, Part::s3_highest, Part::s3_once, Part::s4_committed, Part::s5}};
}

// As `three_terms`, but with the steps of a write apart and a single entry.
Setting three_terms_apart() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[1] = bounds.entries[2] = 0;
  bounds.has_readers = false;
  return {"three terms, every step apart", bounds, {}};
}

// An old frame reaches W replicas in the third term, after the second term chose another base. The
// fourth term falls back on that base.
Setting four_terms() {
  recovery::Bounds bounds;
  bounds.leaders = 4;
  bounds.entries[1] = bounds.entries[2] = bounds.entries[3] = 0;
  bounds.one_step_writes = true;
  bounds.has_readers = false;
  return {"four terms", bounds, {Part::s6_term}};
}

// {a, b, c} becomes {b, c, d} in the second term, and the third leader has not heard of it. Term
// starts are enough frames.
Setting set_change() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[0] = bounds.entries[1] = bounds.entries[2] = 0;
  bounds.one_step_writes = bounds.set_changes = true;
  return {"three terms, the replica set changes", bounds, {Part::t2}};
}

// The only replica that has the base goes down before any peer has copied it. Without S8 the log
// then waits for ever, which is a wedge.
Setting stuck_recovery() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[1] = bounds.entries[2] = 0;
  bounds.nodes_down = 1;
  bounds.one_step_writes = bounds.look_for_wedges = true;
  return {"three terms, a node goes down, no wedge", bounds, {Part::s8}};
}

// Three entries in flight are the fewest in which an entry can be passed over while an entry before
// it is unsettled.
Setting one_term() {
  retry::Bounds bounds;
  bounds.terms = 1;
  bounds.entries = bounds.in_flight = 3;
  bounds.repeats = 2;
  bounds.refusals = bounds.given_up = bounds.forgotten = 1;
  bounds.look_for_wedges = true;
  return {"one term, three entries, no wedge",
          bounds,
          {Part::a1_first, Part::a1_gap, Part::a1_repeat, Part::a1_committed, Part::a1_skip,
           Part::a2, Part::a6_refused, Part::a6_number}};
}

// A leader orders an entry, and in the next leader's term the producer finds it or does not find
// it.
Setting a_new_term() {
  retry::Bounds bounds;
  bounds.repeats = 2;
  bounds.trims = 1;
  return {"two terms, repeats, a trim",
          bounds,
          {Part::a1_term, Part::a3_resolve, Part::a3_begin, Part::a3_end, Part::a5, Part::r3}};
}

// Every ending of an append at once (A6). No part is removed; the setting shows that the rules hold
// together.
Setting all_endings() {
  retry::Bounds bounds;
  bounds.repeats = bounds.trims = 2;
  bounds.refusals = bounds.given_up = bounds.failures = 1;
  return {"two terms, every ending", bounds, {}};
}

// Part of a run can survive only if the run has two entries. The third entry is in a run of its own
// behind it.
Setting runs_of_two() {
  retry::Bounds bounds;
  bounds.entries = 3;
  bounds.run_length = 2;
  bounds.trims = bounds.failures = bounds.refusals = 1;
  return {"two terms, runs of two", bounds, {Part::a4_found, Part::a4_absent}};
}

// A term whose term start is never committed lies between two terms whose starts are.
Setting a_term_between() {
  retry::Bounds bounds;
  bounds.terms = 3;
  bounds.refusals = bounds.trims = bounds.failures = 1;
  return {"three terms", bounds, {Part::s7}};
}

// Two producers append to the same log, and the leader keeps a record of each (A1).
Setting two_producers() {
  retry::Bounds bounds;
  bounds.producers = 2;
  bounds.repeats = 0;
  return {"two terms, two producers", bounds, {}};
}

// Each replica has space for a single staged run, and two producers want it. Restarts, departures
// and rebuilds take payloads away again.
Setting scarce_space() {
  staging::Bounds bounds;
  bounds.restarts = 2;
  bounds.leavings = bounds.nodes_down = bounds.rebuilds = 1;
  return {
      "scarce space",
      bounds,
      {Part::d3, Part::d6_reserve, Part::missing_fetch, Part::missing_again, Part::missing_term}};
}

// Each of two producers holds a replica while both need all three, so only expiry can free them.
Setting scarce_space_everywhere() {
  staging::Bounds bounds;
  bounds.write_quorum = 3;
  bounds.restarts = 2;
  bounds.leavings = bounds.rebuilds = 1;
  return {"scarce space, W = 3", bounds, {Part::d6_expire}};
}

// A producer's second run waits behind its first run and behind the other producer's run.
Setting three_runs() {
  staging::Bounds bounds;
  bounds.runs = 3;
  bounds.restarts = bounds.leavings = 1;
  return {"scarce space, three runs", bounds, {}};
}

// V1: as scarce space, but a run is ordered before any producer waits for an answer to its upload.
Setting eager_commit() {
  staging::Bounds bounds;
  bounds.eager = true;
  bounds.restarts = 1;
  bounds.leavings = bounds.nodes_down = bounds.rebuilds = 1;
  return {"eager commit",
          bounds,
          {Part::d3, Part::d6_reserve, Part::missing_again, Part::missing_term}};
}

std::vector<Setting> with_journal(std::vector<Setting> all) {
  for (const Setting& setting : journal_settings()) all.push_back(setting);
  return all;
}

// Calls `visit` with the model and the bounds of the case's setting.
template <class Visit>
auto with_model(const Case& what, Visit&& visit) {
  return std::visit(
      [&](const auto& bounds) {
        using Of = std::decay_t<decltype(bounds)>;
        if constexpr (std::is_same_v<Of, recovery::Bounds>)
          return visit(recovery::Model(what.rules, bounds), bounds);
        else if constexpr (std::is_same_v<Of, retry::Bounds>)
          return visit(retry::Model(what.rules, bounds), bounds);
        else if constexpr (std::is_same_v<Of, staging::Bounds>)
          return visit(staging::Model(what.rules, bounds), bounds);
        else return visit(journal::Model(what.rules, bounds), bounds);
      },
      what.setting->bounds);
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = with_journal({
      two_terms(),
      power_loss(),
      page_cache(),
      damage(),
      damage_counted(),
      disk_loss(),
      disk_replaced(2, "three terms, a lost disk is replaced"),
      disk_replaced(3, "three terms, a lost disk is replaced, W = 3"),
      write_quorum(1, "a power loss, W = 1"),
      write_quorum(3, "a power loss, W = 3"),
      two_entries(),
      three_terms(),
      three_terms_apart(),
      four_terms(),
      set_change(),
      stuck_recovery(),
      one_term(),
      a_new_term(),
      all_endings(),
      runs_of_two(),
      a_term_between(),
      two_producers(),
      scarce_space(),
      scarce_space_everywhere(),
      three_runs(),
      eager_commit(),
  });
  return all;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Setting& setting : settings()) cases.push_back({&setting, Rules()});
  for (const PartText& text : parts()) {
    const auto before = cases.size();
    for (const Setting& setting : settings())
      for (const Part part : setting.parts)
        if (part == text.part) cases.push_back({&setting, Rules(part)});
    // The self-check of the table: a part that no setting removes aborts the program at its start.
    if (cases.size() == before) std::abort();
  }
  return cases;
}

Exploration explore(const Case& what) {
  return with_model(what, [](const auto& model, const auto& bounds) {
    return Explorer<std::decay_t<decltype(model)>>(model, bounds.look_for_wedges, most_states)
        .run();
  });
}

std::vector<std::string> story_of(const Case& what, const Exploration& found) {
  return with_model(what,
                    [&](const auto& model, const auto&) { return tell(model, found.bad_run); });
}

}  // namespace loglog::model
