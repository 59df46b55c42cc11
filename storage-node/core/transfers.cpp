// Rule P1: three parts decide which question goes out next, handle answers, and measure time. A
// question lives in questions_ from ask() until its answer has come or its connection has gone.
// While it waits, its id is in a queue of its peer; while it is under way, its id is in
// Peer::asked.
#include "storage-node/core/transfers.h"

#include <algorithm>

#include "storage-node/core/node.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {

/// Limit on the questions that are under way to a peer: small runs are limited by number, not by
/// bytes.
constexpr std::size_t questions_max = 64;
/// Pause after a peer answered too_many (P2).
constexpr Duration busy_pause = 50ms;
/// The lowest rate that a link is expected to carry, in bytes a second. Bytes under way give a peer
/// that much time before it counts as silent. Runs that a commit may wait for go to another peer
/// early, other bytes late.
constexpr std::uint64_t append_rate_min = 1u << 20;
constexpr std::uint64_t bulk_rate_min = 128u << 10;
/// An answer that comes later than the quickest answer by more than this has waited in a queue on
/// the link, as everything else does that the peer sends.
constexpr Duration queueing_max = 1ms;
/// Taken is sent after this many bytes, so that it costs little.
constexpr std::uint64_t taken_told_at = 64u << 10;

Duration at_rate(std::uint64_t bytes, std::uint64_t rate) {
  return std::chrono::duration_cast<Duration>(std::chrono::milliseconds(bytes * 1000 / rate));
}

std::uint64_t bytes_in(const Message& m) {
  if (const auto* c = std::get_if<Copied>(&m)) return c->frames.size();
  if (const auto* r = std::get_if<RunIs>(&m)) return r->frames.size();
  return 0;
}

/// True for bytes or a sign of life; other messages refuse the question.
bool is_answer(const Message& m) { return bytes_in(m) > 0 || std::holds_alternative<Pong>(m); }

}  // namespace

Transfers::Id Transfers::ask(NodeId peer, LogId log, Message question, std::uint64_t bytes,
                             Urgency urgency, Answer answer) {
  // Id 0 means no question.
  const Id id = ++next_ == 0 ? ++next_ : next_;
  Question& q =
      questions_[id] = {peer, log, urgency, bytes, std::move(question), std::move(answer)};
  Peer& p = peers_[peer];
  // A silent peer is asked nothing more (P1). The asker hears `nothing` at the next tick and asks
  // another peer.
  if (p.stalled) {
    hopeless_.push_back(id);
    return id;
  }
  p.queues[static_cast<std::size_t>(urgency)].logs[log].push_back(id);
  if (p.connection == ConnectionId{}) dial(peer, p);
  if constexpr (mutations) {
    // Breaks P1 on purpose: the question passes the queue and the limits.
    if (!rules::bounds_asked_bytes() && p.connection != ConnectionId{}) {
      unqueue(p, id, q);
      start(p, id, q);
    }
  }
  pump();
  return id;
}

void Transfers::dial(NodeId id, Peer& p) {
  if (p.dialling) return;
  const auto& known = node_.metadata.storage;
  const auto info =
      std::find_if(known.begin(), known.end(), [&](const auto& s) { return s.id == id; });
  if (info == known.end() || info->address.empty()) {
    // The question fails at the next tick, because ask() must not call back.
    const std::vector<Id> all = all_of(id);
    hopeless_.insert(hopeless_.end(), all.begin(), all.end());
    return;
  }
  p.dialling = true;
  node_.out.connects.push_back({id, info->address});
}

/// Without a connection the message is dropped (Node::send).
void Transfers::tell(NodeId peer, Message m) {
  if (const auto p = peers_.find(peer); p != peers_.end())
    node_.send(p->second.connection, RequestId{}, std::move(m));
}

// ---- Which question is next

/// Starts as many questions as the limits allow. The peers take turns, and at each peer the logs
/// do.
void Transfers::pump() {
  if (peers_.empty()) return;
  for (std::size_t idle = 0; idle < peers_.size();) {
    auto p = peers_.upper_bound(last_peer_);
    if (p == peers_.end()) p = peers_.begin();
    last_peer_ = p->first;
    idle = start_next(p->second) ? 0 : idle + 1;
  }
}

bool Transfers::start_next(Peer& p) {
  if (p.connection == ConnectionId{} || node_.now < p.paused_until) return false;
  for (Queue& queue : p.queues) {
    std::deque<Id>* of_log = next_of(queue);
    if (of_log == nullptr) continue;
    const Id id = of_log->front();
    Question& q = questions_.at(id);
    // No question of lower urgency may overtake it.
    if (!has_room(p, q)) return false;
    queue.last = q.log;
    unqueue(p, id, q);
    start(p, id, q);
    return true;
  }
  return false;
}

/// The log after the log that had the last turn.
std::deque<Transfers::Id>* Transfers::next_of(Queue& q) {
  if (q.logs.empty()) return nullptr;
  const auto next = q.logs.upper_bound(q.last);
  return next == q.logs.end() ? &q.logs.begin()->second : &next->second;
}

/// A question to an otherwise idle peer always has room, so that the largest run passes.
bool Transfers::has_room(const Peer& p, const Question& q) const {
  if (p.asked.size() >= questions_max) return false;
  if (p.under_way == 0) return true;
  const bool bulk = q.urgency == Urgency::bulk;
  const Options& o = node_.options;
  return p.under_way + q.bytes <= (bulk ? std::max(p.bulk_max, o.asked.bulk_bytes_per_peer_min)
                                        : o.asked.bytes_per_peer_max) &&
         under_way_ + q.bytes <= (bulk ? o.asked.bulk_bytes_max : o.asked.bytes_max);
}

/// After an idle time the peer's silence counts from this question on.
void Transfers::start(Peer& p, Id id, Question& q) {
  if (p.asked.empty()) p.moved = node_.now;
  q.state = State::asked;
  q.asked_at = node_.now;
  p.asked[id] = q.bytes;
  p.under_way += q.bytes;
  under_way_ += q.bytes;
  node_.send(p.connection, RequestId{id}, Message{q.message});
}

/// An answer that takes longer than the quickest shows a queue on the link, so less is asked for.
/// Otherwise more is asked for, if questions wait for it. The quickest time grows a little with
/// each answer, so that a link that has become longer is learned.
void Transfers::adapt(Peer& p, const Question& q) {
  const Options& o = node_.options;
  const Duration took = node_.now - q.asked_at;
  p.quickest = p.quickest == Duration{} ? took : std::min(p.quickest + p.quickest / 256, took);
  if (took - p.quickest > std::max(queueing_max, p.quickest / 4)) p.bulk_max -= p.bulk_max / 8;
  else if (!p.queues[static_cast<std::size_t>(Urgency::bulk)].logs.empty())
    p.bulk_max += q.bytes / 4;
  p.bulk_max =
      std::clamp(p.bulk_max, o.asked.bulk_bytes_per_peer_min, o.asked.bulk_bytes_per_peer_max);
}

bool Transfers::unqueue(Peer& p, Id id, const Question& q) {
  auto& logs = p.queues[static_cast<std::size_t>(q.urgency)].logs;
  const auto of_log = logs.find(q.log);
  if (of_log == logs.end() || std::erase(of_log->second, id) == 0) return false;
  if (of_log->second.empty()) logs.erase(of_log);
  return true;
}

/// The peer was busy (P2): the question becomes the log's next question again, after a pause.
void Transfers::requeue(Peer& p, Id id, Question& q) {
  p.paused_until = node_.now + busy_pause;
  q.state = State::queued;
  p.queues[static_cast<std::size_t>(q.urgency)].logs[q.log].push_front(id);
}

// ---- Answers

/// The peer must be the peer that was asked: request ids of other connections may be equal.
bool Transfers::answered(ConnectionId from, RequestId request, const Message& m) {
  const auto found = questions_.find(request.value);
  if (found == questions_.end() || found->second.state == State::queued) return false;
  Question& q = found->second;
  Peer& p = peers_[q.peer];
  if (p.connection != from) return false;
  const std::uint64_t bytes = bytes_in(m);
  if (q.urgency == Urgency::bulk && bytes > 0) adapt(p, q);
  come(p, found->first, bytes);
  // A question that was given up meanwhile is not repeated; its asker has gone elsewhere.
  const Failed* failed = std::get_if<Failed>(&m);
  if (failed != nullptr && failed->error == Errc::too_many && q.state == State::asked) {
    requeue(p, found->first, q);
    return true;
  }
  const bool late = q.state == State::slow;
  const bool came = is_answer(m);
  // The callback may ask or cancel, so the question is removed before it runs.
  const Answer answer =
      q.state == State::cancelled || (late && !came) ? Answer{} : std::move(q.answer);
  questions_.erase(found);
  if (answer) answer(late ? Came::late : came ? Came::in_time : Came::nothing, came ? &m : nullptr);
  pump();
  return true;
}

/// Bytes have come or the question was refused: either way the peer lives and its room is free.
void Transfers::come(Peer& p, Id id, std::uint64_t bytes) {
  const auto asked = p.asked.find(id);
  p.under_way -= asked->second;
  under_way_ -= asked->second;
  p.asked.erase(asked);
  p.moved = node_.now;
  p.stalled = false;
  if (bytes > 0) moved_ = node_.now;
  p.untold += bytes;
  if (p.untold >= taken_told_at)
    node_.send(p.connection, RequestId{}, Taken{std::exchange(p.untold, 0)});
}

void Transfers::cancel(Id id) {
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;
  Question& q = found->second;
  Peer& p = peers_[q.peer];
  if (q.state == State::queued) {
    unqueue(p, id, q);
    questions_.erase(found);
    return;
  }
  // The answer takes room on the link until it has come, so the question stays in `asked`.
  if (q.state == State::asked) node_.send(p.connection, RequestId{id}, GiveUp{});
  q.state = State::cancelled;
  q.answer = {};
}

void Transfers::forget(LogId log) {
  std::vector<Id> of_log;
  for (const auto& [id, q] : questions_)
    if (q.log == log) of_log.push_back(id);
  for (const Id id : of_log) cancel(id);
}

// ---- Connections

void Transfers::connected(NodeId peer, ConnectionId connection) {
  Peer& p = peers_[peer];
  p.connection = connection;
  p.dialling = false;
  pump();
}

std::vector<Transfers::Id> Transfers::all_of(NodeId peer) const {
  std::vector<Id> out;
  for (const auto& [id, q] : questions_)
    if (q.peer == peer) out.push_back(id);
  return out;
}

/// All of the peer's questions fail, those that wait as well: their askers go on with another peer.
void Transfers::lost(NodeId peer) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  under_way_ -= found->second.under_way;
  peers_.erase(found);
  fail(all_of(peer));
}

void Transfers::connection_lost(ConnectionId connection) {
  for (const auto& [node, peer] : peers_)
    if (peer.connection == connection) return lost(NodeId{node});
}

void Transfers::fail(const std::vector<Id>& ids) {
  std::vector<Answer> answers;
  for (const Id id : ids) {
    const auto found = questions_.find(id);
    if (found == questions_.end()) continue;
    Question& q = found->second;
    if (const auto p = peers_.find(q.peer); p != peers_.end()) {
      // It went out after all.
      if (p->second.asked.contains(id)) continue;
      unqueue(p->second, id, q);
    }
    // Askers of slow and cancelled questions have been told already.
    if (q.state == State::queued || q.state == State::asked) answers.push_back(std::move(q.answer));
    questions_.erase(found);
  }
  for (const Answer& a : answers) a(Came::nothing, nullptr);
}

// ---- Time

/// The time by which an answer must come, counted from the peer's last answer. The rate of a link
/// is unknown, so bytes under way extend the time, and nothing is given up while answers come.
Time Transfers::patience(const Peer& p, const Question& q) const {
  if (q.urgency == Urgency::append)
    return p.moved + node_.options.asked.silence_append + at_rate(q.bytes, append_rate_min);
  return p.moved + node_.options.asked.silence_bulk + at_rate(p.under_way, bulk_rate_min);
}

/// P1: questions to a silent peer end with `nothing`, so that their askers go elsewhere. Everything
/// under way still takes room at the peer until it answers or its connection ends.
void Transfers::stall(Peer& p) {
  bool silent = false;
  std::vector<Answer> answers;
  for (const auto& [id, bytes] : p.asked) {
    Question& q = questions_.at(id);
    if (q.state != State::asked || node_.now < patience(p, q)) continue;
    silent = true;
    q.state = State::slow;
    node_.send(p.connection, RequestId{id}, GiveUp{});
    answers.push_back(q.answer);
  }
  if (!silent) return;
  p.stalled = true;
  for (const Queue& queue : p.queues)
    for (const auto& [log, ids] : queue.logs)
      hopeless_.insert(hopeless_.end(), ids.begin(), ids.end());
  for (const Answer& a : answers) a(Came::nothing, nullptr);
}

void Transfers::tick() {
  // A callback may remove peers, so the ids are copied first.
  std::vector<NodeId> peers;
  peers.reserve(peers_.size());
  for (const auto& [id, p] : peers_) peers.push_back(id);
  for (const NodeId id : peers)
    if (const auto p = peers_.find(id); p != peers_.end()) stall(p->second);
  fail(std::exchange(hopeless_, {}));
  pump();
}

Time Transfers::next_tick() const {
  if (!hopeless_.empty()) return node_.now;
  if (questions_.empty()) return never;
  Time t = never;
  for (const auto& [id, p] : peers_) {
    if (p.paused_until > node_.now) t = std::min(t, p.paused_until);
    for (const auto& [question, bytes] : p.asked)
      if (const Question& q = questions_.at(question); q.state == State::asked)
        t = std::min(t, patience(p, q));
  }
  return t;
}

}  // namespace loglog::storage
