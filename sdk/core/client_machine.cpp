// The doors: calls and input go on to the part that owns them, and output() lets each part finish
// the step. Nothing is decided here but that a closed client takes no calls.
#include "sdk/core/client_machine.h"

#include <algorithm>
#include <utility>

#include "sdk/core/client_core.h"

namespace loglog::client {

ClientMachine::ClientMachine(Options options, std::uint64_t seed)
    : core_(std::make_unique<ClientCore>(std::move(options), seed)) {}
ClientMachine::~ClientMachine() = default;

/// A client has no address, no id and no disk. Its boot id tells a peer that it came back.
Hello ClientMachine::hello() const {
  return Hello{hello_magic,
               protocol_lowest,
               protocol_highest,
               Role::client,
               core_->view.metadata().cluster,
               core_->options.cluster_name,
               0,
               core_->boot,
               DiskId{},
               message_body_max};
}

/// A call begins. Fails it and returns false if the client is closed.
bool ClientMachine::begins(Time now, Token token) {
  core_->now = now;
  if (core_->closed) core_->answers.fail(token, Errc::client_closed);
  return !core_->closed;
}

// ---- Appends

std::uint64_t ClientMachine::bytes_in_flight() const { return core_->producers.bytes_in_flight(); }
const Figures& ClientMachine::figures() const { return core_->view.figures(); }
bool ClientMachine::has_room_for(std::uint64_t payload_bytes) const {
  return core_->producers.has_room_for(payload_bytes);
}

void ClientMachine::append(Time now, Token token, LogId log, const Bytes& payload, bool packed,
                           Time deadline, const AppendConditions& conditions) {
  ClientCore& c = *core_;
  c.now = now;
  if (c.closed) return c.producers.refuse(token, Errc::client_closed);
  c.producers.append(now, token, log, payload, packed, deadline, conditions);
}

void ClientMachine::resolve(Time now, Token token, LogId log, const EntryName& entry,
                            Time deadline) {
  if (begins(now, token)) core_->fates.resolve(now, token, log, entry, deadline);
}

// ---- Reads

void ClientMachine::read(Time now, Token token, LogId log, Offset from, std::uint32_t max_bytes,
                         Duration wait, Time deadline, ReadFrom whom) {
  ++core_->view.figures().reads;
  if (begins(now, token)) core_->reads.read(now, token, log, from, max_bytes, wait, deadline, whom);
}

void ClientMachine::follow(Time now, Token token, LogId log, Offset from) {
  if (begins(now, token)) core_->follows.follow(now, token, log, from);
}

void ClientMachine::consumed(Time now, Token token, std::uint64_t bytes) {
  core_->now = now;
  core_->follows.consumed(token, bytes);
}

void ClientMachine::stop(Time now, Token token) {
  core_->now = now;
  core_->follows.stop(now, token);
}

void ClientMachine::offset_at(Time now, Token token, LogId log, std::uint64_t wall_ms,
                              Time deadline) {
  if (begins(now, token)) core_->times.offset_at(now, token, log, wall_ms, deadline);
}

void ClientMachine::segment_of(Time now, Token token, LogId log, Offset offset, Time deadline) {
  if (begins(now, token)) core_->times.segment_of(now, token, log, offset, deadline);
}

// ---- Logs and nodes

void ClientMachine::tail(Time now, Token token, LogId log, Time deadline) {
  if (begins(now, token)) core_->calls.tail(now, token, log, deadline);
}

void ClientMachine::open_log(Time now, Token token, std::string name, Time deadline) {
  if (begins(now, token)) core_->calls.open_log(now, token, std::move(name), deadline);
}

void ClientMachine::create_log(Time now, Token token, std::string name, LogOptions options,
                               Time deadline) {
  if (begins(now, token)) core_->calls.create_log(now, token, std::move(name), options, deadline);
}

void ClientMachine::delete_log(Time now, Token token, std::string name, Time deadline) {
  if (begins(now, token)) core_->calls.delete_log(now, token, std::move(name), deadline);
}

void ClientMachine::delete_log(Time now, Token token, LogId log, Time deadline) {
  if (begins(now, token)) core_->calls.delete_log(now, token, log, deadline);
}

void ClientMachine::trim_log(Time now, Token token, LogId log, Offset offset, Time deadline) {
  if (begins(now, token)) core_->calls.trim_log(now, token, log, offset, deadline);
}

void ClientMachine::set_fence(Time now, Token token, LogId log, FenceToken fence, Time deadline) {
  if (begins(now, token)) core_->calls.set_fence(now, token, log, fence, deadline);
}

void ClientMachine::set_retention(Time now, Token token, LogId log, Retention retention,
                                  Time deadline) {
  if (begins(now, token)) core_->calls.set_retention(now, token, log, retention, deadline);
}

void ClientMachine::replace_disk(Time now, Token token, NodeId node, bool force, Time deadline) {
  if (begins(now, token)) core_->calls.replace_disk(now, token, node, force, deadline);
}

void ClientMachine::raise_version(Time now, Token token, std::uint8_t version, Time deadline) {
  if (begins(now, token)) core_->calls.raise_version(now, token, version, deadline);
}

void ClientMachine::list_logs(Time now, Token token, Time deadline) {
  if (begins(now, token)) core_->calls.list_logs(now, token, deadline);
}

void ClientMachine::status(Time now, Token token, bool logs, Time deadline) {
  if (begins(now, token)) core_->statuses.ask(now, token, logs, deadline);
}

/// Follows end before questions, because a follow may have asked for the end of its log.
void ClientMachine::close(Time now) {
  ClientCore& c = *core_;
  c.now = now;
  if (std::exchange(c.closed, true)) return;
  c.producers.close();
  c.fates.close();
  c.reads.close();
  c.times.close();
  c.follows.close(now);
  c.questions.close();
  c.statuses.close();
  c.out.connects.clear();  // no new connections; completions and sends still go out
}

// ---- Input

void ClientMachine::connected(Time now, const Connected& c) {
  core_->now = now;
  if (core_->closed) return;
  core_->view.connected(now, c);
  tick(now);
}

/// The view ends the requests of the connection first, so that a producer loses its leader after
/// the Commits on the connection have had their nullptr.
void ClientMachine::disconnected(Time now, const Disconnected& d) {
  core_->now = now;
  if (core_->closed) return;
  core_->view.disconnected(now, d);
  core_->producers.disconnected(now, d.connection);
}

/// Gives an answer to its request's handler, and any other message to the producer of its log.
void ClientMachine::arrived(Time now, Arrived&& a) {
  ClientCore& c = *core_;
  c.now = now;
  if (c.closed || c.view.answered(now, a)) return;
  if (const auto* m = std::get_if<Metadata>(&a.message))
    return c.view.learn(a.from, *m);  // a new leader tells its clients unasked
  if (std::holds_alternative<Ping>(a.message)) c.view.tell(a.from, a.request, Pong{});
  c.producers.arrived(now, a.from, a.message);
}

/// The view first: time-outs that pass now let the parts ask other nodes in this step.
void ClientMachine::tick(Time now) {
  ClientCore& c = *core_;
  c.now = now;
  if (c.closed) return;
  c.view.tick(now);
  c.producers.tick(now);
  c.reads.tick(now);
  c.follows.tick(now);
  c.times.tick(now);
  c.fates.tick(now);
  c.questions.tick(now);
  c.statuses.tick(now);
}

Output& ClientMachine::output() {
  ClientCore& c = *core_;
  c.out.wake = never;
  if (c.closed) return c.out;
  c.producers.pump(c.now);
  c.fates.tick(c.now);  // an entry may be settled now
  // A connection or an answer of this step may let a question go out now.
  c.questions.tick(c.now);
  c.statuses.tick(c.now);
  c.out.wake =
      std::min({c.view.wake(), c.reads.wake(), c.follows.wake(), c.times.wake(), c.fates.wake(),
                c.questions.wake(), c.statuses.wake(), c.producers.wake(c.now)});
  return c.out;
}

}  // namespace loglog::client
