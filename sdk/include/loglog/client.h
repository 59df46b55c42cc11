// LogLog's SDK: append to replicated logs, read them and follow them.
//
//   auto client = loglog::Client::connect({.addresses = {"127.0.0.1:7070"}});
//   auto log = client->open_or_create_log("events");
//   auto result = log->append("hello");             // result.offset, once committed
//   auto entries = log->follow(0);                  // from the beginning, and on
//   while (auto entry = entries.next()) use(*entry);
//
// Threads: every member may be called from any thread. The clients of a process share a thread of
// the SDK; with ClientOptions::own_thread a client has a thread of its own. "The client's thread"
// is the thread on which it runs. A handle object itself (Client, Log, Follower) must not be
// assigned, moved from or destroyed while another thread uses it; give each thread a copy of Client
// or Log. A handle that was moved from may only be assigned or destroyed.
//
// Blocking: a call blocks until its result is known or its deadline has passed, unless its comment
// says otherwise. Without a deadline of its own a call has ClientOptions::timeout. A time-out of 0
// or less has passed at once; a time-out above 100 years counts as 100 years. Calls that consist of
// several steps give each step the whole time-out: open_or_create_log, status, trim and trim_before
// have two, trim_to_size three; last() has two and those of its reads.
//
// Callbacks of a client run one at a time: those of an append in the order of the outcomes, those
// of a follower in the order of the entries, events in their order. By default they run on the
// client's thread and must not block, because no client of that thread does anything meanwhile. A
// call that would wait for a client there, the same or another, (append, append_batch, resolve,
// read, tail, fence, open_log, status, Follower::next, ...) returns would_deadlock at once.
// append_async, append_then, follow, figures, stop and close() may be called in a callback. The
// future of an append_async must not be waited for there. Deadlines are counted on the client's
// thread, so no call ends by its deadline while a callback runs there. With ClientOptions::executor
// callbacks run where the executor runs them, and may block. An exception that leaves a callback
// ends the program by std::terminate.
//
// Errors are values: a CallError with a stable code. Any call may also fail with client_closed,
// forked or would_deadlock. If the deadline passes, the error is the last temporary reason that a
// node gave, or `unavailable` if no node answered; an append ends with deadline_exceeded or
// outcome_unknown instead. A call that asks the leader about a log whose replicas contradict each
// other fails with log_halted.
//
// Changes (create_log, delete_log, set_retention, the trims, fence, replace_disk,
// raise_cluster_version) that end with a temporary reason, `unavailable` or client_closed may have
// been done, or may be done a moment later: look before you repeat them.
//
// Fork: a client belongs to the process that made it. In a child process each of its calls fails at
// once with `forked`, figures() are zero, and its destruction touches nothing, so that the parent
// continues undisturbed. The child may make a client of its own. Descriptors are closed on exec.
//
// Signals: the client's threads block all signals; the application's threads get every signal.
#pragma once
#include <loglog/admin.h>
#include <loglog/entry.h>
#include <loglog/error.h>
#include <loglog/event.h>
#include <loglog/figures.h>
#include <loglog/follower.h>
#include <loglog/log.h>
#include <loglog/options.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace loglog {

/// Handle of a client: connections to the nodes of a cluster, and a producer for each log. Cheap to
/// copy; copies share the client. When the last Client, Log and Follower of a client is gone, the
/// client ends as close() says, and with the last client of a thread the thread is joined; in a
/// callback on that thread the end happens in the background. So appends that are under way at the
/// destruction end with outcome_unknown or client_closed: flush() first.
class Client {
 public:
  /// Makes a client and does not wait for the cluster; later calls wait, until their deadlines.
  /// Errors: invalid_argument if `addresses` is empty, bad_configuration if an address is
  /// malformed. Throws std::system_error if the system gives no thread.
  static std::expected<Client, CallError> connect(ClientOptions options);

  /// Opens an existing log. Waits for a log that is being created. Errors: no_such_log (as the
  /// leader says), unavailable.
  std::expected<Log, CallError> open_log(const std::string& name);
  /// Creates a log and returns once all its replicas have joined. `name`: 1 to 255 letters, digits
  /// and . _ / - (ASCII). Errors: log_exists, invalid_argument, unavailable; not_enough_nodes if
  /// too few storage nodes are up until the deadline; too_many or no_space if the cluster takes no
  /// further log until then; superseded if an answer was lost and a log of that name was deleted
  /// since.
  std::expected<Log, CallError> create_log(const std::string& name, CreateOptions options = {});
  /// Creates the log, or opens it if it exists; Log::was_created() tells the two apart. `options`
  /// must be valid also if the log exists. An existing log keeps its retention. Errors: those of
  /// create_log except log_exists, and those of open_log; invalid_argument if the log exists with
  /// another number of replicas, write quorum or segment size than `options` names (0 names none).
  std::expected<Log, CallError> open_or_create_log(const std::string& name,
                                                   CreateOptions options = {});
  /// All open logs. Asks a sequencer, which may lag behind the leader. Error: unavailable.
  std::expected<std::vector<LogDetails>, CallError> list_logs();
  /// Metadata of the log that has this name. Errors: those of open_log.
  std::expected<LogDetails, CallError> describe_log(const std::string& name);
  /// Deletes the log that has this name, with all its entries; Log::delete_log deletes by the id.
  /// The name is free when the call returns; nodes free the space soon after, and followers end
  /// with no_such_log. A log that is created under the name afterwards is another log (T5). Errors:
  /// unavailable; no_such_log, also if the log vanished meanwhile and another log has the name now,
  /// which stays.
  std::expected<void, CallError> delete_log(const std::string& name);
  /// State of the cluster. Waits about a second for a sequencer that does not answer and reports it
  /// as unreachable. `with_logs` false: without the list of logs. Error: unavailable if no
  /// sequencer is known when the deadline passes.
  std::expected<ClusterReport, CallError> status(bool with_logs = true);
  /// Declares the disk of storage node `node` lost for good (C1). The node must run with an empty
  /// data directory: that directory becomes the member of its logs and is copied full from the
  /// other replicas (status() shows `newcomer`, then `lagging`). The call does not wait for the
  /// copy. The old disk is never taken back.
  /// Errors: invalid_argument if the node does not come with another disk, or if fewer than N - W +
  /// 1 other replicas of a log are up, so that something acknowledged may exist on that disk alone;
  /// `force` gives that up. A repeated call succeeds, or, once the node is back, finds nothing to
  /// replace.
  std::expected<void, CallError> replace_disk(std::uint32_t node, bool force = false);
  /// Raises the cluster's version: from then on records are replicated and kept in a form that
  /// older programs do not read, and older programs do not start. There is no way back. The leader
  /// takes the request only if all sequencers and all registered storage nodes are connected and
  /// read that version. A version that is reached already counts as success.
  /// Errors: invalid_argument with the sequencers and nodes that are away or too old, or if the
  /// leader itself is; wrong_version if the leader or this client does not know the request.
  std::expected<void, CallError> raise_cluster_version(std::uint32_t version);

  /// Waits until a leader answers, for at most `wait`: a check at a program's start, since
  /// connect() waits for nothing. Error: `unavailable`, with the address and the cause if every
  /// address fails.
  std::expected<void, CallError> ready(std::chrono::milliseconds wait);
  /// Waits until every append that was begun before this call, in any thread, has ended and its
  /// callback has returned, for at most `wait`. The results tell the outcomes. Error: `unavailable`
  /// with the number of appends that are still under way, or if an executor has not run a callback.
  std::expected<void, CallError> flush(std::chrono::milliseconds wait);
  /// Closes in order: refuses new appends with client_closed, waits as flush() does, then ends all
  /// calls as close() does. Returns the result of flush().
  std::expected<void, CallError> close(std::chrono::milliseconds wait);
  /// Ends every call that is under way in any thread, and every follower, as destruction does.
  /// These calls and callbacks end on the client's thread, a moment after close() has returned. An
  /// append that a leader may have taken ends with outcome_unknown, every other call with
  /// client_closed. Later calls fail with client_closed. Callbacks of the ended appends still run;
  /// events that the end itself causes are not told. Does not block; may be called in a callback
  /// and more than once.
  void close();

  /// Counts of this client. Asks the client's thread, not the cluster, so the call blocks while a
  /// callback runs; may be called in a callback, and after close().
  ClientFigures figures() const;
  /// The same, with the same threading, in the Prometheus text format (version 0.0.4), for the
  /// application's own /metrics page: families that begin with loglog_client_, each with its HELP.
  /// An application with several clients has to label the page of each.
  std::string prometheus_text() const;

  struct State;

 private:
  explicit Client(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace loglog
