// Client: its life, and the calls about logs, nodes and the cluster. Each blocking call posts its
// work to the client's thread and waits for the completion. Subtle here: handles may be destroyed
// in a callback, that is, on the thread that they would wait for, and in a child process after
// fork(), where no lock may be taken. Calls of a log are in log.cpp and follower.cpp.
#include <loglog/client.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <random>
#include <thread>

#include "proto-spec/transport/address.h"
#include "proto-spec/transport/posix_signals.h"
#include "sdk/api/client_state.h"

namespace loglog {

CallError to_call_error(const Error& e) {
  // An append that ended by its deadline was not written and never will be, so it may be repeated.
  const bool retry = retry_of(e.code) != Retry::no || e.code == Errc::deadline_exceeded;
  return {e.code, e.message(), retry, e.code == Errc::deadline_exceeded};
}
CallError to_call_error(const client::Failure& f) {
  CallError e = to_call_error(f.error);
  e.timed_out |= f.timed_out;
  e.begins_at = f.begins.value;
  e.ends_at = f.ends.value;
  e.fence = f.fence.value;
  // Only a resolution ends so: its entry may be settled later.
  e.retry |= f.error.code == Errc::outcome_unknown && f.timed_out;
  return e;
}

LogDetails to_details(const LogInfo& i) {
  LogDetails d{i.id.value,
               i.name,
               i.options.replicas,
               i.options.write_quorum,
               i.options.segment_size,
               {},
               i.trim.value,
               i.options.retention.bytes,
               std::chrono::milliseconds(static_cast<std::int64_t>(i.options.retention.ms)),
               i.fence.value};
  for (const Member& m : i.members) d.nodes.push_back(m.node.value);
  return d;
}

Retention to_retention(std::uint64_t bytes, std::chrono::milliseconds age) {
  return {bytes, static_cast<std::uint64_t>(age.count())};
}

std::shared_ptr<client::ClientLoop> loop_for(const ClientOptions& options) {
  if (!options.own_thread && options.thread_name.empty()) return client::ClientLoop::shared();
  return std::make_shared<client::ClientLoop>(options.thread_name);
}

namespace {

std::string state_of(const LogStatus& l) {
  if (l.state == LogState::creating) return "creating";
  if (l.state == LogState::deleting) return "deleting";
  return l.halted ? "halted" : l.open ? "open" : "recovering";
}

}  // namespace

// ---- Client

std::expected<Client, CallError> Client::connect(ClientOptions options) {
  if (options.addresses.empty())
    return std::unexpected(CallError{
        Errc::invalid_argument, "no address: give HOST:PORT of any node of the cluster", false});
  for (const std::string& a : options.addresses)
    if (auto ok = transport::split_address(a); !ok && !a.starts_with("local:"))
      return std::unexpected(to_call_error(ok.error()));
  client::Options core;
  core.addresses = options.addresses;
  core.name = options.name.empty() ? program_invocation_short_name : options.name;
  core.version = LOGLOG_VERSION;
  core.eager_commit = options.eager_commit;
  core.observed_commit = options.observed_commit;
  core.wait_for_cluster = options.wait_for_cluster;
  core.dial_on_open = true;
  // The budget of this layer is the bound that callers meet. The core's own bound lies above it and
  // catches errors in the accounting.
  core.bytes_in_flight_max = 2 * options.bytes_in_flight_max + run_size_max;
  std::random_device entropy;
  auto* state =
      new State(std::move(options), std::move(core), (std::uint64_t{entropy()} << 32) | entropy());
  return Client(std::shared_ptr<State>(state, [](State* s) {
    if (s->driver.inherited()) return;  // the parent owns all of it: leave it alone
    // The last handle may be destroyed in a callback, on the driver's thread, which cannot join
    // itself.
    if (!s->driver.on_own_thread()) return delete s;
    const transport::SignalsBlocked around_the_start;
    std::thread([s] { delete s; }).detach();
  }));
}

std::expected<Log, CallError> Client::open_log(const std::string& name) {
  auto& s = *state_;
  auto d = s.ask<client::LogDescription>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.open_log(now, t, name, s.deadline(now));
  });
  if (!d) return std::unexpected(d.error());
  return Log(std::make_shared<Log::State>(state_, d->info.id, to_details(d->info)));
}

std::expected<Log, CallError> Client::create_log(const std::string& name, CreateOptions o) {
  auto& s = *state_;
  if (o.replicas > replicas_max || o.write_quorum > replicas_max)
    return std::unexpected(
        CallError{Errc::invalid_argument,
                  "a log has at most 9 replicas; ask for 1 to 9, or 0 for the default", false});
  const LogOptions options{static_cast<std::uint8_t>(o.replicas),
                           static_cast<std::uint8_t>(o.write_quorum), o.segment_bytes,
                           Durability::sync, to_retention(o.retention_bytes, o.retention_age)};
  auto d = s.ask<client::LogDescription>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.create_log(now, t, name, options, s.deadline(now));
  });
  if (!d) return std::unexpected(d.error());
  return Log(std::make_shared<Log::State>(state_, d->info.id, to_details(d->info), true));
}

namespace {

/// The sentence about the first property that `wanted` names and the log does not have; nullopt:
/// the log is as wanted. Retention may change at any time, so it is not compared.
std::optional<std::string> contradiction(const LogDetails& log, const CreateOptions& wanted) {
  const auto differ = [&log](const char* property, std::uint64_t asked, std::uint64_t has) {
    return "log " + log.name + " exists with " + property + " " + std::to_string(has) + ", and " +
           std::to_string(asked) + " is asked for; these are fixed for a log's life";
  };
  if (wanted.replicas != 0 && wanted.replicas != log.replicas)
    return differ("replicas", wanted.replicas, log.replicas);
  if (wanted.write_quorum != 0 && wanted.write_quorum != log.write_quorum)
    return differ("write quorum", wanted.write_quorum, log.write_quorum);
  if (wanted.segment_bytes != 0 && wanted.segment_bytes != log.segment_bytes)
    return differ("segment size", wanted.segment_bytes, log.segment_bytes);
  return std::nullopt;
}

}  // namespace

std::expected<Log, CallError> Client::open_or_create_log(const std::string& name,
                                                         CreateOptions options) {
  auto made = create_log(name, options);
  if (made || made.error().code != Errc::log_exists) return made;
  auto log = open_log(name);
  if (!log) return log;
  if (const auto why = contradiction(log->details(), options))
    return std::unexpected(to_call_error(Error{Errc::invalid_argument, *why}));
  return log;
}

std::expected<std::vector<LogDetails>, CallError> Client::list_logs() {
  auto& s = *state_;
  auto m = s.ask<client::Metadatas>([&](client::ClientMachine& c, Time now, client::Token t) {
    c.list_logs(now, t, s.deadline(now));
  });
  if (!m) return std::unexpected(m.error());
  std::vector<LogDetails> out;
  for (const LogInfo& i : m->metadata.logs)
    if (i.state == LogState::open) out.push_back(to_details(i));
  return out;
}

std::expected<LogDetails, CallError> Client::describe_log(const std::string& name) {
  auto log = open_log(name);
  if (!log) return std::unexpected(log.error());
  return log->details();
}

std::expected<void, CallError> Client::delete_log(const std::string& name) {
  auto& s = *state_;
  auto d = s.ask<client::Succeeded>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.delete_log(now, t, name, s.deadline(now));
  });
  if (!d) return std::unexpected(d.error());
  return {};
}

std::expected<void, CallError> Client::replace_disk(std::uint32_t node, bool force) {
  auto& s = *state_;
  auto d = s.ask<client::Succeeded>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.replace_disk(now, t, NodeId{node}, force, s.deadline(now));
  });
  if (!d) return std::unexpected(d.error());
  return {};
}

std::expected<void, CallError> Client::raise_cluster_version(std::uint32_t version) {
  constexpr std::uint32_t version_max = 255;
  if (version > version_max)
    return std::unexpected(CallError{Errc::invalid_argument,
                                     "version " + std::to_string(version) + " is above " +
                                         std::to_string(version_max) + ", the highest possible"});
  auto& s = *state_;
  auto d = s.ask<client::Succeeded>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.raise_version(now, t, static_cast<std::uint8_t>(version), s.deadline(now));
  });
  if (!d) return std::unexpected(d.error());
  return {};
}

namespace {

void take_verdict(ClusterReport& r, const Status& from) {
  r.health = from.health == Health::healthy    ? ClusterReport::Health::healthy
             : from.health == Health::degraded ? ClusterReport::Health::degraded
                                               : ClusterReport::Health::not_serving;
  r.verdict = from.verdict;
  r.cluster_version = from.record_version;
  for (const AlarmSeen& a : from.alarms)
    r.alarms.push_back({a.id, a.severity == Severity::critical, a.what, a.action});
}

}  // namespace

std::expected<ClusterReport, CallError> Client::status(bool with_logs) {
  auto& s = *state_;
  auto found =
      s.ask<client::ClusterStatus>([&](client::ClientMachine& m, Time now, client::Token t) {
        m.status(now, t, with_logs, s.deadline(now));
      });
  if (!found) return std::unexpected(found.error());
  static constexpr const char* roles[] = {"", "follower", "candidate", "leader"};
  const auto word = [](const auto& table, auto e) {
    const auto i = static_cast<std::size_t>(e);
    return std::string(i < std::size(table) ? table[i] : "");
  };
  ClusterReport r;
  // The metadata name the sequencers' addresses. If no sequencer has answered, none would answer
  // this question either.
  std::optional<client::Metadatas> metadata;
  if (!found->sequencers.empty())
    if (auto all =
            s.ask<client::Metadatas>([&](client::ClientMachine& c, Time now, client::Token t) {
              c.list_logs(now, t, s.deadline(now));
            }))
      metadata = std::move(*all);
  const auto address_of = [&](SequencerId id) {
    if (metadata)
      for (const SequencerInfo& q : metadata->metadata.sequencers)
        if (q.id == id) return q.address;
    return std::string();
  };
  const auto judge = std::ranges::find(found->sequencers, RaftRole::leader, &Status::role);
  if (!found->sequencers.empty())
    take_verdict(r, judge == found->sequencers.end() ? found->sequencers.front() : *judge);
  else r.verdict = "no sequencer answers this client, so whether appends are served is not known";
  for (const Status& q : found->sequencers) {
    r.cluster = q.cluster_name;
    r.sequencers.push_back(
        {q.id.value, address_of(q.id), word(roles, q.role), q.raft_term.value, q.protocol});
    if (q.role != RaftRole::leader) continue;
    for (const StorageStatus& n : q.storage) {
      r.storage.push_back({n.id.value,
                           n.address,
                           std::string(name_of(n.condition)),
                           n.staged_bytes,
                           n.disk_free_bytes,
                           n.disk_size_bytes,
                           {}});
      for (const NodeId peer : n.cannot_reach) r.storage.back().cannot_reach.push_back(peer.value);
    }
    r.clients = q.clients.connected;
    r.writers_total = q.clients.writers_total;
    for (const WriterSeen& w : q.clients.writers)
      r.writers.push_back({w.address, w.name, w.version, w.log, w.producer.value, w.entries,
                           w.bytes, static_cast<double>(w.milli_entries_per_s) / 1000,
                           static_cast<double>(w.bytes_per_s)});
    for (const LogStatus& l : q.logs) {
      ClusterReport::LogReport log{
          l.name, l.first.value, l.committed.value, l.term.value, l.write_quorum, {}, state_of(l)};
      for (const ReplicaStatus& p : l.replicas)
        log.replicas.push_back(
            {p.node.value, p.durable.value, std::string(name_of(p.state)), p.disk_bytes});
      r.logs.push_back(std::move(log));
    }
  }
  for (const SequencerInfo& q : found->unreachable)
    r.sequencers.push_back({q.id.value, q.address, "unreachable", 0, 0});
  std::sort(r.sequencers.begin(), r.sequencers.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  return r;
}

std::expected<void, CallError> Client::ready(std::chrono::milliseconds wait) {
  auto& s = *state_;
  auto m = s.ask<client::Metadatas>([&](client::ClientMachine& c, Time now, client::Token t) {
    c.list_logs(now, t, s.deadline(now, wait));
  });
  if (!m) return std::unexpected(m.error());
  return {};
}

std::expected<void, CallError> Client::flush(std::chrono::milliseconds wait) {
  if (const auto why = state_->cannot_wait_for_callbacks())
    return std::unexpected(to_call_error(*why));
  const auto until = AppendBudget::Clock::now() + bounded(wait);
  const std::uint64_t left = state_->budget->wait_for_earlier(bounded(wait));
  if (left > 0)
    return std::unexpected(to_call_error(
        Error{Errc::unavailable, std::to_string(left) + " appends are still under way"}));
  if (state_->callbacks) {
    const auto rest = until - AppendBudget::Clock::now();
    if (state_->callbacks->wait_for_earlier(std::chrono::floor<Duration>(rest))) return {};
    return std::unexpected(
        to_call_error(Error{Errc::unavailable, "a callback has not returned yet"}));
  }
  // The callbacks of the appends that have ended run on the client's thread before this task.
  std::promise<void> reached;
  state_->driver.post([&reached](client::ClientMachine&, Time) { reached.set_value(); });
  reached.get_future().wait();
  return {};
}

std::expected<void, CallError> Client::close(std::chrono::milliseconds wait) {
  if (const auto why = state_->cannot_wait_for_callbacks())
    return std::unexpected(to_call_error(*why));
  state_->closing = true;
  auto flushed = flush(wait);
  close();
  return flushed;
}

void Client::close() {
  if (state_->driver.inherited()) return;
  state_->driver.post([](client::ClientMachine& m, Time now) { m.close(now); });
}

}  // namespace loglog
