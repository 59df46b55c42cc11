// The cluster's version as a sequencer keeps it (T7): which version of records the own directory
// names, which saves make it name a later version, and which versions the other sequencers read.
// The metadata hold the version itself. Owned by SequencerState; SequencerMachine passes saves, and
// ClientRequests asks before a raise. Sends and proposes nothing.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

class ClusterVersion {
 public:
  /// `named`: the version that the directory named at the start.
  explicit ClusterVersion(std::uint8_t named) : named_(named), asked_(named) {}

  // The own directory

  /// The version of the records that this sequencer makes: the directory names it durably.
  std::uint8_t named() const { return named_; }
  /// Marks a save of Raft state with the highest version of the records in it, before the save goes
  /// to the driver. So the directory names the version before it holds the record.
  void mark(SaveRaft& s);
  /// The cluster's version is `version`. Returns the save by which the directory names it; nullopt:
  /// an earlier save does.
  std::optional<SaveRaft> name(std::uint8_t version);
  /// A save is durable; in the order of the saves. True: it was a save of name(), of which Raft
  /// does not know.
  bool saved(std::uint64_t ticket);

  // The other sequencers

  /// A sequencer has said over this link that its program reads records up to `highest` (0: 1).
  void said(SequencerId from, ConnectionId link, std::uint8_t highest);
  /// Why the sequencer at the other end of `link` (0: no link) is not known to read `version`;
  /// empty: it reads it. A statement over an earlier link may be that of another program.
  std::string cannot_read(SequencerId id, ConnectionId link, std::uint8_t version) const;

 private:
  struct Said {
    ConnectionId link{};
    std::uint8_t highest = 0;
  };
  std::uint8_t named_;
  std::uint8_t asked_;  // the highest version that a save under way, or a durable save, names
  /// Saves under way that make the directory name a later version: ticket and version.
  std::vector<std::pair<std::uint64_t, std::uint8_t>> saving_;
  std::map<SequencerId, Said> said_;
};

}  // namespace loglog::sequencer
