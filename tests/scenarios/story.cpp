// How a story drives the simulated world: its last client asks and reads, and the other clients are
// the story's producers. Every wait ends early when a checker finds a violation.
#include "tests/scenarios/story.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "proto-spec/disk/segment.h"

namespace loglog::scenarios {

using client::Token;

namespace {

constexpr std::uint64_t question_tokens = 1u << 20;  // above every append's token

simulator::WorldOptions world_of(const Cast& cast) {
  simulator::WorldOptions o;
  o.seed = cast.seed;
  o.sequencers = cast.sequencers;
  o.storage = cast.storage;
  o.rest = cast.rest;
  o.clients = cast.producers + 1;  // the last client asks and reads
  o.trace = std::getenv("LOGLOG_STORY_TRACE") !=
            nullptr;  // NOLINT(concurrency-mt-unsafe): before any thread
  return o;
}

}  // namespace

Story::Story(const Cast& cast, const LogOptions& log1) : world_(world_of(cast)), checkers_(world_) {
  world_.network.tap = [this, checkers = world_.network.tap](const Process& from, const Process& to,
                                                             const Message& m) {
    checkers(from, to, m);
    watch(from, to, m);
    if (on_message) on_message(from, to, m);
  };
  world_.start_all();
  for (auto& c : world_.clients)
    c->on_completed = [this](const client::Completed& done) { completed(done); };
  leader();
  if (cast.storage < 3 && log1.replicas == 0) return;
  until("all nodes are registered", [this, n = cast.storage] {
    return leader().machine()->metadata().storage.size() == static_cast<std::size_t>(n);
  });
  create("log1", log1);
}

Story::~Story() { CHECK_MESSAGE(!world_.violated(), world_.violation().value_or("")); }

// ---- The cast

SequencerProcess& Story::leader() {
  SequencerProcess* best = nullptr;
  const auto look = [&] {
    best = nullptr;
    for (const auto& s : world_.sequencers)
      if (s->alive() && s->machine()->role() == RaftRole::leader &&
          s->machine()->leading_term() != Term{})
        if (best == nullptr || s->machine()->leading_term() > best->machine()->leading_term())
          best = s.get();
    return best != nullptr;
  };
  if (!look()) until("a sequencer leads", look);
  return *best;
}

SequencerProcess& Story::leader_after(const SequencerProcess& old) {
  until("another sequencer leads", [&] { return &leader() != &old; });
  return leader();
}

std::vector<Process*> Story::sequencers_but(const Process& one) const {
  std::vector<Process*> out;
  for (Process* p : world_.sequencers_as_processes())
    if (p != &one) out.push_back(p);
  return out;
}

// ---- Events

Entry Story::append(const std::string& payload, const std::string& log, int producer,
                    Duration deadline) {
  const LogId id = logs_.at(log);
  checkers_.append_started(id, payload);
  appends_.push_back({payload, id, {}});
  const Entry e = appends_.size() - 1;
  const Time now = this->producer(producer).now();
  this->producer(producer).call([&](client::ClientMachine& m) {
    m.append(now, Token{e + 1}, id, Bytes::copy_of(payload), false, now + deadline);
  });
  return e;
}

Entry Story::append_together(const Words& payloads, const std::string& log) {
  const LogId id = logs_.at(log);
  const Entry first = appends_.size();
  const Time now = producer().now();
  for (const std::string& p : payloads) {
    checkers_.append_started(id, p);
    appends_.push_back({p, id, {}});
  }
  producer().call([&](client::ClientMachine& m) {
    for (std::size_t i = 0; i < payloads.size(); ++i)
      m.append(now, Token{first + i + 1}, id, Bytes::copy_of(payloads[i]), false, now + 120s);
  });
  return first;
}

Entry Story::appended(const std::string& payload, const std::string& log, int producer) {
  const Entry e = append(payload, log, producer);
  until("the append of " + payload.substr(0, 20) + " ends", [&] { return !pending(e); });
  REQUIRE(outcome(e) == "committed");
  return e;
}

void Story::completed(const client::Completed& c) {
  if (c.token.value >= question_tokens) {
    answers_[c.token] = c.result;
    return;
  }
  Append& a = appends_[c.token.value - 1];
  REQUIRE_MESSAGE(!a.result, "an append ends once");
  a.result = c.result;
  checkers_.append_ended(a.log, a.payload, c.result, producer().wall_ms());
}

client::Completion Story::ask(const std::string& what,
                              const std::function<void(client::ClientMachine&, Token)>& call) {
  const Token t{question_tokens + ++questions_};
  world_.clients.back()->call([&](client::ClientMachine& m) { call(m, t); });
  until(what, [&] { return answers_.contains(t); });
  return answers_.at(t);
}

void Story::create(const std::string& name, const LogOptions& options) {
  const Time now = world_.clients.back()->now();
  const auto r = ask(name + " is created", [&](client::ClientMachine& m, Token t) {
    m.create_log(now, t, name, options, now + 20s);
  });
  const auto* d = std::get_if<client::LogDescription>(&r);
  REQUIRE_MESSAGE(d != nullptr,
                  name << " cannot be created: " << std::get<client::Failure>(r).error.message());
  logs_[name] = d->info.id;
}

void Story::remove(const std::string& name) {
  const Time now = world_.clients.back()->now();
  const auto r = ask(name + " is deleted", [&](client::ClientMachine& m, Token t) {
    m.delete_log(now, t, name, now + 20s);
  });
  REQUIRE(std::holds_alternative<client::Succeeded>(r));
}

void Story::trim(const std::string& name, Offset at) {
  checkers_.of(logs_.at(name)).trim_asked(at);
  const Time now = world_.clients.back()->now();
  const auto r = ask(name + " is trimmed", [&](client::ClientMachine& m, Token t) {
    m.trim_log(now, t, logs_.at(name), at, now + 20s);
  });
  const auto* d = std::get_if<client::LogDescription>(&r);
  REQUIRE(d != nullptr);
  REQUIRE(d->info.trim == at);
}

void Story::let_pass(Duration d) {
  world_.scheduler.run_until(world_.scheduler.now() + d, [this] { return world_.violated(); });
}

bool Story::becomes(const std::function<bool()>& so, Duration within) {
  if (so()) return true;
  bool yes = false;
  world_.scheduler.run_until(world_.scheduler.now() + within,
                             [&] { return (yes = so()) || world_.violated(); });
  return yes;
}

void Story::until(const std::string& what, const std::function<bool()>& so, Duration within) {
  const bool yes = becomes(so, within);
  REQUIRE_MESSAGE(!world_.violated(), world_.violation().value_or(""));
  REQUIRE_MESSAGE(yes, "the story does not come to the point where " << what);
}

void Story::hold(const Process& from, const Process& to) {
  world_.network.block(from.address(), to.address());
}
void Story::hold(const Process& from, const std::vector<Process*>& to) {
  for (const Process* p : to) hold(from, *p);
}
void Story::part(const Process& a, const Process& b) {
  hold(a, b);
  hold(b, a);
}
void Story::part(const Process& a, const std::vector<Process*>& others) {
  for (const Process* p : others) part(a, *p);
}
void Story::sever(const Process& a, const std::vector<Process*>& others) {
  part(a, others);
  for (const Process* p : others) world_.network.break_between(a, *p);
}

/// Asks the process to stop and measures the simulated time until it has stopped.
Duration Story::stop(Process& p, Duration within) {
  const Time begun = world_.scheduler.now();
  p.stop([] {});
  until(p.name() + " has stopped", [&p] { return !p.alive(); }, within);
  return world_.scheduler.now() - begun;
}

/// A power cut may keep or lose each unsynced sector. This function tries 64 seeds and keeps the
/// outcome that loses most, because a story needs the worst case.
std::size_t Story::power_cut(StorageProcess& n) {
  n.kill();
  simulator::SimulatedDisk worst = n.disk;
  std::size_t most = 0;
  for (std::uint64_t seed = 1; seed <= 64; ++seed) {
    simulator::SimulatedDisk disk = n.disk;
    Random random(seed);
    const std::size_t lost = disk.power_cut(random);
    if (seed == 1 || lost > most) worst = std::move(disk);
    most = std::max(most, lost);
  }
  n.disk = std::move(worst);
  return most;
}

/// Writes the flipped byte through the disk's own repair operation, so that the damage is durable
/// and the simulated disk does not report it.
void Story::rot(StorageProcess& n, const std::string& log, Offset at) {
  const LogId id = logs_.at(log);
  const auto& segments = n.disk.content().at(id).segments;
  const auto next = segments.upper_bound(at);
  REQUIRE(next != segments.begin());
  const Offset file = std::prev(next)->first;
  const std::uint64_t position = segment_header_size + (at - file);
  const auto there = n.disk.read(id, file, position, 1);
  REQUIRE((there && there->size() == 1));
  Bytes flipped = Bytes::copy_of(*there);
  flipped.mutable_data()[0] ^= std::byte{4};
  const storage::DiskRequest write{{}, storage::RepairSegment{id, file, position, flipped}};
  n.disk.begin(write.operation);
  n.disk.finish(write);
}

// ---- Observations

bool Story::committed(Entry e) const {
  return appends_[e].result && std::holds_alternative<client::Appended>(*appends_[e].result);
}

std::string Story::outcome(Entry e) const {
  if (pending(e)) return "pending";
  if (committed(e)) return "committed";
  const Errc why = std::get<client::Failure>(*appends_[e].result).error.code;
  return why == Errc::outcome_unknown ? "unknown" : std::string(name_of(why));
}

Offset Story::offset(Entry e) const {
  REQUIRE(committed(e));
  return std::get<client::Appended>(*appends_[e].result).offset;
}

Term Story::term_of(Entry e) const {
  REQUIRE(committed(e));
  return std::get<client::Appended>(*appends_[e].result).term;
}

LogInfo Story::log(const std::string& name) const {
  for (const auto& s : world_.sequencers)
    if (s->alive() && s->machine()->leading_term() != Term{})
      for (const LogInfo& l : s->machine()->metadata().logs)
        if (l.id == logs_.at(name)) return l;
  FAIL("no leader knows " << name);
  return {};
}

const storage::LogCore& Story::replica(StorageProcess& n, const std::string& log) {
  REQUIRE(n.alive());
  const storage::LogCore* l = n.machine()->log(logs_.at(log));
  REQUIRE(l != nullptr);
  return *l;
}

std::size_t Story::count(MessageType type, const std::string& from, const std::string& to) const {
  std::size_t n = 0;
  for (const auto& [key, times] : sent_) {
    const auto& [a, b, t] = key;
    if (t == type && a.starts_with(from) && b.starts_with(to)) n += times;
  }
  return n;
}

/// Counts each message by sender, receiver and type, and checks S1: after Sealed or StateIs for a
/// term, no Durable of a lower term may leave the node.
void Story::watch(const Process& from, const Process& to, const Message& m) {
  std::visit(
      [&]<class M>(const M& x) {
        if constexpr (!std::is_same_v<M, std::monostate>)
          ++sent_[{from.name(), to.name(), M::type}];
        if constexpr (std::is_same_v<M, Sealed> || std::is_same_v<M, StateIs>) {
          Term& t = answered_for_[{from.name(), x.log}];
          t = std::max(t, x.term);
        } else if constexpr (std::is_same_v<M, Durable>) {
          // A seal for all logs (log 0) binds every log of the node.
          if (x.term <
              std::max(answered_for_[{from.name(), LogId{}}], answered_for_[{from.name(), x.log}]))
            world_.stop_at_violation(
                fmt::format("S1: {} acknowledges term {} after it answered for a higher one",
                            from.name(), x.term.value));
        }
      },
      m);
}

// ---- Endings

void Story::expect_all_well() {
  REQUIRE_MESSAGE(!world_.violated(), world_.violation().value_or(""));
}

std::vector<client::Entry> Story::read_all(const std::string& name) {
  simulator::FullRead read(world_, *world_.clients.back(), name);
  read.start();
  until("a full read of " + name + " ends", [&] { return read.done(); });
  // FullRead has taken the client's callback; the story needs it back.
  world_.clients.back()->on_completed = [this](const client::Completed& done) { completed(done); };
  for (const client::Entry& e : read.entries()) checkers_.entry_read(read.log(), e);
  checkers_.of(read.log()).fully_read(read.entries(), read.first());
  expect_all_well();
  return read.entries();
}

std::vector<client::Entry> Story::expect_log(const std::string& name, const Words& payloads) {
  std::vector<client::Entry> entries = read_all(name);
  Words found;
  for (const client::Entry& e : entries) found.emplace_back(e.payload.text());
  CHECK(found == payloads);
  return entries;
}

void Story::expect_replicas_equal(const std::string& name) {
  const LogId id = logs_.at(name);
  std::vector<const storage::LogCore*> all;
  const auto settled = [&] {
    all.clear();
    for (const auto& n : world_.storage) {
      const storage::LogCore* l = n->alive() ? n->machine()->log(id) : nullptr;
      if (l == nullptr || l->dropped) continue;
      all.push_back(l);
      if (!l->is_matched() || l->suspect || l->durable.end != all.front()->durable.end ||
          l->committed != l->durable.end)
        return false;
    }
    return !all.empty();
  };
  until("the replicas of " + name + " end at one point", settled);
  // The replicas must stay equal: a repair that is still under way would change them.
  let_pass(500ms);
  REQUIRE(settled());
  CHECK(all.size() == log(name).members.size());
  for (const storage::LogCore* l : all) CHECK(l->durable.chain == all.front()->durable.chain);
  checkers_.compare_replicas(id, all.front()->first(), all.front()->committed);
  expect_all_well();
}

}  // namespace loglog::scenarios
