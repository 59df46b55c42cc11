// Integration: PartitionedLog on an embedded cluster. A key stays in its partition for every
// client, wrong numbers of partitions are refused, and every entry is followed once in its key's
// order.
#include <fmt/format.h>
#include <loglog/embedded.h>
#include <loglog/partitioned_log.h>

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "tests/support/in_process.h"

using namespace loglog;
using namespace loglog::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t partitions = 4, keys = 40, per_key = 25;

/// Appends 25 entries for each of 40 keys and follows them with another client.
void keeps_keys_in_order(Client& client) {
  auto stream = PartitionedLog::open_or_create(client, "orders", partitions);
  must(stream.has_value(), "the stream is made");
  std::map<std::string, std::size_t> partition_of;
  std::set<std::size_t> used;
  for (std::size_t i = 0; i < per_key; ++i)
    for (std::size_t k = 0; k < keys; ++k) {
      const std::string key = fmt::format("key-{}", k);
      const auto a = stream->append(key, fmt::format("{} {}", key, i));
      must(static_cast<bool>(a.result), "an append: " + a.result.error.message);
      const auto before = partition_of.try_emplace(key, a.partition).first;
      must(before->second == a.partition, key + " stays in one partition");
      used.insert(a.partition);
    }
  must(used.size() == partitions, "all partitions are used");

  // Another client must place keys in the same partitions.
  auto again = PartitionedLog::open(client, "orders");
  must(again && again->size() == partitions, "the stream is opened with its partitions");
  must(again->append("key-7", "key-7 25").partition == partition_of["key-7"],
       "keys go to the same place");

  std::mutex mutex;
  std::map<std::string, std::vector<std::size_t>> seen;
  std::size_t count = 0;
  const auto followers = again->follow({}, [&](std::size_t partition, const Entry& e) {
    const auto space = e.payload.find(' ');
    const std::string key = e.payload.substr(0, space);
    const std::lock_guard lock(mutex);
    must(partition_of[key] == partition, "an entry is followed in its partition");
    seen[key].push_back(std::stoul(e.payload.substr(space + 1)));
    ++count;
  });
  must(followers.size() == partitions, "a follower a partition");
  for (int i = 0; i < 500; ++i) {
    std::this_thread::sleep_for(10ms);
    const std::lock_guard lock(mutex);
    if (count >= keys * per_key + 1) break;
  }
  const std::lock_guard lock(mutex);
  must(count == keys * per_key + 1, fmt::format("every entry once: {}", count));
  for (const auto& [key, numbers] : seen)
    for (std::size_t i = 0; i < numbers.size(); ++i)
      must(numbers[i] == i, key + " keeps its order");
}

void refuses(Client& client) {
  const auto other = PartitionedLog::open_or_create(client, "orders", partitions + 1);
  must(!other && other.error().code == Errc::invalid_argument,
       "another number of partitions is refused");
  const auto fewer = PartitionedLog::open_or_create(client, "orders", partitions - 1);
  must(!fewer && fewer.error().code == Errc::invalid_argument, "a smaller one too");
  const auto none = PartitionedLog::open(client, "nothing");
  must(!none && none.error().code == Errc::no_such_log, "a stream that is not there");
  must(!PartitionedLog::open_or_create(client, "empty", 0), "no partitions");

  // A stream whose creation was cut off: the last partition exists and the first does not.
  must(client.create_log("half/2").has_value(), "a log");
  const auto half = PartitionedLog::open(client, "half");
  must(!half && half.error().code == Errc::invalid_argument,
       "a stream that is not whole is not opened");
  const auto whole = PartitionedLog::open_or_create(client, "half", 3);
  must(whole && whole->size() == 3 && PartitionedLog::open(client, "half").has_value(),
       "and is made whole");

  // This partitioner names a partition that does not exist.
  auto wild =
      PartitionedLog::open(client, "orders", [](std::string_view, std::size_t n) { return n; });
  must(wild && wild->append("k", "v").result.error.code == Errc::invalid_argument,
       "a partitioner that chooses what there is not");
}

/// The partitioners without a cluster.
void partitioners() {
  const auto turn = round_robin();
  for (std::size_t i = 0; i < 12; ++i) must(turn("same", 4) == i % 4, "round robin");
  const auto stays = sticky(3);
  for (std::size_t i = 0; i < 24; ++i) must(stays("same", 4) == i / 3 % 4, "sticky");
  const auto hash = by_key();
  // The low half of XXH3-64 of these keys chooses the partition; 17451400790687511452 and
  // 16610363266936908879 are the full hashes. A change would move keys of existing streams.
  must(
      hash("customer-17", 8) == 4 && hash("customer-17", 1000) == 564 && hash("key-7", 1000) == 159,
      "a key has one place for ever");
  must(hash("", 4) == 0 && hash("", 4) == 1, "entries without a key take turns");
}

}  // namespace

int main() {
  partitioners();
  const Folder folder;
  auto cluster = EmbeddedCluster::start({.name = "partitioned", .data = folder.path, .storage = 3});
  must(cluster.has_value(), "a cluster");
  must(cluster->wait_ready(20s), "it serves");
  auto client = Client::connect({.addresses = {cluster->address()}});
  must(client.has_value(), "a client");
  keeps_keys_in_order(*client);
  refuses(*client);
  fmt::print("partitioned_log: ok\n");
}
