// The producers of a client: an AppendPipeline for each log that was appended to. Decides whether
// an append is accepted, and hands messages to the pipeline of their log. Used by ClientMachine.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "proto-spec/vocabulary/random.h"
#include "sdk/core/answers.h"
#include "sdk/core/append_pipeline.h"
#include "sdk/core/options.h"

namespace loglog::client {

/// Owns the pipelines, and the count of bytes in flight that all of them share.
class Producers {
 public:
  /// `random` draws the producer ids. All references must outlive this object.
  Producers(const Options& options, Random& random, ClusterView& view, ReplicaChoice& choice,
            Output& out, Answers& answers)
      : options_(options),
        random_(random),
        view_(view),
        choice_(choice),
        out_(out),
        answers_(answers) {}

  void append(Time now, Token token, LogId log, const Bytes& payload, bool packed, Time deadline,
              const AppendConditions& conditions);
  /// Fails an append that was not accepted.
  void refuse(Token token, Errc why, std::string detail = {});
  /// Whether append() would accept a payload of this size now. An idle client accepts any size.
  bool has_room_for(std::uint64_t payload_bytes) const;
  /// Bytes of frames that are accepted and not settled, or settled and kept for slow replicas.
  std::uint64_t bytes_in_flight() const { return bytes_; }

  /// Knowledge that this client's producer in the log has of an entry.
  AppendPipeline::Knowledge knows(LogId log, const EntryName& entry) const {
    const auto i = pipelines_.find(log);
    return i == pipelines_.end() ? AppendPipeline::Knowledge{} : i->second->knows(entry);
  }

  /// Takes a message that no request waits for, if it is about a producer.
  void arrived(Time now, ConnectionId from, const Message& m);
  void disconnected(Time now, ConnectionId c);
  void tick(Time now);
  /// Lets every pipeline do all that can be done now. Entries of the whole step are there by now,
  /// so a run is cut over all of them.
  void pump(Time now);
  void close();
  Time wake(Time now) const;

 private:
  const Options& options_;
  Random& random_;
  ClusterView& view_;
  ReplicaChoice& choice_;
  Output& out_;
  Answers& answers_;
  std::uint64_t bytes_ = 0;
  std::map<LogId, std::unique_ptr<AppendPipeline>> pipelines_;
  struct Working {
    LogId log;
    AppendPipeline* pipeline;
  };
  /// The pipelines that are not idle, by log. A step costs nothing for a log without appends under
  /// way, however many such logs there are.
  std::vector<Working> working_;
};

}  // namespace loglog::client
