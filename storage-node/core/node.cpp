#include "storage-node/core/node.h"

#include <algorithm>

namespace loglog::storage {

void Node::disk(DiskOperation operation, Done done) {
  const Ticket ticket{++next_ticket_};
  under_way_.emplace(ticket, std::move(done));
  out.disk.push_back({ticket, std::move(operation)});
}

void Node::disk_done(DiskDone&& done) {
  auto handle = under_way_.extract(done.ticket);
  if (!handle.empty() && handle.mapped()) handle.mapped()(std::move(done));
}

void Node::wake_at(LogId log, Time when) {
  if (when == never) return;
  const auto [it, added] = wakes_.try_emplace(log, when);
  if (!added) {
    if (it->second <= when) return;
    by_time_.erase({it->second, log});
    it->second = when;
  }
  by_time_.insert({when, log});
}

std::vector<LogId> Node::take_due() {
  std::vector<LogId> due;
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    due.push_back(by_time_.begin()->second);
    wakes_.erase(by_time_.begin()->second);
    by_time_.erase(by_time_.begin());
  }
  return due;
}

Time Node::next_wake() const {
  Time wake = std::min(by_time_.empty() ? never : by_time_.begin()->first, staging.next_expiry());
  for (const auto& [id, call] : calls_) wake = std::min(wake, call.deadline);
  return wake;
}

void Node::ask(NodeId peer, Message question, Duration timeout, Answer answer) {
  const std::uint32_t id = ++next_request_ == 0 ? ++next_request_ : next_request_;
  Call& call = calls_[id];
  call = Call{peer, std::move(question), now + timeout, std::move(answer), {}};
  Peer& p = peers_[peer];
  if (p.connection != ConnectionId{}) {
    call.sent_to = p.connection;
    send(p.connection, RequestId{id}, call.question);
    return;
  }
  if (p.dialling) return;
  const auto info = std::find_if(metadata.storage.begin(), metadata.storage.end(), [&](const auto& s) { return s.id == peer; });
  if (info == metadata.storage.end() || info->address.empty()) {
    call.deadline = now;  // failed at the next tick: the asker is not called from inside its own call
    return;
  }
  p.dialling = true;
  out.connects.push_back({peer, info->address});
}

void Node::tell(NodeId peer, Message m) {
  if (const auto p = peers_.find(peer); p != peers_.end() && p->second.connection != ConnectionId{})
    out.sends.push_back({p->second.connection, RequestId{}, std::move(m)});
}

bool Node::peer_answered(ConnectionId from, RequestId request, const Message& m) {
  const auto it = calls_.find(request.value);
  if (it == calls_.end() || it->second.sent_to != from) return false;
  const Answer answer = std::move(it->second.answer);
  calls_.erase(it);
  const bool refused = std::holds_alternative<Failed>(m) || std::holds_alternative<Fenced>(m) || std::holds_alternative<NotMember>(m);
  answer(refused ? nullptr : &m);
  return true;
}

void Node::peer_connected(NodeId peer, ConnectionId connection) {
  peers_[peer] = {connection, false};
  for (auto& [id, call] : calls_)
    if (call.peer == peer && call.sent_to == ConnectionId{}) {
      call.sent_to = connection;
      send(connection, RequestId{id}, call.question);
    }
}

void Node::peer_lost(NodeId peer) {
  peers_.erase(peer);
  fail_calls([peer](const Call& c) { return c.peer == peer; });
}

void Node::connection_lost(ConnectionId connection) {
  for (const auto& [node, peer] : peers_)
    if (peer.connection == connection) return peer_lost(NodeId{node});
}

void Node::expire_calls() {
  fail_calls([this](const Call& c) { return c.deadline <= now; });
}

void Node::fail_calls(const std::function<bool(const Call&)>& which) {
  std::vector<Answer> answers;
  for (auto it = calls_.begin(); it != calls_.end();) {
    if (!which(it->second)) {
      ++it;
      continue;
    }
    answers.push_back(std::move(it->second.answer));
    it = calls_.erase(it);
  }
  for (const Answer& a : answers) a(nullptr);
}

}  // namespace loglog::storage
