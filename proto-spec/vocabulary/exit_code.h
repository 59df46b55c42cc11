// Exit codes of the programs: each reason for which the environment stops a process has a code of
// its own. Operators' scripts and service managers rely on the numbers, so a number never changes
// its meaning.
#pragma once
#include "proto-spec/vocabulary/errors.h"

namespace loglog {

// Servers and `loglog`. 3: another process uses the data directory. 4: an error of listing, opening
// or reading it (K7). 5: a newer program wrote it. 6: wrong cluster or node, lost data, or damaged
// Raft files (T4, spec/02 R2). 8: a failed write or fdatasync, or no space at start (K2).
inline constexpr int exit_bad_options = 2;
inline constexpr int exit_directory_in_use = 3;
inline constexpr int exit_directory_unreadable = 4;
inline constexpr int exit_newer_format = 5;
inline constexpr int exit_identity = 6;
inline constexpr int exit_address_in_use = 7;
inline constexpr int exit_disk_failed = 8;

/// Codes of `loglog` alone; it also uses 1 for any other failure. verify: a replica is damaged, or
/// its bytes differ from those of the other replicas.
inline constexpr int exit_replicas_differ = 10;
/// verify: a replica could not show the whole range; all bytes that were shown agree.
inline constexpr int exit_replicas_missing = 11;
/// status: appends to the cluster, or to some log, wait or are refused.
inline constexpr int exit_not_serving = 12;

/// Maps an error at start to the exit code of the process. An error that no case names counts as
/// bad options.
constexpr int exit_code_of(Errc e) {
  switch (e) {
    case Errc::directory_in_use:
      return exit_directory_in_use;
    case Errc::directory_unreadable:
      return exit_directory_unreadable;
    case Errc::newer_format:
      return exit_newer_format;
    case Errc::wrong_identity:
    case Errc::wrong_cluster:
    case Errc::data_loss:
    case Errc::raft_damaged:
      return exit_identity;
    case Errc::address_in_use:
      return exit_address_in_use;
    case Errc::io_error:
    case Errc::no_space:
      return exit_disk_failed;
    default:
      return exit_bad_options;
  }
}

}  // namespace loglog
