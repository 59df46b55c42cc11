// The application's resolve() calls: each finds out from the log what became of an entry whose
// append ended with an unknown outcome (spec/07 "After an unknown outcome"). Writes nothing.
// Decides when the absence of an entry is final. Used by ClientMachine.
#pragma once
#include <map>
#include <memory>

#include "sdk/core/answers.h"
#include "sdk/core/options.h"
#include "sdk/core/page_reader.h"
#include "sdk/core/producers.h"
#include "sdk/core/questions.h"

namespace loglog::client {

/// Owns the calls under way. A call reads the log from the lowest place of its entry on. An entry
/// that is not found below a committed offset is absent for good in two cases: this client's own
/// producer knows its fate, or the log is in a later term than the entry's newest Commit (A4).
class FateSearches {
 public:
  /// All references must outlive this object.
  FateSearches(const Options& options, ClusterView& view, ReplicaChoice& choice, Answers& answers,
               Questions& questions, const Producers& producers)
      : options_(options),
        view_(view),
        choice_(choice),
        answers_(answers),
        questions_(questions),
        producers_(producers) {}

  void resolve(Time now, Token t, LogId log, const EntryName& entry, Time deadline);
  /// Ends calls whose deadline has passed, and continues the others. Also called at the end of each
  /// step, because an answer to a Commit may settle an entry.
  void tick(Time now) {
    if (!calls_.empty()) look_at_all(now);
  }
  Time wake() const { return calls_.empty() ? never : next_look(); }
  /// Fails all calls with client_closed.
  void close();

 private:
  void look_at_all(Time now);
  Time next_look() const;
  struct Call {
    Call(LogId l, const EntryName& e, Time d)
        : log(l), entry(e), deadline(d), next(e.lowest), lower(e.lowest) {}
    LogId log;
    EntryName entry;
    Time deadline;
    Offset next;                 // all bytes below were read, or trimmed
    Offset lower;                // no place below is possible for the entry
    Offset clipped{};            // bytes below may have been trimmed before they were read (A5)
    Offset until{};              // of the range that `reader` reads
    bool is_final = false;       // an entry that is absent below `until` is absent for good
    bool asks = false;           // the leader is asked for the tail
    Time due{};                  // no further look before
    const char* open = nullptr;  // why the fate is open; nullptr: no node has answered yet
    std::shared_ptr<PageReader> reader;
  };
  void look(Time now, Token t, Call& c);
  void ask_tail(Time now, Token t, Call& c);
  void read(Time now, Token t, Call& c, Offset until, bool is_final);
  void step(Time now, Token t, const PageReader::Step& s);
  void absent(Token t, const Call& c);
  void pause(Time now, Call& c);
  void end(Token t, Completion result);
  void end_late(Token t, const Call& c);

  const Options& options_;
  ClusterView& view_;
  ReplicaChoice& choice_;
  Answers& answers_;
  Questions& questions_;
  const Producers& producers_;
  std::map<Token, Call> calls_;
};

}  // namespace loglog::client
