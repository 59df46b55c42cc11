// A producer's knowledge of its log's term, and of the leader that takes its Commits (spec/05 step
// 4, spec/07). Decides when the leader is asked for the term, and whether an answer begins another
// term. AppendPipeline sends the requests and judges its runs by the news.
#pragma once
#include "sdk/core/cluster_view.h"
#include "sdk/core/options.h"

namespace loglog::client {

/// Owns the term and the connection to its leader.
class TermSession {
 public:
  /// `view` must outlive this object.
  explicit TermSession(ClusterView& view) : view_(view) {}

  /// Whether Commits can be sent.
  bool is_open() const { return leader_ != ConnectionId{}; }
  /// Receiver of Commits; 0: the term is not open.
  ConnectionId leader() const { return leader_; }
  Term term() const { return term_; }
  /// The term's start frame, as the leader told it; a resolution reads up to there (A3).
  Offset start() const { return start_; }
  /// End of the term's start frame: all bytes below are committed.
  Offset end() const { return end_; }

  /// Returns the leader to send OpenLog to, or 0 while OpenLog is under way, a pause lasts or the
  /// leader is not connected.
  ConnectionId ask(Time now);
  /// OpenLog sent to `to` has its answer, or none (nullptr). Returns the reason if the log takes no
  /// appends: it does not exist, or its replicas contradict each other; else ok.
  Error answered(Time now, ConnectionId to, const Message* m);

  /// ignored: of an older term, or not of a sequencer. same: the term is open, perhaps again.
  enum class News : std::uint8_t { ignored, same, first_term, next_term };
  /// Takes TermIs, the answer to OpenLog or unasked. `known`: the offset up to which the client
  /// knew the log as committed.
  News take(ConnectionId from, const TermIs& m, Offset known);
  /// The leader is lost, or does not lead any more. It is asked again after `pause`.
  void lose(Time now, Duration pause);
  /// When ask() has work again.
  Time wake() const { return is_open() || asking_ ? never : ask_at_; }

 private:
  ClusterView& view_;
  Term term_{};
  Offset start_{}, end_{};
  ConnectionId leader_{};
  bool asking_ = false;  // an OpenLog is under way
  Time ask_at_{};        // no OpenLog before
};

}  // namespace loglog::client
