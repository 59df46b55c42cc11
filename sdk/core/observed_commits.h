// Client-observed commit (V2): collects the replicas' reports of durable runs of a producer in a
// log, and decides when they amount to a commit. Used by AppendPipeline; pure.
//
// The count is the leader's (S6): distinct members of the term's set that hold the run durably,
// with all bytes below it, at the offset where an order of this term placed it. Reports of another
// term are not kept, so that reports of two terms are never counted together.
#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>

#include "proto-spec/wire/messages.h"
#include "sdk/core/rules.h"
#include "sdk/core/run.h"

namespace loglog::client {

class ObservedCommits {
 public:
  /// `enabled`: Options::observed_commit.
  explicit ObservedCommits(bool enabled) : enabled_(enabled) {}

  /// The log is in this term from now on. Reports of an older term and its set are forgotten.
  void begin(Term term) {
    if (term == term_) return;
    term_ = term;
    set_.reset();
    if (rules::forgets_reports_at_new_term()) said_.clear();
  }
  /// Whether the leader is to be asked for the members and the write quorum of the term.
  bool asks_for_set(Time now) const { return lacks_set() && now >= ask_at_; }
  void asked() { asking_ = true; }
  /// Takes the answer to GetTermSet, or nullptr for none. The set of any other term is ignored.
  /// Returns true if the answer was a set.
  bool answered(Time now, const Message* m) {
    asking_ = false;
    ask_at_ = now + refusal_pause;
    const auto* set = m ? std::get_if<TermSetIs>(m) : nullptr;
    if (set != nullptr && set->term == term_) set_ = *set;
    return set != nullptr;
  }
  /// When asks_for_set() becomes true.
  Time wake() const { return lacks_set() ? ask_at_ : never; }
  /// Records a report: the node at the end of connection `on` holds the run durably.
  void said(const Member& by, ConnectionId on, const RunDurable& m) {
    if (by.node == NodeId{} || !rules::is_report_of(term_, m.term)) return;
    said_[m.first].insert_or_assign(by.node, Said{by, on, m.offset});
  }
  /// Returns the run's offset once a write quorum has reported it there. `at_end_of` returns the
  /// member at the end of a connection, or node 0 if the connection is gone. A report counts only
  /// while its connection is up, because a node that restarted may have lost the run.
  template <class AtEndOf>
  std::optional<Offset> committed(Sequence first, AtEndOf at_end_of) const {
    const auto run = said_.find(first);
    if (!set_ || run == said_.end()) return std::nullopt;
    std::map<Offset, std::size_t> votes;
    for (const auto& [node, s] : run->second) {
      const bool by_member =
          is_member(rules::counts_standing_connections_only() ? at_end_of(s.on) : s.by);
      if (rules::counts_report(by_member))
        ++votes[rules::reported_offset(s.offset, run->second.begin()->second.offset)];
    }
    const std::size_t quorum = rules::observed_quorum(set_->write_quorum);
    for (const auto& [offset, count] : votes)
      if (count >= quorum) return offset;
    return std::nullopt;
  }
  /// Drops the reports of a run that is settled.
  void forget(Sequence first) { said_.erase(first); }

 private:
  struct Said {
    Member by;
    ConnectionId on;
    Offset offset;
  };
  bool lacks_set() const { return enabled_ && !set_ && !asking_; }
  bool is_member(const Member& m) const {
    return std::find(set_->members.begin(), set_->members.end(), m) != set_->members.end();
  }

  const bool enabled_;
  Term term_{};
  std::optional<TermSetIs> set_;
  bool asking_ = false;  // a GetTermSet is under way
  Time ask_at_{};        // no GetTermSet before
  std::map<Sequence, std::map<NodeId, Said>> said_;
};

}  // namespace loglog::client
