// Answers come in any order of trust: any node may describe a log, but only the leader can say that
// a log does not exist (R2).
#include "sdk/core/cluster_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "sdk/core/rules.h"

namespace loglog::client {

/// Ends the call with its result. Without a result the message was no answer, and the question is
/// asked again.
Questions::Next ClusterCalls::end(Token token, std::optional<Completion> result) {
  if (!result) return Questions::Again{};
  answers_.complete(token, std::move(*result));
  return Questions::Ended{};
}

Questions::Next ClusterCalls::fail(Token token, const Failed& why) {
  return end(token, Failure{Error{why.error, why.detail}});
}

void ClusterCalls::tail(Time now, Token token, LogId log, Time deadline) {
  questions_.ask(now, token, GetTail{log}, deadline,
                 [this, token](Time, ConnectionId, Message& m, bool) -> Next {
                   if (const auto* f = std::get_if<Failed>(&m)) return fail(token, *f);
                   const auto* a = std::get_if<TailIs>(&m);
                   if (a == nullptr) return Questions::Again{};
                   return end(token, client::Tail{a->first, a->committed, a->term});
                 });
}

void ClusterCalls::open_log(Time now, Token token, std::string name, Time deadline) {
  const auto answer = [this, token, name](Time then, ConnectionId from, Message& m, bool) -> Next {
    if (const auto* f = std::get_if<Failed>(&m)) return fail(token, *f);
    const auto* a = std::get_if<Metadata>(&m);
    if (a == nullptr) return Questions::Again{};
    view_.learn(from, *a);
    for (const LogInfo& l : a->metadata.logs) {
      if (l.name != name || l.state != LogState::open) continue;
      view_.learn(l);
      if (options_.dial_on_open) dial_for(then, l);
      return end(token, LogDescription{l});
    }
    // R2: only the leader can say that a log does not exist. Other nodes may lag, or hold only some
    // logs.
    if (!view_.is_leaders_word(from, *a)) return Questions::Again{};
    const bool creating = std::any_of(
        a->metadata.logs.begin(), a->metadata.logs.end(),
        [&name](const LogInfo& l) { return l.name == name && l.state == LogState::creating; });
    if (creating) return Questions::Again{};  // until the log is open, or gone
    return fail(token, {Errc::no_such_log, name});
  };
  questions_.ask(now, token, GetMetadata{{name}, false}, deadline, answer, Questions::To::anybody);
}

/// Dials the nodes that appends and reads of this log will need.
void ClusterCalls::dial_for(Time now, const LogInfo& log) {
  for (const Member& m : log.members) view_.node(now, m.node);
  view_.leader(now);
}

/// Asks for a change of the metadata (T6). The request names the version that this client knows,
/// and all repeats name the same version and change id. `superseded` for the only copy is definite:
/// the client asks for the newest version and sends a new request. After repeats it ends the call,
/// because a copy may have been done and overtaken.
void ClusterCalls::change(Time now, Token token, std::function<Message(const Basis&)> request,
                          Time deadline, AsResult as_result) {
  const ChangeId id{change_ids_.next_id()};
  Message first = request({view_.metadata().version, id});
  const auto answer = [this, token, id, request = std::move(request),
                       as_result = std::move(as_result)](Time, ConnectionId from, Message& m,
                                                         bool repeated) -> Next {
    if (const auto* a = std::get_if<Metadata>(&m)) {
      view_.learn(from, *a);
      if (!view_.is_leaders_word(from, *a)) return Questions::Again{};
      return request({a->metadata.version, id});
    }
    const auto* f = std::get_if<Failed>(&m);
    if (f == nullptr) return end(token, as_result(m));
    if (f->error == Errc::superseded && !repeated) return Message(GetMetadata{});
    return fail(token, *f);
  };
  questions_.ask(now, token, std::move(first), deadline, answer);
}

void ClusterCalls::create_log(Time now, Token token, std::string name, LogOptions options,
                              Time deadline) {
  change(
      now, token,
      [name = std::move(name), options](const Basis& basis) {
        return CreateLog{name, options, basis};
      },
      deadline,
      [this](const Message& m) -> std::optional<Completion> {
        const auto* a = std::get_if<LogIs>(&m);
        if (a == nullptr) return std::nullopt;
        view_.learn(a->info);
        return LogDescription{a->info};
      });
}

void ClusterCalls::set_fence(Time now, Token token, LogId log, FenceToken fence, Time deadline) {
  change(
      now, token, [log, fence](const Basis& basis) { return SetFence{log, fence, basis}; },
      deadline,
      [](const Message& m) -> std::optional<Completion> {
        const auto* a = std::get_if<FenceIs>(&m);
        if (a == nullptr) return std::nullopt;
        return client::Fence{a->token, a->end};
      });
}

void ClusterCalls::set_retention(Time now, Token token, LogId log, Retention retention,
                                 Time deadline) {
  change(
      now, token,
      [log, retention](const Basis& basis) { return SetRetention{log, retention, basis}; },
      deadline,
      [](const Message& m) -> std::optional<Completion> {
        const auto* a = std::get_if<LogIs>(&m);
        if (a == nullptr) return std::nullopt;
        return LogDescription{a->info};
      });
}

/// Asks for the id of the log that has the name, then deletes the log by its id (T5). So a request
/// that comes late cannot delete a log that was created under the name since.
void ClusterCalls::delete_log(Time now, Token token, std::string name, Time deadline) {
  struct Asked {
    LogId log{};         // the log to delete; 0: unknown yet
    bool maybe = false;  // an attempt without an answer may have deleted the log
  };
  const auto answer = [this, token, name, asked = std::make_shared<Asked>()](
                          Time, ConnectionId from, Message& m, bool repeated) -> Next {
    if (const auto* a = std::get_if<Metadata>(&m)) {
      view_.learn(from, *a);
      if (!view_.is_leaders_word(from, *a)) return Questions::Again{};
      const auto l = std::ranges::find(a->metadata.logs, name, &LogInfo::name);
      const bool there = l != a->metadata.logs.end();
      // If an own attempt may have deleted the earlier log, another log that has the name now is
      // not the one that the caller meant.
      if (there && (!asked->maybe || l->id == asked->log))
        return Message(DeleteLog{asked->log = l->id});
      if (there)
        return fail(token, {Errc::no_such_log,
                            name + ": the log that had this name is gone; another one has it now"});
      if (asked->maybe) return end(token, Succeeded{});
      return fail(token, {Errc::no_such_log, name});
    }
    const auto* f = std::get_if<Failed>(&m);
    if (f != nullptr && f->error == Errc::no_such_log) {
      asked->maybe = asked->maybe || repeated;
      return Message(GetMetadata{{name}, false});
    }
    if (f != nullptr) return fail(token, *f);
    if (std::holds_alternative<Done>(m)) return end(token, Succeeded{});
    return Questions::Again{};
  };
  questions_.ask(now, token, GetMetadata{{name}, false}, deadline, answer);
}

/// "No such log" answers a first request that came too late for another client's; after a repeat it
/// may be this call's own doing.
void ClusterCalls::delete_log(Time now, Token token, LogId log, Time deadline) {
  const auto answer = [this, token](Time, ConnectionId, Message& m, bool repeated) -> Next {
    const auto* f = std::get_if<Failed>(&m);
    if (f != nullptr && f->error == Errc::no_such_log && repeated) return end(token, Succeeded{});
    if (f != nullptr) return fail(token, *f);
    if (std::holds_alternative<Done>(m)) return end(token, Succeeded{});
    return Questions::Again{};
  };
  questions_.ask(now, token, DeleteLog{log}, deadline, answer);
}

/// Asks for the tail first and refuses a point beyond it, which would remove later entries (R3).
/// The leader's own committed offset is not enough: with client-observed commit (V2) an
/// acknowledged entry may lie above it. Every acknowledged entry lies below the tail (R2).
void ClusterCalls::trim_log(Time now, Token token, LogId log, Offset offset, Time deadline) {
  const auto answer = [this, token, log, offset](Time, ConnectionId, Message& m, bool) -> Next {
    if (const auto* tail = std::get_if<TailIs>(&m)) {
      if (rules::is_beyond_committed(offset, tail->committed))
        return end(token, past_end(tail->committed));
      return Message(TrimLog{log, offset});
    }
    if (const auto* a = std::get_if<LogIs>(&m)) return end(token, LogDescription{a->info});
    if (const auto* f = std::get_if<Failed>(&m)) return fail(token, *f);
    return Questions::Again{};
  };
  questions_.ask(now, token, GetTail{log}, deadline, answer);
}

/// Asks which disk is registered, then replaces that disk (T6). So a request that comes late cannot
/// replace a disk that was registered since.
void ClusterCalls::replace_disk(Time now, Token token, NodeId node, bool force, Time deadline) {
  const auto answer = [this, token, node, force](Time, ConnectionId from, Message& m,
                                                 bool) -> Next {
    if (const auto* a = std::get_if<Metadata>(&m)) {
      view_.learn(from, *a);
      if (!view_.is_leaders_word(from, *a)) return Questions::Again{};
      const auto known = std::ranges::find(a->metadata.storage, node, &StorageInfo::id);
      const DiskId disk = known == a->metadata.storage.end() ? DiskId{} : known->disk;
      return Message(ReplaceDisk{node, disk, force});
    }
    if (std::holds_alternative<Done>(m)) return end(token, Succeeded{});
    if (const auto* f = std::get_if<Failed>(&m)) return fail(token, *f);
    return Questions::Again{};
  };
  questions_.ask(now, token, GetMetadata{}, deadline, answer);
}

/// Asks the leader for the metadata first: its connection tells whether it speaks the protocol
/// version that has the request (W7).
void ClusterCalls::raise_version(Time now, Token token, std::uint8_t version, Time deadline) {
  const auto answer = [this, token, version](Time, ConnectionId from, Message& m, bool) -> Next {
    if (const auto* a = std::get_if<Metadata>(&m)) {
      view_.learn(from, *a);
      if (!view_.is_leaders_word(from, *a)) return Questions::Again{};
      const unsigned spoken = view_.version_of(from);
      if (spoken >= RaiseClusterVersion::since_version)
        return Message(RaiseClusterVersion{version});
      return fail(
          token,
          {Errc::wrong_version,
           fmt::format("the leader and this client agree on protocol version {}, and a raise "
                       "needs {}: upgrade all programs first, this one too",
                       spoken, RaiseClusterVersion::since_version)});
    }
    if (std::holds_alternative<Done>(m)) return end(token, Succeeded{});
    if (const auto* f = std::get_if<Failed>(&m)) return fail(token, *f);
    return Questions::Again{};
  };
  questions_.ask(now, token, GetMetadata{}, deadline, answer);
}

void ClusterCalls::list_logs(Time now, Token token, Time deadline) {
  const auto answer = [this, token](Time, ConnectionId from, Message& m, bool) -> Next {
    const auto* a = std::get_if<Metadata>(&m);
    if (a == nullptr) return Questions::Again{};
    view_.learn(from, *a);
    // A storage node knows only its own logs.
    if (!view_.is_sequencer(from)) return Questions::Again{};
    return end(token, Metadatas{a->metadata});
  };
  questions_.ask(now, token, GetMetadata{{}, true}, deadline, answer, Questions::To::anybody);
}

}  // namespace loglog::client
