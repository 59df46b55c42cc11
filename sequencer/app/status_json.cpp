// JSON is written by hand, field by field, in the order that sequencer/README.md lists.
#include "sequencer/app/status_json.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "proto-spec/vocabulary/json.h"
#include "sequencer/core/alarms.h"
#include "sequencer/core/verdict.h"

namespace loglog::sequencer {
namespace {

constexpr std::uint32_t never_heard = 0xFFFF'FFFF;

/// Appends "[a, b, ...]"; the callback writes each element.
template <class List, class One>
void list(std::string& out, const List& elements, One one) {
  out += '[';
  const char* comma = "";
  for (const auto& e : elements) {
    out += std::exchange(comma, ",\n  ");
    one(out, e);
  }
  out += ']';
}

template <class... A>
void put(std::string& out, fmt::format_string<A...> f, A&&... a) {
  fmt::format_to(std::back_inserter(out), f, std::forward<A>(a)...);
}

/// A value, or null if it is not known.
std::string or_null(bool known, auto value) { return known ? fmt::format("{}", value) : "null"; }
std::string or_null(const std::optional<std::uint32_t>& value) {
  return or_null(value.has_value(), value.value_or(0));
}

const char* word(ClusterPicture::Source s) {
  static constexpr const char* words[] = {"leads", "leader_told", "leader_silent", "no_leader"};
  return words[static_cast<std::size_t>(s)];
}
const char* word(const LogSeen& l) {
  if (l.state == LogState::creating) return "creating";
  if (l.state == LogState::deleting) return "deleting";
  if (l.halted) return "halted";
  return l.open ? "open" : "closed";
}
const char* role_of(const SequencerSeen& s, const Overview& o) {
  if (s.id == o.leader) return "leader";
  if (s.id == o.id) return o.role == RaftRole::candidate ? "candidate" : "follower";
  return s.reachable ? "follower" : "unreachable";
}

void put_sequencer(std::string& out, const SequencerSeen& s, const Overview& o) {
  put(out, R"({{"id": {}, "address": {}, "role": "{}", "reachable": {}, "silent_ms": {}}})",
      s.id.value, json_string(s.address), role_of(s, o), s.reachable,
      or_null(s.silent_ms != never_heard, s.silent_ms));
}

void put_node(std::string& out, const NodeSeen& n) {
  std::string numbers;
  for (const NodeId peer : n.cannot_reach)
    put(numbers, "{}{}", numbers.empty() ? "" : ", ", peer.value);
  put(out,
      R"({{"id": {}, "address": {}, "condition": "{}", "silent_ms": {}, "staged_bytes": {}, "staged_bytes_max": {}, "logs_without_space": {}, "disk_free_bytes": {}, "disk_size_bytes": {}, "cannot_reach": [{}]}})",
      n.id.value, json_string(n.address), name_of(n.condition),
      or_null(n.silent_ms != never_heard, n.silent_ms), n.staged_bytes,
      or_null(n.staged_bytes_max > 0, n.staged_bytes_max), n.logs_without_space,
      or_null(n.disk_size_bytes > 0, n.disk_free_bytes),
      or_null(n.disk_size_bytes > 0, n.disk_size_bytes), numbers);
}

/// A replica's bytes are not known if nobody has asked for its state in this term.
void put_replica(std::string& out, const ReplicaSeen& r, const LogSeen& l, bool offsets) {
  const bool known = offsets && (r.durable > Offset{} || r.state == ReplicaState::streaming ||
                                 r.state == ReplicaState::full);
  const std::uint64_t behind = l.committed > r.durable ? l.committed - r.durable : 0;
  put(out,
      R"({{"node": {}, "state": "{}", "durable": {}, "behind_bytes": {}, "behind_ms": {}, "disk_bytes": {}}})",
      r.node.value, name_of(r.state), or_null(known, r.durable.value), or_null(known, behind),
      r.behind_ms, or_null(r.disk_bytes > 0, r.disk_bytes));
}

void put_log(std::string& out, const LogSeen& l, bool offsets) {
  const bool known = offsets && l.term != Term{};
  put(out,
      R"({{"name": {}, "state": "{}", "term": {}, "first": {}, "committed": {}, "write_quorum": {}, "replicas": )",
      json_string(l.name), word(l), l.term.value, l.first.value, or_null(known, l.committed.value),
      l.write_quorum);
  list(out, l.replicas, [&](std::string& o, const ReplicaSeen& r) { put_replica(o, r, l, known); });
  out += '}';
}

void put_writer(std::string& out, const WriterSeen& w) {
  put(out,
      R"({{"address": {}, "name": {}, "version": {}, "log": {}, "producer": "{:016x}", "entries": {}, "bytes": {}, "entries_per_s": {}.{:03}, "bytes_per_s": {}}})",
      json_string(w.address), json_string(w.name), json_string(w.version), json_string(w.log),
      w.producer.value, w.entries, w.bytes, w.milli_entries_per_s / 1000,
      w.milli_entries_per_s % 1000, w.bytes_per_s);
}

void put_sample(std::string& out, const History::Sample& s) {
  put(out, "[{}, {}, {}, {}, {}]", s.at_ms,
      or_null(s.known, fmt::format("{:.1f}", s.appends_per_s)),
      or_null(s.known, fmt::format("{:.0f}", s.bytes_per_s)), or_null(s.p50_us), or_null(s.p99_us));
}

}  // namespace

std::string status_json(const ClusterPicture& p, const History& history, std::uint64_t wall_ms) {
  const Overview& o = p.overview;
  std::string out;
  put(out,
      "{{\"version\": 1,\n\"cluster\": {},\n\"served_by\": {},\n\"at_ms\": {},\n\"source\": "
      "\"{}\",\n",
      json_string(o.cluster_name), p.served_by.value, wall_ms, word(p.source));
  const Verdict verdict = verdict_of(p);
  put(out, "\"health\": \"{}\",\n\"verdict\": {},\n", name_of(verdict.health),
      json_string(verdict.sentence));
  put(out, "\"leader\": {},\n\"term\": {},\n\"raft_term\": {},\n\"alarms\": ",
      or_null(o.leader != SequencerId{}, o.leader.value), or_null(o.term != Term{}, o.term.value),
      o.raft_term.value);
  list(out, alarms_of(p), [](std::string& to, const Alarm& a) {
    put(to, R"({{"id": "{}", "severity": "{}", "what": {}, "action": {}}})", a.id,
        name_of(a.severity), json_string(a.what), json_string(a.action));
  });
  out += ",\n\"sequencers\": ";
  list(out, o.sequencers,
       [&](std::string& to, const SequencerSeen& s) { put_sequencer(to, s, o); });
  out += ",\n\"storage\": ";
  list(out, o.storage, put_node);
  put(out, ",\n\"logs_total\": {},\n\"logs_age_ms\": {},\n\"logs\": ", o.logs_total,
      or_null(p.logs_age.has_value(), saturated_ms(p.logs_age.value_or(Duration{}))));
  list(out, o.logs,
       [&](std::string& to, const LogSeen& l) { put_log(to, l, p.logs_age.has_value()); });
  put(out, ",\n\"clients\": {},\n\"writers_total\": {},\n\"writers\": ", o.clients.connected,
      o.clients.writers_total);
  list(out, o.clients.writers, put_writer);
  put(out, ",\n\"history\": {{\"every_ms\": {}, \"samples\": ",
      std::chrono::duration_cast<std::chrono::milliseconds>(History::every).count());
  list(out, history.samples(), put_sample);
  out += "}}\n";
  return out;
}

}  // namespace loglog::sequencer
