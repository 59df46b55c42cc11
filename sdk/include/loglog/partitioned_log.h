// A stream over several logs: the partitions NAME/0, NAME/1, ... of one cluster, like the
// partitions of a Kafka topic or the shards of a Kinesis stream.
//
//   auto stream = loglog::PartitionedLog::open_or_create(*client, "orders", 8);
//   stream->append("customer-17", "paid");  // equal keys go to one partition, so in order
//   auto followers = stream->follow(from, [](std::size_t partition, const loglog::Entry& e) {
//     use(partition, e);
//   });
//
// This is a thin layer over Log: the cluster knows only logs, and each guarantee is that of the
// partition's log. Entries of different partitions have no order. The number of partitions is
// chosen once, because another number would send keys to other partitions.
#pragma once
#include <loglog/client.h>

#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// Chooses the partition of an entry: returns a number below `partitions`. Runs in the thread that
/// appends, so it must be thread-safe if several threads append. Must not be empty. An exception
/// that leaves it leaves append() too, and nothing is appended.
using Partitioner = std::function<std::size_t(std::string_view key, std::size_t partitions)>;

/// The low 32 bits of XXH3-64 of the key, modulo the number of partitions: the same in every client
/// and version. Entries with an empty key go to the partitions in turn. Thread-safe.
Partitioner by_key();
/// Each entry goes to the next partition in turn; keys are ignored. Thread-safe.
Partitioner round_robin();
/// Sends `entries` consecutive entries (0 counts as 1) to a partition, then goes to the next; keys
/// are ignored. The runs are larger than with round_robin. Thread-safe.
Partitioner sticky(std::size_t entries);

/// Outcome of an append to a stream.
struct PartitionedAppend {
  std::size_t partition = 0;  ///< where the entry went; 0 if the partitioner failed
  AppendResult result;        ///< as of Log::append
};

/// The partitions of a stream, opened. Thread-safe if its partitioner is. Keeps the client alive.
/// Copies share the partitioner's turn. append_async and append_batch are those of partition(n).
class PartitionedLog {
 public:
  /// Largest number of partitions.
  static constexpr std::size_t partitions_max = 10'000;

  /// Opens every partition in turn and blocks meanwhile; each has ClientOptions::timeout. Errors:
  /// no_such_log if there is no partition; invalid_argument if a partition below the last is
  /// missing; otherwise those of list_logs and open_log.
  static std::expected<PartitionedLog, CallError> open(Client& client, const std::string& name,
                                                       Partitioner partitioner = by_key());
  /// Opens the stream, creating partitions that are missing with `options`. Blocks as open() does.
  /// `name` and "/" and the number are a log's name (see Client::create_log). Two callers may
  /// create the same stream at once, and an interrupted creation may be repeated. Errors:
  /// invalid_argument if `partitions` is not 1 to partitions_max, or the stream has another number
  /// of partitions; otherwise those of list_logs and open_or_create_log.
  static std::expected<PartitionedLog, CallError> open_or_create(
      Client& client, const std::string& name, std::size_t partitions, CreateOptions options = {},
      Partitioner partitioner = by_key());

  /// Number of partitions.
  std::size_t size() const { return logs_.size(); }
  /// The log of partition `n`; throws std::out_of_range unless n < size(). The reference is valid
  /// as long as this object; a copy of the Log may outlive it.
  Log& partition(std::size_t n) { return logs_.at(n); }

  /// As Log::append, to the partition that the partitioner chooses. If the partitioner returns a
  /// number that is too large, the append is refused with invalid_argument.
  PartitionedAppend append(std::string_view key, std::string_view payload,
                           const AppendOptions& options = {});
  /// As Log::append_then. `done` runs exactly once, where callbacks run, or in the calling
  /// thread if the entry is refused there (see Log::append_then) or by the partitioner.
  void append_then(std::string_view key, std::string_view payload,
                   std::function<void(PartitionedAppend)> done, const AppendOptions& options = {});

  /// Follows every partition: partition n from from[n], or from 0 if `from` is shorter. From 0 a
  /// partition that was trimmed fails with `trimmed`; take Log::begin. `each` is copied, must not
  /// be empty, and runs where callbacks run, for the entries of a partition in order and never
  /// for two entries at once. Returns the subscriptions, a Follower for each partition; partition n
  /// has index n. Each ends by itself with an error() of its own, and the others go on. See
  /// Log::follow.
  std::vector<Follower> follow(const std::vector<EntryOffset>& from,
                               const std::function<void(std::size_t, const Entry&)>& each,
                               const std::stop_token& stop = {});

 private:
  PartitionedLog(std::vector<Log> logs, Partitioner partitioner)
      : logs_(std::move(logs)), partitioner_(std::move(partitioner)) {}
  std::expected<std::size_t, CallError> choose(std::string_view key) const;
  std::vector<Log> logs_;
  Partitioner partitioner_;
};

}  // namespace loglog
