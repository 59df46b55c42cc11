// A scripted cluster of a sequencer and three storage nodes around the SDK's core (ClientMachine),
// for tests of the core. No socket and no clock: Cluster answers each message at once, unless a
// test sets a field that delays, falsifies or loses the answer, and pass() moves time.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto-spec/disk/frame.h"
#include "sdk/core/client_machine.h"

namespace loglog::client {

inline constexpr LogId log_id{7};

/// The scripted cluster with a client. The fields are switches that tests set, and records of the
/// messages that the client sent. A step of time is 10 ms.
struct Cluster {
  explicit Cluster(Options o = {}) : machine(with_address(std::move(o)), 42) {}
  static Options with_address(Options o) {
    o.addresses = {"seq:1"};
    return o;
  }
  /// Addresses: "seq:N" for sequencers, "nN" for storage nodes.
  static bool is_node(const std::string& a) { return a[0] == 'n'; }

  ClientMachine machine;
  Time now{1s};
  /// Open connections by id, with the address that was dialled.
  std::map<ConnectionId, std::string> up;
  /// Answers that the client gave to its calls, in order.
  std::vector<Completed> done;
  std::vector<Event> events;  // events of the client, in order
  /// Addresses that refuse connections; nodes whose pages are damaged; nodes that answer not_here.
  std::set<std::string> down, corrupt, lagging;
  std::set<std::string> refusing;  // addresses that close a connection after the hello
  int refusals = 0;
  Term term{1};
  Offset term_at{0}, term_end{0};
  Bytes bytes = Bytes();  // the log's bytes, equal on all nodes
  std::map<std::pair<ProducerId, Sequence>, Upload> staged;
  std::vector<Send> commits, reads, follows, reports;
  std::vector<CommitIf> conditional;
  std::optional<ConditionFailed> refusal;  // the answer to the next CommitIf, instead of taking it
  /// With `answer_commits` off, commits are taken and not answered; with `lose_commits` on, they
  /// are not taken.
  bool answer_commits = true, lose_commits = false;
  std::vector<ConnectionId> observed;  // connections over which Observe came
  // Members of the term; nullopt: the leader refuses to name them.
  std::optional<std::vector<Member>> set;
  // Uploads whose answers wait; nullopt: answers come at once.
  std::optional<std::vector<Send>> held_uploads;
  /// The largest page that a node gives, in bytes.
  std::uint32_t page = 1u << 20;
  std::vector<Offset> segment_starts, term_starts;
  /// The trim point.
  Offset first{};
  std::optional<Failed> closed;     // the answer to OpenLog; nullopt: the term
  std::optional<Errc> no_segments;  // the error with which nodes answer GetSegments
  /// The number of sequencers, and the id of the leader.
  std::uint32_t sequencers = 1, leads = 1;
  // Addresses that the metadata name instead of the real ones.
  std::map<std::string, std::string> said_at;
  std::optional<LogId> named = log_id;  // the log that has the name "log"; nullopt: no log has it
  /// The ids that DeleteLog named, in order.
  std::vector<LogId> deletes;
  // The answer to DeleteLog; nullopt: the answer is lost.
  std::function<std::optional<Message>(LogId)> on_delete;
  std::uint64_t version = 1;  // version of the metadata
  std::vector<Basis> bases;   // the bases of all SetRetention requests
  std::function<std::optional<Message>(const SetRetention&)> on_retention;
  std::optional<Offset> tail;  // the answer to GetTail; nullopt: none comes
  /// The offsets of all TrimLog requests.
  std::vector<Offset> trims;
  // ClientIs messages, with the address that they went to
  std::vector<std::pair<std::string, ClientIs>> introductions;
  Duration round_trip{};  // round trip of every connection; 0: answers come at once
  std::multimap<Time, std::function<void()>> under_way;  // deliveries by their time

  /// Stamps frames for the log's end and appends them, as the nodes do.
  void append_to_log(Bytes frames, Term t) {
    Bytes all = Bytes::allocate(bytes.size() + frames.size());
    if (!bytes.empty()) std::memcpy(all.mutable_data(), bytes.data(), bytes.size());
    std::memcpy(all.mutable_data() + bytes.size(), frames.data(), frames.size());
    std::size_t at = bytes.size();
    while (at < all.size()) {
      const auto n = read_prefix(all.data() + at)->frame_length();
      stamp_frame(all.mutable_data() + at, n, t, log_id, Offset{at}, Chain{});
      at += n;
    }
    bytes = all;
  }
  void begin_segment(std::uint64_t clock) {
    segment_starts.push_back(Offset{bytes.size()});
    append_to_log(make_segment_start_image({clock, {}, {}}), term);
  }
  void begin_term(std::uint32_t t, std::uint64_t clock = 0) {
    term = Term{t};
    term_at = Offset{bytes.size()};
    term_starts.push_back(term_at);
    TermStartPayload p;
    p.clock_ms = clock;
    append_to_log(make_term_start_image(p), term);
    term_end = Offset{bytes.size()};
  }
  Metadata metadata() const {
    Metadata m;
    m.metadata.version = RaftIndex{version};
    for (std::uint32_t i = 1; i <= sequencers; ++i)
      m.metadata.sequencers.push_back({SequencerId{i}, "seq:" + std::to_string(i)});
    LogInfo l{named.value_or(LogId{}),
              "log",
              LogState::open,
              {3, 2, 1 << 20, Durability::sync},
              {},
              Offset{},
              Term{}};
    for (std::uint32_t i = 1; i <= 3; ++i) {
      m.metadata.storage.push_back({NodeId{i}, DiskId{i}, "n" + std::to_string(i)});
      l.members.push_back({NodeId{i}, DiskId{i}});
    }
    if (named) m.metadata.logs = {l};
    m.leader = SequencerId{leads};
    const auto rename = [this](auto& infos) {
      for (auto& i : infos)
        if (const auto other = said_at.find(i.address); other != said_at.end())
          i.address = other->second;
    };
    rename(m.metadata.sequencers);
    rename(m.metadata.storage);
    return m;
  }
  /// Answers a message of the client at once.
  void reply(const Send& s, Message m) {
    machine.arrived(now, Arrived{s.to, s.request, std::move(m)});
  }
  /// Takes a commit: the staged run goes to the log's end.
  void commit(const Send& s) {
    const auto& c = std::get<Commit>(s.message);
    commits.push_back(s);
    if (lose_commits) return;
    const Offset at{bytes.size()};
    append_to_log(staged[{c.run.producer, c.run.first}].frames, term);
    if (answer_commits) reply(s, Committed{log_id, c.term, c.run.producer, c.run.first, at});
  }
  /// Bytes of the log as `node` gives them.
  Bytes slice(const std::string& node, Offset from, std::uint32_t max) {
    Bytes b = Bytes::copy_of(
        bytes.slice(from.value, std::min<std::size_t>(max, bytes.size() - from.value)));
    if (corrupt.contains(node)) b.mutable_data()[b.size() - 10] ^= std::byte{1};
    return b;
  }
  /// Answers a message of the client as the peer at that address would.
  void serve(const Send& s) {
    const std::string a = up[s.to];
    if (std::holds_alternative<GetMetadata>(s.message)) reply(s, metadata());
    if (std::holds_alternative<GetStatus>(s.message)) {
      Status status;
      status.id = SequencerId{static_cast<std::uint32_t>(a.back() - '0')};
      reply(s, status);
    }
    if (std::holds_alternative<OpenLog>(s.message)) {
      if (closed) reply(s, *closed);
      else reply(s, TermIs{log_id, term, term_at, term_end});
    }
    if (const auto* u = std::get_if<Upload>(&s.message)) {
      staged[{u->run.producer, u->run.first}] = *u;
      if (held_uploads) held_uploads->push_back(s);
      else reply(s, Uploaded{log_id, u->run.producer, u->run.first, Offset{}});
    }
    if (std::holds_alternative<Commit>(s.message)) commit(s);
    if (const auto* x = std::get_if<CommitIf>(&s.message)) {
      conditional.push_back(*x);
      if (const auto r = std::exchange(refusal, {})) {
        reply(s, ConditionFailed{log_id, term, x->run.producer, x->run.first, r->error, r->end,
                                 r->fence});
      } else {
        commit({s.to, s.request, Commit{x->log, x->term, x->settled, x->run}});
      }
    }
    if (const auto* d = std::get_if<DeleteLog>(&s.message)) {
      deletes.push_back(d->log);
      if (auto answer = on_delete(d->log)) reply(s, std::move(*answer));
    }
    if (const auto* r = std::get_if<SetRetention>(&s.message)) {
      bases.push_back(r->basis);
      if (auto answer = on_retention(*r)) reply(s, std::move(*answer));
    }
    if (std::holds_alternative<GetTail>(s.message) && tail)
      reply(s, TailIs{log_id, first, *tail, term});
    if (const auto* r = std::get_if<TrimLog>(&s.message)) {
      trims.push_back(r->offset);
      reply(s, LogIs{metadata().metadata.logs.at(0)});
    }
    if (std::holds_alternative<Observe>(s.message)) observed.push_back(s.to);
    if (const auto* g = std::get_if<GetTermSet>(&s.message)) {
      if (set) reply(s, TermSetIs{log_id, g->term, 2, *set});
      else reply(s, Failed{Errc::stale_term, {}});
    }
    if (std::holds_alternative<ReportCorrupt>(s.message)) reports.push_back(s);
    if (const auto* c = std::get_if<ClientIs>(&s.message)) introductions.emplace_back(a, *c);
    if (const auto* r = std::get_if<Read>(&s.message)) {
      reads.push_back(s);
      if (lagging.contains(a))
        return reply(s, Page{log_id, r->offset, Offset{}, Offset{}, Errc::not_here, {}});
      if (r->offset < first)
        return reply(s, Page{log_id, r->offset, first, Offset{bytes.size()}, Errc::trimmed, {}});
      const bool end = r->offset.value >= bytes.size();
      reply(s,
            Page{log_id, r->offset, Offset{}, Offset{bytes.size()}, end ? Errc::past_end : Errc::ok,
                 end ? Bytes() : slice(a, r->offset, std::min(r->max_bytes, page))});
    }
    if (const auto* g = std::get_if<GetSegments>(&s.message)) {
      if (no_segments) return reply(s, Failed{*no_segments, {}});
      SegmentsAre are{log_id, first, Offset{bytes.size()}, {}, {}};
      for (std::size_t i = 0; i < segment_starts.size() && are.begins.size() < segments_listed_max;
           ++i)
        if (i + 1 == segment_starts.size() || segment_starts[i + 1] > g->from)
          are.begins.push_back(segment_starts[i]);
      for (const Offset t : term_starts)
        if (t >= are.begins.front() &&
            (are.begins.size() < segments_listed_max || t < are.begins.back()))
          are.terms.push_back(t);
      reply(s, are);
    }
    if (const auto* f = std::get_if<Follow>(&s.message)) {
      follows.push_back(s);
      for (Offset at = f->offset; at.value < bytes.size();) {
        const Bytes b = slice(a, at, page);
        reply(s, Page{log_id, at, Offset{}, Offset{bytes.size()}, Errc::ok, b});
        at += b.size();
      }
    }
  }
  /// Performs the client's outputs until there are none.
  void run() {
    for (int i = 0; i < 200; ++i) {
      Output o = machine.output();
      machine.output().clear();
      for (auto& c : o.completed) done.push_back(c);
      for (auto& e : o.events) events.push_back(e);
      if (o.connects.empty() && o.sends.empty() && o.closes.empty()) return;
      for (const auto& c : o.connects) after_round_trip([this, c] { dialled(c); });
      for (const auto& s : o.sends)
        if (up.contains(s.to)) after_round_trip([this, s] { serve(s); });
    }
  }
  void after_round_trip(std::function<void()> work) {
    if (round_trip == Duration(0)) return work();
    under_way.emplace(now + round_trip, std::move(work));
  }
  /// Opens or refuses a connection that the client dials.
  void dialled(const Connect& c) {
    if (down.contains(c.address))
      return machine.disconnected(now,
                                  {c.connection, {Errc::connection_lost, "connection refused"}});
    up[c.connection] = c.address;
    Hello h;
    h.role = is_node(c.address) ? Role::storage : Role::sequencer;
    h.id = static_cast<std::uint32_t>(c.address.back() - '0');
    if (is_node(c.address)) h.disk = DiskId{h.id};
    machine.connected(now, {c.connection, h});
    if (!refusing.contains(c.address)) return;
    ++refusals;
    up.erase(c.connection);
    machine.disconnected(now, {c.connection, {Errc::too_many, "the peer says: 64 are connected"}});
  }
  /// Moves time in steps of 10 ms, with deliveries and ticks.
  void pass(Duration d) {
    for (const Time end = now + d; now < end;) {
      now += 10ms;
      for (; !under_way.empty() && under_way.begin()->first <= now;
           under_way.erase(under_way.begin()))
        under_way.begin()->second();
      machine.tick(now);
      run();
    }
  }
  /// Breaks the connection to an address, if there is one.
  void lose(const std::string& address) {
    for (auto i = up.begin(); i != up.end(); ++i)
      if (i->second == address) {
        const ConnectionId c = i->first;
        up.erase(i);
        machine.disconnected(now, {c, {Errc::connection_lost, {}}});
        return;
      }
  }
  void append(std::uint64_t token, std::string_view text, Time deadline = never) {
    machine.append(now, Token{token}, log_id, Bytes::copy_of(text), false, deadline);
  }
  /// The error of the i-th answer in `done`.
  Errc error(std::size_t i) const { return std::get<Failure>(done.at(i).result).error.code; }
};

}  // namespace loglog::client
