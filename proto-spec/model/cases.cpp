// The bounds, and why they are wide enough for the parts that are removed within them.
#include "proto-spec/model/cases.h"

#include <cstdlib>

namespace loglog::model {
namespace {

constexpr std::size_t most_states =
    30'000'000;  // three times the largest setting: more means that a bound is wrong

// One deposed leader with an entry that it has ordered and its successor with another: enough for
// every rule about what an old leader may still do. All steps of a write are apart.
Setting two_terms() {
  recovery::Bounds bounds;
  return {"two terms",
          bounds,
          {Part::t3_every_command, Part::t3_order, Part::s1, Part::s2_quorum, Part::s4_divergence,
           Part::s4_state, Part::d2, Part::d5, Part::r2}};
}

// A promise or a frame that is only in memory is gone after one power loss.
Setting power_loss() {
  recovery::Bounds bounds;
  bounds.power_losses = 1;
  return {"a power loss", bounds, {Part::t3_durable, Part::d4}};
}

// A loss below the file system shows itself only when the process dies first, or an fdatasync
// fails, and the power afterwards.
Setting page_cache() {
  recovery::Bounds bounds;
  bounds.restarts = bounds.failed_syncs = bounds.power_losses = 1;
  return {"a restart, a failed fdatasync, a power loss", bounds, {Part::k1, Part::k2}};
}

// One frame goes bad, before or after its replica is read again.
Setting damage() {
  recovery::Bounds bounds;
  bounds.entries[1] = 0;  // what stands in the way of the older entry is the newer term start
  bounds.bit_rots = bounds.power_losses = 1;
  return {"a bad frame, a power loss", bounds, {Part::s2_suspects, Part::k3, Part::k4_skip}};
}

// The same, and an acknowledgement counts as broken when it leaves fewer than W whole copies: K4's
// count does no harm that a reader sees before a second disk is lost.
Setting damage_counted() {
  recovery::Bounds bounds;
  bounds.bit_rots = 1;
  bounds.count_copies = true;
  return {"a bad frame, copies counted", bounds, {Part::k4_count}};
}

Setting disk_loss() {
  recovery::Bounds bounds;
  bounds.one_step_writes = true;  // nothing is lost between the steps of a write here
  bounds.disk_losses = 1;
  return {"a lost disk or promise", bounds, {Part::t4_disk, Part::t4_promise, Part::t5}};
}

// A lost disk is replaced; the term after the one that begins with it may seal by the new one.
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

// W = N needs one answer to a seal, W = 1 all of them.
Setting write_quorum(int quorum, std::string_view name) {
  recovery::Bounds bounds;
  bounds.write_quorum = quorum;
  bounds.power_losses = 1;
  bounds.count_copies = true;
  return {name, bounds, {}};
}

// Two entries in one term: the shortest log whose tail is longer than a newer, better one, and the
// fewest for two orders at one offset. S6.tails does harm in the third term and loses in a fourth;
// that the copies are missing is seen in the third.
Setting two_entries() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[0] = 2;
  bounds.entries[1] = bounds.entries[2] = 0;
  bounds.one_step_writes = bounds.count_copies = true;
  return {"three terms, two entries, copies counted", bounds, {Part::d1, Part::s6_tails}};
}

// What goes wrong in a second term becomes a loss in the third. Without T1 the second and the third
// are one.
Setting three_terms() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[2] = 0;
  bounds.one_step_writes = true;
  return {"three terms",
          bounds,
          {Part::t1, Part::s3_highest, Part::s3_once, Part::s4_committed, Part::s5}};
}

// The same with the steps of a write apart, and one entry.
Setting three_terms_apart() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[1] = bounds.entries[2] = 0;
  bounds.has_readers = false;
  return {"three terms, every step apart", bounds, {}};
}

// An old frame reaches W replicas in the third term after another was chosen in the second; the
// fourth falls back on that.
Setting four_terms() {
  recovery::Bounds bounds;
  bounds.leaders = 4;
  bounds.entries[1] = bounds.entries[2] = bounds.entries[3] = 0;
  bounds.one_step_writes = true;
  bounds.has_readers = false;
  return {"four terms", bounds, {Part::s6_term}};
}

// {a, b, c} becomes {b, c, d} in the second term; the third has not heard of it. Term starts are
// all the frames it takes.
Setting set_change() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[0] = bounds.entries[1] = bounds.entries[2] = 0;
  bounds.one_step_writes = bounds.set_changes = true;
  return {"three terms, the replica set changes", bounds, {Part::t2}};
}

// The only replica that has the base goes down before anybody has copied it.
Setting stuck_recovery() {
  recovery::Bounds bounds;
  bounds.leaders = 3;
  bounds.entries[1] = bounds.entries[2] = 0;
  bounds.nodes_down = 1;
  bounds.one_step_writes = bounds.look_for_wedges = true;
  return {"three terms, a node goes down, no wedge", bounds, {Part::s8}};
}

// Three entries in flight: the fewest where one can be passed over while one before it is
// unsettled.
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

// An entry ordered by one leader and found, or not, by the producer in the term of the next.
Setting a_new_term() {
  retry::Bounds bounds;
  bounds.repeats = 2;
  bounds.trims = 1;
  return {"two terms, repeats, a trim",
          bounds,
          {Part::a1_term, Part::a3_resolve, Part::a3_begin, Part::a3_end, Part::a5, Part::r3}};
}

// All that can end an append, at once.
Setting all_endings() {
  retry::Bounds bounds;
  bounds.repeats = bounds.trims = 2;
  bounds.refusals = bounds.given_up = bounds.failures = 1;
  return {"two terms, every ending", bounds, {}};
}

// A run can survive in part only if it has two entries; the third is in a run of its own behind it.
Setting runs_of_two() {
  retry::Bounds bounds;
  bounds.entries = 3;
  bounds.run_length = 2;
  bounds.trims = bounds.failures = bounds.refusals = 1;
  return {"two terms, runs of two", bounds, {Part::a4_found, Part::a4_absent}};
}

// A term that begins and never commits its term start lies between two that do.
Setting a_term_between() {
  retry::Bounds bounds;
  bounds.terms = 3;
  bounds.refusals = bounds.trims = bounds.failures = 1;
  return {"three terms", bounds, {Part::s7}};
}

Setting two_producers() {
  retry::Bounds bounds;
  bounds.producers = 2;
  bounds.repeats = 0;
  return {"two terms, two producers", bounds, {}};
}

// One place for a run on each replica, two producers that want it, and all that can take a payload
// away again.
Setting scarce_space() {
  staging::Bounds bounds;
  bounds.restarts = 2;
  bounds.leavings = bounds.nodes_down = bounds.rebuilds = 1;
  return {
      "scarce space",
      bounds,
      {Part::d3, Part::d6_reserve, Part::missing_fetch, Part::missing_again, Part::missing_term}};
}

// Two producers hold one replica each while both need all three.
Setting scarce_space_everywhere() {
  staging::Bounds bounds;
  bounds.write_quorum = 3;
  bounds.restarts = 2;
  bounds.leavings = bounds.rebuilds = 1;
  return {"scarce space, W = 3", bounds, {Part::d6_expire}};
}

// A producer whose second run waits behind its first and the other producer's.
Setting three_runs() {
  staging::Bounds bounds;
  bounds.runs = 3;
  bounds.restarts = bounds.leavings = 1;
  return {"scarce space, three runs", bounds, {}};
}

// The same scarcity, and nobody waits for an answer before its run is ordered.
Setting eager_commit() {
  staging::Bounds bounds;
  bounds.eager = true;
  bounds.restarts = 1;
  bounds.leavings = bounds.nodes_down = bounds.rebuilds = 1;
  return {"eager commit",
          bounds,
          {Part::d3, Part::d6_reserve, Part::missing_again, Part::missing_term}};
}

template <class Visit>
auto with_model(const Case& what, Visit&& visit) {
  return std::visit(
      [&](const auto& bounds) {
        using Of = std::decay_t<decltype(bounds)>;
        if constexpr (std::is_same_v<Of, recovery::Bounds>)
          return visit(recovery::Model(what.rules, bounds), bounds);
        else if constexpr (std::is_same_v<Of, retry::Bounds>)
          return visit(retry::Model(what.rules, bounds), bounds);
        else return visit(staging::Model(what.rules, bounds), bounds);
      },
      what.setting->bounds);
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = {
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
  };
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
