// The questions that a node asks its peers (P1): limits on bytes asked for, turns between logs,
// late answers and silent peers.
// The test plays all logs and all peers.
#include "storage-node/core/transfers.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "storage-node/core/node.h"

using namespace loglog;
using namespace loglog::storage;

namespace {

using Urgency = Transfers::Urgency;
using Came = Transfers::Came;
constexpr std::uint64_t mib = 1u << 20;
constexpr NodeId second{2}, third{3};
constexpr ConnectionId to_second{12}, to_third{13};

/// Limits in round numbers of MiB, so that counts of questions are exact.
Options limits() {
  Options o;
  o.asked.bytes_per_peer_max = o.asked.bulk_bytes_max = 8 * mib;
  o.asked.bulk_bytes_per_peer_min = o.asked.bulk_bytes_per_peer_max = 4 * mib;
  o.asked.bytes_max = 16 * mib;
  return o;
}

/// Node 1 with connections to nodes 2 and 3. `heard` records the end of each question by log.
struct Asker {
  explicit Asker(const Options& o = limits()) : node(o, 1) {
    node.metadata.storage = {{NodeId{1}, {}, "a"}, {second, {}, "b"}, {third, {}, "c"}};
    node.now = Time{} + 1h;
    node.transfers.connected(second, to_second);
    node.transfers.connected(third, to_third);
  }
  /// Asks `peer` for `bytes` bytes of log `log`; the answer goes to `heard`.
  Transfers::Id ask(NodeId peer, std::uint64_t log, std::uint64_t bytes,
                    Urgency urgency = Urgency::bulk) {
    return node.transfers.ask(
        peer, LogId{log}, Copy{LogId{log}, Term{1}, {}, {}, 0}, bytes, urgency,
        [this, log](Came came, const Message*) { heard.emplace_back(log, came); });
  }
  /// The logs whose questions left since the last call, in order.
  std::vector<std::uint64_t> asked() {
    std::vector<std::uint64_t> out;
    for (const Send& s : node.out.sends)
      if (const auto* c = std::get_if<Copy>(&s.message)) out.push_back(c->log.value);
    node.out.sends.clear();
    return out;
  }
  template <class M>
  std::size_t said() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        node.out.sends, [](const Send& s) { return std::holds_alternative<M>(s.message); }));
  }
  /// Delivers an answer of so many bytes.
  void give(ConnectionId from, Transfers::Id id, std::uint64_t bytes) {
    node.transfers.answered(from, RequestId{id}, Copied{LogId{1}, {}, Bytes::allocate(bytes)});
  }
  void advance(Duration d) {
    node.now += d;
    node.transfers.tick();
  }
  std::size_t heard_nothing() const {
    return static_cast<std::size_t>(
        std::ranges::count(heard, Came::nothing, &std::pair<std::uint64_t, Came>::second));
  }

  Node node;
  std::vector<std::pair<std::uint64_t, Came>> heard;
};

}  // namespace

TEST_CASE(
    "a node that comes back to 400 logs asks for a few megabytes at a time, not for all of them at "
    "once (C-1, Z2, P1)") {
  Asker a;
  std::vector<Transfers::Id> ids;
  for (std::uint64_t log = 1; log <= 400; ++log)
    ids.push_back(a.ask(log % 2 == 0 ? second : third, log, mib));
  CHECK(a.node.transfers.under_way() == a.node.options.asked.bulk_bytes_max);
  CHECK(a.asked().size() == 8);
  // Each answer makes room for the next question, until every question has been asked once.
  std::size_t answered = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    a.give(i % 2 == 0 ? to_third : to_second, ids[i], mib);
    ++answered;
    CHECK(a.node.transfers.under_way() <= a.node.options.asked.bulk_bytes_max);
  }
  CHECK(a.heard.size() == answered);
  CHECK(a.node.transfers.under_way() == 0);
}

TEST_CASE("the logs take turns at a peer, and what an append waits for goes before all copies") {
  Asker a;
  for (int i = 0; i < 6; ++i) a.ask(second, 7, mib);
  a.ask(second, 8, mib);
  a.ask(second, 9, mib, Urgency::append);
  // 4 MiB of copies; the run for an append has room beside them.
  CHECK(a.asked() == std::vector<std::uint64_t>{7, 7, 7, 7, 9});
  a.give(to_second, 1, mib);
  a.give(to_second, 2, mib);
  CHECK(a.asked() == std::vector<std::uint64_t>{8});
}

TEST_CASE(
    "copies leave the link to appends: more is under way only while that makes no answer later "
    "(C-1)") {
  constexpr std::uint64_t piece = mib / 8;
  Options o = limits();
  o.asked.bulk_bytes_per_peer_min = 2 * piece;
  o.asked.bulk_bytes_per_peer_max = 8 * piece;
  Asker a(o);
  for (std::uint64_t log = 1; log <= 400; ++log) a.ask(second, log, piece);
  CHECK(a.node.transfers.under_way() == 2 * piece);
  std::uint32_t next = 1;
  // Each answer comes 20 ms after its question whatever is under way, as on a link with a long
  // delay.
  const auto answers = [&](int count, Duration each) {
    std::uint64_t most = 0;
    for (int i = 0; i < count; ++i) {
      a.node.now += each;
      a.give(to_second, next++, piece);
      most = std::max(most, a.node.transfers.under_way());
    }
    return most;
  };
  a.node.now += 20ms;
  CHECK(answers(100, 0ms) == 8 * piece);
  // Each piece now takes 2 ms of the link, so more bytes under way make answers later, and the
  // limit falls.
  answers(100, 2ms);
  CHECK(a.node.transfers.under_way() == 2 * piece);
}

TEST_CASE("a run larger than all limits is asked for alone") {
  Asker a;
  a.ask(second, 1, mib);
  a.ask(second, 2, 16 * mib, Urgency::append);
  a.ask(second, 3, mib);
  // The large run waits until nothing else is under way, and nothing overtakes it.
  CHECK(a.asked() == std::vector<std::uint64_t>{1});
  a.give(to_second, 1, mib);
  CHECK(a.asked() == std::vector<std::uint64_t>{2});
  a.give(to_second, 2, 16 * mib);
  CHECK(a.asked() == std::vector<std::uint64_t>{3});
}

TEST_CASE(
    "no question is given up while its peer's other answers come, however slow the link is (C-1)") {
  Asker a;
  for (int i = 0; i < 4; ++i) a.ask(second, 1, mib);
  for (Transfers::Id id = 1; id <= 4; ++id) {
    a.advance(9s);  // a link of 1 Mbit/s
    CHECK(a.heard_nothing() == 0);
    a.give(to_second, id, mib);
  }
  CHECK(a.heard.size() == 4);
}

TEST_CASE(
    "bytes that come late are taken, and not asked for again of the silent peer before it moves "
    "(C-1)") {
  Asker a;
  const auto late = a.ask(second, 1, mib, Urgency::append);
  const auto queued = a.ask(second, 2, 16 * mib, Urgency::append);
  a.asked();
  // The peer has been silent for 2 s: its questions are given up and their askers told.
  a.advance(2s);
  CHECK(a.said<GiveUp>() == 1);
  CHECK(a.heard ==
        std::vector<std::pair<std::uint64_t, Came>>{{1, Came::nothing}, {2, Came::nothing}});
  a.ask(second, 3, mib, Urgency::append);
  CHECK(a.asked().empty());
  // The asker is told at once, so that it asks another peer.
  CHECK(a.node.transfers.next_tick() == a.node.now);
  a.advance(0s);
  CHECK(a.heard.back() == std::pair<std::uint64_t, Came>{3, Came::nothing});
  CHECK(a.node.transfers.under_way() == mib);  // the bytes are still under way, so they take room
  // The late bytes are taken, and the peer may be asked again.
  a.give(to_second, late, mib);
  CHECK(a.heard.back() == std::pair<std::uint64_t, Came>{1, Came::late});
  a.ask(second, 4, mib, Urgency::append);
  CHECK(a.asked() == std::vector<std::uint64_t>{4});
  CHECK(queued != late);
}

TEST_CASE("a busy peer is asked again after a pause, and the question keeps its place") {
  Asker a;
  const auto id = a.ask(second, 1, mib);
  a.ask(second, 1, 4 * mib);
  a.asked();
  // The peer answers too_many (P2): the same question leaves again after 50 ms.
  a.node.transfers.answered(to_second, RequestId{id}, Failed{Errc::too_many, {}});
  CHECK(a.asked().empty());
  CHECK(a.heard.empty());
  a.advance(60ms);
  CHECK(a.asked().size() == 1);
  a.give(to_second, id, mib);
  CHECK(a.heard == std::vector<std::pair<std::uint64_t, Came>>{{1, Came::in_time}});
}

TEST_CASE(
    "a cancelled question takes room until its answer is there, and its asker hears nothing") {
  Asker a;
  const auto id = a.ask(second, 1, 4 * mib);
  a.ask(second, 2, mib);
  a.asked();
  // The peer is told; until it answers, the room stays taken.
  a.node.transfers.cancel(id);
  CHECK(a.said<GiveUp>() == 1);
  CHECK(a.asked().empty());
  a.node.transfers.answered(to_second, RequestId{id}, Failed{Errc::cancelled, {}});
  CHECK(a.heard.empty());
  CHECK(a.asked() == std::vector<std::uint64_t>{2});
}

TEST_CASE("a lost connection ends all questions to its peer, and leaves nothing counted") {
  Asker a;
  for (int i = 0; i < 10; ++i) a.ask(second, 1, mib);
  a.ask(third, 2, mib);
  a.node.transfers.connection_lost(to_second);
  CHECK(a.heard_nothing() == 10);
  CHECK(a.node.transfers.under_way() == mib);
}

TEST_CASE("the giving peer is told what has come, so that it knows what is under way") {
  Asker a;
  const auto small = a.ask(second, 1, 1000), large = a.ask(second, 1, mib);
  a.asked();
  a.give(to_second, small, 1000);
  // `Taken` is sent for large amounts, not for each answer.
  CHECK(a.said<Taken>() == 0);
  a.give(to_second, large, mib);
  REQUIRE(a.said<Taken>() == 1);
  CHECK(std::get<Taken>(a.node.out.sends.back().message).bytes == mib + 1000);
}
