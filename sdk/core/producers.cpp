// A pipeline is made at the first append to its log and stays, since a producer's sequence numbers
// go on for the client's life.
#include "sdk/core/producers.h"

#include <algorithm>
#include <utility>

namespace loglog::client {

bool Producers::has_room_for(std::uint64_t payload_bytes) const {
  // An entry that is larger than the bound goes alone.
  return bytes_ == 0 || bytes_ + payload_bytes + frame_overhead <= options_.bytes_in_flight_max;
}

void Producers::refuse(Token token, Errc why, std::string detail) {
  ++view_.figures().appends_refused;
  answers_.fail(token, why, std::move(detail));
}

void Producers::append(Time now, Token token, LogId log, const Bytes& payload, bool packed,
                       Time deadline, const AppendConditions& conditions) {
  if (payload.size() > entry_size_max)
    return refuse(token, Errc::entry_too_large, std::to_string(payload.size()) + " bytes");
  if (deadline <= now) return refuse(token, Errc::deadline_exceeded);
  if (!has_room_for(payload.size())) return refuse(token, Errc::too_many, "bytes in flight");
  // A producer's id is random and used for this client's life only (spec/07): a leader can never
  // confuse its sequence numbers with those of an earlier client.
  auto& pipeline = pipelines_[log];
  if (!pipeline)
    pipeline = std::make_unique<AppendPipeline>(options_, view_, choice_, out_, bytes_, log,
                                                ProducerId{random_.next_id()});
  const auto place = std::ranges::lower_bound(working_, log, {}, &Working::log);
  if (place == working_.end() || place->log != log) working_.insert(place, {log, pipeline.get()});
  pipeline->append(now, token, payload, packed, deadline, conditions);
}

void Producers::arrived(Time now, ConnectionId from, const Message& m) {
  LogId log{};
  if (const auto* c = std::get_if<Committed>(&m)) log = c->log;
  else if (const auto* r = std::get_if<Refused>(&m)) log = r->log;
  else if (const auto* x = std::get_if<ConditionFailed>(&m)) log = x->log;
  else if (const auto* u = std::get_if<UploadAgain>(&m)) log = u->log;
  else if (const auto* d = std::get_if<RunDurable>(&m)) log = d->log;
  else if (const auto* t = std::get_if<TermIs>(&m)) log = t->log;
  if (const auto i = pipelines_.find(log); i != pipelines_.end()) i->second->arrived(now, from, m);
}

void Producers::disconnected(Time now, ConnectionId c) {
  for (auto& [log, pipeline] : pipelines_) pipeline->disconnected(now, c);
}

void Producers::tick(Time now) {
  for (const Working& w : working_) w.pipeline->tick(now);
}

void Producers::pump(Time now) {
  std::erase_if(working_, [now](const Working& w) {
    w.pipeline->pump(now);
    return w.pipeline->is_idle();
  });
}

void Producers::close() {
  for (auto& [log, pipeline] : pipelines_) pipeline->close();
}

Time Producers::wake(Time now) const {
  Time first = never;
  for (const Working& w : working_) first = std::min(first, w.pipeline->wake(now));
  return first;
}

}  // namespace loglog::client
