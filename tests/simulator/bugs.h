// Bugs that a control plants into the simulator's own parts (network, disk, drivers, workload),
// never into a core. Each bug makes a single kind of fault do harm. So a control shows that the
// fault is really injected and that a checker sees its harm. controls.cpp pairs bugs with faults;
// the other files ask `World::has`.
#pragma once
#include <cstdint>
#include <set>

namespace loglog::simulator {

enum class Bug : std::uint8_t {
  accepts_any_checksum,   ///< the receiver of a damaged message ignores the checksum
  silent_break,           ///< no end is told that a connection broke
  demands_one_version,    ///< a session refuses a peer that speaks other versions as well
  completes_too_early,    ///< a write is reported as done before it has reached the page cache
  skips_sync,             ///< fdatasync of a group does nothing
  forgets_raft_saves,     ///< a sequencer's saves of its last second are lost at its death
  retries_after_failure,  ///< K2 ignored: a failed write or sync counts as done
  trusts_page_cache,      ///< K1 ignored: a restarted node reads the page cache, not the medium
  shares_one_disk,        ///< damage to a disk is damage to all disks
  /// The good beginning of a damaged raft.log is taken for the whole log (C3 ignored).
  shortens_raft_logs,
  trusts_empty_disks,  ///< a sequencer with an empty disk votes at once
  never_puts_back,     ///< a lost disk never comes back
  /// K7 ignored: a file that cannot be listed or read at a start counts as absent.
  hides_start_errors,
  promises_space,         ///< a full disk grants space and reserves nothing
  nobody_audits,          ///< the replicas are not audited at the end
  unknown_is_failed,      ///< an application treats "outcome unknown" as "failed"
  unknown_is_retried,     ///< an application appends an entry again after "outcome unknown"
  repeats_after_restart,  ///< an application appends its unfinished entries again after its death
  parts_all,     ///< no storage node hears another, although only a single node should be parted
  says_written,  ///< a driver reports bytes as sent while they are still queued
  shows_old_status,  ///< a status question gets an old answer
  shares_one_clock,  ///< all sequencers have the wrong clock of a single sequencer
  finds_nothing,     ///< an application that resolves an append takes a found entry for absent
  finds_elsewhere,   ///< an application that resolves an append takes the next entry's place for it
  orders_by_clock,   ///< an application believes that its clocks agree
};
/// The bugs of a run; empty except in a control.
using Bugs = std::set<Bug>;

}  // namespace loglog::simulator
