// The phases of a run: the cluster forms, clients work while the weather lasts, everything heals,
// and the final checks judge the end state. `run` maps a plan to the world's options. Each
// violation ends the run, so later phases test for it.
#include <fmt/format.h>

#include "tests/simulator/administrator.h"
#include "tests/simulator/audit.h"
#include "tests/simulator/memory_watch.h"
#include "tests/simulator/plan.h"
#include "tests/simulator/questions.h"
#include "tests/simulator/raiser.h"
#include "tests/simulator/status_watch.h"
#include "tests/simulator/weather.h"

namespace loglog::simulator {
namespace {

std::string log_name(int i) { return fmt::format("log{}", i); }

// Owns the world and everything that acts on it, because scheduled events name these objects until
// the run ends.
class Run {
 public:
  Run(const Plan& plan, const WorldOptions& options)
      : plan_(plan), world_(options), checkers_(world_) {}

  RunResult go();

 private:
  void set_out();
  void finish();
  void fail_over();
  void fail_over_unasked();
  void restart_nodes();
  void settle_log(int i);
  bool resolve_unknown(int i);
  void read_from_one();
  bool audit(const FullRead& read);
  Offset begins_now(const FullRead& read) const;
  void look_up_times(const FullRead& read);
  ClientProcess& reader() { return *world_.clients.back(); }
  void pass(Duration d) {
    world_.scheduler.run_until(world_.scheduler.now() + d, [this] { return world_.violated(); });
  }
  /// Steps until `done`. Returns false if the time is up or a promise broke.
  template <class Done>
  bool wait(Duration at_most, Duration step, Done done) {
    const Time limit = world_.scheduler.now() + at_most;
    while (!done() && world_.scheduler.now() < limit && !world_.violated()) pass(step);
    return done() && !world_.violated();
  }

  const Plan& plan_;
  World world_;
  Checkers checkers_;
  std::vector<std::unique_ptr<ClientWorkload>> work_;
  std::unique_ptr<LogChurn> churn_;
  std::unique_ptr<Questions> questions_;
  std::unique_ptr<Administrator> administrator_;
  std::unique_ptr<Raiser> raiser_;
  std::vector<std::unique_ptr<ReplicaAudit>> audits_;
  struct Settled {
    LogId log;
    Offset first, last;  // the log's first offset, and the end of its last entry
    std::vector<const Process*> holders;
  };
  std::vector<Settled> settled_;
  std::vector<std::unique_ptr<ClientProcess>> lone_clients_;
  std::vector<std::unique_ptr<LoneRead>> lone_reads_;
  MemoryWatch memory_{world_};
  StatusWatch status_{world_};
};

// Roles of the processes: workload clients first, then churn, administrator and questions; the last
// client reads at the end.
void Run::set_out() {
  world_.start_all();
  if (plan_.peer_bytes_per_second > 0 || world_.options.stalled_readers) memory_.start();
  status_.start();
  for (int i = 0; i < plan_.clients; ++i)
    work_.push_back(std::make_unique<ClientWorkload>(
        world_, checkers_, *world_.clients[static_cast<std::size_t>(i)],
        log_name(i % plan_.workload.logs + 1), plan_.workload, i < plan_.workload.logs));
  // The next client of the log resolves an unknown append too. Its producer knows nothing of the
  // entry, so that it needs a later term for a proof of absence (A4).
  const auto logs = static_cast<std::size_t>(plan_.workload.logs);
  for (std::size_t i = 0; plan_.workload.resolve && i < work_.size(); ++i) {
    ClientWorkload& next = *work_[i + logs < work_.size() ? i + logs : i % logs];
    work_[i]->on_unknown = [&next](const UnknownAppend& a) { next.resolve(a); };
  }
  for (auto& w : work_) w->start();
  if (plan_.workload.churn > 0us) {
    churn_ = std::make_unique<LogChurn>(world_, checkers_,
                                        *world_.clients[static_cast<std::size_t>(plan_.clients)],
                                        plan_.workload.churn);
    churn_->start();
  }
  if (plan_.workload.administer > 0us) {
    const std::size_t at = static_cast<std::size_t>(plan_.clients) + (churn_ ? 1 : 0);
    administrator_ =
        std::make_unique<Administrator>(world_, *world_.clients[at], plan_.workload.administer);
    administrator_->start();
  }
  if (plan_.raise > 0us) {
    raiser_ = std::make_unique<Raiser>(world_, plan_.raise);
    raiser_->begin();
  }
  if (plan_.workload.ask_every > 0us) {
    questions_ =
        std::make_unique<Questions>(world_, checkers_, *world_.clients[world_.clients.size() - 2],
                                    plan_.workload.ask_every, plan_.workload.logs);
    questions_->start();
  }
}

// After healing: every call that clients began ends, every log reads in full, and the replicas
// agree. The bounds are generous; a run that exceeds them is stuck.
void Run::finish() {
  const auto all_done = [&] {
    return std::all_of(work_.begin(), work_.end(), [](const auto& w) { return w->appends_done(); });
  };
  if (!wait(90s, 100ms, all_done))
    return violated(world_, promise::progress, "appends do not end within 90 s after healing");
  for (auto& w : work_) w->append_last();
  const auto all_acknowledged = [&] {
    return std::all_of(work_.begin(), work_.end(),
                       [](const auto& w) { return w->last_acknowledged(); });
  };
  // Event by event, so that the leader can die before it tells that the append is committed.
  if (plan_.rest)
    world_.scheduler.run_until(world_.scheduler.now() + 40s,
                               [&] { return world_.violated() || all_acknowledged(); });
  if (!wait(40s, 20ms, all_acknowledged))
    return violated(world_, promise::progress,
                    "an append that was begun after healing is not acknowledged");
  for (auto& w : work_) w->come_to_rest();
  if (plan_.rest) fail_over_unasked();
  if (churn_) {
    churn_->come_to_rest();
    if (!wait(60s, 100ms, [&] { return churn_->at_rest(); }))
      return violated(world_, promise::progress,
                      "a log is not created, written and deleted within 60 s");
  }
  if (administrator_) {
    administrator_->come_to_rest();
    if (!wait(60s, 100ms, [&] { return administrator_->at_rest(); }))
      return violated(world_, promise::progress, "logs are not administered within 60 s");
  }
  if (raiser_) {
    raiser_->come_to_rest();
    if (!wait(60s, 100ms, [&] { return raiser_->at_rest(); }))
      return violated(world_, promise::progress,
                      "the cluster is not raised within 60 s: " + raiser_->standing());
  }
  pass(4s);
  if (plan_.damages_disks()) restart_nodes();
  for (int i = 1; i <= plan_.workload.logs && !world_.violated(); ++i) settle_log(i);
  if (questions_) {
    questions_->come_to_rest();
    if (!wait(20s, 100ms, [&] { return questions_->all_is_well(); }))
      violated(world_, promise::status, questions_->standing());
  }
  if (!world_.violated() && !wait(20s, 100ms, [&] { return status_.amiss().empty(); }))
    violated(world_, promise::status, status_.amiss());
  if (plan_.all_succeed && checkers_.failed() + checkers_.unknown() > 0)
    violated(world_, promise::progress,
             fmt::format("{} appends failed and {} are unknown, though nothing hindered them",
                         checkers_.failed(), checkers_.unknown()));
  for (const auto& w : work_)
    if (!world_.violated() && !w->close())
      violated(world_, promise::ends, "a client is closed and some call has not ended");
  if (!world_.violated()) read_from_one();
}

void Run::fail_over() {
  for (auto& s : world_.sequencers) {
    if (!s->alive() || s->machine()->role() != RaftRole::leader) continue;
    s->kill();
    pass(200ms);
    s->start();
    return;
  }
}

// S7: the leader dies and no client asks its successor for anything. Followers must still reach all
// acknowledged entries, because a log may rest only if all its members know it as committed.
void Run::fail_over_unasked() {
  fail_over();
  for (const auto& w : work_) {
    const Offset end = checkers_.of(w->log()).acknowledged_end();
    if (!world_.violated() && !wait(30s, 20ms, [&] { return w->followed_to() >= end; }))
      violated(world_, promise::progress,
               fmt::format("unasked, a follower stands at {}, what was acknowledged ends at {}",
                           w->followed_to().value, end.value));
  }
}

// No sequencer lives, and of each log's nodes only a single node. Its committed entries must still
// be readable there.
void Run::read_from_one() {
  for (auto& s : world_.sequencers) s->kill();
  for (const Settled& l : settled_) {
    if (l.holders.empty() || world_.violated()) continue;
    const Process& one = *l.holders[world_.random.below(l.holders.size())];
    for (auto& n : world_.storage) {
      if (n.get() != &one) n->kill();
      else n->start();
    }
    client::Options o;
    o.addresses = {one.address()};
    ClientProcess& client =
        *lone_clients_.emplace_back(std::make_unique<ClientProcess>(world_, o, "lone"));
    client.start();
    LoneRead& read = *lone_reads_.emplace_back(
        std::make_unique<LoneRead>(world_, client, l.log, l.first, l.last));
    read.start();
    if (!wait(30s, 20ms, [&] { return read.done(); }))
      violated(world_, promise::readable, one.name() + " alone: " + read.standing());
  }
}

// Damage to bytes that a node still has in memory shows only after a restart.
void Run::restart_nodes() {
  for (auto& node : world_.storage) {
    if (!node->alive()) continue;
    node->kill();
    pass(100ms);
    node->start();
    pass(2s);
  }
}

// A client that appended nothing resolves the log's unknown appends, in a later term, so that
// absence is final (A4). The full read that follows judges its answers, and those of the appending
// clients.
bool Run::resolve_unknown(int i) {
  fail_over();
  std::vector<UnknownAppend> appends;
  LogId log{};
  for (std::size_t w = static_cast<std::size_t>(i - 1); w < work_.size();
       w += static_cast<std::size_t>(plan_.workload.logs)) {
    log = work_[w]->log();
    appends.insert(appends.end(), work_[w]->unknown().begin(), work_[w]->unknown().end());
  }
  FateRead fates(world_, checkers_, reader(), log, std::move(appends));
  fates.start();
  if (!wait(30s, 20ms, [&] { return fates.done(); })) {
    violated(world_, promise::progress, "resolutions do not end within 30 s");
    return false;
  }
  reader().on_completed = nullptr;
  return true;
}

// The final checks of a log: full read, conditions, audit of each replica, comparison of replicas,
// points in time, followers.
void Run::settle_log(int i) {
  if (plan_.workload.resolve && !resolve_unknown(i)) return;
  FullRead read(world_, reader(), log_name(i));
  read.start();
  if (!wait(30s, 20ms, [&] { return read.done(); }))
    return violated(world_, promise::progress,
                    "a full read does not end within 30 s; last answer: " + read.last_error());
  checkers_.of(read.log()).fully_read(read.entries(), read.first());
  checkers_.conditions(read.log()).judge(read.entries(), read.first());
  if (!world_.has(Bug::nobody_audits) && !audit(read)) return;
  checkers_.compare_replicas(read.log(), begins_now(read), read.committed());
  if (plan_.workload.times_every > 0us && !world_.violated()) look_up_times(read);
  // The leader's own frames may stand behind the last entry, and followers are not told of them.
  const Offset last = read.entries().empty() ? Offset{} : read.entries().back().next;
  for (const auto& w : work_)
    if (w->log() == read.log() && !wait(10s, 100ms, [&] { return w->followed_to() >= last; }))
      return violated(world_, promise::progress,
                      fmt::format("a follower stands at {}, the last entry ends at {}",
                                  w->followed_to().value, last.value));
  reader().on_completed = nullptr;
  Settled& done = settled_.emplace_back(Settled{read.log(), read.first(), last, {}});
  for (const auto& node : world_.storage)
    if (node->alive() && read.holds(node->id()) && world_.parted != node.get())
      done.holders.push_back(node.get());
}

// Where the log begins by now: retention by age trims it after the full read as well (R5).
Offset Run::begins_now(const FullRead& read) const {
  return std::max(read.first(), world_.trimmed_to(read.log()));
}

// R6: the expected answers come from a replica's files, so the SDK's search is compared with the
// truth.
void Run::look_up_times(const FullRead& read) {
  std::vector<ClockedPoint> points;
  for (const auto& node : world_.storage) {
    const auto log = node->disk.content().find(read.log());
    if (node->alive() && log != node->disk.content().end())
      points = clocked_points(log->second, read.log(), read.committed());
    if (!points.empty()) break;
  }
  std::vector<std::uint64_t> times{0, ~std::uint64_t{0}};
  for (std::size_t i = 0; i < points.size(); i += 1 + points.size() / 8)
    times.insert(times.end(), {points[i].clock_ms, points[i].clock_ms + 1});
  TimeRead asked(reader(), read.log(), times);
  const Offset began = begins_now(read);
  asked.start();
  if (!wait(30s, 20ms, [&] { return asked.done(); }))
    return violated(world_, promise::progress,
                    "a point in time is not found within 30 s; last answer: " + asked.last_error());
  checkers_.compare_times(asked.times(), asked.answers(), points, began, begins_now(read));
  reader().on_completed = nullptr;
}

bool Run::audit(const FullRead& read) {
  for (auto& node : world_.storage) {
    if (!node->alive() || !read.holds(node->id()) || world_.parted == node.get()) continue;
    // Audits are kept until the end, because scheduled events refer to them.
    ReplicaAudit& a = *audits_.emplace_back(
        std::make_unique<ReplicaAudit>(world_, *node, read.log(), read.committed()));
    a.start();
    Duration copied_within = 30s;  // longer if a link's rate bounds the copying
    if (const auto rate = plan_.peer_bytes_per_second; rate > 0)
      copied_within +=
          Duration(static_cast<std::int64_t>((read.committed() - read.first()) * 1'000'000 / rate));
    const bool whole = wait(copied_within, 20ms, [&] { return a.done(); });
    a.kill();
    if (!whole) {
      violated(world_, promise::progress, a.standing());
      return false;
    }
  }
  return true;
}

// The weather must outlive `finish`, because scheduled events name it.
RunResult Run::go() {
  set_out();
  pass(1500ms);  // the cluster forms
  Weather weather(world_, plan_.faults, plan_.faults_for);
  pass(plan_.faults_for);
  if (!world_.violated()) finish();

  RunResult r;
  r.seed = world_.options.seed;
  r.violation = world_.violation().value_or("");
  r.acknowledged = checkers_.acknowledged();
  r.failed = checkers_.failed();
  r.unknown = checkers_.unknown();
  r.read = checkers_.read();
  for (const auto& w : work_) r.tails += w->tails();
  r.messages = world_.network.messages();
  r.fingerprint = world_.network.fingerprint();
  r.slowest = world_.slowest_append;
  r.simulated = world_.scheduler.now().time_since_epoch();
  r.faults = world_.faults;
  if (questions_) r.faults.count("questions answered", questions_->answered());
  if (administrator_) r.faults.count("rounds of administering", administrator_->rounds());
  if (churn_) r.faults.count("logs created and deleted", churn_->rounds());
  if (r.violation.empty() && r.acknowledged == 0)
    r.violation = "progress: nothing was acknowledged in the whole run";
  return r;
}

}  // namespace

RunResult run(const Plan& plan, std::uint64_t seed, bool trace, const Bugs& bugs) {
  WorldOptions o;
  o.seed = seed;
  // The last client reads at the end.
  o.quiet_clients = 1u + (plan.workload.churn > 0us) + (plan.workload.ask_every > 0us) +
                    (plan.workload.administer > 0us);
  o.clients = plan.clients + static_cast<int>(o.quiet_clients);
  o.network_delay_max = plan.network_delay_max;
  o.disk_delay_max = plan.disk_delay_max;
  o.peer_bytes_per_second = plan.peer_bytes_per_second;
  o.greedy = plan.greedy;
  o.entry_bytes_most = std::max(plan.workload.payload_max, plan.workload.payload_exact);
  o.storage = plan.storage;
  o.sequencers = plan.sequencers;
  o.leave_down = plan.leave_down;
  o.leave_deaf = plan.leave_deaf;
  o.leave_parted = plan.leave_parted;
  o.leave_dark = plan.leave_dark;
  o.clock_drift_ppm_max = plan.clock_drift_ppm_max;
  o.producers_max = plan.producers_max;
  o.staging_bytes_max = plan.staging_bytes_max;
  o.idle_file_bytes = plan.idle_file_bytes;
  o.reference_window = plan.reference_window;
  o.snapshot_every = plan.snapshot_every;
  o.unwritten_per_producer = plan.unwritten_per_producer;
  o.rest = plan.rest;
  o.stalled_readers = plan.faults.contains("stalled_reader");
  o.damages_raft_logs =
      plan.faults.contains("raft_log_damaged") || plan.faults.contains("raft_log_unreadable");
  o.raises = plan.raise > 0us;
  o.eager = plan.eager;
  o.observed = plan.observed;
  o.retention = plan.workload.retention;
  o.retention_quorum = plan.workload.write_quorum > 0
                           ? plan.workload.write_quorum
                           : static_cast<std::uint8_t>(plan.workload.replicas / 2 + 1);
  o.clocks_agree = plan.clocks_agree();
  o.most_clocks_agree = plan.most_clocks_agree();
  o.bugs = bugs;
  o.trace = trace;
  return Run(plan, o).go();
}

}  // namespace loglog::simulator
