// The parts of rules that the models can remove, a single part at a time, to show the harm that
// each prevents. A rule with several separable statements has a part for each. The models ask
// `Rules::on` in their guards; the rules themselves are explained in proto-spec/spec.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace loglog::model {

// Enumerators follow the rules' names: `s4_state` is the part of S4 about the replica's state. The
// `missing_` parts belong to "When a payload is missing" in spec/05.
enum class Part : std::uint8_t {
  t1,
  t2,
  t3_durable,
  t3_every_command,
  t3_order,
  t4_disk,
  t4_promise,
  t5,
  s1,
  s2_quorum,
  s2_suspects,
  s3_highest,
  s3_once,
  s4_divergence,
  s4_committed,
  s4_state,
  s5,
  s6_term,
  s6_tails,
  s7,
  s8,
  d1,
  d2,
  d3,
  d4,
  d5,
  d6_reserve,
  d6_expire,
  k1,
  k2,
  k3,
  k4_count,
  k4_skip,
  c1_term,
  c1_seal,
  r2,
  r3,
  a1_term,
  a1_first,
  a1_gap,
  a1_repeat,
  a1_committed,
  a1_skip,
  a2,
  a3_resolve,
  a3_begin,
  a3_end,
  a4_found,
  a4_absent,
  a5,
  a6_refused,
  a6_number,
  missing_fetch,
  missing_again,
  missing_term,
  j1,
  j1_order,
  j2,
  j2_forced,
  j2_flight,
  j2_carried,
  j3,
  j3_began,
  j3_whole,
  j4_floor,
  j4_synced,
  j4_slots,
  j4_file,
  j4_kept,
  j4_drop,
  j4_trim,
  j5_rot,
  j5_from,
  j5_opened,
  j5_evidence,
  j5_number,
  j5_unknown,
  j5_lasting,
  j5_first,
  j5_synced,
  j5_medium,
  j6_one,
  j6_torn,
  j7_missing,
  j7_identity,
  j7_foreign,
  j8,
  j9,
};

struct PartText {
  Part part;
  std::string_view name;     // "S4.state": the rule, and its part if the rule has several
  std::string_view without;  // the system's behaviour without this part, as a sentence
};

// Every enumerator of `Part` once, in the order of the enumeration.
const std::vector<PartText>& parts();
// Aborts if the table lacks `part`.
const PartText& text_of(Part part);

// The set of rules that a model obeys: all of them, or all except the removed part.
class Rules {
 public:
  Rules() = default;
  explicit Rules(Part removed) : removed_(removed) {}
  bool on(Part part) const { return removed_ != part; }
  std::optional<Part> removed() const { return removed_; }

 private:
  std::optional<Part> removed_;
};

}  // namespace loglog::model
