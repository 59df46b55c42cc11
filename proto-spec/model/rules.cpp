// The table of parts: name, and in a sentence the system's behaviour without the part.
// `loglog-model --rules` prints it and stories quote it, so each sentence must be complete.
#include "proto-spec/model/rules.h"

#include <cstdlib>

namespace loglog::model {

const std::vector<PartText>& parts() {
  static const std::vector<PartText> all = {
      {Part::t1, "T1",
       "two leaders use one term, and a replica does not ask which of them it is bound to"},
      {Part::t2, "T2", "a leader seals by a replica set that is not the newest committed one"},
      {Part::t3_durable, "T3.durable", "a power loss takes the promise with it"},
      {Part::t3_every_command, "T3.every-command", "a reconcile is carried out below the promise"},
      {Part::t3_order, "T3.order", "orders are taken, and acknowledged, below the promise"},
      {Part::t4_disk, "T4.disk", "a replica whose disk came back empty answers like any other"},
      {Part::t4_promise, "T4.promise", "an unreadable promise is taken for none"},
      {Part::t5, "T5",
       "a replica that finds no word of a log deletes it, and makes it anew when spoken to"},
      {Part::s1, "S1",
       "a seal does not wait for the write in flight, which is acknowledged afterwards"},
      {Part::s2_quorum, "S2.quorum", "one answer fewer is enough to choose a base"},
      {Part::s2_suspects, "S2.suspects", "the answer of a suspect replica counts in full"},
      {Part::s3_highest, "S3.highest", "the base is the longest log, whatever its last term"},
      {Part::s3_once, "S3.once", "a leader chooses a second base in the same term"},
      {Part::s4_divergence, "S4.divergence", "a replica is matched without being cut"},
      {Part::s4_committed, "S4.committed",
       "a replica is cut to the committed offset that it knows"},
      {Part::s4_state, "S4.state",
       "a repeated reconcile is carried out although the replica's state has changed"},
      {Part::s5, "S5", "bytes are copied from a peer that is not matched"},
      {Part::s6_term, "S6.term",
       "frames of older terms count as committed before the term start is"},
      {Part::s6_tails, "S6.tails", "a tail that was told to the seal counts as an acknowledgement"},
      {Part::s7, "S7", "the term start's offset is told before it is committed"},
      {Part::s8, "S8", "a recovery that cannot end is not given up for a new term"},
      {Part::d1, "D1", "a leader orders another entry at an offset that is ordered already"},
      {Part::d2, "D2",
       "a replica writes an ordered frame at its tail without comparing where it belongs"},
      {Part::d3, "D3", "a staged run is taken by its number alone, whatever its bytes"},
      {Part::d4, "D4", "a replica acknowledges what is written and not yet durable"},
      {Part::d5, "D5",
       "a replica that is not matched in the term believes the leader's committed offset"},
      {Part::d6_reserve, "D6.reserve", "the next run to be written has no space of its own"},
      {Part::d6_expire, "D6.expire", "a run that nobody has committed stays staged for ever"},
      {Part::k1, "K1", "a process that starts again takes the page cache for the disk"},
      {Part::k2, "K2", "a failed fdatasync is tried again, and succeeds"},
      {Part::k3, "K3", "a replica cuts its own log where it finds bad bytes"},
      {Part::k4_count, "K4.count",
       "a replica with a hole acknowledges, and counts towards the write quorum"},
      {Part::k4_skip, "K4.skip", "a hole is closed by moving up the frames behind it"},
      {Part::c1_term, "C1.term",
       "an empty disk takes the place of a lost one in the terms that the lost one had a part in"},
      {Part::c1_seal, "C1.seal", "an empty disk answers a seal before it is a member"},
      {Part::r2, "R2", "a leader answers for the tail without asking whether it still leads"},
      {Part::r3, "R3", "a leader trims up to what it has ordered"},
      {Part::a1_term, "A1.term", "a commit of an older term is taken"},
      {Part::a1_first, "A1.first", "a producer without a record may begin anywhere"},
      {Part::a1_gap, "A1.gap", "a commit may leave out entries that are not settled"},
      {Part::a1_repeat, "A1.repeat", "a repeated commit is taken once more"},
      {Part::a1_committed, "A1.committed", "a commit is answered before its run is committed"},
      {Part::a1_skip, "A1.skip", "a settled entry that was never ordered may not be passed over"},
      {Part::a2, "A2", "a leader forgets a producer within its term"},
      {Part::a3_resolve, "A3.resolve",
       "unsettled entries are sent again in a new term without reading the log"},
      {Part::a3_begin, "A3.begin",
       "an upload that is answered late moves the beginning of the range"},
      {Part::a3_end, "A3.end", "the range may end before the term start"},
      {Part::a4_found, "A4.found", "a run whose first entry is found is taken as found"},
      {Part::a4_absent, "A4.absent", "a run that is not found as a whole is sent again as a whole"},
      {Part::a5, "A5", "what a trim has removed is taken as absent"},
      {Part::a6_refused, "A6.refused", "a refusal means failed although the commit was repeated"},
      {Part::a6_number, "A6.number",
       "the number of an entry whose outcome is unknown is given to another"},
      {Part::missing_fetch, "missing.fetch",
       "a replica does not ask its peers for a payload that it lacks"},
      {Part::missing_again, "missing.again", "a producer is not asked to upload again"},
      {Part::missing_term, "missing.term",
       "no new term is begun when nobody has a payload any more"},
  };
  return all;
}

const PartText& text_of(Part part) {
  for (const PartText& text : parts())
    if (text.part == part) return text;
  std::abort();  // an enumerator without a row in the table
}

}  // namespace loglog::model
