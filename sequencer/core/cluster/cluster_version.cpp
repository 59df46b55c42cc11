// A save names the version of its own records, whatever the metadata say: a follower may get
// RaiseVersion and a record of the new version in one message, and saves both before it applies
// either.
#include "sequencer/core/cluster/cluster_version.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/wire/field_codec.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {

void ClusterVersion::mark(SaveRaft& s) {
  if (!rules::names_version_first()) return;
  std::uint8_t highest = s.has_snapshot ? version_of_record(s.snapshot) : record_version_first;
  for (const RaftEntry& e : s.entries)
    highest = std::max(highest, version_of_record(e.command.span()));
  if (highest == record_version_first) return;
  s.record_version = highest;
  if (highest <= asked_) return;
  asked_ = highest;
  saving_.emplace_back(s.ticket, highest);
}

std::optional<SaveRaft> ClusterVersion::name(std::uint8_t version) {
  if (version <= asked_) return std::nullopt;
  asked_ = version;
  SaveRaft s;
  s.record_version = version;
  saving_.emplace_back(s.ticket, version);
  return s;
}

bool ClusterVersion::saved(std::uint64_t ticket) {
  if (!saving_.empty() && saving_.front().first == ticket) {
    named_ = saving_.front().second;
    saving_.erase(saving_.begin());
  }
  return ticket == 0;
}

void ClusterVersion::said(SequencerId from, ConnectionId link, std::uint8_t highest) {
  said_[from] = {link, std::max(record_version_first, highest)};
}

std::string ClusterVersion::cannot_read(SequencerId id, ConnectionId link,
                                        std::uint8_t version) const {
  if (link == ConnectionId{}) return fmt::format("sequencer {} is not connected", id.value);
  const auto s = said_.find(id);
  if (s == said_.end() || s->second.link != link)
    return fmt::format("sequencer {} has not said yet which version it reads", id.value);
  if (s->second.highest >= version) return {};
  return fmt::format("sequencer {} reads up to version {}", id.value, s->second.highest);
}

}  // namespace loglog::sequencer
