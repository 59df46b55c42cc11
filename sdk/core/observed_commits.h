// Client-observed commit (V2): what replicas say of runs that are durable there, and when that is a
// commit. One log, one producer.
//
// It counts what S6 lets the leader count: distinct members of the term's set that hold the run
// durably, with all below it, where an order of this term placed it. Nothing of another term is
// kept, so that no two terms are ever counted together.
#pragma once
#include <algorithm>
#include <map>
#include <optional>

#include "proto-spec/vocabulary/rules.h"
#include "proto-spec/wire/messages.h"

namespace loglog::client {

class ObservedCommits {
 public:
  /// The log is in this term from now on; what was said in an older one is forgotten.
  void begin(Term term) {
    if (term == term_) return;
    term_ = term;
    set_.reset();
    if (!removed(Rule::V2_same)) said_.clear();
  }
  /// Who counts in the term is known.
  bool has_set() const { return set_.has_value(); }
  void learn(const TermSetIs& m) {
    if (m.term == term_) set_ = m;
  }
  /// The node at the end of this connection says that a run is durable there.
  void said(const Member& by, ConnectionId on, const RunDurable& m) {
    if (by.node == NodeId{} || (m.term != term_ && !removed(Rule::V2_same))) return;
    said_[m.first].insert_or_assign(by.node, Said{by, on, m.offset});
  }
  /// Where the run stands, once a write quorum has said so. `at_end_of` gives who is at the end of
  /// a connection that stands, node 0 where none does: a node that has begun anew since may have
  /// lost what it said.
  template <class AtEndOf>
  std::optional<Offset> committed(Sequence first, AtEndOf at_end_of) const {
    const auto run = said_.find(first);
    if (!set_ || run == said_.end()) return std::nullopt;
    std::map<Offset, std::size_t> votes;
    for (const auto& [node, s] : run->second) {
      const bool counts = is_member(removed(Rule::V2_stands) ? s.by : at_end_of(s.on));
      if (counts || removed(Rule::V2_member))
        ++votes[removed(Rule::V2_same) ? run->second.begin()->second.offset : s.offset];
    }
    const std::size_t quorum =
        std::max<std::size_t>(1, set_->write_quorum - (removed(Rule::V2_quorum) ? 1U : 0U));
    for (const auto& [offset, count] : votes)
      if (count >= quorum) return offset;
    return std::nullopt;
  }
  /// The run is settled.
  void forget(Sequence first) { said_.erase(first); }

 private:
  struct Said {
    Member by;
    ConnectionId on;
    Offset offset;
  };
  bool is_member(const Member& m) const {
    return std::find(set_->members.begin(), set_->members.end(), m) != set_->members.end();
  }

  Term term_{};
  std::optional<TermSetIs> set_;
  std::map<Sequence, std::map<NodeId, Said>> said_;
};

}  // namespace loglog::client
