// A stream over several logs: the partitions NAME/0, NAME/1, … of one cluster, as streams of
// Kinesis or topics of Kafka are made.
//
//   auto stream = loglog::PartitionedLog::open_or_create(*client, "orders", 8);
//   stream->append("customer-17", "paid");                     // one key, one partition: its
//   entries keep their order auto followers = stream->follow(from, [](std::size_t partition, const
//   loglog::Entry& e) { use(partition, e); });
//
// A thin layer of the client: the cluster knows of logs only, and each promise is that of the
// partition's log. There is no order between entries of different partitions. The number of
// partitions is chosen once, since another one would send keys elsewhere.
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

/// Chooses the partition of an entry, below `partitions`. Called in the thread that appends; must
/// bear calls from several threads if appends come from several.
using Partitioner = std::function<std::size_t(std::string_view key, std::size_t partitions)>;

/// The low 32 bits of XXH3-64 of the key, modulo the number of partitions: the same in every client
/// and version. An entry with an empty key goes to the next partition in turn.
Partitioner by_key();
/// One after the other, whatever the key.
Partitioner round_robin();
/// `entries` after one another to one partition, then the next one: larger runs than round_robin,
/// whatever the key.
Partitioner sticky(std::size_t entries);

struct PartitionedAppend {
  std::size_t partition = 0;
  AppendResult result;
};

/// Thread-safe as its logs are, if its partitioner is. Keeps the client alive.
class PartitionedLog {
 public:
  /// Largest number of partitions.
  static constexpr std::size_t partitions_max = 10'000;

  /// Errors: no_such_log where there is no partition; invalid_argument where one below the last is
  /// missing.
  static std::expected<PartitionedLog, CallError> open(Client& client, const std::string& name,
                                                       Partitioner partitioner = by_key());
  /// Creates what is missing. Errors: invalid_argument where the stream has another number of
  /// partitions already.
  static std::expected<PartitionedLog, CallError> open_or_create(
      Client& client, const std::string& name, std::size_t partitions, CreateOptions options = {},
      Partitioner partitioner = by_key());

  std::size_t size() const { return logs_.size(); }
  Log& partition(std::size_t n) { return logs_.at(n); }

  /// As Log::append, to the partition that the partitioner chooses.
  PartitionedAppend append(std::string_view key, std::string_view payload,
                           std::optional<Log::Milliseconds> timeout = {});
  /// `done` runs once, on the client's thread, or at once where the partitioner chose what there is
  /// not (invalid_argument).
  void append(std::string_view key, std::string_view payload,
              std::function<void(PartitionedAppend)> done,
              std::optional<Log::Milliseconds> timeout = {});

  /// Follows every partition: partition n from from[n], or from 0 where `from` is shorter. `each`
  /// runs on the client's thread, for the entries of one partition in order. The followers are the
  /// subscriptions, one a partition.
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
