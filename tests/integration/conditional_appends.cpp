// Integration: appends under conditions (F1, F2) on an embedded cluster. Writers count together by
// the expected offset, and a newer writer takes a log over from an older writer by the fencing
// token.
#include <fmt/format.h>
#include <loglog/embedded.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/in_process.h"

using namespace loglog;
using namespace loglog::testing;
using namespace std::chrono_literals;

namespace {

constexpr int writers = 4, counts_each = 30;

Client connect(const EmbeddedCluster& cluster) {
  auto client = Client::connect({.addresses = {cluster.address()}});
  must(client.has_value(), "a client");
  return *client;
}

/// All entries of the log up to its end.
std::vector<Entry> read_all(Log& log) {
  std::vector<Entry> all;
  const auto end = log.end();
  for (EntryOffset at = 0; at < *end;) {
    auto page = log.read(at, 1u << 20, 5s);
    must(page.has_value(), "a read");
    for (Entry& e : page->entries) all.push_back(std::move(e));
    at = page->next;
  }
  return all;
}

// Each writer reads to the end, adds 1 to the last value and appends it there. A refused writer
// reads on and tries again.
void counts_together(const EmbeddedCluster& cluster) {
  must(connect(cluster).create_log("counter", {.segment_bytes = 65'536}).has_value(), "a log");
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&] {
      Client client = connect(cluster);
      auto log = client.open_log("counter");
      must(log.has_value(), "the log");
      EntryOffset end = 0;
      int value = 0;
      for (int done = 0; done < counts_each;) {
        // Entries of 1000 bytes make the log go on to further segments, whose start frames stand
        // between entries.
        const auto result =
            log->append(fmt::format("{:<1000}", value + 1), {.expected_offset = end});
        if (!result) {
          must(result.outcome == AppendResult::Outcome::refused &&
                   result.error.code == Errc::offset_mismatch,
               result.error.message);
          must(result.error.ends_at > end, "a refusal says where the log ends");
          ++refused;
        } else {
          ++done;
        }
        while (end < (result ? result.offset + 1 : result.error.ends_at)) {
          const auto page = log->read(end, 1u << 20, 5s);
          must(page.has_value(), "a read");
          for (const Entry& e : page->entries) value = std::stoi(e.payload);
          end = page->next;
        }
      }
    });
  for (auto& t : threads) t.join();
  must(refused > 0, "writers met");
  auto log = connect(cluster).open_log("counter");
  const auto all = read_all(*log);
  must(all.size() == writers * counts_each, fmt::format("every count stands once: {}", all.size()));
  for (std::size_t i = 0; i < all.size(); ++i)
    must(std::stoul(all[i].payload) == i + 1, "the counts are in order");
}

/// The newer writer takes the next token while 200 appends of the older writer are under way.
void takes_over(const EmbeddedCluster& cluster) {
  Client older = connect(cluster), newer = connect(cluster);
  auto a = older.create_log("owned");
  must(a.has_value(), "a log");
  const auto first = a->fence();
  must(first && first->token == 1, "the first token");
  std::vector<std::future<AppendResult>> under_way;
  for (int i = 0; i < 200; ++i)
    under_way.push_back(a->append_async("older", AppendOptions{.fence = first->token}));
  auto b = newer.open_log("owned");
  const auto second = b->fence();
  must(second && second->token == 2, "the next token");
  std::size_t in = 0;
  for (auto& f : under_way) {
    const AppendResult r = f.get();
    must(r || r.error.code == Errc::producer_fenced,
         "the older writer's append: " + r.error.message);
    // F2: no entry of the older token lies at or above the end that FenceIs named.
    must(!r || r.offset < second->end, "what it got in lies below the end that was told");
    in += r ? 1 : 0;
  }
  must(static_cast<bool>(b->append("newer", {.fence = second->token})), "the newer one writes");
  const AppendResult late = a->append("late", {.fence = first->token});
  must(late.outcome == AppendResult::Outcome::refused && late.error.fence == 2,
       "the older one does not any more");
  must(static_cast<bool>(a->append("no token")), "who names no token is not held up");
  must(read_all(*b).size() == in + 2, "nothing else stands in the log");

  const auto back = a->fence(1);
  must(!back && back.error().code == Errc::producer_fenced, "a lower token is refused");
  must(a->fence(2)->token == 2 && a->fence(7)->token == 7 && a->fence()->token == 8,
       "the same again, a higher one, the next one");
}

}  // namespace

int main() {
  const Folder folder;
  auto cluster = EmbeddedCluster::start({.name = "conditions", .data = folder.path, .storage = 3});
  must(cluster.has_value(), "a cluster");
  must(cluster->wait_ready(20s), "it serves");
  counts_together(*cluster);
  takes_over(*cluster);
  fmt::print("conditional_appends: ok\n");
}
