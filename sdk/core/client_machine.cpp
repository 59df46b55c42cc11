// The entry points: appends and input are passed on to the parts, and output() lets each part
// finish the step. Reads, times and questions have files of their own (machine_*.cpp).
#include "sdk/core/client_machine.h"

#include <algorithm>

#include "sdk/core/machine_parts.h"

namespace loglog::client {

ClientMachine::ClientMachine(Options options, std::uint64_t seed)
    : parts_(std::make_unique<Parts>(std::move(options), seed)) {}
ClientMachine::~ClientMachine() = default;

Hello ClientMachine::hello() const {
  return Hello{hello_magic,
               protocol_lowest,
               protocol_highest,
               Role::client,
               parts_->view.metadata().cluster,
               parts_->options.cluster_name,
               0,
               parts_->boot,
               DiskId{},
               message_body_max};
}

std::uint64_t ClientMachine::bytes_in_flight() const { return parts_->bytes; }
const Figures& ClientMachine::figures() const { return parts_->view.figures(); }
bool ClientMachine::has_room_for(std::uint64_t payload_bytes) const {
  // An entry that is larger than the bound goes alone.
  return parts_->bytes == 0 ||
         parts_->bytes + payload_bytes + frame_overhead <= parts_->options.bytes_in_flight_max;
}

void ClientMachine::append(Time now, Token token, LogId log, const Bytes& payload, bool packed,
                           Time deadline, const AppendConditions& conditions) {
  Parts& p = *parts_;
  p.now = now;
  const auto refuse = [&](Errc why, std::string detail = {}) {
    ++p.view.figures().appends_refused;
    p.fail(token, why, std::move(detail));
  };
  if (p.closed) return refuse(Errc::client_closed);
  if (payload.size() > entry_size_max)
    return refuse(Errc::entry_too_large, std::to_string(payload.size()) + " bytes");
  if (deadline <= now) return refuse(Errc::deadline_exceeded);
  if (!has_room_for(payload.size())) return refuse(Errc::too_many, "bytes in flight");
  // A producer's id is random and used for this client's life only (spec/07): a leader can never
  // confuse its sequence numbers with those of an earlier client.
  auto& pipeline = p.pipelines[log];
  if (!pipeline)
    pipeline = std::make_unique<AppendPipeline>(p.options, p.view, p.choice, p.out, p.bytes, log,
                                                ProducerId{p.random.next_id()});
  pipeline->append(now, token, payload, packed, deadline, conditions);
}

void ClientMachine::close(Time now) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed) return;
  p.closed = true;
  for (auto& [log, pipeline] : p.pipelines) pipeline->close();
  for (auto& [t, r] : p.reads) {
    r.reader->stop();
    p.fail(t, Errc::client_closed);
  }
  p.reads.clear();
  p.close_times();
  // A follow is ended properly, so that its replica stops sending.
  while (!p.follows.empty()) p.end_follow(p.follows.begin()->first, Errc::client_closed, {});
  for (const auto& [t, q] : p.questions)
    if (!q.ours) p.fail(t, Errc::client_closed);
  p.questions.clear();
  for (const auto& [t, s] : p.statuses) p.fail(t, Errc::client_closed);
  p.statuses.clear();
  p.out.connects.clear();  // no new connections; completions and sends still go out
}

void ClientMachine::connected(Time now, const Connected& c) {
  parts_->now = now;
  if (parts_->closed) return;
  parts_->view.connected(now, c);
  tick(now);
}

void ClientMachine::disconnected(Time now, const Disconnected& d) {
  parts_->now = now;
  if (parts_->closed) return;
  parts_->view.disconnected(now, d);
  for (auto& [log, pipeline] : parts_->pipelines) pipeline->disconnected(now, d.connection);
}

/// Gives an answer to its request's handler, and any other message to the pipeline of its log.
void ClientMachine::arrived(Time now, Arrived&& a) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed || p.view.answered(now, a)) return;
  LogId log{};
  if (const auto* m = std::get_if<Metadata>(&a.message))
    return p.view.learn(a.from, *m);  // a new leader tells its clients unasked
  if (const auto* c = std::get_if<Committed>(&a.message)) log = c->log;
  else if (const auto* r = std::get_if<Refused>(&a.message)) log = r->log;
  else if (const auto* x = std::get_if<ConditionFailed>(&a.message)) log = x->log;
  else if (const auto* u = std::get_if<UploadAgain>(&a.message)) log = u->log;
  else if (const auto* d = std::get_if<RunDurable>(&a.message)) log = d->log;
  else if (const auto* t = std::get_if<TermIs>(&a.message)) log = t->log;
  else if (std::holds_alternative<Ping>(a.message)) p.view.tell(a.from, a.request, Pong{});
  if (const auto i = p.pipelines.find(log); i != p.pipelines.end())
    i->second->arrived(now, a.from, a.message);
}

void ClientMachine::tick(Time now) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed) return;
  p.view.tick(now);
  for (auto& [log, pipeline] : p.pipelines) pipeline->tick(now);
  p.tick_reads(now);
  p.tick_times(now);
  p.tick_questions(now);
}

Output& ClientMachine::output() {
  Parts& p = *parts_;
  p.out.wake = never;
  if (p.closed) return p.out;
  // Entries of the whole step are here by now, so a run is cut over all of them.
  for (auto& [log, pipeline] : p.pipelines) pipeline->pump(p.now);
  // A connection or an answer of this step may let a question go out now.
  p.tick_questions(p.now);
  p.out.wake = std::min({p.view.wake(), p.reads_wake(), p.times_wake(), p.questions_wake()});
  for (const auto& [log, pipeline] : p.pipelines)
    p.out.wake = std::min(p.out.wake, pipeline->wake(p.now));
  return p.out;
}

}  // namespace loglog::client
