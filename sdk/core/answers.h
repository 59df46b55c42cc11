// The answers to the application's calls: a completion in the Output for each. Used by every part
// of the core that owns calls; a part takes its call out of its own table before it answers.
#pragma once
#include <string>
#include <utility>

#include "sdk/core/cluster_view.h"
#include "sdk/core/output.h"

namespace loglog::client {

/// Failure past_end: no entry can begin at the asked offset, because the log ends at `end`.
inline Failure past_end(Offset end) {
  return {Error{Errc::past_end, "the log ends at " + std::to_string(end.value)}, {}, end};
}

class Answers {
 public:
  /// Both references must outlive this object.
  Answers(Output& out, const ClusterView& view) : out_(out), view_(view) {}

  /// `last` false: more completions follow for this call.
  void complete(Token t, Completion c, bool last = true) {
    out_.completed.push_back({t, std::move(c), last});
  }
  void fail(Token t, Errc e, std::string detail = {}) {
    complete(t, Failure{Error{e, std::move(detail)}});
  }
  /// Fails a call whose deadline has passed. With `unavailable` the text names the nodes that could
  /// not be reached, and the causes.
  void fail_late(Token t, Errc e) {
    const std::string whom = e == Errc::unavailable ? view_.failures() : std::string();
    Failure late{Error{e, "the deadline passed" + (whom.empty() ? whom : "; " + whom)}};
    late.timed_out = true;
    complete(t, std::move(late));
  }

 private:
  Output& out_;
  const ClusterView& view_;
};

}  // namespace loglog::client
