// A sequencer (the production core, SequencerMachine) among fake peers, for the unit tests of
// sequencer/core. Fake storage nodes answer as real nodes do but keep frames as numbers. Fake
// sequencers vote for it, take its entries and keep nothing.
// Everything happens within the call: each function delivers its event, and all messages and saves
// that follow from it, before it returns. Only pass() moves time.
#pragma once
#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "proto-spec/disk/frame.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer::testing {

/// A frame or run as a fake node keeps it. Two pieces are equal if term, length and tag agree.
struct Piece {
  Term term;
  std::uint32_t length;
  std::uint64_t tag;  // digest of a run, or length of the leader's own frame
  bool operator==(const Piece&) const = default;
};

/// A fake node's replica. Its tail is the sum of the pieces' lengths; everything kept is durable.
struct FakeLog {
  std::vector<Piece> pieces;
  /// The term in which the replica is matched; zero: not matched.
  Term matched{};
  /// The promise for this log alone; FakeNode::promise is the promise for all logs.
  Term promise{};
  /// The trim point.
  Offset first{};
  Offset committed{};
  bool suspect = false;             // the pieces end at a hole
  std::set<std::uint64_t> missing;  // digests of runs that the node never got
  std::map<Offset, Bytes> frames;   // the leader's own frames, stamped, by offset

  Offset tail() const {
    Offset o{};
    for (const Piece& p : pieces) o += p.length;
    return o;
  }
  /// A stand-in for the chain: a hash of terms and tags, equal only for equal pieces.
  Chain chain_at(Offset end) const {
    std::uint64_t c = 0;
    Offset o{};
    for (const Piece& p : pieces) {
      if (o >= end) break;
      c = (c ^ (p.tag + p.term.value * 31)) * 0x9E3779B97F4A7C15ULL + 1;
      o += p.length;
    }
    return Chain{c};
  }
  std::vector<TermStart> terms() const {
    std::vector<TermStart> out;
    Offset o{};
    for (const Piece& p : pieces) {
      if (out.empty() || out.back().term != p.term) out.push_back({p.term, o});
      o += p.length;
    }
    return out;
  }
  Term last_term() const { return pieces.empty() ? Term{} : pieces.back().term; }
  /// Where the segments begin, as far as segment start frames are known.
  std::vector<Offset> segments() const {
    std::vector<Offset> out;
    for (const auto& [at, frame] : frames)
      if (read_prefix(frame.data())->kind == FrameKind::segment_start) out.push_back(at);
    return out;
  }
  /// Drops the pieces and frames behind `at`, which must be a boundary between pieces.
  void cut(Offset at) {
    while (tail() > at) pieces.pop_back();
    frames.erase(frames.lower_bound(at), frames.end());
  }
};

/// A fake storage node. By default it obeys at once and acknowledges everything; the fields whose
/// comments say on, off or set are switches of the tests.
struct FakeNode {
  NodeId id;
  DiskId disk;
  BootId boot{};
  Term promise{};
  // Counter of the promise that the process found at its start (T4).
  std::uint64_t promise_found = 0;
  /// Counter of the promise that is durable now.
  std::uint64_t promise_count = 0;
  /// Highest version of records that its program reads (T7); 0: it does not say.
  std::uint8_t record_version = 0;
  /// The newest metadata that the leader sent.
  ClusterMetadata metadata;
  std::map<LogId, FakeLog> logs;
  ConnectionId connection{};
  bool up = false;
  bool durable = true;   // off: orders are kept and not acknowledged
  bool silent = false;   // on: GetSegments and Read get no answer
  bool stopped = false;  // on: the connection stands and nothing is answered
  // Set: joins wait here, and join_next() carries out the next.
  std::optional<std::deque<LogId>> joins;
  /// Logs that a Reconcile has matched, in any term.
  std::set<LogId> reconciled;
  bool copies_slowly = false;  // on: a Reconcile that copies waits for finish_copy()
  std::map<LogId, Reconcile> copying;
};

/// The sequencer under test has id 1 unless a test changes `options` before restart(). All members
/// are public: tests read the machine and the records of messages directly.
class FakeCluster {
 public:
  /// `nodes` storage nodes with ids from 1; node i has disk 100 + i. Nothing runs before restart().
  explicit FakeCluster(int nodes, std::uint64_t seed = 1) : seed_(seed) {
    options.id = SequencerId{1};
    options.cluster_name = "test";
    options.sequencers = {{SequencerId{1}, "s1:1"}};
    for (int i = 1; i <= nodes; ++i) {
      const NodeId id{static_cast<std::uint32_t>(i)};
      options.storage.push_back({id, DiskId{}, "n:1"});
      node(i).id = id;
      node(i).disk = DiskId{100u + id.value};
    }
  }

  FakeNode& node(int i) { return nodes_[NodeId{static_cast<std::uint32_t>(i)}]; }

  /// Starts the sequencer anew on the same disk. All its connections are gone; nodes keep their
  /// logs.
  void restart() {
    for (auto& [id, n] : nodes_) n.up = false;
    dials_.clear();
    machine = std::make_unique<SequencerMachine>(options, disk, ++seed_);
    machine->start(now, wall_ms());
    run();
  }
  /// Connects node `i`, which says hello with its disk and boot id.
  void connect(int i) {
    FakeNode& n = node(i);
    n.up = true;
    n.connection = ConnectionId{++connections_};
    Hello h;
    h.role = Role::storage;
    h.id = n.id.value;
    h.disk = n.disk;
    h.boot = n.boot;
    machine->connected(now, {n.connection, h, dials_[{Role::storage, n.id.value}]});
    run();
  }
  /// Carries out the oldest join that waits at node `i`.
  void join_next(int i) {
    FakeNode& n = node(i);
    const LogId log = n.joins->front();
    n.joins->pop_front();
    n.logs[log];
    machine->arrived(now, {n.connection, RequestId{}, Joined{log}});
    run();
  }
  /// Ends the copy of `log` that node `i` was told to make.
  void finish_copy(int i, LogId log) {
    FakeNode& n = node(i);
    const Reconcile r = n.copying.extract(log).mapped();
    machine->arrived(now, {n.connection, RequestId{}, reconcile(n, r)});
    run();
  }
  /// Delivers a message that nobody asked node `i` for.
  void from_node(int i, Message m) {
    machine->arrived(now, {node(i).connection, RequestId{}, std::move(m)});
    run();
  }
  void disconnect(int i, Errc why = Errc::connection_lost) {
    node(i).up = false;
    machine->disconnected(now, {node(i).connection, Error{why, {}}});
    run();
  }
  /// Connects a client. `from` is its address; empty means a client in the same process.
  ConnectionId connect_client(const std::string& from = {}) {
    const ConnectionId c{++connections_};
    Hello h;
    h.role = Role::client;
    machine->connected(now, {c, h, 0, from});
    run();
    return c;
  }
  /// Connects another process as sequencer `id`. Of two sequencers the lower id dials, unless
  /// `dialled` is false: then the process dials in any case.
  ConnectionId connect_sequencer(std::uint32_t id, BootId boot = BootId{11}, bool dialled = true) {
    const ConnectionId c{++connections_};
    Hello h;
    h.role = Role::sequencer;
    h.id = id;
    h.boot = boot;
    sequencers_[c] = SequencerId{id};
    machine->connected(now, {c, h, dialled ? dials_[{Role::sequencer, id}] : 0});
    run();
    return c;
  }
  void disconnect_client(ConnectionId c) {
    machine->disconnected(now, {c});
    run();
  }
  /// Delivers a message over a connection, under a request id.
  void say(ConnectionId from, Message m, std::uint32_t request = 1) {
    machine->arrived(now, {from, RequestId{request}, std::move(m)});
    run();
  }
  /// All messages of type M that clients have received, oldest first.
  template <class M>
  std::vector<M> heard() const {
    std::vector<M> out;
    for (const Message& m : to_clients)
      if (const M* x = std::get_if<M>(&m)) out.push_back(*x);
    return out;
  }
  bool alarmed() const {
    return std::any_of(events.begin(), events.end(),
                       [](const Event& e) { return e.level == Event::Level::alarm; });
  }
  /// Moves time in steps of 10 ms with a tick after each, so that no timer is skipped.
  void pass(Duration d) {
    const Time end = now + d;
    while (now < end) {
      now = std::min(end, now + 10ms);
      machine->tick(now, wall_ms());
      run();
    }
  }
  /// Starts the sequencer, has it elected, and connects all nodes.
  void start_all() {
    restart();
    pass(3s);
    for (auto& [id, n] : nodes_) connect(static_cast<int>(id.value));
    pass(100ms);
  }

  /// The sequencer's wall clock in milliseconds; `wall_offset_ms` sets it off.
  std::uint64_t wall_ms() const {
    const auto passed =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    return static_cast<std::uint64_t>(1'700'000'000'000 + wall_offset_ms + passed);
  }
  std::int64_t wall_offset_ms = 0;

  Options options;
  RaftDisk disk;
  std::unique_ptr<SequencerMachine> machine;
  Time now{};
  std::vector<Message> to_clients;
  std::vector<Event> events;
  std::vector<std::pair<NodeId, Message>> to_nodes;
  std::map<ConnectionId, Error> closed;  // connections that the sequencer closed, with the reason
  std::set<SequencerId> mute;            // sequencers that answer nothing
  std::map<SequencerId, std::size_t> entries;  // AppendEntries sent to each sequencer

  /// Performs outputs until there are none: saves end first, then messages are answered, then
  /// connections close.
  void run() {
    for (;;) {
      Output& o = machine->output();
      auto saves = std::move(o.saves);
      auto sends = std::move(o.sends);
      events.insert(events.end(), o.events.begin(), o.events.end());
      auto closes = std::move(o.closes);
      for (const Dial& d : o.dials) dials_[{d.role, d.id}] = d.number;
      o.clear();
      if (saves.empty() && sends.empty() && closes.empty()) return;
      for (const SaveRaft& s : saves) {
        save(s);
        machine->save_done(now, {s.ticket});
      }
      for (Send& s : sends) {
        if (const auto peer = sequencers_.find(s.to); peer != sequencers_.end()) {
          if (std::holds_alternative<AppendEntries>(s.message)) ++entries[peer->second];
          if (auto a = answer(peer->second, s.message))
            machine->arrived(now, {s.to, s.request, std::move(*a)});
          continue;
        }
        FakeNode* to = nullptr;
        for (auto& [id, n] : nodes_)
          if (n.up && n.connection == s.to) to = &n;
        if (to == nullptr) {
          to_clients.push_back(std::move(s.message));
          continue;
        }
        to_nodes.emplace_back(to->id, s.message);
        for (Message& answer : handle(*to, s.message)) {
          const bool unasked =
              std::holds_alternative<Durable>(answer) || std::holds_alternative<Missing>(answer);
          machine->arrived(now, {s.to, unasked ? RequestId{} : s.request, std::move(answer)});
        }
      }
      for (const CloseConnection& c : closes) {
        closed[c.connection] = c.why;
        sequencers_.erase(c.connection);
        machine->disconnected(now, {c.connection});
      }
    }
  }

 private:
  /// Applies a save to the disk in the order that SaveRaft states: record version, snapshot, hard
  /// state, cut, entries.
  void save(const SaveRaft& s) {
    disk.record_version = std::max(disk.record_version, s.record_version);
    if (s.has_snapshot) {
      disk.snapshot = s.snapshot;
      disk.snapshot_index = s.snapshot_index;
      disk.snapshot_term = s.snapshot_term;
      std::erase_if(disk.entries, [&](const RaftEntry& e) { return e.index <= s.snapshot_index; });
    }
    if (s.hard_state) disk.hard_state = *s.hard_state;
    if (s.truncate_from != RaftIndex{})
      std::erase_if(disk.entries, [&](const RaftEntry& e) { return e.index >= s.truncate_from; });
    disk.entries.insert(disk.entries.end(), s.entries.begin(), s.entries.end());
  }

  /// The answer of a fake sequencer. All of them share the clock of the sequencer under test.
  std::optional<Message> answer(SequencerId from, const Message& m) const {
    if (mute.contains(from)) return {};
    if (std::holds_alternative<Ping>(m)) return Pong{};
    if (const auto* v = std::get_if<RequestVote>(&m))
      return Vote{v->term, v->pre_vote, true, wall_ms()};
    if (const auto* a = std::get_if<AppendEntries>(&m))
      return Appended{a->term, true,
                      a->entries.empty() ? a->previous_index : a->entries.back().index, a->round,
                      wall_ms()};
    return {};
  }

  static StateIs state_of(const FakeNode& n, LogId id, Term term) {
    const FakeLog& l = n.logs.at(id);
    return {id,
            term,
            l.last_term(),
            l.tail(),
            l.chain_at(l.tail()),
            l.first,
            l.committed,
            n.disk,
            l.suspect,
            l.matched == term,
            l.terms(),
            l.segments().empty() ? Offset{} : l.segments().back()};
  }

  /// The answers of a fake node. It keeps T3: below its promise it answers Fenced.
  std::vector<Message> handle(FakeNode& n, Message& m) {
    std::vector<Message> out;
    if (n.stopped) return out;
    const auto promise = [&](LogId id) {
      return std::max(n.promise, n.logs.contains(id) ? n.logs[id].promise : Term{});
    };
    std::visit(overloaded{
                   [&](Ping&) { out.push_back(Pong{}); },
                   [&](loglog::Metadata& x) { n.metadata = x.metadata; },
                   [&](Seal& s) {
                     if (s.term < promise(s.log))
                       return void(out.push_back(Fenced{s.log, promise(s.log), {}}));
                     (s.log == LogId{} ? n.promise : n.logs[s.log].promise) = s.term;
                     out.push_back(Sealed{s.log, s.term, 0, n.promise_found, n.promise_count,
                                          n.record_version});
                   },
                   [&](Join& j) {
                     if (n.joins) return n.joins->push_back(j.info.id);
                     n.logs[j.info.id];
                     out.push_back(Joined{j.info.id});
                   },
                   [&](Drop& d) {
                     n.logs.erase(d.log);
                     out.push_back(Dropped{d.log});
                   },
                   [&](GetState& g) {
                     if (!n.logs.contains(g.log)) return void(out.push_back(NotMember{g.log}));
                     if (g.term < promise(g.log))
                       return void(out.push_back(Fenced{g.log, promise(g.log), {}}));
                     if (n.logs[g.log].matched != g.term) n.logs[g.log].matched = Term{};
                     n.copying.erase(g.log);
                     out.push_back(state_of(n, g.log, g.term));
                   },
                   [&](Reconcile& r) {
                     if (n.copies_slowly && !r.peers.empty()) n.copying[r.log] = r;
                     else out.push_back(reconcile(n, r));
                   },
                   [&](Order& o) { order(n, o, out); },
                   [&](Watermark& w) {
                     n.logs[w.log].committed = std::max(
                         n.logs[w.log].committed, std::min(w.committed, n.logs[w.log].tail()));
                   },
                   [&](ConfirmTerm& c) {
                     out.push_back(TermConfirmed{c.log, c.term, n.logs[c.log].tail()});
                   },
                   [&](GetSegments& g) {
                     if (!n.silent) out.push_back(segments(n.logs[g.log], g));
                   },
                   [&](loglog::Read& r) {
                     const FakeLog& l = n.logs[r.log];
                     if (!n.silent)
                       out.push_back(Page{r.log, r.offset, l.first, l.committed, Errc::ok,
                                          l.frames.at(r.offset)});
                   },
                   [](auto&) {},
               },
               m);
    return out;
  }

  static SegmentsAre segments(const FakeLog& l, const GetSegments& g) {
    SegmentsAre out{g.log, l.first, l.committed, {}, {}};
    const std::vector<Offset> all = l.segments();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool below = i + 1 < all.size() && all[i + 1] <= g.from;
      if (!below && all[i] < l.committed && out.begins.size() < segments_listed_max)
        out.begins.push_back(all[i]);
    }
    return out;
  }

  /// Carries out a Reconcile as a node does (S4): the named state must fit, a committed piece is
  /// never cut, and missing pieces come from the first peer if that is matched in the term.
  Reconciled reconcile(FakeNode& n, const Reconcile& r) {
    FakeLog& l = n.logs[r.log];
    const auto answer = [&](Errc e) {
      return Reconciled{r.log, r.term, e, l.tail(), l.chain_at(l.tail())};
    };
    if (l.tail() != r.expected_tail || l.last_term() != r.expected_last_term ||
        l.chain_at(l.tail()) != r.expected_chain)
      return answer(Errc::wrong_state);
    if (r.cut < std::min(l.committed, l.tail())) return answer(Errc::log_halted);
    l.cut(r.cut);
    if (l.tail() < r.target) {
      if (r.peers.empty()) return answer(Errc::unavailable);
      const FakeLog& peer = nodes_[r.peers.front()].logs[r.log];
      if (peer.matched != r.term) return answer(Errc::unavailable);
      for (std::size_t i = l.pieces.size(); i < peer.pieces.size() && l.tail() < r.target; ++i)
        l.pieces.push_back(peer.pieces[i]);
      for (const auto& [at, frame] : peer.frames)
        if (at < l.tail()) l.frames.emplace(at, frame);
    }
    if (l.tail() != r.target || l.chain_at(l.tail()) != r.target_chain)
      return answer(Errc::corrupt);
    l.matched = r.term;
    l.suspect = false;
    n.reconciled.insert(r.log);
    return answer(Errc::ok);
  }

  /// Carries out an Order as a node does (D2): if it does not fit, the node answers with its state.
  void order(FakeNode& n, const Order& o, std::vector<Message>& out) {
    FakeLog& l = n.logs[o.log];
    if (l.matched != o.term || o.previous_end != l.tail() || o.previous_term != l.last_term())
      return void(out.push_back(state_of(n, o.log, o.term)));
    Offset at = o.previous_end;
    for (const OrderItem& i : o.items) {
      if (l.missing.contains(i.run.digest.value)) {
        out.push_back(Missing{o.log, o.term, at, i.run});
        break;
      }
      const auto length =
          i.frame.empty() ? i.run.length : static_cast<std::uint32_t>(i.frame.size());
      l.pieces.push_back({o.term, length, i.frame.empty() ? i.run.digest.value : length});
      if (!i.frame.empty()) {
        Bytes stamped = Bytes::copy_of(i.frame);
        stamp_frame(stamped.mutable_data(), length, o.term, o.log, at, Chain{});
        l.frames.emplace(at, std::move(stamped));
      }
      at += length;
    }
    l.committed = std::max(l.committed, std::min(o.committed, l.tail()));
    if (n.durable && l.last_term() == o.term)
      out.push_back(Durable{o.log, o.term, l.tail(), l.chain_at(l.tail()), Offset{}, Chain{}});
  }

  std::map<NodeId, FakeNode> nodes_;
  std::map<ConnectionId, SequencerId> sequencers_;
  /// Dial::number of each peer that the sequencer has dialled; 0: it has not.
  std::map<std::pair<Role, std::uint32_t>, std::uint32_t> dials_;
  std::uint64_t seed_;
  std::uint64_t connections_ = 0;
};

}  // namespace loglog::sequencer::testing
