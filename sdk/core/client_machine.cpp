// The doors: calls and input go on to the part that owns them, and output() lets each part finish
// the step. Nothing is decided here but that a closed client takes no calls.
#include "sdk/core/client_machine.h"

#include <algorithm>
#include <utility>

#include "sdk/core/cluster_calls.h"
#include "sdk/core/fate_searches.h"
#include "sdk/core/followers.h"
#include "sdk/core/producers.h"
#include "sdk/core/reads.h"
#include "sdk/core/status_calls.h"
#include "sdk/core/time_searches.h"

namespace loglog::client {

/// The parts, each after the parts that it uses. They know each other only through the references
/// that they are constructed with, and none of them knows ClientMachine.
struct ClientMachine::Parts {
  Parts(Options o, std::uint64_t seed)
      : options(std::move(o)), random(seed), boot{random.next_id()}, calls_seed(~seed) {}

  const Options options;
  Random random;
  BootId boot;
  std::uint64_t calls_seed;
  Output out;
  Time now{};  // of the step under way
  bool closed = false;
  ClusterView view{options, random, out};
  ReplicaChoice choice{options.preferred_node};
  Answers answers{out, view};
  Questions questions{options, view, answers};
  ClusterCalls calls{options, view, answers, questions, calls_seed};
  StatusCalls statuses{options, view, answers};
  Reads reads{options, view, choice, answers, questions};
  Followers follows{options, view, choice, answers, questions};
  TimeSearches times{options, view, choice, answers};
  Producers producers{options, random, view, choice, out, answers};
  FateSearches fates{options, view, choice, answers, questions, producers};
};

ClientMachine::ClientMachine(Options options, std::uint64_t seed)
    : parts_(std::make_unique<Parts>(std::move(options), seed)) {}
ClientMachine::~ClientMachine() = default;

/// A client has no address, no id and no disk. Its boot id tells a peer that it came back.
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

/// A call begins. Fails it and returns false if the client is closed.
bool ClientMachine::begins(Time now, Token token) {
  parts_->now = now;
  if (parts_->closed) parts_->answers.fail(token, Errc::client_closed);
  return !parts_->closed;
}

// ---- Appends

std::uint64_t ClientMachine::bytes_in_flight() const { return parts_->producers.bytes_in_flight(); }
const Figures& ClientMachine::figures() const { return parts_->view.figures(); }
bool ClientMachine::has_room_for(std::uint64_t payload_bytes) const {
  return parts_->producers.has_room_for(payload_bytes);
}

void ClientMachine::append(Time now, Token token, LogId log, const Bytes& payload, bool packed,
                           Time deadline, const AppendConditions& conditions) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed) return p.producers.refuse(token, Errc::client_closed);
  p.producers.append(now, token, log, payload, packed, deadline, conditions);
}

void ClientMachine::resolve(Time now, Token token, LogId log, const EntryName& entry,
                            Time deadline) {
  if (begins(now, token)) parts_->fates.resolve(now, token, log, entry, deadline);
}

// ---- Reads

void ClientMachine::read(Time now, Token token, LogId log, Offset from, std::uint32_t max_bytes,
                         Duration wait, Time deadline, ReadFrom whom) {
  ++parts_->view.figures().reads;
  if (begins(now, token))
    parts_->reads.read(now, token, log, from, max_bytes, wait, deadline, whom);
}

void ClientMachine::follow(Time now, Token token, LogId log, Offset from) {
  if (begins(now, token)) parts_->follows.follow(now, token, log, from);
}

void ClientMachine::consumed(Time now, Token token, std::uint64_t bytes) {
  parts_->now = now;
  parts_->follows.consumed(token, bytes);
}

void ClientMachine::stop(Time now, Token token) {
  parts_->now = now;
  parts_->follows.stop(now, token);
}

void ClientMachine::offset_at(Time now, Token token, LogId log, std::uint64_t wall_ms,
                              Time deadline) {
  if (begins(now, token)) parts_->times.offset_at(now, token, log, wall_ms, deadline);
}

void ClientMachine::segment_of(Time now, Token token, LogId log, Offset offset, Time deadline) {
  if (begins(now, token)) parts_->times.segment_of(now, token, log, offset, deadline);
}

// ---- Logs and nodes

void ClientMachine::tail(Time now, Token token, LogId log, Time deadline) {
  if (begins(now, token)) parts_->calls.tail(now, token, log, deadline);
}

void ClientMachine::open_log(Time now, Token token, std::string name, Time deadline) {
  if (begins(now, token)) parts_->calls.open_log(now, token, std::move(name), deadline);
}

void ClientMachine::create_log(Time now, Token token, std::string name, LogOptions options,
                               Time deadline) {
  if (begins(now, token)) parts_->calls.create_log(now, token, std::move(name), options, deadline);
}

void ClientMachine::delete_log(Time now, Token token, std::string name, Time deadline) {
  if (begins(now, token)) parts_->calls.delete_log(now, token, std::move(name), deadline);
}

void ClientMachine::delete_log(Time now, Token token, LogId log, Time deadline) {
  if (begins(now, token)) parts_->calls.delete_log(now, token, log, deadline);
}

void ClientMachine::trim_log(Time now, Token token, LogId log, Offset offset, Time deadline) {
  if (begins(now, token)) parts_->calls.trim_log(now, token, log, offset, deadline);
}

void ClientMachine::set_fence(Time now, Token token, LogId log, FenceToken fence, Time deadline) {
  if (begins(now, token)) parts_->calls.set_fence(now, token, log, fence, deadline);
}

void ClientMachine::set_retention(Time now, Token token, LogId log, Retention retention,
                                  Time deadline) {
  if (begins(now, token)) parts_->calls.set_retention(now, token, log, retention, deadline);
}

void ClientMachine::replace_disk(Time now, Token token, NodeId node, bool force, Time deadline) {
  if (begins(now, token)) parts_->calls.replace_disk(now, token, node, force, deadline);
}

void ClientMachine::raise_version(Time now, Token token, std::uint8_t version, Time deadline) {
  if (begins(now, token)) parts_->calls.raise_version(now, token, version, deadline);
}

void ClientMachine::list_logs(Time now, Token token, Time deadline) {
  if (begins(now, token)) parts_->calls.list_logs(now, token, deadline);
}

void ClientMachine::status(Time now, Token token, bool logs, Time deadline) {
  if (begins(now, token)) parts_->statuses.ask(now, token, logs, deadline);
}

/// Follows end before questions, because a follow may have asked for the end of its log.
void ClientMachine::close(Time now) {
  Parts& p = *parts_;
  p.now = now;
  if (std::exchange(p.closed, true)) return;
  p.producers.close();
  p.fates.close();
  p.reads.close();
  p.times.close();
  p.follows.close(now);
  p.questions.close();
  p.statuses.close();
  p.out.connects.clear();  // no new connections; completions and sends still go out
}

// ---- Input

void ClientMachine::connected(Time now, const Connected& c) {
  parts_->now = now;
  if (parts_->closed) return;
  parts_->view.connected(now, c);
  tick(now);
}

/// The view ends the requests of the connection first, so that a producer loses its leader after
/// the Commits on the connection have had their nullptr.
void ClientMachine::disconnected(Time now, const Disconnected& d) {
  parts_->now = now;
  if (parts_->closed) return;
  parts_->view.disconnected(now, d);
  parts_->producers.disconnected(now, d.connection);
}

/// Gives an answer to its request's handler, and any other message to the producer of its log.
void ClientMachine::arrived(Time now, Arrived&& a) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed || p.view.answered(now, a)) return;
  if (const auto* m = std::get_if<Metadata>(&a.message))
    return p.view.learn(a.from, *m);  // a new leader tells its clients unasked
  if (std::holds_alternative<Ping>(a.message)) p.view.tell(a.from, a.request, Pong{});
  p.producers.arrived(now, a.from, a.message);
}

/// The view first: time-outs that pass now let the parts ask other nodes in this step.
void ClientMachine::tick(Time now) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed) return;
  p.view.tick(now);
  p.producers.tick(now);
  p.reads.tick(now);
  p.follows.tick(now);
  p.times.tick(now);
  p.fates.tick(now);
  p.questions.tick(now);
  p.statuses.tick(now);
}

Output& ClientMachine::output() {
  Parts& p = *parts_;
  p.out.wake = never;
  if (p.closed) return p.out;
  p.producers.pump(p.now);
  p.fates.tick(p.now);  // an entry may be settled now
  // A connection or an answer of this step may let a question go out now.
  p.questions.tick(p.now);
  p.statuses.tick(p.now);
  p.out.wake =
      std::min({p.view.wake(), p.reads.wake(), p.follows.wake(), p.times.wake(), p.fates.wake(),
                p.questions.wake(), p.statuses.wake(), p.producers.wake(p.now)});
  return p.out;
}

}  // namespace loglog::client
