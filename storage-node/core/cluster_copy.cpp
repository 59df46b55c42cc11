// Reading and saving the copy, then the judgement on a sequencer's numbers and metadata.
#include "storage-node/core/cluster_copy.h"

#include <algorithm>
#include <set>

#include "proto-spec/wire/field_codec.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {
/// Pause between alarms about messages that no correct leader sends.
constexpr Duration number_alarm_pause = 1s;
/// A leader that is refused dials again and again; the alarm comes less often.
constexpr Duration refusal_alarm_pause = 10s;
}  // namespace

/// The file is only a copy; the leader sends the metadata again to a node that has an older copy.
Result<void> ClusterCopy::start(StartupDisk& disk) {
  const auto saved = not_absent(disk.file("metadata"));
  if (!saved) return std::unexpected(saved.error());
  if (!saved->empty() &&
      !decode_record(*saved, node_.options.record_version_highest, node_.metadata)) {
    node_.metadata = {};
    node_.event(Event::Level::warning,
                "the copy of the cluster's metadata is unreadable; waiting for the leader's");
  }
  return {};
}

/// A failure is harmless: the file is only a copy of the leader's metadata.
void ClusterCopy::save() {
  node_.disk(SaveFile{"metadata", encode_record(node_.metadata, node_.identity.record_version)},
             [this](DiskDone&& d) {
               if (d.error != Errc::ok)
                 node_.event(
                     Event::Level::warning,
                     fmt::format("the copy of the cluster's metadata is not saved: {}", d.detail));
             });
}

/// A promise is never taken back and a metadata version never falls, so a wild number would lock
/// out correct leaders for ever. An empty node has heard nothing and believes the leader.
std::string ClusterCopy::implausible(Term term, Term promised, RaftIndex version) const {
  const Term heard = std::max(promised, node_.metadata.last_term);
  if (heard != Term{} && term > heard && term.value - heard.value > term_ahead_max)
    return fmt::format("term {} is more than {} above {}, the highest that this node has heard of",
                       term.value, term_ahead_max, heard.value);
  if (term.value > term_max)
    return fmt::format("term {} is above the last one that is ever given, {}", term.value,
                       term_max);
  const RaftIndex known = std::max(seal_version_, node_.metadata.version);
  if (known != RaftIndex{} && version > known && version.value - known.value > raft_index_ahead_max)
    return fmt::format(
        "metadata version {} is more than {} above {}, the newest that this node has heard of",
        version.value, raft_index_ahead_max, known.value);
  return {};
}

/// Terms and versions of the metadata rise together, and a version has a single term. Metadata with
/// a newer term and no newer version than here, or an older term and no older version, are no part
/// of this cluster's history: the sequencers were given old directories.
/// The same holds if a log id stands for another log there, or if newer metadata lack a log of this
/// node: a deleted log leaves the metadata only after each member has dropped it.
std::optional<std::string> ClusterCopy::goes_back(const ClusterMetadata& told, const LogTable& logs,
                                                  const NodeIdentity& identity) const {
  const ClusterMetadata& here = node_.metadata;
  const bool older_term = told.last_term < here.last_term;
  if ((told.last_term > here.last_term && told.version <= here.version) ||
      (older_term && told.version >= here.version))
    return fmt::format(
        "its metadata is of version {} in term {}, this node has version {} of term {}",
        told.version.value, told.last_term.value, here.version.value, here.last_term.value);
  // A deposed leader is about to be fenced; it proves nothing.
  if (older_term) return std::nullopt;
  for (const LogInfo& l : told.logs)
    if (logs.is_another_log(l))
      return fmt::format("log {} is \"{}\" there and another log here", l.id.value, l.name);
  // A log that was made after these metadata is not in them.
  if (told.last_term == here.last_term && told.version <= here.version) return std::nullopt;
  // On an older copy of this node's directory a missing log proves nothing: the directory from
  // which the copy was made has dropped it. The count tells such a copy (T4).
  if (identity.is_older_copy(told)) return std::nullopt;
  std::set<LogId> there;
  for (const LogInfo& l : told.logs) there.insert(l.id);
  for (const LogInfo& l : here.logs)
    if (logs.live(l.id) != nullptr && !there.contains(l.id))
      return fmt::format("log {}, \"{}\", is on this node and is not known there", l.id.value,
                         l.name);
  return std::nullopt;
}

bool ClusterCopy::takes_seal(RaftIndex version) {
  if (rules::is_stale(version, seal_version_)) return false;
  seal_version_ = version;
  return true;
}

bool ClusterCopy::number_alarm_due() {
  if (node_.now < number_alarm_after_) return false;
  number_alarm_after_ = node_.now + number_alarm_pause;
  return true;
}

bool ClusterCopy::refusal_alarm_due() {
  if (refusal_said_at_ != never && node_.now < refusal_said_at_ + refusal_alarm_pause) return false;
  refusal_said_at_ = node_.now;
  return true;
}

}  // namespace loglog::storage
