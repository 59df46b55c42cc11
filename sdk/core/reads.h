// The application's read() calls: a PageReader and a deadline for each (spec/06 "Read"). Decides
// which step of the reader ends the call. Used by ClientMachine.
#pragma once
#include <map>
#include <memory>

#include "sdk/core/answers.h"
#include "sdk/core/options.h"
#include "sdk/core/page_reader.h"
#include "sdk/core/questions.h"

namespace loglog::client {

/// Owns the reads under way.
class Reads {
 public:
  /// All references must outlive this object.
  Reads(const Options& options, ClusterView& view, ReplicaChoice& choice, Answers& answers,
        Questions& questions)
      : options_(options), view_(view), choice_(choice), answers_(answers), questions_(questions) {}

  void read(Time now, Token t, LogId log, Offset from, std::uint32_t max_bytes, Duration wait,
            Time deadline, ReadFrom whom);
  /// Ends reads whose deadline has passed, and continues the others.
  void tick(Time now);
  Time wake() const;
  /// Fails all reads with client_closed.
  void close();

 private:
  struct Call {
    Time deadline;
    LogId log;
    bool alone = false;  // a single replica is asked (ReadFrom::replica)
    // The offset lies beyond the committed offset that a replica knows, so the leader is being
    // asked for the end of the log. The question ends the call, also at the deadline.
    bool asks_end = false;
    Errc last = Errc::unavailable;  // result if the deadline passes
    std::shared_ptr<PageReader> reader;
  };
  void step(Time now, Token t, PageReader::Step&& s);
  void read_beyond_end(Time now, Token t, Call& c);

  const Options& options_;
  ClusterView& view_;
  ReplicaChoice& choice_;
  Answers& answers_;
  Questions& questions_;
  std::map<Token, Call> calls_;
  // Where the entries of the last read of each log ended. A frame begins there, so bytes that do
  // not verify at that offset are damage and not a wrong offset.
  std::map<LogId, Offset> read_through_;
};

}  // namespace loglog::client
