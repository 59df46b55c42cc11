// The application's calls about points in a log, offset_at() and segment_of(): a TimeSearch and a
// deadline for each (R6). Used by ClientMachine.
#pragma once
#include <map>
#include <memory>

#include "sdk/core/answers.h"
#include "sdk/core/options.h"
#include "sdk/core/time_search.h"

namespace loglog::client {

/// Owns the calls under way.
class TimeSearches {
 public:
  /// All references must outlive this object.
  TimeSearches(const Options& options, ClusterView& view, ReplicaChoice& choice, Answers& answers)
      : options_(options), view_(view), choice_(choice), answers_(answers) {}

  /// `wall_ms`: Unix time, milliseconds.
  void offset_at(Time now, Token t, LogId log, std::uint64_t wall_ms, Time deadline);
  void segment_of(Time now, Token t, LogId log, Offset offset, Time deadline);
  /// Ends calls whose deadline has passed, and continues the others.
  void tick(Time now);
  Time wake() const;
  /// Fails all calls with client_closed.
  void close();

 private:
  struct Call {
    Time deadline;
    Errc last = Errc::unavailable;  // result if the deadline passes
    std::shared_ptr<TimeSearch> search;
  };
  template <class Question>
  void begin(Time now, Token t, LogId log, Question question, Time deadline);
  void step(Token t, Errc e, Offset found);

  const Options& options_;
  ClusterView& view_;
  ReplicaChoice& choice_;
  Answers& answers_;
  std::map<Token, Call> calls_;
};

}  // namespace loglog::client
