// Exit codes of the programs, one a reason (styles of failure: the environment is fatal, with one
// sentence).
#pragma once
#include "proto-spec/vocabulary/errors.h"

namespace loglog {

inline constexpr int exit_bad_options = 2;
inline constexpr int exit_directory_in_use = 3;
inline constexpr int exit_directory_unreadable = 4;
inline constexpr int exit_newer_format = 5;
inline constexpr int exit_identity = 6;
inline constexpr int exit_address_in_use = 7;
inline constexpr int exit_disk_failed = 8;

// Of `loglog`, beside 1 for what failed and exit_bad_options.
inline constexpr int exit_replicas_differ =
    10;  ///< verify: a replica is damaged, or holds other bytes than the others
inline constexpr int exit_replicas_missing =
    11;  ///< verify: a replica could not show the whole range; what was shown agrees
inline constexpr int exit_not_serving =
    12;  ///< status: appends to the cluster, or to one of its logs, wait or are refused

/// The code for an error at start.
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
