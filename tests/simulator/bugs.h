// Small bugs that a control plants into the simulator's own parts (network, disk, drivers,
// workload), never into a core: each makes one kind of fault do harm, which shows that the fault is
// really injected and that a checker sees its harm.
#pragma once
#include <cstdint>
#include <set>

namespace loglog::simulator {

enum class Bug : std::uint8_t {
  accepts_any_checksum,   ///< the receiver of a damaged message does not look at its checksum
  silent_break,           ///< nobody is told that a connection broke
  demands_one_version,    ///< a session refuses a peer that speaks other versions too
  completes_too_early,    ///< a write is reported done before it has reached the page cache
  skips_sync,             ///< fdatasync of a group does nothing
  forgets_raft_saves,     ///< a sequencer's saves of its last second are lost when it dies
  retries_after_failure,  ///< K2 ignored: a failed write or sync is taken as done
  trusts_page_cache,      ///< K1 ignored: after a restart the page cache is read, not the medium
  shares_one_disk,        ///< damage to one disk is damage to all of them
  shortens_raft_logs,     ///< what a damaged raft.log begins with is taken for all of it
  trusts_empty_disks,     ///< a sequencer with an empty disk votes at once
  never_puts_back,        ///< a lost disk is not put back
  hides_start_errors,  ///< K7 ignored: what cannot be listed or read at a start is taken for absent
  promises_space,      ///< a full disk says yes and reserves nothing
  nobody_audits,       ///< the replicas are not read one by one at the end
  unknown_is_failed,   ///< an application takes "outcome unknown" for "failed"
  unknown_is_retried,  ///< an application appends again what has an unknown outcome
  repeats_after_restart,  ///< an application appends again what was under way when it died
  parts_all,     ///< where one storage node is left without a peer, no two of them hear each other
  says_written,  ///< a driver says that bytes have left the process which are still queued
  shows_old_status,  ///< who asks for the status gets what was true once
  shares_one_clock,  ///< all sequencers have the clock of the one that is wrong
  orders_by_clock,   ///< an application believes that its clocks agree
};
using Bugs = std::set<Bug>;

}  // namespace loglog::simulator
