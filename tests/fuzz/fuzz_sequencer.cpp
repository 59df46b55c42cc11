// Fuzzes a whole sequencer (SequencerMachine): a client, storage nodes and other sequencers send
// valid messages with absurd numbers.
// Honest answers come between and bring the sequencer far enough to have a leader and an open log.
// Three promises are checked: the sequencer never crashes, its metadata never go back, and no step
// asks for unbounded work.
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "sequencer/core/sequencer_machine.h"
#include "tests/fuzz/sequence.h"

using namespace loglog;
using namespace loglog::sequencer;

namespace {

constexpr std::size_t steps_max = 400;
/// Bound on honest answers within a step: a conversation that never ends is a fault too.
constexpr std::size_t answers_max = 2'000;

/// A storage node that obeys every command. It keeps the length and the terms of each log, and no
/// bytes.
struct HonestNode {
  struct Log {
    Offset tail;
    Term last_term, matched;
    std::vector<TermStart> terms;
  };
  DiskId disk;
  std::map<LogId, Log> logs;

  /// A stand-in for the chain: equal tails have equal chains, and different tails different chains.
  static Chain chain(Offset tail) {
    return Chain{tail.value == 0 ? 0 : tail.value * 0x9E3779B97F4A7C15ULL + 1};
  }
  std::optional<Message> answer(const Message& m) {
    if (const auto* s = std::get_if<Seal>(&m)) return Sealed{s->log, s->term, 0, 0, 0};
    if (const auto* j = std::get_if<Join>(&m)) {
      logs[j->info.id];
      return Joined{j->info.id};
    }
    if (const auto* d = std::get_if<Drop>(&m)) {
      logs.erase(d->log);
      return Dropped{d->log};
    }
    if (const auto* g = std::get_if<GetState>(&m)) {
      const auto l = logs.find(g->log);
      if (l == logs.end()) return NotMember{g->log};
      const Log& x = l->second;
      return StateIs{g->log,  g->term, x.last_term, x.tail, chain(x.tail),
                     {},      {},      disk,        false,  x.matched == g->term,
                     x.terms, {}};
    }
    if (const auto* r = std::get_if<Reconcile>(&m)) {
      Log& l = logs[r->log];
      l.tail = r->target;
      l.matched = r->term;
      std::erase_if(l.terms, [&](const TermStart& t) { return t.offset >= l.tail; });
      l.last_term = l.terms.empty() ? Term{} : l.terms.back().term;
      return Reconciled{r->log, r->term, Errc::ok, l.tail, r->target_chain};
    }
    if (const auto* o = std::get_if<Order>(&m)) {
      Log& l = logs[o->log];
      for (const OrderItem& i : o->items) {
        if (l.terms.empty() || l.terms.back().term != o->term) l.terms.push_back({o->term, l.tail});
        l.tail += i.frame.empty() ? i.run.length : static_cast<std::uint32_t>(i.frame.size());
      }
      if (!o->items.empty()) l.last_term = o->term;
      return Durable{o->log, o->term, l.tail, chain(l.tail), {}, {}};
    }
    if (const auto* c = std::get_if<ConfirmTerm>(&m))
      return TermConfirmed{c->log, c->term, logs[c->log].tail};
    return {};
  }
};

/// Answers as a sequencer that grants every vote and takes every entry.
std::optional<Message> honest_sequencer(const Message& m) {
  if (const auto* v = std::get_if<RequestVote>(&m)) return Vote{v->term, v->pre_vote, true};
  if (const auto* a = std::get_if<AppendEntries>(&m))
    return Appended{a->term, true, a->entries.empty() ? a->previous_index : a->entries.back().index,
                    a->round};
  if (const auto* s = std::get_if<InstallSnapshot>(&m))
    return Appended{s->term, true, s->last_index, s->round};
  if (const auto* q = std::get_if<AskVoteRight>(&m))
    return VoteRightIs{q->round, RaftTerm{}, false};
  return {};
}

class Story {
 public:
  explicit Story(fuzz::Input in) : in_(in) {
    const std::uint8_t kind = in_.byte();
    honest_ = (kind & 1) != 0;
    options_.id = SequencerId{(kind & 2) != 0 ? 1u : 2u};
    options_.cluster_name = "test";
    options_.snapshot_every = (kind & 4) != 0 ? 8 : 1024;
    options_.trust_empty = (kind & 8) != 0;
    options_.rest_idle_logs = (kind & 16) != 0;
    options_.sequencers = {{options_.id, "s:1"}};
    if ((kind & 32) != 0)
      options_.sequencers = {
          {SequencerId{1}, "s1:1"}, {SequencerId{2}, "s2:1"}, {SequencerId{3}, "s3:1"}};
    for (std::uint32_t n = 1; n <= 3; ++n) {
      options_.storage.push_back({NodeId{n}, {}, "n:1"});
      nodes_[n].disk = DiskId{100 + n};
    }
  }

  /// Starts the sequencer, connects all peers, and then lets the input decide each step.
  void run() {
    machine_ = std::make_unique<SequencerMachine>(options_, RaftDisk{}, 7);
    machine_->start(now_, wall_ms());
    perform();
    pass(3s);
    connect_all();
    if (honest_) create();
    for (std::size_t step = 0; step < steps_max && !in_.empty() && !ended_; ++step) this->step();
    if (!ended_) pass(1s);
  }

 private:
  std::uint64_t wall_ms() const {
    return 1'700'000'000'000ull + static_cast<std::uint64_t>(now_.time_since_epoch() / 1ms);
  }

  void connect(Role role, std::uint32_t id) {
    auto [c, h] = peers_.connect(role, id);
    h.boot = BootId{in_.below(4) + 1};
    if (role == Role::storage)
      h.disk = in_.below(8) == 7 ? DiskId{in_.number(1)} : DiskId{100 + id};
    machine_->connected(now_, {c, h});
    perform();
  }
  void connect_all() {
    for (const SequencerInfo& s : options_.sequencers)
      if (s.id != options_.id) connect(Role::sequencer, s.id.value);
    pass(5s);
    for (std::uint32_t n = 1; n <= 3 && !ended_; ++n) connect(Role::storage, n);
    connect(Role::client, 0);
    pass(100ms);
  }
  /// Creates a log and waits until it is open, so that the random messages can refer to it.
  void create() {
    const auto client = peers_.first(Role::client);
    if (ended_ || !client) return;
    say(*client, CreateLog{"a", {}});
    pass(100ms);
  }

  void step() {
    switch (in_.below(12)) {
      case 0:
        return pass(Duration(1ms) * (1 + in_.byte()));
      case 1:
        return pass(3s);
      case 2:
        return save_one();
      case 3:
        return connect(static_cast<Role>(1 + in_.below(3)),
                       static_cast<std::uint32_t>(in_.below(5)));
      case 4:
        return disconnect();
      case 5:
        honest_ = !honest_;
        return;
      default:
        return say_something();
    }
  }
  /// Sends any message that the connected peer's role may send to a sequencer.
  void say_something() {
    const auto c = peers_.pick(in_);
    if (!c) return connect(Role::client, 0);
    say(*c, fuzz::any_message(in_, heard_, peers_.find(*c)->role, Role::sequencer));
  }
  void say(ConnectionId from, Message m) {
    machine_->arrived(now_,
                      {from, RequestId{static_cast<std::uint32_t>(in_.below(16))}, std::move(m)});
    perform();
  }
  void disconnect() {
    const auto c = peers_.pick(in_);
    if (!c) return;
    peers_.erase(*c);
    machine_->disconnected(now_, {*c});
    perform();
  }
  void pass(Duration d) {
    if (ended_) return;
    fuzz::pass_time(now_, d, [this] {
      machine_->tick(now_, wall_ms());
      perform();
      return !ended_;
    });
  }
  /// Ends the oldest save of Raft state; while the honest mode is off, the input decides when saves
  /// end.
  void save_one() {
    if (saves_.empty()) return;
    const std::uint64_t ticket = saves_.front();
    saves_.pop_front();
    machine_->save_done(now_, {ticket});
    perform();
  }

  /// Takes the sequencer's output. In honest mode every save ends and every peer answers until
  /// nothing is left to answer.
  void perform() {
    std::size_t answers = 0;
    do {
      take_output();
      if (honest_ && !ended_) {
        while (!saves_.empty() && !ended_) {
          machine_->save_done(now_, {saves_.front()});
          saves_.pop_front();
        }
        for (auto& a : std::exchange(answers_, {})) {
          if (++answers > answers_max) break;  // the rest is lost, as on a slow connection
          machine_->arrived(now_, std::move(a));
        }
      }
      answers_.clear();
      judge();
    } while (honest_ && !ended_ && answers <= answers_max && has_output());
  }
  bool has_output() {
    const Output& o = machine_->output();
    return !o.sends.empty() || !o.saves.empty() || !o.closes.empty();
  }
  void take_output() {
    Output& o = machine_->output();
    if (o.fatal) {
      ended_ = true;
      return;
    }
    fuzz::hear_step(heard_, o.sends);
    for (const SaveRaft& s : o.saves) saves_.push_back(s.ticket);
    for (const Send& s : o.sends) {
      const fuzz::Peers::Peer* p = peers_.find(s.to);
      if (p == nullptr) continue;
      std::optional<Message> answer;
      if (p->role == Role::sequencer) answer = honest_sequencer(s.message);
      else if (p->role == Role::storage) answer = nodes_[p->id].answer(s.message);
      const bool unasked = answer && std::holds_alternative<Durable>(*answer);
      if (answer) answers_.push_back({s.to, unasked ? RequestId{} : s.request, std::move(*answer)});
    }
    for (const CloseConnection& c : o.closes) peers_.erase(c.connection);
    o.clear();
  }
  /// Checks after each step that the metadata's version and the last term never decrease, and
  /// builds the status answers, which must not crash.
  void judge() {
    if (ended_) return;
    fuzz::require(machine_->metadata().version >= version_, "the metadata went back");
    fuzz::require(machine_->metadata().last_term >= term_, "the last term went back");
    version_ = machine_->metadata().version;
    term_ = machine_->metadata().last_term;
    (void)machine_->report(now_);
    (void)machine_->overview(16);
  }

  fuzz::Input in_;
  fuzz::Heard heard_;
  Options options_;
  std::unique_ptr<SequencerMachine> machine_;
  Time now_{};
  bool honest_ = true;
  /// True once the machine reports a fatal error: a sequencer has claimed that an invalid entry or
  /// snapshot is committed.
  bool ended_ = false;
  fuzz::Peers peers_;
  std::map<std::uint32_t, HonestNode> nodes_;
  std::deque<std::uint64_t> saves_;
  std::vector<Arrived> answers_;
  RaftIndex version_{};
  Term term_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Story(fuzz::Input(data, size)).run();
  return 0;
}
