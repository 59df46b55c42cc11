// Fuzzes the SDK's core (ClientMachine): a sequence of calls meets servers that send every message
// of a sequencer or a storage node, with absurd numbers and out of turn.
// Honest answers of a small simulated cluster come between. Three promises are checked: the core
// never crashes, each call ends exactly once, and the bytes in flight stay bounded.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "proto-spec/disk/frame.h"
#include "sdk/core/client_machine.h"
#include "tests/fuzz/sequence.h"

using namespace loglog;
using namespace loglog::client;

namespace {

constexpr std::size_t steps_max = 300;
constexpr std::size_t calls_max = 64;
constexpr std::uint64_t in_flight_max = 1u << 20;
constexpr LogId log_id{7};

/// The input decides each step. While `honest_` is set, every request also gets the answer of a
/// correct cluster, so that the core reaches states that random messages alone never reach.
class Story {
 public:
  explicit Story(fuzz::Input in) : in_(in) {
    honest_ = (in_.byte() & 1) != 0;
    client::Options o;
    o.addresses = {"seq:1"};
    o.bytes_in_flight_max = in_flight_max;
    o.observed_commit = in_.below(2) == 1;
    o.run_size_target = 4096;
    machine_.emplace(std::move(o), 7);
    begin_term();
  }

  /// Runs until the input or the step budget ends. Closing the client then must end every open
  /// call.
  void run() {
    machine_->list_logs(now_, call(), never);
    perform();
    for (std::size_t step = 0; step < steps_max && !in_.empty(); ++step) this->step();
    honest_ = false;
    machine_->close(now_);
    perform();
    fuzz::require(open_calls_.empty(), "a call has not ended after close()");
  }

 private:
  /// Makes the token of a new call. perform() requires that each token ends once.
  Token call() {
    const Token t{++tokens_};
    open_calls_.insert(t);
    return t;
  }
  Time deadline() {
    return in_.below(4) == 0 ? never
                             : now_ + Duration(1ms) * static_cast<std::int64_t>(in_.below(256));
  }

  void step() {
    switch (in_.below(10)) {
      case 0:
        return pass(Duration(1ms) * (1 + in_.byte()));
      case 1:
        return pass(3s);
      case 2:
        return disconnect();
      case 3:
        honest_ = !honest_;
        return;
      case 4:
      case 5:
        return begin_call();
      default:
        return say_something();
    }
  }
  /// Starts a random call of the public API, with numbers that the core has sent before or with
  /// absurd numbers.
  void begin_call() {
    if (open_calls_.size() >= calls_max) return;
    switch (in_.below(11)) {
      case 0:
      case 1: {
        const Bytes payload = Bytes::copy_of(std::string(in_.byte(), 'p'));
        AppendConditions c;
        if (in_.below(4) == 0) c.expected = Offset{heard_.pick_number<Offset>(in_)};
        if (in_.below(4) == 0) c.fence = FenceToken{heard_.pick_number<FenceToken>(in_)};
        machine_->append(now_, call(), log_id, payload, in_.below(4) == 0, deadline(), c);
        break;
      }
      case 2:
        machine_->read(now_, call(), log_id, Offset{heard_.pick_number<Offset>(in_)},
                       1u << in_.below(24), Duration(in_.byte()), deadline());
        break;
      case 3:
        follows_.push_back(call());
        machine_->follow(now_, follows_.back(), log_id, Offset{heard_.pick_number<Offset>(in_)});
        break;
      case 4:
        if (!follows_.empty()) machine_->stop(now_, follows_[in_.below(follows_.size())]);
        break;
      case 5:
        if (!follows_.empty())
          machine_->consumed(now_, follows_[in_.below(follows_.size())], in_.number(2));
        break;
      case 6:
        machine_->tail(now_, call(), log_id, deadline());
        break;
      case 7:
        machine_->offset_at(now_, call(), log_id, in_.number(8), deadline());
        break;
      case 8:
        machine_->open_log(now_, call(), "log", deadline());
        break;
      case 9:
        machine_->set_fence(now_, call(), log_id, FenceToken{in_.below(3)}, deadline());
        break;
      default:
        machine_->status(now_, call(), true, deadline());
        break;
    }
    perform();
  }
  /// Sends any message that the connected peer's role may send, as the answer to a request of the
  /// core or under an arbitrary request id.
  void say_something() {
    if (up_.empty()) return pass(100ms);
    auto c = up_.begin();
    std::advance(c, static_cast<std::ptrdiff_t>(in_.below(up_.size())));
    const Role role = c->second[0] == 'n' ? Role::storage : Role::sequencer;
    const RequestId request = in_.below(3) == 0 || asked_.empty()
                                  ? RequestId{static_cast<std::uint32_t>(in_.below(16))}
                                  : asked_[in_.below(asked_.size())];
    arrive(c->first, request, fuzz::any_message(in_, heard_, role, Role::client));
    perform();
  }
  void arrive(ConnectionId from, RequestId request, Message m) {
    if (up_.contains(from)) machine_->arrived(now_, {from, request, std::move(m)});
  }
  void disconnect() {
    if (up_.empty()) return;
    auto c = up_.begin();
    std::advance(c, static_cast<std::ptrdiff_t>(in_.below(up_.size())));
    const ConnectionId id = c->first;
    up_.erase(c);
    machine_->disconnected(
        now_, {id, {in_.below(4) == 0 ? Errc::wrong_identity : Errc::connection_lost, {}}});
    perform();
  }
  void pass(Duration d) {
    fuzz::pass_time(now_, d, [this] {
      machine_->tick(now_);
      perform();
      return true;
    });
  }

  // ---- the honest cluster

  /// Stamps uploaded frames for the end of the honest log, as a storage node does, so that pages
  /// verify (spec/06 "Checking").
  void append_to_log(const Bytes& frames) {
    std::vector<std::byte> all(bytes_.data(), bytes_.data() + bytes_.size());
    std::size_t at = all.size();
    all.insert(all.end(), frames.data(), frames.data() + frames.size());
    while (at < all.size()) {
      const auto n = read_prefix(all.data() + at)->frame_length();
      stamp_frame(all.data() + at, n, Term{1}, log_id, Offset{at}, Chain{});
      at += n;
    }
    bytes_ = Bytes::copy_of(std::span<const std::byte>(all));
  }
  void begin_term() {
    append_to_log(make_segment_start_image({}));
    term_at_ = Offset{bytes_.size()};
    append_to_log(make_term_start_image({}));
    term_end_ = Offset{bytes_.size()};
  }
  Metadata metadata() const {
    Metadata m;
    m.metadata.version = RaftIndex{1};
    m.metadata.sequencers = {{SequencerId{1}, "seq:1"}};
    LogInfo l{log_id, "log", LogState::open, {3, 2, 1 << 20, Durability::sync, {}}, {}, {}, {}, {}};
    for (std::uint32_t i = 1; i <= 3; ++i) {
      m.metadata.storage.push_back({NodeId{i}, DiskId{i}, "n" + std::to_string(i)});
      l.members.push_back({NodeId{i}, DiskId{i}});
    }
    m.metadata.logs = {l};
    m.leader = SequencerId{1};
    return m;
  }
  /// Answers a request as a correct cluster would. Returns nothing for messages that need no
  /// answer, and for a commit whose upload never came.
  std::optional<Message> answer(const Message& m) {
    if (std::holds_alternative<GetMetadata>(m)) return metadata();
    if (std::holds_alternative<OpenLog>(m)) return TermIs{log_id, Term{1}, term_at_, term_end_};
    if (const auto* u = std::get_if<Upload>(&m)) {
      staged_[{u->run.producer, u->run.first}] = u->frames;
      return Uploaded{log_id, u->run.producer, u->run.first, {}};
    }
    if (const auto* c = std::get_if<Commit>(&m)) {
      const auto s = staged_.find({c->run.producer, c->run.first});
      if (s == staged_.end() || bytes_.size() > in_flight_max) return {};
      const Offset at{bytes_.size()};
      append_to_log(s->second);
      return Committed{log_id, c->term, c->run.producer, c->run.first, at};
    }
    if (const auto* r = std::get_if<Read>(&m)) {
      const bool end = r->offset.value >= bytes_.size();
      return Page{log_id,
                  r->offset,
                  {},
                  Offset{bytes_.size()},
                  end ? Errc::past_end : Errc::ok,
                  end ? Bytes{}
                      : Bytes::copy_of(bytes_.slice(
                            r->offset.value,
                            std::min<std::size_t>(r->max_bytes, bytes_.size() - r->offset.value)))};
    }
    if (const auto* g = std::get_if<GetSegments>(&m); g != nullptr)
      return SegmentsAre{log_id, {}, Offset{bytes_.size()}, {Offset{}}, {term_at_}};
    if (std::holds_alternative<GetTail>(m))
      return TailIs{log_id, {}, Offset{bytes_.size()}, Term{1}};
    if (std::holds_alternative<GetStatus>(m)) return Status{};
    return {};
  }

  /// Takes outputs until the core asks for nothing more. The bound of 64 rounds ends a conversation
  /// in which the core and the honest cluster answer each other for ever.
  void perform() {
    for (int round = 0; round < 64; ++round) {
      client::Output o = machine_->output();
      machine_->output().clear();
      for (const Completed& c : o.completed) {
        fuzz::require(open_calls_.contains(c.token), "a call ended twice, or was never made");
        if (c.last) open_calls_.erase(c.token);
      }
      fuzz::hear_step(heard_, o.sends);
      fuzz::require(machine_->bytes_in_flight() <= in_flight_max + entry_size_max,
                    "appends in flight have no bound");
      if (o.connects.empty() && o.sends.empty() && o.closes.empty()) return;
      for (const Connect& c : o.connects) connect(c);
      for (const Send& s : o.sends) {
        if (s.request != RequestId{}) asked_.push_back(s.request);
        if (asked_.size() > 32) asked_.erase(asked_.begin());
        if (honest_)
          if (auto a = answer(s.message)) arrive(s.to, s.request, std::move(*a));
      }
      for (const CloseConnection& c : o.closes) up_.erase(c.connection);
    }
  }
  void connect(const Connect& c) {
    if (c.address.empty() || (c.address[0] != 's' && c.address[0] != 'n') ||
        (!honest_ && in_.below(4) == 0))
      return machine_->disconnected(now_, {c.connection, {Errc::connection_lost, {}}});
    up_[c.connection] = c.address;
    Hello h;
    h.role = c.address[0] == 'n' ? Role::storage : Role::sequencer;
    h.id = static_cast<std::uint32_t>(c.address.back() - '0');
    if (h.role == Role::storage) h.disk = DiskId{h.id};
    machine_->connected(now_, {c.connection, h});
  }

  fuzz::Input in_;
  fuzz::Heard heard_;
  std::optional<ClientMachine> machine_;
  Time now_{1s};
  bool honest_ = true;
  std::map<ConnectionId, std::string> up_;
  std::vector<RequestId> asked_;
  std::set<Token> open_calls_;
  std::vector<Token> follows_;
  std::uint64_t tokens_ = 0;
  Bytes bytes_;  // the honest cluster's only log, as stamped frames
  Offset term_at_{}, term_end_{};
  std::map<std::pair<ProducerId, Sequence>, Bytes> staged_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Story(fuzz::Input(data, size)).run();
  return 0;
}
