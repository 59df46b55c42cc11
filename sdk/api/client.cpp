// Client, Log and Follower: each blocking call posts its work to the client's thread and waits for
// the completion. Subtle here: handles may be destroyed in a callback, that is, on the thread that
// they would wait for, and in a child process after fork(), where no lock may be taken.
#include <loglog/client.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "proto-spec/disk/frame.h"
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

namespace {

using client::Completed;

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

Entry to_entry(const client::Entry& e) {
  return {e.offset.value,   e.next.value,     e.term.value,
          e.producer.value, e.sequence.value, std::string(e.payload.text()),
          e.packed};
}

std::string state_of(const LogStatus& l) {
  if (l.state == LogState::creating) return "creating";
  if (l.state == LogState::deleting) return "deleting";
  return l.halted ? "halted" : l.open ? "open" : "recovering";
}

/// A negative age becomes a huge unsigned age, which the leader refuses as it refuses the negative
/// age.
Retention to_retention(std::uint64_t bytes, std::chrono::milliseconds age) {
  return {bytes, static_cast<std::uint64_t>(age.count())};
}

/// A follower reports consumed bytes to the core in steps of this size, bytes.
constexpr std::uint64_t credit_step = 64 * 1024;
static_assert(entry_overhead == frame_overhead);
static_assert(entry_bytes_max == entry_size_max);

}  // namespace

struct Log::State {
  std::shared_ptr<Client::State> client;
  LogId id;
  LogDetails details;
  bool created = false;
};

/// State of a subscription, shared by its Follower and, weakly, by the handler of its completions.
/// The mutex guards the fields that both threads use. It is not held while `each` runs.
struct Follower::State {
  std::shared_ptr<Client::State> client;
  std::mutex mutex;
  std::condition_variable news;
  std::deque<Entry> entries;
  bool stopped = false;
  std::optional<CallError> error;
  // Why the last next() could not wait: it was called on the client's thread.
  std::optional<CallError> refused_wait;
  std::function<void(const Entry&)> each;  // empty: entries wait for next()
  std::thread::id delivers;                // the thread that runs `each` now; none: no thread does
  std::uint64_t unreported = 0;            // bytes taken by next() and not reported to the core yet
  EntryOffset position = 0;                // all entries below were given out
  EntryOffset arrived = 0;                 // all entries below have arrived
  // Shared separately, so that work posted to the driver does not hold the client: otherwise the
  // last handle could be destroyed on the driver's thread.
  std::shared_ptr<std::atomic<std::uint64_t>> token =
      std::make_shared<std::atomic<std::uint64_t>>(0);
  std::optional<std::stop_callback<std::function<void()>>> on_stop;

  void stop();
  /// Waits for an entry, then gives at most `max` of those that have arrived to `to`.
  template <class F>
  void take(std::size_t max, std::chrono::milliseconds wait, F to);
  /// True in a child process. No lock may be taken there, because a thread that exists only in the
  /// parent may hold it.
  bool inherited() const { return client->driver.inherited(); }
  /// Tells the core that the application is done with these bytes, which gives the replica credit.
  /// The posted work runs after the call that began the follow, so the token is known by then.
  void consumed(std::uint64_t bytes) {
    client->driver.post([t = token, bytes](client::ClientMachine& m, Time now) {
      m.consumed(now, client::Token{*t}, bytes);
    });
  }
  /// Takes a completion of the follow, on the client's thread, or in the executor if there is
  /// `each`.
  void completed(const Completed& c) {
    const auto* d = std::get_if<client::Delivered>(&c.result);
    if (d != nullptr && each) return deliver(*d);
    const std::lock_guard lock(mutex);
    if (stopped) return;  // stop() has dropped the entries that were waiting
    if (const auto* f = std::get_if<client::Failure>(&c.result)) {
      if (f->error.code != Errc::cancelled) error = to_call_error(*f);
      stopped = true;
    } else if (d != nullptr) {
      for (const client::Entry& e : d->entries) entries.push_back(to_entry(e));
      arrived = d->next.value;
      if (entries.empty()) position = arrived;
    }
    news.notify_all();
  }
  /// Runs `each` for every entry. stop() in another thread waits until `delivers` is empty, so that
  /// no `each` runs after it has returned.
  void deliver(const client::Delivered& d) {
    std::uint64_t bytes = 0;
    std::unique_lock lock(mutex);
    for (const client::Entry& e : d.entries) {
      if (stopped) return;
      delivers = std::this_thread::get_id();
      lock.unlock();
      call_back([&] { each(to_entry(e)); });
      bytes += e.next.value - e.offset.value;
      lock.lock();
      delivers = {};
      position = e.next.value;
      if (stopped) news.notify_all();
    }
    if (stopped) return;
    position = d.next.value;
    lock.unlock();
    consumed(bytes);
  }
};

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

namespace {

void take_verdict(ClusterReport& r, const Status& from) {
  r.health = from.health == Health::healthy    ? ClusterReport::Health::healthy
             : from.health == Health::degraded ? ClusterReport::Health::degraded
                                               : ClusterReport::Health::not_serving;
  r.verdict = from.verdict;
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

// ---- Log

const LogDetails& Log::details() const { return state_->details; }
bool Log::was_created() const { return state_->created; }

namespace {

AppendResult refused(const Error& why) {
  return {AppendResult::Outcome::refused, 0, 0, 0, to_call_error(why)};
}

/// `size`: bytes of the entry's frame.
AppendResult to_result(const client::Completion& c, LogId log, std::uint64_t size) {
  AppendResult r;
  if (const auto* a = std::get_if<client::Appended>(&c)) {
    r.outcome = AppendResult::Outcome::committed;
    r.offset = a->offset.value;
    r.next = r.offset + size;
    r.term = a->term.value;
    r.producer = a->producer.value;
    r.sequence = a->sequence.value;
  } else {
    const auto& f = std::get<client::Failure>(c);
    if (f.error.code == Errc::outcome_unknown) r.outcome = AppendResult::Outcome::unknown;
    r.error = to_call_error(f);
    r.producer = f.entry.producer.value;
    r.sequence = f.entry.sequence.value;
    r.asked_in = f.entry.term.value;
    r.not_below = f.entry.lowest.value;
  }
  if (r.producer != 0) r.log = log.value;
  return r;
}

/// The common part of all appends: refuses invalid entries in the calling thread, takes room in the
/// budget (which may block), and hands a copy of the payload to the driver. `of_application`:
/// `done` is a callback of the application, which an executor may have to run.
void append_bytes(const std::shared_ptr<Client::State>& client, LogId log, std::string_view payload,
                  bool packed, std::function<void(AppendResult)> done, const AppendOptions& options,
                  bool of_application = true) {
  const auto refuse = [&](Errc code, std::string detail) {
    ++client->refused_here;
    done(refused(Error{code, std::move(detail)}));
  };
  if (client->driver.inherited()) return refuse(Errc::forked, {});
  if (client->closing) return refuse(Errc::client_closed, {});
  if (payload.size() > entry_bytes_max)
    return refuse(Errc::entry_too_large, "this one has " + std::to_string(payload.size()));
  const std::uint64_t size = payload.size() + frame_overhead;
  Duration left = bounded(options.timeout.value_or(client->options.timeout));
  const auto taken =
      client->budget->take(size, client->options.block_when_full && !client->in_callback(), left);
  if (taken.how != AppendBudget::How::taken) {
    const std::string bound = std::to_string(client->options.bytes_in_flight_max) +
                              " bytes (bytes_in_flight_max) are in flight";
    if (taken.how == AppendBudget::How::full) return refuse(Errc::too_many, bound);
    return refuse(Errc::deadline_exceeded, "it waited for room: " + bound);
  }
  struct End final : client::ClientDriver::AppendEnd {
    End(const Client::State& c, bool of_application, LogId l, std::uint64_t n, std::uint64_t e,
        std::function<void(AppendResult)> d)
        : budget(c.budget),
          callbacks(of_application ? c.callbacks : nullptr),
          log(l),
          size(n),
          epoch(e),
          done(std::move(d)) {}
    void ended(client::Completion&& how) override {
      if (callbacks)
        return callbacks->run(
            [b = budget, n = size, e = epoch, d = std::move(done), r = to_result(how, log, size)] {
              b->give_back(n, e);
              d(r);
            });
      budget->give_back(size, epoch);
      call_back([&] { done(to_result(how, log, size)); });
    }
    std::shared_ptr<AppendBudget> budget;
    std::shared_ptr<CallbackQueue> callbacks;  // nullptr: `done` runs on the client's thread
    LogId log;
    std::uint64_t size;
    std::uint64_t epoch;
    std::function<void(AppendResult)> done;
  };
  client->driver.append(
      log, Bytes::copy_of(payload), packed, left,
      {options.expected_offset ? Offset{*options.expected_offset} : no_offset,
       FenceToken{options.fence}},
      std::make_unique<End>(*client, of_application, log, size, taken.epoch, std::move(done)));
}

/// append_bytes with a future.
std::future<AppendResult> promised(const std::shared_ptr<Client::State>& client, LogId log,
                                   std::string_view payload, bool packed,
                                   const AppendOptions& options) {
  auto promise = std::make_shared<std::promise<AppendResult>>();
  auto future = promise->get_future();
  append_bytes(
      client, log, payload, packed, [promise](AppendResult r) { promise->set_value(std::move(r)); },
      options, false);
  return future;
}

}  // namespace

AppendResult Log::append(std::string_view payload, const AppendOptions& options) {
  if (const auto why = state_->client->cannot_wait()) return refused(*why);
  return append_async(payload, options).get();
}
std::future<AppendResult> Log::append_async(std::string_view payload,
                                            const AppendOptions& options) {
  return promised(state_->client, state_->id, payload, false, options);
}
void Log::append_then(std::string_view payload, std::function<void(AppendResult)> done,
                      const AppendOptions& options) {
  append_bytes(state_->client, state_->id, payload, false, std::move(done), options);
}

AppendResult Log::append_batch(const std::vector<std::string>& payloads,
                               const AppendOptions& options) {
  if (const auto why = state_->client->cannot_wait()) return refused(*why);
  return append_batch_async(payloads, options).get();
}
std::future<AppendResult> Log::append_batch_async(const std::vector<std::string>& payloads,
                                                  const AppendOptions& options) {
  return promised(state_->client, state_->id, pack_batch(payloads), true, options);
}
void Log::append_batch_then(const std::vector<std::string>& payloads,
                            std::function<void(AppendResult)> done, const AppendOptions& options) {
  append_bytes(state_->client, state_->id, pack_batch(payloads), true, std::move(done), options);
}

std::expected<AppendResult, CallError> Log::resolve(const AppendResult& unknown,
                                                    std::optional<Milliseconds> timeout) {
  if (unknown.outcome != AppendResult::Outcome::unknown) return unknown;
  auto& s = *state_->client;
  if (unknown.producer == 0 || unknown.sequence == 0)
    return std::unexpected(
        to_call_error(Error{Errc::invalid_argument, "the result names no producer and sequence"}));
  if (unknown.log != state_->id.value)
    return std::unexpected(to_call_error(
        Error{Errc::wrong_log, "the result is of log " + std::to_string(unknown.log)}));
  const client::EntryName entry{ProducerId{unknown.producer}, Sequence{unknown.sequence},
                                Term{unknown.asked_in}, Offset{unknown.not_below}};
  const auto found =
      s.ask<client::Resolved>([&](client::ClientMachine& m, Time now, client::Token t) {
        m.resolve(now, t, state_->id, entry, s.deadline(now, timeout));
      });
  if (!found) return std::unexpected(found.error());
  AppendResult r = unknown;
  r.error = {};
  if (found->is_committed) {
    r.outcome = AppendResult::Outcome::committed;
    r.offset = found->offset.value;
    r.next = found->next.value;
    r.term = found->term.value;
  } else {
    r.outcome = AppendResult::Outcome::refused;
    r.error = to_call_error(
        Error{Errc::deadline_exceeded, "the log does not hold the entry, and never will"});
  }
  return r;
}

std::expected<ReadResult, CallError> Log::read(EntryOffset from, std::size_t max_bytes,
                                               Milliseconds wait) {
  return read(from, ReadOptions{.max_bytes = max_bytes, .wait = wait});
}

std::expected<ReadResult, CallError> Log::read(EntryOffset from, const ReadOptions& o) {
  auto& s = *state_->client;
  const auto most =
      static_cast<std::uint32_t>(std::clamp<std::size_t>(o.max_bytes, 1, page_size_max));
  auto d = s.ask<client::Delivered>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.read(now, t, state_->id, Offset{from}, most, bounded(o.wait),
           s.deadline(now, o.timeout) + bounded(o.wait),
           {NodeId{o.replica}, o.report_damage, o.frames});
  });
  if (!d) return std::unexpected(d.error());
  ReadResult out{{}, d->next.value, {}};
  if (o.frames) {
    out.frames.reserve(d->next.value - from);
    for (const Bytes& frame : d->frames) out.frames += frame.text();
    return out;
  }
  out.entries.reserve(d->entries.size());
  for (const client::Entry& e : d->entries) out.entries.push_back(to_entry(e));
  return out;
}

std::expected<TailPosition, CallError> Log::tail(std::optional<Milliseconds> timeout) {
  auto& s = *state_->client;
  auto t = s.ask<client::Tail>([&](client::ClientMachine& m, Time now, client::Token token) {
    m.tail(now, token, state_->id, s.deadline(now, timeout));
  });
  if (!t) return std::unexpected(t.error());
  return TailPosition{t->first.value, t->committed.value, t->term.value};
}

std::expected<FencePosition, CallError> Log::fence(std::uint64_t token,
                                                   std::optional<Milliseconds> timeout) {
  auto& s = *state_->client;
  auto f = s.ask<client::Fence>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.set_fence(now, t, state_->id, FenceToken{token}, s.deadline(now, timeout));
  });
  if (!f) return std::unexpected(f.error());
  return FencePosition{f->token.value, f->end.value};
}

std::expected<EntryOffset, CallError> Log::offset_at(std::chrono::system_clock::time_point time) {
  auto& s = *state_->client;
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const std::uint64_t wall_ms = ms > 0 ? static_cast<std::uint64_t>(ms) : 0;
  auto found = s.ask<client::PointInTime>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.offset_at(now, t, state_->id, wall_ms, s.deadline(now));
  });
  if (!found) return std::unexpected(found.error());
  return found->offset.value;
}

std::expected<EntryOffset, CallError> Log::offset_of(const LogPosition& kept) const {
  if (kept.log == state_->details.id) return kept.offset;
  return std::unexpected(
      to_call_error(Error{Errc::wrong_log, kept.text() + " is of log " + std::to_string(kept.log) +
                                               ", " + state_->details.name + " is log " +
                                               std::to_string(state_->details.id)}));
}

std::string LogPosition::text() const { return std::to_string(log) + "@" + std::to_string(offset); }

std::optional<LogPosition> LogPosition::parse(std::string_view text) {
  LogPosition p;
  const char* const begin = std::to_address(text.begin());
  const char* const end = begin + text.size();
  const auto [at, wrong] = std::from_chars(begin, end, p.log);
  if (wrong != std::errc{} || at == end || *at != '@') return std::nullopt;
  const auto [rest, also_wrong] = std::from_chars(at + 1, end, p.offset);
  return also_wrong == std::errc{} && rest == end ? std::optional(p) : std::nullopt;
}

std::expected<EntryOffset, CallError> Log::begin() {
  // Enough bytes for the log's own frames before the first entry, because each page costs a round
  // trip.
  const auto page = read(0, 4096);
  if (page) return 0;
  if (page.error().code == Errc::trimmed) return page.error().begins_at;
  return std::unexpected(page.error());
}

std::expected<EntryOffset, CallError> Log::end() {
  auto t = tail();
  if (!t) return std::unexpected(t.error());
  return t->committed;
}

namespace {

/// The start of the last segment or term of the log that lies at or below `highest`.
std::expected<EntryOffset, CallError> start_below(Client::State& client, LogId log,
                                                  EntryOffset highest) {
  auto begins =
      client.ask<client::PointInTime>([&](client::ClientMachine& m, Time now, client::Token t) {
        m.segment_of(now, t, log, Offset{highest}, client.deadline(now));
      });
  if (!begins) return std::unexpected(begins.error());
  return begins->offset.value;
}

}  // namespace

std::expected<std::optional<Entry>, CallError> Log::last() {
  const auto tail_now = tail();
  if (!tail_now) return std::unexpected(tail_now.error());
  // Frames have no link to the frame before them, so each round reads forward from a known start.
  for (EntryOffset end = tail_now->committed; end > tail_now->first;) {
    const auto begin = start_below(*state_->client, state_->id, end - 1);
    if (!begin) return std::unexpected(begin.error());
    std::optional<Entry> last;
    for (EntryOffset at = std::max(*begin, tail_now->first); at < end;) {
      auto page = read(at, {.max_bytes = page_size_max, .wait = state_->client->options.timeout});
      if (!page) return std::unexpected(page.error());
      // An answer from a replica that lags would name an older entry than the last one.
      if (page->next == at)
        return std::unexpected(to_call_error(
            Error{Errc::not_here, "offset " + std::to_string(at) + " of " + std::to_string(end)}));
      for (Entry& e : page->entries)
        if (e.offset < end) last = std::move(e);
      at = page->next;
    }
    if (last) return last;
    end = *begin;
  }
  return std::nullopt;
}

std::expected<EntryOffset, CallError> Log::trim(EntryOffset offset) {
  // No reader could begin at a trim point where no entry begins, so a replica must show an entry
  // there first (R3). Below the log's begin the trim changes nothing.
  if (auto there = read(offset, 1); !there && there.error().code != Errc::trimmed)
    return std::unexpected(there.error());
  return state_->client->trim(state_->id, Offset{offset});
}

std::expected<EntryOffset, CallError> Log::trim_to_size(std::uint64_t keep_bytes) {
  const auto tail_now = tail();
  if (!tail_now) return std::unexpected(tail_now.error());
  if (tail_now->committed - tail_now->first <= keep_bytes) return tail_now->first;
  const auto begins = start_below(*state_->client, state_->id, tail_now->committed - keep_bytes);
  if (!begins) return std::unexpected(begins.error());
  return state_->client->trim(state_->id, Offset{*begins});
}

std::expected<EntryOffset, CallError> Log::trim_before(std::chrono::system_clock::time_point time) {
  const auto offset = offset_at(time);
  if (!offset) return std::unexpected(offset.error());
  return state_->client->trim(state_->id, Offset{*offset});
}

std::expected<LogDetails, CallError> Log::set_retention(std::uint64_t bytes, Milliseconds age) {
  auto& s = *state_->client;
  auto d = s.ask<client::LogDescription>([&](client::ClientMachine& m, Time now, client::Token t) {
    m.set_retention(now, t, state_->id, to_retention(bytes, age), s.deadline(now));
  });
  if (!d) return std::unexpected(d.error());
  return to_details(d->info);
}

Follower Log::follow(EntryOffset from, std::stop_token stop) {
  return follow(from, {}, std::move(stop));
}

Follower Log::follow(EntryOffset from, std::function<void(const Entry&)> each,
                     std::stop_token stop) {
  auto state = std::make_shared<Follower::State>();
  state->client = state_->client;
  state->each = std::move(each);
  state->position = state->arrived = from;
  if (state->inherited()) return Follower(std::move(state));
  // Weak: the handler lives in the driver, and must keep neither the follower nor the client alive.
  std::weak_ptr<Follower::State> weak = state;
  state_->client->driver.submit(
      [id = state_->id, from](client::ClientMachine& m, Time now, client::Token t) {
        m.follow(now, t, id, Offset{from});
      },
      [weak, callbacks = state->each ? state_->client->callbacks : nullptr](Completed&& c) {
        if (!callbacks) {
          if (const auto s = weak.lock()) s->completed(c);
          return;
        }
        // The end of the stream takes the same way as its entries, so it overtakes none.
        callbacks->run([weak, c = std::move(c)] {
          if (const auto s = weak.lock()) s->completed(c);
        });
      },
      [token = state->token](client::Token t) { *token = t.value; });
  state->on_stop.emplace(std::move(stop), [weak] {
    if (const auto s = weak.lock()) s->stop();
  });
  return Follower(std::move(state));
}

// ---- Follower

Follower::Follower(std::shared_ptr<State> state) : state_(std::move(state)) {}
Follower::Follower(Follower&&) noexcept = default;
Follower& Follower::operator=(Follower&& o) noexcept {
  if (this != &o) {
    if (state_) end(std::move(state_));
    state_ = std::move(o.state_);
  }
  return *this;
}
Follower::~Follower() {
  if (state_) end(std::move(state_));
}
void Follower::end(std::shared_ptr<State> state) {
  // A child process leaks the state: even its destructor could wait for threads that exist only in
  // the parent.
  if (state->inherited()) new std::shared_ptr<State>(std::move(state));
  else state->stop();
}

std::optional<Entry> Follower::next() {
  if (state_->client->cannot_wait()) return next_for({});
  std::optional<Entry> e;
  while (!(e = next_for(std::chrono::milliseconds(3'600'000))) && !stopped()) {
  }
  return e;
}

std::optional<Entry> Follower::next_for(std::chrono::milliseconds wait) {
  std::optional<Entry> e;
  state_->take(1, wait, [&e](Entry&& taken) { e = std::move(taken); });
  return e;
}

std::vector<Entry> Follower::next_batch(std::size_t max, std::chrono::milliseconds wait) {
  std::vector<Entry> out;
  state_->take(max, wait, [&out](Entry&& taken) { out.push_back(std::move(taken)); });
  return out;
}

EntryOffset Follower::position() const {
  if (state_->inherited()) return 0;
  std::lock_guard lock(state_->mutex);
  return state_->position;
}

template <class F>
void Follower::State::take(std::size_t max, std::chrono::milliseconds wait, F to) {
  const auto why = client->cannot_wait();
  if (inherited() || max == 0) return;
  std::unique_lock lock(mutex);
  if (!why) news.wait_for(lock, bounded(wait), [this] { return stopped || !entries.empty(); });
  refused_wait.reset();
  if (entries.empty()) {
    if (why && !stopped) refused_wait = to_call_error(*why);
    return;
  }
  for (; max > 0 && !entries.empty(); --max) {
    Entry& first = entries.front();
    unreported += first.next - first.offset;
    position = first.next;
    to(std::move(first));
    entries.pop_front();
  }
  if (entries.empty()) position = arrived;
  // Reports are gathered, so that the driver is woken once for many entries.
  const bool report = entries.empty() || unreported >= credit_step;
  const std::uint64_t bytes = report ? std::exchange(unreported, 0) : 0;
  lock.unlock();
  if (report) consumed(bytes);
}

void Follower::stop() { state_->stop(); }
void Follower::State::stop() {
  if (inherited()) return;
  {
    std::unique_lock lock(mutex);
    // From here on no entry is delivered; a callback that is running is waited for, unless this is
    // it.
    const bool again = std::exchange(stopped, true);
    entries.clear();
    news.notify_all();
    news.wait(lock, [this] {
      return delivers == std::thread::id{} || delivers == std::this_thread::get_id();
    });
    if (again) return;
  }
  client->driver.post(
      [t = token](client::ClientMachine& m, Time now) { m.stop(now, client::Token{*t}); });
}

bool Follower::stopped() const {
  if (state_->inherited()) return true;
  std::lock_guard lock(state_->mutex);
  return state_->stopped;
}

std::optional<CallError> Follower::error() const {
  if (state_->inherited()) return to_call_error(Error{Errc::forked, {}});
  std::lock_guard lock(state_->mutex);
  return state_->error ? state_->error : state_->refused_wait;
}

// ---- batches

std::string pack_batch(const std::vector<std::string>& payloads) {
  std::string out;
  const auto put = [&out](std::uint32_t v) {
    char b[4];
    std::memcpy(b, &v, 4);
    out.append(b, 4);
  };
  put(static_cast<std::uint32_t>(payloads.size()));
  for (const auto& p : payloads) put(static_cast<std::uint32_t>(p.size()));
  for (const auto& p : payloads) out += p;
  return out;
}

std::vector<std::string> Entry::parts() const {
  if (!packed) return {payload};
  // The counts and lengths come from the log, so each is checked before it is used. An entry that
  // does not parse is returned as a single payload.
  const auto at = [this](std::size_t i) {
    std::uint32_t v = 0;
    std::memcpy(&v, payload.data() + 4 * i, 4);
    return std::size_t{v};
  };
  std::vector<std::string> out;
  if (payload.size() < 4 || payload.size() / 4 < at(0) + 1) return {payload};
  std::size_t position = 4 * (at(0) + 1);
  for (std::size_t i = 1; i <= at(0); ++i) {
    if (at(i) > payload.size() - position) return {payload};  // not made by append_batch
    out.push_back(payload.substr(position, at(i)));
    position += at(i);
  }
  return out;
}

}  // namespace loglog
