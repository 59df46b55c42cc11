// The application's status() calls: every sequencer is asked once, and the call waits for those
// that are slow to answer. Used by ClientMachine.
#pragma once
#include <map>
#include <optional>

#include "sdk/core/answers.h"
#include "sdk/core/options.h"

namespace loglog::client {

/// Owns the calls under way. Decides how long a sequencer may take before it counts as unreachable.
class StatusCalls {
 public:
  /// All references must outlive this object.
  StatusCalls(const Options& options, ClusterView& view, Answers& answers)
      : options_(options), view_(view), answers_(answers) {}

  /// `logs`: with the list of logs.
  void ask(Time now, Token t, bool logs, Time deadline);
  /// Ends calls that are complete or due, and continues the others.
  void tick(Time now);
  Time wake() const;
  /// Fails all calls with client_closed.
  void close();

 private:
  struct Call {
    ClusterStatus result;
    std::map<SequencerId, bool> asked;  // true: request under way; false: answered, or timed out
    bool logs = false;
    Time begun_at{}, deadline{};
    std::optional<Time> known_at;  // when the list of sequencers became known
  };
  void poll(Time now, Token t, Call& c);
  void end(Token t, ClusterStatus result);
  Time ends(const Call& c) const;

  const Options& options_;
  ClusterView& view_;
  Answers& answers_;
  std::map<Token, Call> calls_;
};

}  // namespace loglog::client
