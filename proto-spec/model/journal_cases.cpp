// The settings of the journal model: their bounds, and why these are wide enough for the parts that
// are removed within them. A place is a group, so two places of a log are two groups.
#include "proto-spec/model/cases.h"

namespace loglog::model {
namespace {

// Any subset of the lazy bytes, of the marks and of the record in flight is on the disk after the
// power cut. Two records a file are the fewest for two records in flight in one file.
Setting power_cut() {
  journal::Bounds bounds;
  bounds.power_cuts = 1;
  bounds.directs = true;
  return {"journal: two logs, a power cut",
          bounds,
          {Part::j1, Part::j1_order, Part::j2_flight, Part::j3, Part::j3_began, Part::j5_first,
           Part::j6_one, Part::j6_torn}};
}

// Six groups in a ring of two records: each file is written three times.
Setting ring_again() {
  journal::Bounds bounds;
  bounds.places = 3;
  bounds.records_a_file = 1;
  bounds.power_cuts = 1;
  return {"journal: the ring is written again", bounds, {Part::j2, Part::j5_opened}};
}

// J2 says more than safety needs: a file may be written again once the bytes are synced. Marks that
// name the floor are needed for cuts, and to keep logs from being suspect.
Setting released_by_sync() {
  journal::Bounds bounds;
  bounds.records_a_file = 1;
  bounds.power_cuts = bounds.rots = 1;
  bounds.release_by_sync = true;
  return {"journal: a sync alone releases a file", bounds, {}};
}

// A ring of two records, which is full after two groups. Suspect logs must not pin it either.
Setting full_ring() {
  journal::Bounds bounds;
  bounds.records_a_file = 1;
  bounds.power_cuts = bounds.rots = 1;
  bounds.look_for_wedges = true;
  return {"journal: a full ring, no wedge", bounds, {Part::j2_forced}};
}

// A cut, and a second power cut that may strike the replay after the first.
Setting cut() {
  journal::Bounds bounds;
  bounds.logs = 1;
  bounds.places = 3;
  bounds.power_cuts = 2;
  bounds.cuts = 1;
  bounds.directs = true;
  return {"journal: a cut, a power cut in a replay",
          bounds,
          {Part::j4_floor, Part::j4_synced, Part::j4_kept, Part::j5_synced, Part::j9}};
}

// A second segment: a cut removes it, a trim or a re-base leaves it as the first. One slot of marks
// goes bad.
Setting segments() {
  journal::Bounds bounds;
  bounds.logs = 1;
  bounds.places = 4;
  bounds.places_a_segment = 2;
  bounds.power_cuts = bounds.cuts = bounds.rebases = bounds.trims = bounds.slot_rots = 1;
  bounds.directs = true;
  return {"journal: two segments, a cut, a re-base, a trim, a bad slot",
          bounds,
          {Part::j2_carried, Part::j3_whole, Part::j4_slots, Part::j4_file, Part::j4_trim}};
}

Setting dropped() {
  journal::Bounds bounds;
  bounds.records_a_file = 1;
  bounds.power_cuts = bounds.drops = bounds.cuts = 1;
  return {"journal: a log is dropped, a log is cut", bounds, {Part::j4_drop}};
}

// A record goes bad, or the bytes of one log in it. The power cut takes the lazy bytes. With two
// records a file, the bad record may stand before a good record of its file.
Setting bad_record() {
  journal::Bounds bounds;
  bounds.power_cuts = bounds.rots = 1;
  return {"journal: a bad record, a power cut",
          bounds,
          {Part::j5_rot, Part::j5_from, Part::j5_unknown}};
}

// By the second start the ring has been written over the bad record.
Setting bad_record_overwritten() {
  journal::Bounds bounds;
  bounds.records_a_file = 1;
  bounds.power_cuts = bounds.kills = bounds.rots = 1;
  return {"journal: a bad record, a power cut, a killed process", bounds, {Part::j5_lasting}};
}

// The newest record goes bad, and only the floor of the other log shows that it was there. A second
// power cut shows whether its number was used again.
Setting newest_record() {
  journal::Bounds bounds;
  bounds.records_a_file = 1;
  bounds.power_cuts = 2;
  bounds.rots = 1;
  bounds.rots_newest = true;
  return {"journal: the newest record goes bad", bounds, {Part::j5_evidence, Part::j5_number}};
}

// The ring holds a record of another disk, with the number that would come next.
Setting foreign_record() {
  journal::Bounds bounds;
  bounds.power_cuts = bounds.foreign = 1;
  return {"journal: a foreign record", bounds, {Part::j7_foreign}};
}

// A record is written where another record belongs. No part is removed: a start takes records
// wherever they lie, and a record that was overwritten is missing. With a single record a file
// there would be no other place than the next record's.
Setting misdirected_record() {
  journal::Bounds bounds;
  bounds.power_cuts = bounds.misdirected = 1;
  return {"journal: a misdirected record", bounds, {}};
}

// A killed process leaves a record in the page cache, and a failed sync leaves none on the medium.
Setting killed() {
  journal::Bounds bounds;
  bounds.records_a_file = 1;
  bounds.power_cuts = bounds.kills = bounds.failed_syncs = 1;
  return {"journal: a killed process, a failed sync", bounds, {Part::j5_medium, Part::j8}};
}

Setting lost_journal() {
  journal::Bounds bounds;
  bounds.records_a_file = 1;
  bounds.power_cuts = bounds.lost_journals = 1;
  return {"journal: its folder is lost", bounds, {Part::j7_missing, Part::j7_identity}};
}

}  // namespace

std::vector<Setting> journal_settings() {
  return {power_cut(),
          ring_again(),
          released_by_sync(),
          full_ring(),
          cut(),
          segments(),
          dropped(),
          bad_record(),
          bad_record_overwritten(),
          newest_record(),
          foreign_record(),
          misdirected_record(),
          killed(),
          lost_journal()};
}

}  // namespace loglog::model
