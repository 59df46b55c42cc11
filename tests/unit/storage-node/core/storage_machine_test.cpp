// The storage node's core (StorageMachine), driven by hand: the test is leader and client, the disk
// is simulated, and each message is answered at once.
// Covers the node's side of spec/02 and spec/04 to 06: seal, reconcile, order, read, follow, trim,
// loss and limits. Stories with whole clusters are in tests/scenarios.
#include "storage-node/core/storage_machine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <set>
#include <string>

#include "proto-spec/wire/field_codec.h"
#include "tests/simulator/simulated_disk.h"

using namespace loglog;
using namespace loglog::storage;

namespace {

constexpr LogId log_id{7};
/// Connection ids that a test needs by name. `dialled` and `accepted` are the two ends of the link
/// between two nodes.
constexpr ConnectionId leader{1}, client{2}, dialled{100}, accepted{200};
constexpr InstanceId instance{99};

/// The log of all tests: two members, W = 2.
LogInfo log_info() {
  LogInfo i{log_id, "orders", LogState::open, {2, 2, 1u << 20, Durability::sync}, {}, {}, {}};
  i.members = {{NodeId{1}, {}}, {NodeId{2}, {}}};
  return i;
}

/// A node on a simulated disk. While `hold` is set, disk operations wait in `held`; while
/// `hold_written` is set, pages stay in the connections' queues.
struct TestNode {
  explicit TestNode(std::uint32_t n, Options o = {}) : id(n), options(o) {
    options.id = NodeId{n};
    options.cluster_name = "test";
  }
  void start() {
    machine = std::make_unique<StorageMachine>(options, id * 1000 + ++starts);
    REQUIRE(machine->start(now, disk));
    run();
    connect(leader, Role::sequencer);
    connect(client, Role::client);
  }
  void connect(ConnectionId c, Role role) {
    machine->connected(now,
                       {c, Hello{hello_magic, 1, 1, role, ClusterId{5}, "test", 1, {}, {}, 0}, {}});
    run();
  }
  /// The process dies and starts again; bytes in the page cache survive.
  void restart() {
    held.clear();
    sent.clear();
    disk.reopen();
    start();
  }
  /// Delivers a message and performs everything that follows from it.
  void say(ConnectionId from, Message m) {
    machine->arrived(now, {from, RequestId{++request}, std::move(m)});
    run();
  }
  /// Performs the node's output in the order that a driver keeps: sends, then disk operations.
  void run() {
    Output& o = machine->output();
    do {
      auto ops = std::move(o.disk);
      take_sends();
      for (auto& c : o.connects) connects.push_back(c);
      for (auto& c : o.closes) closed.push_back(c.connection);
      events.insert(events.end(), o.events.begin(), o.events.end());
      o.clear();
      tell_written();
      for (auto& op : ops) held.push_back(std::move(op));
      while (!hold && !held.empty()) {
        disk.begin(held.front().operation);
        auto done = disk.finish(held.front());
        held.pop_front();
        machine->disk_done(now, std::move(done));
        take_sends();
        for (auto& c : o.connects) connects.push_back(c);
        for (auto& c : o.closes) closed.push_back(c.connection);
        for (auto& d : o.disk) held.push_back(std::move(d));
        o.clear();
        tell_written();
      }
    } while (!o.disk.empty() || !o.sends.empty());
  }
  void take_sends() {
    for (auto& s : machine->output().sends) {
      if (const auto* page = std::get_if<Page>(&s.message))
        unwritten.push_back({s.to, page->frames.size()});
      sent.push_back(std::move(s));
    }
  }
  /// Tells the node that its pages have left, unless `hold_written` keeps them in the queues.
  void tell_written() {
    if (!hold_written)
      for (const Written& w : std::exchange(unwritten, {})) machine->written(now, w);
  }
  void advance(Duration d) {
    now += d;
    machine->tick(now);
    run();
  }
  /// Takes the newest message of type M that the node has sent, and forgets all messages. Forgets
  /// nothing if there is no such message.
  template <class M>
  std::optional<M> take() {
    std::optional<M> found;
    for (auto& s : sent)
      if (auto* m = std::get_if<M>(&s.message)) found = *m;
    if (found) sent.clear();
    return found;
  }

  // The leader's part of the protocol; each function checks the node's answer.
  void seal(std::uint32_t term) {
    say(leader, Seal{{}, Term{term}, instance, {}});
    REQUIRE(take<Sealed>());
  }
  StateIs state(std::uint32_t term) {
    say(leader, GetState{log_id, Term{term}});
    auto s = take<StateIs>();
    REQUIRE(s);
    return *s;
  }
  /// A Reconcile that names the node's state and neither cuts nor copies.
  Reconcile command(const StateIs& s) {
    return {log_id, s.term, {}, s.tail, s.chain, s.last_frame_term,
            s.tail, false,  {}, s.tail, s.chain, {}};
  }
  void join(std::uint32_t term) {
    seal(term);
    say(leader, Join{Term{term}, log_info()});
    REQUIRE(take<Joined>());
    match(term);
  }
  /// Reconciles the node at its own tail.
  void match(std::uint32_t term) {
    say(leader, command(state(term)));
    auto r = take<Reconciled>();
    REQUIRE(r);
    REQUIRE(r->error == Errc::ok);
  }
  /// Orders items at the end of all that was ordered before, so that D2 accepts them.
  void order(std::uint32_t term, std::vector<OrderItem> items, Offset committed = {}) {
    const LogCore& l = *machine->log(log_id);
    say(leader, Order{log_id,
                      Term{term},
                      {},
                      l.written.end,
                      l.written.last_term,
                      committed,
                      std::move(items)});
  }
  void segment_and_term_start(std::uint32_t term) {
    std::vector<OrderItem> items;
    if (machine->log(log_id)->store.empty()) items.push_back({{}, make_segment_start_image({})});
    TermStartPayload t;
    const auto& terms = machine->log(log_id)->terms;
    if (!terms.empty()) t.previous_start = terms.back().offset, t.previous_term = terms.back().term;
    items.push_back({{}, make_term_start_image(t)});
    order(term, std::move(items));
  }

  std::uint32_t id;
  Options options;
  simulator::SimulatedDisk disk;
  std::unique_ptr<StorageMachine> machine;
  Time now{};
  std::uint32_t request = 0;
  std::uint64_t starts = 0;
  bool hold = false;
  bool hold_written = false;
  std::vector<Written> unwritten;
  std::deque<DiskRequest> held;
  std::vector<Send> sent;
  std::vector<ConnectPeer> connects;
  std::vector<Event> events;
  std::vector<ConnectionId> closed;
};

/// A run of a single entry.
struct Run {
  Reference reference;
  Bytes frames;
};
/// Length in bytes of a run of make_run() with the default payload.
constexpr std::uint32_t run_length = 100 + frame_overhead;
Run make_run(std::uint64_t producer, std::uint64_t first, std::size_t payload = 100) {
  Run r;
  const Bytes body = Bytes::copy_of(std::string(payload, 'x'));
  r.frames = Bytes::allocate(payload + frame_overhead);
  write_frame_image(r.frames.mutable_data(), FrameKind::entry, ProducerId{producer},
                    Sequence{first}, body);
  r.reference = *check_images(r.frames, true);
  return r;
}
Upload upload_of(const Run& r) { return {log_id, r.reference, Bytes::copy_of(r.frames)}; }

/// Uploads a run, which must be taken, and orders it.
void append(TestNode& n, std::uint32_t term, const Run& r, Offset committed = {}) {
  n.say(client, upload_of(r));
  REQUIRE(n.take<Uploaded>());
  n.order(term, {{r.reference, {}}}, committed);
}

/// Connects two nodes if they want to and delivers their messages until neither has more to say.
void talk(TestNode& a, TestNode& b) {
  for (bool more = true; more;) {
    more = false;
    for (auto& c : std::exchange(a.connects, {})) {
      Hello h = b.machine->hello();
      Hello mine = a.machine->hello();
      b.machine->connected(b.now, {accepted, mine, {}});
      a.machine->connected(a.now, {dialled, h, c.node});
      a.run();
      more = true;
    }
    auto pass = [&](TestNode& from, ConnectionId out, TestNode& to, ConnectionId in) {
      std::vector<Send> keep, go;
      for (auto& s : from.sent) (s.to == out ? go : keep).push_back(std::move(s));
      from.sent = std::move(keep);
      for (auto& s : go) {
        to.machine->arrived(to.now, {in, s.request, std::move(s.message)});
        to.run();
        more = true;
      }
    };
    pass(a, dialled, b, accepted);
    pass(b, accepted, a, dialled);
  }
}

}  // namespace

TEST_CASE("an uploaded run that is ordered becomes durable, readable once committed") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  const auto started = n.take<Durable>();
  REQUIRE(started);
  const Run r = make_run(11, 1);
  append(n, 1, r, started->tail);
  const auto d = n.take<Durable>();
  REQUIRE(d);
  CHECK(d->tail == started->tail + r.frames.size());
  // The run is durable and not committed: a reader is told past_end, or waits if it asked to.
  n.say(client, Read{log_id, started->tail, 1000, 0});
  CHECK(n.take<Page>()->reason == Errc::past_end);
  n.say(client, Read{log_id, started->tail, 1000, 50});
  CHECK(!n.take<Page>());
  // The watermark commits the run, and the waiting read is answered.
  n.say(leader, Watermark{log_id, Term{1}, d->tail});
  const auto page = n.take<Page>();
  REQUIRE(page);
  CHECK(page->frames.size() == r.frames.size());
  CHECK(look_at_frame(page->frames, log_id, started->tail, true).state == FrameState::good);
  n.say(client, upload_of(r));  // a repeat of a written run is not staged again
  CHECK(n.take<Uploaded>());
}

TEST_CASE(
    "a node's committed offset is the smaller of what it was told and its own tail, and never "
    "moves "
    "back (D5)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  const auto committed = [&n] { return n.machine->log(log_id)->committed; };
  const Offset tail = n.machine->log(log_id)->durable.end;
  // The leader has committed more than this node holds.
  n.say(leader, Watermark{log_id, Term{1}, tail + 2 * run_length});
  CHECK(committed() == tail);
  append(n, 1, make_run(11, 1));
  CHECK(committed() == tail + run_length);
  n.say(leader, Watermark{log_id, Term{1}, tail});
  CHECK(committed() == tail + run_length);
  append(n, 1, make_run(11, 2));
  append(n, 1, make_run(11, 3));
  CHECK(committed() == tail + 2 * run_length);
  // The next term's leader has told nothing yet.
  n.seal(2);
  CHECK(committed() == tail + 2 * run_length);
}

TEST_CASE(
    "seal is a barrier: the state waits for the group in flight, and no acknowledgement of the old "
    "term follows") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  const Offset before = n.take<Durable>()->tail;
  const Run a = make_run(11, 1), b = make_run(11, 2);
  n.say(client, upload_of(a));
  n.say(client, upload_of(b));
  n.sent.clear();
  // The first run's group is in flight, and the second run is queued, when the seal comes.
  n.hold = true;
  n.order(1, {{a.reference, {}}});
  n.say(leader,
        Order{log_id, Term{1}, {}, before + a.frames.size(), Term{1}, {}, {{b.reference, {}}}});
  n.say(leader, Seal{{}, Term{2}, instance, {}});
  n.say(leader, GetState{log_id, Term{2}});
  // T3, S1: nothing is answered before the promise is durable and the group has ended.
  CHECK(!n.take<Sealed>());
  CHECK(!n.take<StateIs>());
  n.hold = false;
  n.run();
  // The group of term 1 ended after the seal, so it is not acknowledged.
  CHECK(!n.take<Durable>());
  const StateIs s = n.state(2);
  CHECK(s.tail == before + a.frames.size());  // the second run was dropped
  CHECK(!s.matched);
  n.say(leader, Order{log_id, Term{1}, {}, s.tail, Term{1}, {}, {}});
  CHECK(n.take<Fenced>()->promise == Term{2});
  n.say(leader, Seal{{}, Term{2}, InstanceId{55}, {}});  // T1: a term belongs to its first instance
  CHECK(n.take<Fenced>());
}

TEST_CASE("sequencers that lost their directories and began another cluster are not obeyed") {
  constexpr ConnectionId forgetful{3};
  TestNode n(1);
  n.start();
  n.join(1);
  n.machine->connected(
      n.now, {forgetful, Hello{hello_magic, 1, 1, Role::sequencer, {}, "test", 2, {}, {}, 0}, {}});
  n.run();
  CHECK(n.closed.empty());  // a sequencer that has not heard of the cluster yet says the same
  // Metadata of another cluster end the connection before any command can come (T4).
  n.say(forgetful,
        Metadata{{RaftIndex{900}, ClusterId{6}, "test", Term{9}, {}, {}, {}}, SequencerId{2}});
  CHECK(n.closed == std::vector{forgetful});
  n.sent.clear();
  n.say(forgetful, Seal{{}, Term{9}, InstanceId{1}, RaftIndex{900}});
  CHECK(!n.take<Sealed>());
  n.seal(2);  // the true leader is still obeyed
}

TEST_CASE(
    "sequencers with old directories are refused: their metadata is older in a newer term (F10c, "
    "T2)") {
  TestNode n(1);
  n.start();
  n.join(1);
  // Metadata of a given version and newest term.
  const auto metadata = [](std::uint64_t version, std::uint32_t term, std::vector<LogInfo> logs) {
    return Metadata{{RaftIndex{version}, ClusterId{5}, "test", Term{term}, {}, {}, std::move(logs)},
                    SequencerId{1}};
  };
  n.say(leader, metadata(20, 5, {log_info()}));
  REQUIRE(n.closed.empty());
  SUBCASE("a deposed leader is no danger: it is fenced") {
    // Both numbers are older: an old leader, which the promise fences.
    n.say(leader, metadata(10, 3, {}));
    CHECK(n.closed.empty());
  }
  SUBCASE("a newer term with an older version") {
    // Terms and versions rise together in a single history, so these metadata come from another
    // (T2).
    n.say(leader, metadata(10, 6, {}));
    CHECK(n.closed == std::vector{leader});
    n.sent.clear();
    n.say(leader, Seal{{}, Term{9}, instance, RaftIndex{10}});
    CHECK(!n.take<Sealed>());
  }
  SUBCASE("a newer term and version without a log that is here") {
    // Elections raise the version of the older metadata above the node's. The log was never dropped
    // here, so its deletion was never committed.
    n.say(leader, metadata(30, 6, {}));
    CHECK(n.closed == std::vector{leader});
    n.sent.clear();
    n.say(leader, Seal{{}, Term{9}, instance, RaftIndex{30}});
    CHECK(!n.take<Sealed>());
  }
  SUBCASE("an older term with a newer version") {
    // Changes without an election raise the version of the older metadata above the node's. If the
    // node took them, its copy would no longer name the logs that are missing there.
    n.say(leader, metadata(30, 3, {}));
    CHECK(n.closed == std::vector{leader});
    n.sent.clear();
    n.say(leader, Seal{{}, Term{9}, instance, RaftIndex{30}});
    CHECK(!n.take<Sealed>());
  }
  SUBCASE("the same term and a newer version without a log that is here") {
    n.say(leader, metadata(30, 5, {}));
    CHECK(n.closed == std::vector{leader});
  }
  SUBCASE("metadata of the same term from before a log was made") {
    n.say(leader, metadata(10, 5, {}));
    CHECK(n.closed.empty());
  }
  SUBCASE("a log that was dropped here may be missing") {
    n.seal(6);
    n.say(leader, Drop{log_id, Term{6}});
    REQUIRE(n.take<Dropped>());
    n.say(leader, metadata(30, 6, {}));
    CHECK(n.closed.empty());
  }
  SUBCASE("the id of a log that is here names another log there") {
    LogInfo other = log_info();
    // Name and options belong to an id for ever.
    other.name = "fresh";
    n.say(leader, metadata(30, 6, {other}));
    CHECK(n.closed == std::vector{leader});
  }
  SUBCASE("retention is no part of what a log is") {
    LogInfo same = log_info();
    same.options.retention.bytes = 1u << 30;
    n.say(leader, metadata(30, 6, {same}));
    CHECK(n.closed.empty());
  }
}

TEST_CASE(
    "a JOIN of an id that names another log here is refused, its entries are not shown under the "
    "new name (F10c, T5)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.seal(2);
  n.say(leader, Join{Term{2}, log_info()});
  CHECK(n.take<Joined>());  // a repeat is answered as done
  LogInfo other = log_info();
  // The same id with another name or other options would show the old entries under a new log.
  SUBCASE("another name") { other.name = "fresh"; }
  SUBCASE("other options") { other.options.segment_size = 1u << 21; }
  n.say(leader, Join{Term{2}, other});
  CHECK(!n.take<Joined>());
  CHECK(n.closed == std::vector{leader});
}

TEST_CASE(
    "commands that wait for the promise go with their connection when an earlier command has it "
    "refused (T3, T5, F10c)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.hold = true;
  n.say(leader, Seal{{}, Term{2}, instance, {}});
  LogInfo other = log_info();
  other.name = "fresh";
  n.say(leader, Join{Term{2}, other});
  n.say(leader, GetState{log_id, Term{2}});
  CHECK(n.closed.empty());
  n.hold = false;
  n.run();
  CHECK(n.closed == std::vector{leader});
  CHECK_FALSE(n.take<StateIs>());
}

TEST_CASE("either slot of the promise may rot: the newest promise is still there (L-4, T3)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.seal(2);
  n.seal(3);
  const Bytes file = *n.disk.file("promise");
  REQUIRE(file.size() == promise_file_size);
  std::uint32_t slot = 0;
  SUBCASE("the first") {}
  SUBCASE("the second") { slot = promise_slot_size; }
  // Both slots hold the newest promise (P1), so rot of either slot loses nothing.
  Bytes rotten = Bytes::copy_of(file);
  rotten.mutable_data()[slot + 16] ^= std::byte{1};
  const auto promise = decode_promise(rotten);
  REQUIRE(promise);
  CHECK(promise->term == Term{3});
  CHECK(promise->instance == instance);
}

TEST_CASE(
    "each start and each term count in the promise, so that an older copy of the directory shows "
    "(F11, T4)") {
  TestNode n(1);
  n.start();
  // Seals in a term and returns the node's answer with its counts.
  const auto sealed = [](TestNode& node, std::uint32_t term) {
    node.say(leader, Seal{{}, Term{term}, instance, {}});
    const auto s = node.take<Sealed>();
    REQUIRE(s);
    return *s;
  };
  const Sealed first = sealed(n, 1);
  n.say(leader, Join{Term{1}, log_info()});
  REQUIRE(n.take<Joined>());
  CHECK(first.promise_found == 0);
  // A copy of the directory, as a backup would bring back.
  const simulator::SimulatedDisk copy = n.disk;
  const Sealed next_term = sealed(n, 2);
  CHECK(next_term.promise_found == 0);
  CHECK(next_term.promise_count > first.promise_count);
  // The first seal after a start raises the count durably.
  n.restart();
  const Sealed next_start = sealed(n, 2);
  CHECK(next_start.promise_found >= next_term.promise_count);
  CHECK(next_start.promise_count > next_term.promise_count);
  SUBCASE("a slot that goes bad is no older copy") {
    for (const std::uint32_t slot : {0u, promise_slot_size}) {
      Bytes rotten = Bytes::copy_of(*n.disk.file("promise"));
      rotten.mutable_data()[slot + 16] ^= std::byte{1};
      REQUIRE(decode_promise(rotten));
      // The newer slot decides, and both hold the newest count.
      CHECK(decode_promise(rotten)->counter >= next_start.promise_count);
    }
  }
  SUBCASE("an older copy found less than was told") {
    n.disk = copy;
    n.restart();
    CHECK(sealed(n, 3).promise_found < next_start.promise_count);
  }
  // T4: the copy's count is lower than the registered count, which the metadata name.
  SUBCASE("an older copy counts no start, however often it is started and sealed") {
    ClusterMetadata told{RaftIndex{5},
                         ClusterId{5},
                         "test",
                         Term{2},
                         {},
                         {{NodeId{1}, n.machine->identity().disk, "a"}},
                         {}};
    told.storage[0].promise_count = next_start.promise_count;
    n.disk = copy;
    const Promise copied = *decode_promise(*n.disk.file("promise"));
    for (std::uint32_t term : {3u, 4u, 5u, 6u}) {
      n.restart();
      n.say(leader, Metadata{told, SequencerId{1}});
      n.say(leader, Seal{{}, Term{term}, instance, RaftIndex{5}});
      const auto answer = n.take<Sealed>();
      REQUIRE(answer);
      CHECK(answer->promise_found == copied.counter);
    }
    // The node has promised nothing.
    CHECK(decode_promise(*n.disk.file("promise"))->term == copied.term);
    n.say(leader, Seal{{}, Term{6}, instance, RaftIndex{4}});  // a leader with older metadata
    CHECK_FALSE(n.take<Sealed>());
    const auto refused = n.take<Failed>();
    REQUIRE(refused);
    CHECK(refused->error == Errc::stale_metadata);
    n.sent.clear();
    n.say(leader, Seal{log_id, Term{6}, instance, RaftIndex{5}});  // of a single log
    CHECK_FALSE(n.take<Sealed>());
    REQUIRE(n.take<Failed>());
  }
  SUBCASE("no answer goes out before the count is durable") {
    n.held.clear();
    n.sent.clear();
    n.disk.reopen();
    n.hold = true;
    n.start();
    // The seal's answer waits until the raised count is durable.
    n.say(leader, Seal{{}, Term{2}, instance, {}});
    CHECK_FALSE(n.take<Sealed>());
    n.hold = false;
    n.run();
    CHECK(n.take<Sealed>());
  }
}

TEST_CASE(
    "what a sequencer's older connection still holds does not touch what the newer one ordered") {
  constexpr ConnectionId newer{3};
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  const Offset end = n.take<Durable>()->tail;
  n.connect(newer, Role::sequencer);
  const Run r = make_run(11, 1);
  // The upload of the run is still on its way.
  n.say(newer, Order{log_id, Term{1}, {}, end, Term{1}, {}, {{r.reference, {}}}});
  CHECK(n.closed == std::vector{leader});
  // An order over the older connection fits nowhere; the node must not report its state because of
  // it.
  n.say(leader, Order{log_id, Term{1}, {}, Offset{end.value - 10}, Term{1}, {}, {}});
  CHECK(!n.take<StateIs>());
  // Accepted before the newer connection, but its Hello is heard after.
  n.connect(leader, Role::sequencer);
  CHECK(n.closed == std::vector{leader, leader});
  // The order of the newer connection still stands.
  n.say(client, upload_of(r));
  const auto durable = n.take<Durable>();
  REQUIRE(durable);
  CHECK(durable->tail == end + r.frames.size());
  CHECK(n.machine->log(log_id)->leader == newer);
}

TEST_CASE("reconcile cuts a divergent tail and copies from a peer; both logs are then equal") {
  TestNode a(1), b(2);
  for (TestNode* n : {&a, &b}) {
    n->start();
    n->join(1);
    n->segment_and_term_start(1);
    append(*n, 1, make_run(11, 1));
    n->sent.clear();
  }
  const Offset common = a.machine->log(log_id)->durable.end;
  append(a, 1, make_run(11, 2, 50));  // on a alone; the reconcile will cut it
  // In term 2 node b is the base, with a term start and a run more.
  for (TestNode* n : {&a, &b}) n->seal(2);
  b.match(2);
  b.segment_and_term_start(2);
  append(b, 2, make_run(12, 1, 5000));
  b.sent.clear();
  const Tail target = b.machine->log(log_id)->durable;

  ClusterMetadata metadata{RaftIndex{3}, ClusterId{5}, "test",
                           Term{2},      {},           {{NodeId{1}, {}, "a"}, {NodeId{2}, {}, "b"}},
                           {log_info()}};
  a.say(leader, Metadata{metadata, SequencerId{1}});
  // The leader's command for a: cut to the common part, then copy from b.
  Reconcile c = a.command(a.state(2));
  c.cut = common;
  c.target = target.end;
  c.target_chain = target.chain;
  c.peers = {NodeId{2}};
  a.say(leader, c);
  talk(a, b);
  const auto r = a.take<Reconciled>();
  REQUIRE(r);
  CHECK(r->error == Errc::ok);
  CHECK(r->tail == target.end);
  CHECK(r->chain == target.chain);
  CHECK(a.machine->log(log_id)->terms == b.machine->log(log_id)->terms);
  a.say(leader, c);  // the node is no longer in the named state (S4)
  CHECK(a.take<Reconciled>()->error == Errc::wrong_state);
}

TEST_CASE("a file that is being repaired is not trimmed before it is whole") {
  // A trim does not wait for the strand on which the repair is written. If the file went before the
  // repair ended, the write would fail and end the node (K2).
  TestNode a(1), b(2);
  ClusterMetadata metadata{RaftIndex{3}, ClusterId{5}, "test",
                           Term{1},      {},           {{NodeId{1}, {}, "a"}, {NodeId{2}, {}, "b"}},
                           {log_info()}};
  const Run first = make_run(11, 1), second = make_run(11, 2);
  Offset rolled{};
  // Both nodes have two segments; all is committed.
  for (TestNode* n : {&a, &b}) {
    n->start();
    n->say(leader, Metadata{metadata, SequencerId{1}});
    n->join(1);
    n->segment_and_term_start(1);
    append(*n, 1, {first.reference, Bytes::copy_of(first.frames)});
    rolled = n->machine->log(log_id)->written.end;
    n->order(1, {{{}, make_segment_start_image({})}});
    append(*n, 1, {second.reference, Bytes::copy_of(second.frames)});
    n->say(leader, Watermark{log_id, Term{1}, n->machine->log(log_id)->durable.end});
  }
  const Offset damaged{rolled.value - first.frames.size()};
  const auto file = [&] {
    return a.disk.read(log_id, Offset{}, segment_header_size + damaged.value, run_length);
  };
  const Bytes whole = Bytes::copy_of(*file());
  // Damage inside the first segment's last run, reported by a reader.
  a.disk.begin(WriteGroup{
      log_id, {}, segment_header_size + damaged.value + 50, {Bytes::copy_of("rot")}, 0, {}, true});
  REQUIRE(*file() != whole);
  a.say(client, ReportCorrupt{log_id, damaged, frame_overhead});
  // The copy has come from b and the repair is being written when the trim comes.
  a.hold = true;
  talk(a, b);
  REQUIRE(a.held.size() == 1);
  CHECK(std::holds_alternative<RepairSegment>(a.held.front().operation));
  a.say(leader, TrimTo{log_id, Term{1}, rolled});
  CHECK(a.held.size() == 1);
  CHECK(a.machine->log(log_id)->first() == rolled);  // readers see the trim at once
  // The repair ends, and the file goes after it.
  a.hold = false;
  a.run();
  CHECK(a.machine->report().counted.corruptions_repaired == 1);
  CHECK(a.machine->log(log_id)->first_kept() == rolled);
  CHECK_FALSE(file());
}

TEST_CASE("a file that is being closed is not trimmed before it is") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  append(n, 1, make_run(11, 1));
  const Offset rolled = n.machine->log(log_id)->durable.end;
  n.say(leader, Watermark{log_id, Term{1}, rolled});
  // Hold the disk until the close of the first file is the next operation.
  n.hold = true;
  n.order(1, {{{}, make_segment_start_image({})}});
  // The next file is prepared first.
  while (!n.held.empty() && !std::holds_alternative<CloseSegment>(n.held.front().operation)) {
    const DiskRequest r = n.held.front();
    n.held.pop_front();
    n.disk.begin(r.operation);
    n.machine->disk_done(n.now, n.disk.finish(r));
    n.run();
  }
  REQUIRE(!n.held.empty());
  // The trim comes while the close waits: the file must not be unlinked before it is closed.
  n.say(leader, TrimTo{log_id, Term{1}, rolled});
  const auto unlinks = [](const DiskRequest& r) {
    return std::holds_alternative<UnlinkSegments>(r.operation);
  };
  CHECK(std::ranges::none_of(n.held, unlinks));
  n.hold = false;
  n.run();
  CHECK(n.machine->log(log_id)->first_kept() == rolled);
  CHECK_FALSE(n.disk.read(log_id, Offset{}, 0, 100));
}

TEST_CASE("a missing run is fetched from a peer, and reported when nobody has it") {
  TestNode a(1), b(2);
  ClusterMetadata metadata{RaftIndex{3}, ClusterId{5}, "test",
                           Term{1},      {},           {{NodeId{1}, {}, "a"}, {NodeId{2}, {}, "b"}},
                           {log_info()}};
  for (TestNode* n : {&a, &b}) {
    n->start();
    n->say(leader, Metadata{metadata, SequencerId{1}});
    n->join(1);
    n->segment_and_term_start(1);
    n->sent.clear();
  }
  const Run r = make_run(11, 1), lost = make_run(11, 2);
  // Node b has the run, node a does not; both have its order.
  append(b, 1, r);
  b.sent.clear();
  a.order(1, {{r.reference, {}}});
  a.advance(5ms);
  talk(a, b);
  CHECK(a.take<Durable>()->chain == b.machine->log(log_id)->durable.chain);
  // Nobody has the second run: a asks b in vain and reports Missing (spec/05 "When a payload is
  // missing").
  a.order(1, {{lost.reference, {}}});
  a.advance(5ms);
  talk(a, b);
  a.advance(1ms);
  CHECK(a.take<Missing>());
  a.say(client, upload_of(lost));
  CHECK(a.take<Durable>());
}

TEST_CASE(
    "a restart keeps all that was durable, serves the committed part, and ends before a torn "
    "tail") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  append(n, 1, make_run(11, 1), n.machine->log(log_id)->durable.end);
  append(n, 1, make_run(11, 2), n.machine->log(log_id)->durable.end);
  const Tail before = n.machine->log(log_id)->durable;
  const std::vector<TermStart> terms_before = n.machine->log(log_id)->terms;
  const Offset committed_before = n.machine->log(log_id)->committed;
  // After 20 ms of rest the marks name the whole log.
  n.advance(50ms);
  SUBCASE("clean") {
    n.restart();
    CHECK(n.machine->log(log_id)->durable.chain == before.chain);
    CHECK(n.machine->log(log_id)->terms == terms_before);
    CHECK(!n.machine->log(log_id)->store.has_torn_bytes());
    CHECK(n.machine->log(log_id)->committed == committed_before);
    n.say(client, Read{log_id, {}, 100000, 0});
    CHECK(n.take<Page>()->frames.size() == committed_before.value);
  }
  SUBCASE("torn above the mark") {
    // Bytes behind the mark: a torn tail, which the next reconcile cuts (K3).
    const Bytes junk = Bytes::copy_of("\x01junk of a torn write");
    n.disk.begin(
        WriteGroup{log_id, {}, segment_header_size + before.end.value + 40, {junk}, 0, {}, true});
    n.restart();
    const LogCore& l = *n.machine->log(log_id);
    CHECK(l.durable.end == before.end);
    CHECK(!l.suspect);
    CHECK(l.store.has_torn_bytes());
    n.seal(2);
    n.match(2);
    CHECK(!l.store.has_torn_bytes());
    n.segment_and_term_start(2);
    CHECK(n.take<Durable>()->term == Term{2});
  }
  SUBCASE("rot below the mark") {
    // Damage below the mark: the log is suspect and reports the part before the hole.
    const Bytes junk = Bytes::copy_of("rot");
    n.disk.begin(
        WriteGroup{log_id, {}, segment_header_size + before.end.value - 60, {junk}, 0, {}, true});
    n.restart();
    CHECK(n.machine->log(log_id)->suspect);
    n.seal(2);
    const StateIs s = n.state(2);
    CHECK(s.suspect);
    CHECK(s.tail < before.end);
  }
}

TEST_CASE("an identity without a readable promise is data loss") {
  TestNode n(1);
  n.start();
  n.join(1);
  // Both slots are bad, while the identity exists: DATA LOSS (T4).
  n.disk.begin(SavePromise{{}, 0, Bytes::copy_of(std::string(512, 'z'))});
  n.disk.begin(SavePromise{{}, 1, Bytes::copy_of(std::string(512, 'z'))});
  n.restart();
  CHECK(n.machine->data_loss());
  n.say(leader, Seal{{}, Term{9}, instance, {}});
  CHECK(n.take<Failed>()->error == Errc::data_loss);
}

TEST_CASE("a log without a readable promise is lost here, and counted") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  CHECK(n.machine->report().logs_lost == 0);
  n.disk.begin(SavePromise{log_id, 0, Bytes::copy_of(std::string(512, 'z'))});
  n.disk.begin(SavePromise{log_id, 1, Bytes::copy_of(std::string(512, 'z'))});
  // The loss is of this log alone; the node serves its other logs.
  n.restart();
  CHECK_FALSE(n.machine->data_loss());
  CHECK(n.machine->report().logs_lost == 1);
  n.say(client, upload_of(make_run(11, 1)));
  const auto refused = n.take<Busy>();
  REQUIRE(refused);
  CHECK(refused->error == Errc::data_loss);
  CHECK(n.machine->report().counted.refused.of(Errc::data_loss) == 1);
}

TEST_CASE("staging is bounded, but an ordered run is always taken (D6)") {
  Options o;
  o.staging.bytes_max = 1500;
  TestNode n(1, o);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  n.say(client, upload_of(make_run(11, 1)));
  n.say(client, upload_of(make_run(12, 1)));
  n.sent.clear();
  const Run r = make_run(13, 1);
  // The third run finds no room until it is ordered (D6).
  n.say(client, upload_of(r));
  CHECK(n.take<Busy>()->error == Errc::busy);
  n.order(1, {{r.reference, {}}});
  n.say(client, upload_of(r));
  CHECK(n.take<Durable>());
  // Another run under the name of a run that was staged is refused (D3).
  Run other = make_run(11, 1, 99);
  n.say(client, upload_of(other));
  CHECK(n.take<Busy>()->error == Errc::digest_mismatch);
  // After 30 s unordered runs have expired.
  n.advance(31s);
  n.say(client, upload_of(make_run(14, 1)));
  CHECK(n.take<Uploaded>());
}

TEST_CASE("follow pushes within its credit") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  append(n, 1, make_run(11, 1, 1000));
  const Offset end = n.machine->log(log_id)->durable.end;
  n.say(leader, Watermark{log_id, Term{1}, end});
  n.say(client, Follow{log_id, {}, 300});
  std::uint64_t got = 0;
  for (auto& s : n.sent)
    if (auto* p = std::get_if<Page>(&s.message)) got += p->frames.size();
  // Exactly the credit, then the rest with more credit.
  CHECK(got == 300);
  const RequestId follow{n.request};
  n.machine->arrived(n.now, {client, follow, Credit{100'000}});
  n.run();
  got = 0;
  for (auto& s : n.sent)
    if (auto* p = std::get_if<Page>(&s.message)) got += p->frames.size();
  CHECK(got == end.value);
}

namespace {

/// Commits 600 kB in a log.
void fill(TestNode& n) {
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  for (std::uint64_t i = 1; i <= 60; ++i) append(n, 1, make_run(11, i, 10'000));
  n.say(leader, Watermark{log_id, Term{1}, n.machine->log(log_id)->durable.end});
  n.sent.clear();
}

/// Bytes of pages by connection.
std::map<ConnectionId, std::uint64_t> bytes_sent(const TestNode& n) {
  std::map<ConnectionId, std::uint64_t> out;
  for (const auto& s : n.sent)
    if (const auto* p = std::get_if<Page>(&s.message)) out[s.to] += p->frames.size();
  return out;
}

}  // namespace

TEST_CASE(
    "readers that do not read hold no more than the node's budget, and all get everything once "
    "they read (Z3, F13)") {
  Options o;
  o.pages_in_flight_max = 200'000;
  TestNode n(1, o);
  fill(n);
  const std::uint64_t end = n.machine->log(log_id)->durable.end.value;
  // Twenty readers ask for everything and take nothing.
  n.hold_written = true;
  constexpr std::uint64_t readers = 20;
  for (std::uint64_t c = 0; c < readers; ++c) {
    n.connect(ConnectionId{50 + c}, Role::client);
    n.say(ConnectionId{50 + c}, Follow{log_id, {}, 0xffffffff});
    n.say(ConnectionId{50 + c}, Read{log_id, {}, 100'000, 0});
  }
  std::uint64_t all = 0;
  for (const auto& [c, bytes] : bytes_sent(n)) all += bytes;
  CHECK(all <= o.pages_in_flight_max + readers * connection_queue_floor);
  CHECK(n.machine->report().pages_in_flight == all);
  CHECK(n.machine->report().readers == 2 * readers);
  // The queues empty, and every reader gets the rest.
  n.hold_written = false;
  n.tell_written();
  n.run();
  for (const auto& [c, bytes] : bytes_sent(n))
    CHECK(bytes >= end + connection_queue_floor);  // the whole log, and the read's own page
  CHECK(n.machine->report().readers == readers);
  CHECK(n.machine->report().pages_in_flight == 0);
}

TEST_CASE(
    "a follow that was held ends with its connection or by its reader, and another under its id "
    "takes its place") {
  Options o;
  o.pages_in_flight_max = 50'000;
  TestNode n(1, o);
  fill(n);
  n.hold_written = true;
  n.say(client, Follow{log_id, {}, 1u << 20});
  const RequestId follow{n.request};
  // A second follow under the same id takes the place of the first; another id is another stream.
  n.machine->arrived(n.now, {client, follow, Follow{log_id, {}, 1u << 20}});
  n.machine->arrived(n.now, {client, RequestId{900}, Follow{log_id, {}, 1u << 20}});
  CHECK(n.machine->report().readers == 2);
  // Credit of 0 bytes ends a stream.
  n.machine->arrived(n.now, {client, follow, Credit{0}});
  CHECK(n.machine->report().readers == 1);
  n.machine->disconnected(n.now, {client});
  CHECK(n.machine->report().readers == 0);
  CHECK(n.machine->report().pages_in_flight == 0);
  n.hold_written = false;
  n.tell_written();
  n.run();
}

TEST_CASE("the 4097th read that waits is refused with too_many (Z12)") {
  TestNode n(1);
  fill(n);
  const Offset end = n.machine->log(log_id)->durable.end;
  // Reads at the end wait for the next commit.
  for (std::size_t i = 0; i < readers_per_connection_max; ++i)
    n.say(client, Read{log_id, end, 0, 60'000});
  CHECK(n.sent.empty());
  n.say(client, Read{log_id, end, 0, 60'000});
  CHECK(n.take<Failed>()->error == Errc::too_many);
  n.say(client, Follow{log_id, end, 1000});
  CHECK(n.take<Failed>()->error == Errc::too_many);
  // The commit answers all that waited.
  append(n, 1, make_run(11, 61));
  n.say(leader, Watermark{log_id, Term{1}, n.machine->log(log_id)->durable.end});
  std::size_t pages = 0;
  for (const auto& s : n.sent) pages += std::holds_alternative<Page>(s.message) ? 1 : 0;
  CHECK(pages == readers_per_connection_max);
  CHECK(n.machine->report().readers == 0);
}

TEST_CASE("a follow that ended by itself leaves nothing behind, however often that happens (Z12)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  append(n, 1, make_run(11, 1));
  const Offset second = n.machine->log(log_id)->durable.end;
  n.order(1, {{{}, make_segment_start_image({1, Term{1}, Offset{}})}});
  n.say(leader, Watermark{log_id, Term{1}, n.machine->log(log_id)->durable.end});
  // The begin of the log is trimmed, so every follow from there ends at once.
  n.say(leader, TrimTo{log_id, Term{1}, second});
  for (int i = 0; i < 5000; ++i) n.say(client, Follow{log_id, {}, 1000});
  CHECK(n.take<Page>()->reason == Errc::trimmed);
  CHECK(n.machine->report().readers == 0);
}

TEST_CASE(
    "a report that names a place inside a frame raises no alarm, and a second is between two looks "
    "(Z16)") {
  TestNode n(1);
  fill(n);
  // Reads of segment files that are under way.
  const auto reads = [&n] {
    std::size_t count = 0;
    for (const auto& d : n.held) count += std::holds_alternative<ReadSegment>(d.operation) ? 1 : 0;
    return count;
  };
  // The place lies inside a frame, so the bytes look bad until the file is read from its beginning.
  n.say(client, ReportCorrupt{log_id, Offset{5000}, 100'000});
  CHECK(n.machine->report().counted.corruptions_found == 0);
  CHECK(n.connects.empty());
  n.advance(2s);
  // 100 reports in a second cause a single look.
  n.hold = true;
  for (int i = 0; i < 100; ++i) n.say(client, ReportCorrupt{log_id, Offset{5000}, 100'000});
  CHECK(reads() == 1);
  n.hold = false;
  n.run();
  for (int i = 0; i < 100; ++i) n.say(client, ReportCorrupt{log_id, Offset{5000}, 100'000});
  CHECK(n.machine->report().counted.reports == 201);
  CHECK(n.machine->report().counted.corruptions_found == 0);
}

TEST_CASE("a connection that the node itself closes is forgotten") {
  TestNode n(1);
  n.start();
  for (std::uint64_t c = 50; c < 150; ++c) {
    // Neither message may come from a client, so the node closes the connection.
    n.connect(ConnectionId{c}, Role::client);
    n.say(ConnectionId{c}, Pong{});
    n.say(ConnectionId{c}, Sealed{});
  }
  CHECK(n.closed.size() == 100);
  CHECK(n.machine->report().clients == 1);
}

TEST_CASE("trim unlinks whole segments and says where the log begins") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  append(n, 1, make_run(11, 1));
  const Offset second = n.machine->log(log_id)->durable.end;
  // A second segment begins; the trim point is its first byte.
  n.order(1, {{{}, make_segment_start_image({1, Term{1}, Offset{}})}});
  const Offset end = n.machine->log(log_id)->durable.end;
  n.say(leader, Watermark{log_id, Term{1}, end});
  n.say(leader, TrimTo{log_id, Term{1}, second});
  CHECK(n.machine->log(log_id)->store.segments().size() == 1);
  n.sent.clear();
  n.say(client, Read{log_id, {}, 100, 0});
  const auto p = n.take<Page>();
  CHECK(p->reason == Errc::trimmed);
  CHECK(p->first == second);
  // A restart finds the log where it begins now.
  n.restart();
  CHECK(n.machine->log(log_id)->durable.end == end);
  CHECK(n.machine->log(log_id)->terms == std::vector<TermStart>{{Term{1}, Offset{}}});
}

TEST_CASE(
    "GetSegments names where committed segments and terms begin, from the file that holds an "
    "offset on") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  std::vector<Offset> begins{Offset{}};
  // Fills a segment with a run and begins the next.
  const auto roll = [&](std::uint32_t term) {
    const Run r = make_run(term, n.request + 1);
    n.say(client, upload_of(r));
    n.order(term, {{r.reference, {}}});
    begins.push_back(n.machine->log(log_id)->written.end);
    n.order(term, {{{}, make_segment_start_image({})}});
  };
  // Asks as a client or as a leader; both may ask.
  const auto ask = [&](ConnectionId from, Offset at) {
    n.say(from, GetSegments{log_id, at});
    const auto answer = n.take<SegmentsAre>();
    REQUIRE(answer);
    return *answer;
  };
  roll(1);
  n.seal(2);
  n.match(2);
  const Offset second_term = n.machine->log(log_id)->durable.end;
  n.segment_and_term_start(2);
  roll(2);
  roll(2);
  CHECK(ask(client, Offset{}).begins.empty());  // nothing is committed yet
  const Offset third = begins[3];
  n.say(leader, Watermark{log_id, Term{2}, third});
  SegmentsAre all = ask(client, Offset{});
  // The open segment begins at the committed offset, so it is not listed.
  CHECK(all.begins == std::vector{begins[0], begins[1], begins[2]});
  // The first term begins with the log and is not listed.
  CHECK(all.terms == std::vector{second_term});
  CHECK(all.first == Offset{});
  CHECK(all.committed == third);
  CHECK(ask(leader, begins[1]).begins == std::vector{begins[1], begins[2]});
  all = ask(client, begins[2] + 5);
  CHECK(all.begins == std::vector{begins[2]});
  CHECK(all.terms.empty());

  // A trim inside a file: the file is still listed.
  n.say(leader, TrimTo{log_id, Term{2}, begins[1] + segment_start_size});
  all = ask(client, Offset{});
  CHECK(all.begins == std::vector{begins[1], begins[2]});
  CHECK(all.terms == std::vector{second_term});
  CHECK(all.first == begins[1] + segment_start_size);

  // A log that the node never had, and a log that it has dropped.
  n.say(client, GetSegments{LogId{8}, Offset{}});
  CHECK(n.take<Failed>()->error == Errc::not_member);
  n.say(leader, Drop{log_id, Term{2}});
  n.say(client, GetSegments{log_id, Offset{}});
  CHECK(n.take<Failed>()->error == Errc::no_such_log);
}

TEST_CASE("a dropped log is given back without a restart, once nothing works on it any more") {
  Options options;
  options.tail_cache.bytes_per_log_max = 0;
  TestNode n(1, options);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  const auto d = n.take<Durable>();
  REQUIRE(d);
  n.say(leader, Watermark{log_id, Term{1}, d->tail});
  n.hold = true;
  n.say(client, Read{log_id, Offset{}, 1000, 0});
  REQUIRE(n.held.size() == 1);  // the read waits for the disk
  const DiskRequest read = n.held.front();
  n.held.pop_front();
  n.hold = false;
  // The log's memory must stay until the read that refers to it has ended.
  n.say(leader, Drop{log_id, Term{1}});
  CHECK(n.take<Dropped>());
  REQUIRE(n.machine->log(log_id) != nullptr);
  CHECK(n.machine->log(log_id)->dropped);
  n.machine->disk_done(n.now, {read.ticket, Errc::io_error, {}, {}});
  n.run();
  CHECK(n.machine->log(log_id) == nullptr);
  CHECK(n.machine->report().pages_in_flight == 0);
  // From here on the answers are those of a node that was started again after the drop.
  n.say(client, Read{log_id, Offset{}, 1000, 0});
  CHECK(n.take<Page>()->reason == Errc::no_such_log);
  n.say(leader, Join{Term{1}, log_info()});
  CHECK(n.take<Failed>()->error == Errc::log_deleted);
  n.say(leader, Drop{log_id, Term{1}});
  CHECK(n.take<Dropped>());
  n.advance(5s);
}

TEST_CASE(
    "a full disk: uploads are refused, what was ordered waits, seal and reads go on, and space "
    "ends it (K5)") {
  Options options;
  options.idle_file_bytes = 1u << 20;
  TestNode n(1, options);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  n.take<Durable>();
  const auto upload_and_order = [&](const Run& r, std::uint32_t term) {
    n.say(client, Upload{log_id, r.reference, Bytes::copy_of(r.frames)});
    n.order(term, {{r.reference, {}}});
  };
  n.disk.full = true;
  // The space that the log's file had reserved takes it.
  upload_and_order(make_run(5, 1, 400'000), 1);
  const auto first = n.take<Durable>();
  REQUIRE(first);
  CHECK(first->tail.value > 400'000);

  // Beyond the reserve uploads are refused (K5).
  const Run refused = make_run(5, 2);
  n.say(client, Upload{log_id, refused.reference, Bytes::copy_of(refused.frames)});
  const auto busy = n.take<Busy>();
  REQUIRE(busy);
  CHECK(busy->error == Errc::no_space);

  // The other replicas had the run, so it was ordered although this node refuses uploads.
  const Run large = make_run(6, 1, 900'000);
  n.order(1, {{large.reference, {}}});
  n.say(client, Upload{log_id, large.reference, Bytes::copy_of(large.frames)});
  CHECK(n.take<Uploaded>());
  // The ordered run waits for its space; the leader is told which logs have none.
  n.advance(5s);
  CHECK_FALSE(n.take<Durable>());
  CHECK(n.take<SpaceIs>()->logs_without_space.size() == 1);
  // Reads and seals need no space.
  n.say(leader, Watermark{log_id, Term{1}, first->tail});
  n.say(client, Read{log_id, Offset{}, 1000, 0});
  CHECK(n.take<Page>()->frames.size() > 0);

  n.seal(2);
  const StateIs s = n.state(2);
  CHECK(s.tail == first->tail);
  n.match(2);
  // Space is there again: the file grows and the run is written.
  n.disk.full = false;
  n.advance(1100ms);
  n.segment_and_term_start(2);
  CHECK(n.take<Durable>()->tail.value < 1u << 20);
  upload_and_order(large, 2);
  const auto grown = n.take<Durable>();
  REQUIRE(grown);
  CHECK(grown->tail.value > 1'300'000);
  n.advance(1100ms);
  CHECK(n.take<SpaceIs>()->logs_without_space.empty());
  n.restart();
  n.match(2);
  CHECK(n.state(2).tail == grown->tail);
  upload_and_order(make_run(5, 3), 2);
  CHECK(n.take<Durable>());
}

TEST_CASE(
    "a directory has no room for a segment's name: what was ordered waits, uploads are refused, no "
    "second file is prepared (K5)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  REQUIRE(n.take<Durable>());
  const Run first = make_run(5, 1, 300'000);
  append(n, 1, first);
  REQUIRE(n.take<Durable>());
  n.advance(1s);
  const auto opens = [&](const DiskRequest& d) {
    return std::holds_alternative<OpenSegment>(d.operation);
  };
  const auto prepares = [&](const DiskRequest& d) {
    return std::holds_alternative<PrepareNext>(d.operation);
  };
  n.hold = true;
  n.order(1, {{{}, make_segment_start_image({})}});
  REQUIRE(std::ranges::any_of(n.held, opens));
  n.machine->opening_waits(n.now, log_id);  // the driver found no room and tries again
  n.run();
  // Until the file has its name, uploads are refused and the leader is told.
  const Run refused = make_run(5, 2);
  n.say(client, upload_of(refused));
  const auto busy = n.take<Busy>();
  REQUIRE(busy);
  CHECK(busy->error == Errc::no_space);
  n.advance(1100ms);
  const auto said = n.take<SpaceIs>();
  REQUIRE(said);
  CHECK(said->logs_without_space.size() == 1);
  n.advance(5s);
  CHECK_FALSE(n.take<Durable>());
  // A second file would take the place of the prepared file that waits for its name.
  CHECK(std::ranges::none_of(n.held, prepares));
  // The name is given: everything that waited goes on.
  n.hold = false;
  n.run();
  CHECK(n.take<Durable>());
  append(n, 1, refused);
  CHECK(n.take<Durable>());
  n.advance(1100ms);
  CHECK(n.take<SpaceIs>()->logs_without_space.empty());
}

TEST_CASE(
    "a log that is cut to nothing because of a hole stays suspect over a restart until it is "
    "copied again (K3)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  const Run r = make_run(5, 1, 2000);
  n.say(client, Upload{log_id, r.reference, Bytes::copy_of(r.frames)});
  n.order(1, {{r.reference, {}}});
  const auto acknowledged = n.take<Durable>();
  REQUIRE(acknowledged);
  n.restart();  // its marks now name the whole log
  n.match(1);

  // Rot in the first frame's header: nothing of the log can be read.
  Random random(1);
  n.disk.damage(simulator::Damage::bit_rot,
                {log_id, Offset{}, segment_header_size, segment_header_size + 4}, random);
  n.restart();
  n.seal(2);
  const StateIs s = n.state(2);
  CHECK(s.suspect);
  CHECK(s.tail == Offset{});
  // The leader has the whole log copied, and the node stops before the first byte comes.
  Reconcile m = n.command(s);
  m.cut = Offset{};
  m.target = acknowledged->tail;
  m.target_chain = acknowledged->chain;
  m.peers = {NodeId{2}};
  n.say(leader, m);
  CHECK_FALSE(n.machine->log(log_id)->is_matched());
  n.restart();
  n.seal(3);
  // K3: the marks still name the durable length. Otherwise the empty log would vouch that nothing
  // was ever acknowledged (S2).
  CHECK(n.state(3).suspect);
}

TEST_CASE(
    "a log that was dropped costs a later start nothing but its id, and is never made again (Z15, "
    "T5)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  n.say(leader, Drop{log_id, Term{1}});
  REQUIRE(n.take<Dropped>());
  // After the drop only the id is left on the disk.
  CHECK(n.disk.content().empty());
  n.restart();
  CHECK(n.machine->log(log_id) == nullptr);
  CHECK(n.machine->report().tombstones == 1);
  n.seal(2);
  n.say(leader, Join{Term{2}, log_info()});
  const auto refused = n.take<Failed>();
  REQUIRE(refused);
  CHECK(refused->error == Errc::log_deleted);
  CHECK(n.disk.content().empty());
  n.say(client, Read{log_id, Offset{}, 1000, 0});
  CHECK(n.take<Page>()->reason == Errc::no_such_log);
  SUBCASE("a list that is unreadable in both slots is told") {
    for (const std::uint64_t counter : {3u, 4u})
      n.disk.begin(SaveTombstones{counter, Bytes::copy_of(std::string_view("rotten"))});
    n.events.clear();
    n.restart();
    CHECK(std::ranges::any_of(n.events, [](const Event& e) {
      return e.level == Event::Level::alarm && e.text.contains("tombstones");
    }));
  }
  // A repeated drop is answered as done.
  n.say(leader, Drop{log_id, Term{2}});
  CHECK(n.take<Dropped>());
}

TEST_CASE(
    "a log whose folder is there after its tombstone was written goes at the next start (T5)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  n.hold = true;
  n.say(leader, Drop{log_id, Term{1}});
  // Perform operations up to the tombstone; the folder is still there.
  bool written = false;
  while (!written) {
    REQUIRE_FALSE(n.held.empty());
    const DiskRequest first = n.held.front();
    n.held.pop_front();
    written = std::holds_alternative<SaveTombstones>(first.operation);
    n.disk.begin(first.operation);
    n.machine->disk_done(n.now, n.disk.finish(first));
    n.run();
  }
  CHECK(n.disk.content().contains(log_id));
  CHECK_FALSE(n.take<Dropped>());
  n.hold = false;
  n.restart();  // the process is killed here
  CHECK(n.machine->log(log_id) == nullptr);
  CHECK(n.disk.content().empty());
}

TEST_CASE("a log that is dropped while a peer reads of it leaves no suspicion behind") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  append(n, 1, make_run(5, 1, 2000));
  n.restart();  // so nothing of the log is in memory
  n.match(1);
  const Offset tail = n.machine->log(log_id)->durable.end;

  // A peer's read and the drop are under way together, and the drop ends first.
  n.hold = true;
  n.say(leader, Copy{log_id, Term{1}, Offset{}, tail, 1u << 20});
  REQUIRE(n.held.size() == 1);
  n.say(leader, Drop{log_id, Term{1}});
  REQUIRE(n.held.size() == 2);
  std::swap(n.held[0], n.held[1]);  // reads run beside the log's strand
  n.hold = false;
  n.run();
  REQUIRE(n.take<Dropped>());
  CHECK(n.machine->log(log_id) == nullptr);
  // A suspicion without a log would keep the node from being chosen for new logs.
  CHECK(n.machine->report().logs_suspect == 0);
}

TEST_CASE("what a node counts and shows is what it did") {
  TestNode n(1);
  n.start();
  CHECK_FALSE(n.machine->readiness(n.now));  // no leader has sealed the node
  n.join(1);
  n.segment_and_term_start(1);
  const auto started = n.take<Durable>();
  REQUIRE(started);
  append(n, 1, make_run(11, 1), started->tail);
  // A run that is ordered before its upload counts as missing once.
  const Run late = make_run(11, 2);
  n.order(1, {{late.reference, {}}}, started->tail + run_length);
  n.say(client, upload_of(late));
  n.say(client, upload_of(make_run(11, 3)));
  Report r = n.machine->report();
  CHECK(r.counted.uploaded_runs == 3);
  CHECK(r.counted.uploaded_bytes == 3 * run_length);
  CHECK(r.counted.missing_runs == 1);
  CHECK(r.counted.written_runs == 2);
  CHECK(r.counted.written_entries == 2);
  CHECK(r.counted.written_bytes == 2 * run_length);
  CHECK(r.staged_runs == 1);
  CHECK(r.staged_bytes == run_length + block_overhead + staged_run_overhead);
  CHECK(r.promise == Term{1});
  CHECK(r.clients == 1);
  CHECK(r.sequencers == 1);
  CHECK(r.logs_in_all == 1);
  CHECK(r.logs_matched == 1);
  REQUIRE(r.logs.size() == 1);
  CHECK(r.logs[0].name == "orders");
  CHECK(r.logs[0].committed == started->tail + run_length);
  CHECK(r.logs[0].durable == started->tail + 2 * run_length);
  REQUIRE(n.machine->readiness(n.now));
  CHECK(*n.machine->readiness(n.now) == "sealed in term 1 by sequencer 1, 1 logs");

  // Four requests: a page, the end, an unknown log, an order of an unsealed term.
  n.say(client, Read{log_id, started->tail, 1000, 0});
  n.say(client, Read{log_id, started->tail + run_length, 1000, 0});  // the end is no refusal
  n.say(client, Read{LogId{99}, {}, 1000, 0});
  n.say(leader, Order{log_id, Term{9}, {}, {}, {}, {}, {}});
  r = n.machine->report();
  CHECK(r.counted.pages == 1);
  CHECK(r.counted.page_bytes == run_length);
  CHECK(r.counted.refused.of(Errc::not_member) == 1);
  CHECK(r.counted.refused.of(Errc::wrong_state) == 1);
  CHECK(r.counted.refused.of(Errc::past_end) == 0);

  // 31 s later the staged run has expired and the leader counts as silent.
  n.advance(31s);
  CHECK(n.machine->report().staged_runs_dropped == 1);
  REQUIRE_FALSE(n.machine->readiness(n.now));
  CHECK(n.machine->readiness(n.now).error() == "sequencer 1, which led, has been silent for 31 s");
  // A new term: ready again only when the log is matched.
  n.seal(2);
  REQUIRE_FALSE(n.machine->readiness(n.now));
  CHECK(n.machine->readiness(n.now).error() == "log 7 is not matched in its leader's term 2 yet");
  n.say(leader, Order{log_id, Term{1}, {}, {}, {}, {}, {}});
  CHECK(n.machine->report().counted.refused.of(Errc::fenced) == 1);
}

TEST_CASE(
    "a write for marks alone gives way where the disk is busy with other logs, for a second at "
    "most (K3)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  n.hold = true;
  // Writes that would carry marks and no frames.
  const auto marks_alone = [&n] {
    return std::ranges::count_if(n.held, [](const DiskRequest& r) {
      const auto* group = std::get_if<WriteGroup>(&r.operation);
      return group != nullptr && group->log == log_id && group->buffers.empty();
    });
  };
  SUBCASE("it is not") {
    n.advance(30ms);
    CHECK(marks_alone() == 1);
  }
  SUBCASE("it is") {
    // Twenty joins keep the disk busy, so the marks wait, but not longer than a second.
    for (std::uint64_t i = 100; i < 120; ++i) {
      LogInfo other = log_info();
      other.id = LogId{i};
      other.name = "other" + std::to_string(i);
      n.say(leader, Join{Term{1}, other});
    }
    REQUIRE(n.held.size() >= 20);
    for (int ms = 0; ms < 900; ms += 30) n.advance(30ms);
    CHECK(marks_alone() == 0);
    for (int ms = 0; ms < 300; ms += 30) n.advance(30ms);
    CHECK(marks_alone() == 1);
  }
}

TEST_CASE(
    "storage node: a term or version far above what was heard is refused, the promise stays (Z7)") {
  TestNode n(1);
  n.start();
  n.join(3);
  // A number far above everything heard would use up the range of terms (spec/09).
  n.say(leader, Seal{{}, Term{0xFFFFFFFF}, instance, {}});
  auto failed = n.take<Failed>();
  REQUIRE(failed);
  CHECK(failed->error == Errc::invalid_argument);
  CHECK(failed->detail ==
        "term 4294967295 is more than 16777216 above 3, the highest that this node has heard of");
  n.say(leader, Seal{log_id, Term{0xFFFFFFFF}, instance, {}});
  CHECK(n.take<Failed>());
  ClusterMetadata m;
  m.cluster = ClusterId{5};
  m.version = RaftIndex{10};
  m.last_term = Term{0xFFFFFFF0};
  n.say(leader, Metadata{m, {}});
  CHECK(n.take<Failed>());
  m.last_term = Term{3};
  n.say(leader, Metadata{m, {}});
  CHECK_FALSE(n.take<Failed>());
  m.version = RaftIndex{~0ull};
  n.say(leader, Metadata{m, {}});
  CHECK(n.take<Failed>());
  n.say(leader, Seal{{}, Term{4}, instance, RaftIndex{~0ull}});
  CHECK(n.take<Failed>());
  // The leader of the next term is obeyed as before.
  n.say(leader, Seal{{}, Term{4}, instance, RaftIndex{11}});
  CHECK(n.take<Sealed>());
}

TEST_CASE(
    "storage node: a second process under a sequencer's id is refused as long as the first one is "
    "heard (Z5, F11)") {
  TestNode n(1);
  n.start();
  n.join(3);
  constexpr ConnectionId twin{300}, later{301};
  const auto connect = [&](ConnectionId c) {
    n.machine->connected(
        n.now,
        {c,
         Hello{hello_magic, 1, 1, Role::sequencer, ClusterId{5}, "test", 1, BootId{77}, {}, 0},
         {}});
    n.run();
  };
  n.closed.clear();
  connect(twin);
  CHECK(n.closed == std::vector<ConnectionId>{twin});
  n.say(leader, Seal{{}, Term{4}, instance, {}});
  CHECK(n.take<Sealed>());  // the first process still leads
  n.advance(1100ms);
  // The leader cannot meet a second process under its own id, so this node tells it.
  const auto told = n.take<SpaceIs>();
  REQUIRE(told);
  CHECK(told->twice == std::vector{SequencerId{1}});
  n.closed.clear();
  n.advance(4s);  // and is silent
  // The first process is silent for 4 s, so the later connection takes over.
  connect(later);
  CHECK(n.closed == std::vector<ConnectionId>{leader});
}

TEST_CASE("storage node: a second process that came 15 s ago is told of no more (F11)") {
  TestNode n(1);
  n.start();
  n.join(3);
  n.machine->connected(
      n.now, {ConnectionId{300},
              Hello{hello_magic, 1, 1, Role::sequencer, ClusterId{5}, "test", 1, BootId{77}, {}, 0},
              {}});
  n.run();
  n.advance(1100ms);
  CHECK(n.take<SpaceIs>()->twice.size() == 1);
  n.advance(16s);
  n.sent.clear();
  n.advance(1100ms);
  CHECK(n.take<SpaceIs>()->twice.empty());
}

TEST_CASE("a follow has 16 MiB of credit at most, whatever its reader gives (follow_credit_max)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  const Offset begin = n.machine->log(log_id)->durable.end;
  for (std::uint64_t i = 1; i <= 40; ++i) append(n, 1, make_run(11, i, 1u << 20));
  n.say(leader, Watermark{log_id, Term{1}, n.machine->log(log_id)->durable.end});
  n.sent.clear();
  const auto pushed = [&n] {
    std::uint64_t bytes = 0;
    for (const Send& s : n.sent)
      if (const auto* p = std::get_if<Page>(&s.message)) bytes += p->frames.size();
    return bytes;
  };
  // The reader gives more credit than the bound; the node keeps 16 MiB of it.
  n.say(client, Follow{log_id, begin, 0xFFFFFFFF});
  const RequestId follow{n.request};
  CHECK(pushed() >= follow_credit_max - 2 * page_size_default);
  CHECK(pushed() <= follow_credit_max);
  n.sent.clear();
  n.machine->arrived(n.now, {client, follow, Credit{0xFFFFFFFF}});
  n.run();
  CHECK(pushed() >= follow_credit_max - 2 * page_size_default);
  CHECK(pushed() <= follow_credit_max);
}

TEST_CASE(
    "a connection observes 4096 producers at most; those that another one takes over make room "
    "(observed_per_connection_max)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  const ConnectionId other{90};
  n.connect(other, Role::client);
  // Whether the node tells `producer`'s observer of a durable run.
  const auto told = [&n](std::uint64_t producer) {
    n.sent.clear();
    append(n, 1, make_run(producer, 1));
    return n.take<RunDurable>().has_value();
  };
  for (std::uint64_t p = 1; p <= observed_per_connection_max + 1; ++p)
    n.say(client, Observe{log_id, ProducerId{p}});
  CHECK(told(observed_per_connection_max));
  CHECK_FALSE(told(observed_per_connection_max + 1));  // only the leader tells of it
  // Another connection observes producer 5, so its place on the first connection is free.
  n.say(other, Observe{log_id, ProducerId{5}});
  n.say(client, Observe{log_id, ProducerId{9999}});
  CHECK(told(9999));
  CHECK(told(5));
}

TEST_CASE(
    "a log that was dropped takes no memory, and no place among what a connection observes (Z15)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  // The observers and the follow of the log must go with it.
  for (std::uint64_t p = 1; p <= observed_per_connection_max; ++p)
    n.say(client, Observe{log_id, ProducerId{p}});
  n.say(client, Follow{log_id, {}, 1000});
  n.say(leader, Drop{log_id, Term{1}});
  REQUIRE(n.take<Dropped>());
  CHECK(n.machine->log(log_id) == nullptr);
  CHECK(n.machine->report().logs_in_all == 0);
  CHECK(n.machine->report().readers == 0);
  n.say(client, Read{log_id, Offset{}, 1000, 0});
  CHECK(n.take<Page>()->reason == Errc::no_such_log);
  n.say(leader, Join{Term{1}, log_info()});
  CHECK(n.take<Failed>()->error == Errc::log_deleted);
  n.say(leader, Drop{log_id, Term{1}});
  CHECK(n.take<Dropped>());
  LogInfo next = log_info();
  next.id = LogId{8};
  n.say(leader, Join{Term{1}, next});
  REQUIRE(n.take<Joined>());
  CHECK(n.machine->report().logs_in_all == 1);
  n.advance(5s);  // no timer looks for the log
}

TEST_CASE(
    "storage: what logs take on disk is told to the leader, all of them in turn however many there "
    "are (C)") {
  TestNode n(1);
  n.start();
  n.join(1);
  n.segment_and_term_start(1);
  n.advance(1100ms);
  auto told = n.take<SpaceIs>();
  REQUIRE(told);
  REQUIRE(told->logs.size() == 1);
  CHECK(told->logs[0].log == log_id);
  // The open segment's file and, if it exists, the prepared file.
  std::uint64_t files = 0;
  for (const Offset first : n.machine->log(log_id)->store.segments())
    files += n.disk.file_size(log_id, first).value_or(0);
  CHECK(told->logs[0].bytes >= files);
  CHECK(files > 0);
  // More logs than a report holds: three reports name them all.
  const std::size_t many = 2 * log_bytes_told_max;
  for (std::uint32_t i = 1; i <= many; ++i) {
    LogInfo other = log_info();
    other.id = LogId{100 + i};
    other.name = "log" + std::to_string(i);
    n.say(leader, Join{Term{1}, other});
  }
  std::set<LogId> heard;
  for (int i = 0; i < 3; ++i) {
    n.sent.clear();
    n.advance(1100ms);
    told = n.take<SpaceIs>();
    REQUIRE(told);
    CHECK(told->logs.size() == log_bytes_told_max);
    for (const LogBytes& l : told->logs) heard.insert(l.log);
  }
  CHECK(heard.size() == many + 1);
}

TEST_CASE("storage node: commands wait until the identity names the cluster's version (T7_named)") {
  Options o;
  o.record_version_highest = 2;
  TestNode n(1, o);
  n.start();
  n.join(1);
  n.hold = true;
  ClusterMetadata m;
  m.version = RaftIndex{9};
  m.cluster = ClusterId{5};
  m.cluster_name = "test";
  m.last_term = Term{1};
  m.logs = {log_info()};
  m.record_version = 2;
  n.say(leader, Metadata{m, SequencerId{1}});
  // The identity is written before the copy of the metadata.
  REQUIRE(n.held.size() == 2);
  const auto* first = std::get_if<SaveFile>(&n.held[0].operation);
  const auto* second = std::get_if<SaveFile>(&n.held[1].operation);
  REQUIRE(first != nullptr);
  REQUIRE(second != nullptr);
  CHECK(first->name == "identity");
  CHECK(decode_identity(first->data)->record_version == 2);
  CHECK(second->name == "metadata");
  CHECK(version_of_record(second->data.span()) == 2);
  n.say(leader, GetState{log_id, Term{1}});
  CHECK_FALSE(n.take<StateIs>());
  n.hold = false;
  n.run();
  CHECK(n.take<StateIs>());
  n.restart();
  CHECK(n.machine->identity().record_version == 2);
}

TEST_CASE("storage node: metadata of a version that it does not read are refused (T7_start)") {
  TestNode n(1);
  n.start();
  n.seal(1);
  ClusterMetadata m;
  m.version = RaftIndex{9};
  m.cluster = ClusterId{5};
  m.cluster_name = "test";
  m.last_term = Term{1};
  m.record_version = 2;
  n.say(leader, Metadata{m, SequencerId{1}});
  CHECK(std::ranges::find(n.closed, leader) != n.closed.end());
  CHECK(n.machine->identity().record_version == 1);
}
