// A stream is known by its logs' names alone: NAME/0 to NAME/n-1. No metadata says how many there
// are, so the highest number counts.
#include <fmt/format.h>
#include <loglog/partitioned_log.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <span>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/errors.h"

namespace loglog {
namespace {

std::string log_of(const std::string& name, std::size_t partition) {
  return fmt::format("{}/{}", name, partition);
}

CallError wrong(const std::string& why) { return {Errc::invalid_argument, why}; }

/// Numbers of the existing partitions, ascending. Only canonical names count: NAME/07 is another
/// log.
std::expected<std::vector<std::size_t>, CallError> partitions_of(Client& client,
                                                                 const std::string& name) {
  auto logs = client.list_logs();
  if (!logs) return std::unexpected(logs.error());
  std::vector<std::size_t> found;
  const std::string prefix = name + "/";
  for (const LogDetails& l : *logs) {
    if (!l.name.starts_with(prefix)) continue;
    std::size_t n = 0;
    const char* const end = l.name.data() + l.name.size();
    if (std::from_chars(l.name.data() + prefix.size(), end, n).ptr == end &&
        log_of(name, n) == l.name)
      found.push_back(n);
  }
  std::sort(found.begin(), found.end());
  return found;
}

AppendResult refused(const CallError& why) {
  return {AppendResult::Outcome::refused, 0, 0, 0, why};
}

}  // namespace

Partitioner round_robin() {
  return [next = std::make_shared<std::atomic<std::size_t>>(0)](std::string_view,
                                                                std::size_t partitions) {
    return next->fetch_add(1, std::memory_order_relaxed) % partitions;
  };
}

Partitioner sticky(std::size_t entries) {
  return [entries = std::max<std::size_t>(1, entries),
          next = std::make_shared<std::atomic<std::size_t>>(0)](std::string_view,
                                                                std::size_t partitions) {
    return next->fetch_add(1, std::memory_order_relaxed) / entries % partitions;
  };
}

Partitioner by_key() {
  return [without = round_robin()](std::string_view key, std::size_t partitions) {
    if (key.empty()) return without(key, partitions);
    // The low half alone, as the header promises: changing it would move every key.
    return std::size_t{
               static_cast<std::uint32_t>(payload_checksum(std::as_bytes(std::span(key))))} %
           partitions;
  };
}

std::expected<PartitionedLog, CallError> PartitionedLog::open(Client& client,
                                                              const std::string& name,
                                                              Partitioner partitioner) {
  const auto found = partitions_of(client, name);
  if (!found) return std::unexpected(found.error());
  const std::size_t count =
      found->empty() ? 1 : found->back() + 1;  // if none exists, opening NAME/0 gives the error
  if (!found->empty() && found->size() != count)
    return std::unexpected(wrong(fmt::format(
        "\"{}\" is not whole: {} of {} partitions are there; open_or_create makes the others", name,
        found->size(), count)));
  std::vector<Log> logs;
  for (std::size_t i = 0; i < count; ++i) {
    auto log = client.open_log(log_of(name, i));
    if (!log) return std::unexpected(log.error());
    logs.push_back(std::move(*log));
  }
  return PartitionedLog(std::move(logs), std::move(partitioner));
}

std::expected<PartitionedLog, CallError> PartitionedLog::open_or_create(Client& client,
                                                                        const std::string& name,
                                                                        std::size_t partitions,
                                                                        CreateOptions options,
                                                                        Partitioner partitioner) {
  if (partitions == 0 || partitions > partitions_max)
    return std::unexpected(
        wrong(fmt::format("{} partitions: give 1 to {}", partitions, partitions_max)));
  const auto found = partitions_of(client, name);
  if (!found) return std::unexpected(found.error());
  if (!found->empty() && found->back() + 1 != partitions)
    return std::unexpected(wrong(fmt::format("\"{}\" has {} partitions, not {}: open it as it is",
                                             name, found->back() + 1, partitions)));
  std::vector<Log> logs;
  // The last partition is made first, because it fixes the number of partitions. A caller that was
  // interrupted here can repeat the call, which makes the missing partitions.
  for (std::size_t i = partitions; i-- > 0;) {
    auto log = client.open_or_create_log(log_of(name, i), options);
    if (!log) return std::unexpected(log.error());
    logs.insert(logs.begin(), std::move(*log));
  }
  return PartitionedLog(std::move(logs), std::move(partitioner));
}

/// The partitioner is the application's code, so its result is checked.
std::expected<std::size_t, CallError> PartitionedLog::choose(std::string_view key) const {
  const std::size_t chosen = partitioner_(key, logs_.size());
  if (chosen < logs_.size()) return chosen;
  return std::unexpected(
      wrong(fmt::format("the partitioner chose partition {} of {}", chosen, logs_.size())));
}

PartitionedAppend PartitionedLog::append(std::string_view key, std::string_view payload,
                                         const AppendOptions& options) {
  const auto n = choose(key);
  if (!n) return {0, refused(n.error())};
  return {*n, logs_[*n].append(payload, options)};
}

void PartitionedLog::append_then(std::string_view key, std::string_view payload,
                                 std::function<void(PartitionedAppend)> done,
                                 const AppendOptions& options) {
  const auto n = choose(key);
  if (!n) return done({0, refused(n.error())});
  logs_[*n].append_then(
      payload, [n = *n, done = std::move(done)](AppendResult r) { done({n, std::move(r)}); },
      options);
}

std::vector<Follower> PartitionedLog::follow(
    const std::vector<EntryOffset>& from,
    const std::function<void(std::size_t, const Entry&)>& each, const std::stop_token& stop) {
  std::vector<Follower> followers;
  followers.reserve(logs_.size());
  for (std::size_t n = 0; n < logs_.size(); ++n)
    followers.push_back(logs_[n].follow(
        n < from.size() ? from[n] : 0, [n, each](const Entry& e) { each(n, e); }, stop));
  return followers;
}

}  // namespace loglog
