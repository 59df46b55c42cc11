// A link has two ends with a queue of their own. A message is encoded at the sender, delayed, and
// decoded at the receiver, so both codecs are tested. Partitions and traps only ever delay or end a
// link; a byte is lost only with its connection.
#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "proto-spec/session/session.h"
#include "proto-spec/vocabulary/check.h"
#include "proto-spec/wire/codec.h"
#include "proto-spec/wire/field_codec.h"
#include "proto-spec/wire/may_send.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {
namespace {

constexpr std::size_t checksum_at = 12;  // proto-spec/spec/01-wire.md

// Flips a random bit. With `unchecked` the bit lies in the fields, and the checksum is made to fit.
void damage(Bytes& whole, std::size_t head, bool unchecked, Random& random) {
  const bool in_fields = unchecked && head > message_header_size;
  const std::size_t at = in_fields ? message_header_size + random.below(head - message_header_size)
                                   : random.below(whole.size());
  whole.mutable_data()[at] ^= std::byte(1u << random.below(8));
  if (!in_fields) return;
  store_le(whole.mutable_data() + checksum_at, std::uint32_t{0});
  store_le(whole.mutable_data() + checksum_at,
           static_cast<std::uint32_t>(XXH3_64bits(whole.data(), head)));
}

}  // namespace

/// A waiting callback holds its link, and the link holds the callback: the cycle must be broken.
SimulatedNetwork::~SimulatedNetwork() {
  for (const auto& [link, to] : stalled_)
    for (End& end : link->ends) end.waiting.clear();
  for (const auto& [key, link] : links_)
    for (End& end : link->ends) end.waiting.clear();
}

// Keeps the order of a connection: a message never overtakes an earlier message, nor a waiting
// queue.
void SimulatedNetwork::deliver(const LinkPtr& link, int to, std::function<void()> what) {
  End& end = link->ends[to];
  const std::string& a = link->ends[1 - to].process->address();
  if (end.held || !end.waiting.empty() || is_blocked(a, end.process->address())) {
    if (end.waiting.empty()) stalled_.emplace_back(link, to);
    end.waiting.push_back(std::move(what));
    return;
  }
  const Time when = std::max(end.last_delivery, world_.scheduler.now() + world_.network_delay());
  end.last_delivery = when;
  world_.scheduler.at(when, [link, to, when, what = std::move(what)]() mutable {
    End& e = link->ends[to];
    if (when < e.deaf_from) e.process->deliver(e.life, std::move(what));
  });
}

/// The time at which the last of so many bytes has crossed, by the links' rates alone. Messages
/// that waited at a blocked link cross at once.
Time SimulatedNetwork::carried(const LinkPtr& link, int to, std::uint64_t bytes) {
  const Time now = world_.scheduler.now();
  const auto peer = [](const Process* p) {
    return dynamic_cast<const StorageProcess*>(p) != nullptr;
  };
  const Process* from = link->ends[1 - to].process;
  if (world_.options.peer_bytes_per_second == 0 || !peer(from) || !peer(link->ends[to].process))
    return now;
  const Duration takes(
      static_cast<std::int64_t>(bytes * 1'000'000 / world_.options.peer_bytes_per_second));
  Time& out = out_free_[from->address()];
  Time& in = in_free_[link->ends[to].process->address()];
  out = std::max(out, now) + takes;
  in = std::max(in + takes, out);
  return in;
}

// Waiting messages get fresh delays but keep their order.
void SimulatedNetwork::release(const LinkPtr& link, int to) {
  auto waiting = std::move(link->ends[to].waiting);
  link->ends[to].waiting.clear();
  for (auto& what : waiting) deliver(link, to, std::move(what));
}

void SimulatedNetwork::part(const Process& a, const Process& b) {
  parted_.insert({a.address(), b.address()});
  parted_.insert({b.address(), a.address()});
  break_between(a, b);
}

void SimulatedNetwork::heal() {
  blocked_.clear();
  release_all();
}

void SimulatedNetwork::unblock(const Process& a, const Process& b) {
  blocked_.erase({a.address(), b.address()});
  blocked_.erase({b.address(), a.address()});
  release_all();
}

/// Ends that are still held or blocked wait again.
void SimulatedNetwork::release_all() {
  auto stalled = std::move(stalled_);
  stalled_.clear();
  for (auto& [link, to] : stalled) {
    if (link->ends[to].held) stalled_.emplace_back(link, to);
    else release(link, to);
  }
}

SimulatedNetwork::LinkPtr SimulatedNetwork::find(const Process& p, ConnectionId id) {
  const auto l = links_.find({&p, id.value});
  return l == links_.end() ? nullptr : l->second;
}

// A dial crosses the network like a message: each side's hello is judged on arrival.
void SimulatedNetwork::dial(Process& from, const std::string& address, ConnectionId id,
                            std::uint64_t dial_key) {
  Process* to = world_.find(address);
  const std::uint64_t life = from.life();
  Process* source = &from;
  const bool refused = to == nullptr || !to->alive() || is_blocked(from.address(), address) ||
                       is_blocked(address, from.address());
  if (refused) {
    world_.scheduler.after(world_.network_delay() * 2, [source, life, id, dial_key] {
      source->deliver(life, [source, id, dial_key] { source->on_connect_failed(dial_key, id); });
    });
    return;
  }
  auto link = std::make_shared<Link>();
  link->dial_key = dial_key;
  link->ends[0] = End(source, life, id);
  link->ends[1] = End(to, to->life(), to->next_connection());
  for (End& end : link->ends) end.role = end.process->hello().role;
  links_[{source, id.value}] = link;
  links_[{to, link->ends[1].id.value}] = link;
  // Each side judges the other's hello as the session layer does.
  const auto acceptable = [this](const Hello& own, const Hello& theirs) {
    if (world_.has(Bug::demands_one_version) && own.highest_version != theirs.highest_version)
      return false;
    return Session(own, {}).accept(theirs).has_value();
  };
  // A hello is read when it is said: the accepting side's hello when the dialler's hello arrives.
  deliver(link, 1, [this, link, dial_key, acceptable, hello = from.hello()] {
    if (!link->open) return;
    Process* p = link->ends[1].process;
    if (!acceptable(p->hello(), hello)) return shut(link, 1);
    link->version = std::min(p->hello().highest_version, hello.highest_version);
    deliver(link, 0, [this, link, dial_key, acceptable, answer = p->hello()] {
      if (!link->open) return;
      Process* dialler = link->ends[0].process;
      if (!acceptable(dialler->hello(), answer)) return shut(link, -1);
      link->ends[0].told = true;
      dialler->on_connected(link->ends[0].id, answer, dial_key);
    });
    link->ends[1].told = true;
    p->on_connected(link->ends[1].id, hello, 0);
  });
}

// The tap and the traps see the message before it is encoded; a trap may end the connection.
void SimulatedNetwork::send(Process& from, ConnectionId id, RequestId request, const Message& m) {
  const LinkPtr link = find(from, id);
  if (!link || !link->open) return;
  const int to = link->ends[0].process == &from && link->ends[0].id == id ? 1 : 0;
  if (tap) tap(from, *link->ends[to].process, m);
  if (!traps_.empty()) spring(link, to, m);
  if (!link->open) return;
  const Encoded e = encode(request, m, link->version);
  Bytes whole = Bytes::allocate(e.size());
  std::memcpy(whole.mutable_data(), e.head.data(), e.head.size());
  if (!e.tail.empty())
    std::memcpy(whole.mutable_data() + e.head.size(), e.tail.data(), e.tail.size());
  ++messages_;
  bytes_ += whole.size();
  fingerprint_ = XXH3_64bits_withSeed(
      whole.data(), whole.size(),
      fingerprint_ + static_cast<std::uint64_t>(world_.scheduler.now().time_since_epoch().count()));
  const bool damaged = to_corrupt_ > 0;
  if (damaged) {
    --to_corrupt_;
    world_.trace("WEATHER", "damages a message on its way from " + from.name() + " to " +
                                link->ends[to].process->name());
    damage(whole, e.head.size(), world_.has(Bug::accepts_any_checksum), world_.random);
  }
  const Time there = carried(link, to, whole.size());
  if (there > world_.scheduler.now()) {
    link->ends[to].last_delivery = std::max(link->ends[to].last_delivery, there);
    link->ends[to].queued += whole.size();
    peer_queue_most_ = std::max(peer_queue_most_, link->ends[to].queued);
    world_.scheduler.at(there, [link, to, size = whole.size()] { link->ends[to].queued -= size; });
  }
  deliver(link, to, [this, link, to, whole, damaged, name = from.name()] {
    arrive(link, to, name, whole, damaged);
  });
}

// A damaged message must be refused by the codec, unless its checksum was made to fit; then the
// payload's checksum must find it.
void SimulatedNetwork::arrive(const LinkPtr& link, int to, const std::string& from,
                              const Bytes& whole, bool damaged) {
  End& end = link->ends[to];
  if (!end.told) return;  // the hello before this message was lost
  auto r = decode(whole);
  check(damaged || !r || may_send(link->ends[1 - to].role, end.role, type_of(r->message)),
        "a message goes in its direction");
  check(damaged || !r || load_le<std::uint8_t>(whole.data()) == link->version,
        "a message has the version that was agreed on");
  if (!r) {
    check(damaged, "a message sent by a core does not decode");
    world_.faults.count("damaged message refused");
    world_.trace(end.process->name(), "refuses a message of " + from + ": " + r.error().message());
    return shut(link, -1);
  }
  if (damaged) world_.faults.count("damaged payload delivered");
  if (world_.options.trace)
    world_.trace(end.process->name(), "<- " + from + ": " + to_text(r->message));
  end.process->on_arrived(end.id, r->request, std::move(r->message));
}

// This end hears nothing on the connection from `when` on. Its process is told then, if `tell` says
// so.
void SimulatedNetwork::end_one(const LinkPtr& link, int i, Time when, bool tell) {
  End& end = link->ends[i];
  links_.erase({end.process, end.id.value});
  end.waiting.clear();
  end.held = false;
  end.deaf_from = std::min(end.deaf_from, when);
  if (!tell || world_.has(Bug::silent_break)) return;
  Process* p = end.process;
  const std::uint64_t life = end.life;
  world_.scheduler.at(when, [link, i, p, life] {
    p->deliver(life, [link, i, p] {
      End& e = link->ends[i];
      if (e.told) p->on_disconnected(e.id);
      else if (i == 0) p->on_connect_failed(link->dial_key, e.id);
    });
  });
}

// Both ends lose the connection. A prefix of the bytes under way still reaches each end, except the
// end that closed it.
void SimulatedNetwork::shut(const LinkPtr& link, int except) {
  if (!link->open) return;
  link->open = false;
  const Time now = world_.scheduler.now();
  for (int i = 0; i < 2; ++i) {
    End& end = link->ends[i];
    if (end.deaf_from != never) continue;  // this end was ended before the other
    Time when = now;
    if (i == except) end.told = false;  // the closing end's driver delivers nothing more
    if (i != except) {
      const auto under_way = end.last_delivery > now
                                 ? static_cast<std::uint64_t>((end.last_delivery - now).count())
                                 : 0;
      when = std::max(now + Duration(static_cast<std::int64_t>(world_.random.below(under_way + 2))),
                      now + world_.network_delay());
    }
    end_one(link, i, when, i != except);
  }
}

void SimulatedNetwork::close(Process& from, ConnectionId id) {
  const LinkPtr link = find(from, id);
  if (!link) return;
  shut(link, link->ends[0].process == &from && link->ends[0].id == id ? 0 : 1);
}

bool SimulatedNetwork::ends_at_a_stalled_one(const Process& from, ConnectionId id) {
  const LinkPtr link = find(from, id);
  if (!link) return false;
  const Process* there = link->ends[0].process == &from && link->ends[0].id == id
                             ? link->ends[1].process
                             : link->ends[0].process;
  return there->takes_nothing;
}

void SimulatedNetwork::process_died(Process& p) {
  // In the order of connection ids: the keys of a process are adjacent and ascending.
  std::vector<LinkPtr> mine;
  for (auto l = links_.lower_bound({&p, 0}); l != links_.end() && l->first.first == &p; ++l)
    mine.push_back(l->second);
  for (auto& link : mine) shut(link, link->ends[0].process == &p ? 0 : 1);
}

SimulatedNetwork::LinkPtr SimulatedNetwork::any(Random& r) {
  // The map's keys are pointers, whose order differs between runs. The choice uses names, so that
  // the seed alone decides.
  std::vector<std::pair<std::string, LinkPtr>> order;
  for (auto& [key, link] : links_)
    if (link->open && link->ends[0].process == key.first && link->ends[0].id.value == key.second)
      order.emplace_back(
          link->ends[0].process->name() + "/" + std::to_string(link->ends[0].id.value), link);
  if (order.empty()) return nullptr;
  std::sort(order.begin(), order.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return order[r.below(order.size())].second;
}

bool SimulatedNetwork::break_one(Random& r) {
  const LinkPtr link = any(r);
  if (link) shut(link, -1);
  return link != nullptr;
}

// The receiver's end is held, so that its messages arrive after the other end has dialled anew
// (D2).
bool SimulatedNetwork::break_late(Random& r, Duration late) {
  const LinkPtr link = any(r);
  if (!link || !link->ends[0].told || !link->ends[1].told) return false;
  const int receiver = static_cast<int>(r.below(2));
  link->ends[receiver].held = true;
  const auto some = [&] {
    return Duration(
        static_cast<std::int64_t>(r.below(static_cast<std::uint64_t>(late.count()) + 1)));
  };
  const Duration first = some() / 2;
  world_.scheduler.after(first, [this, link, receiver] {
    if (link->open) end_one(link, 1 - receiver, world_.scheduler.now(), true);
  });
  world_.scheduler.after(first + some() / 2,
                         [this, link, receiver] { hear_at_last(link, receiver); });
  return true;
}

void SimulatedNetwork::calm_down() {
  calm_ = true;
  traps_.clear();
  heal();
  for (const auto& [link, receiver] : std::exchange(held_, {})) hear_at_last(link, receiver);
}

// Held messages arrive now, and then the news that the other end is long gone.
void SimulatedNetwork::hear_at_last(const LinkPtr& link, int receiver) {
  End& end = link->ends[receiver];
  if (!link->open) return;
  if (!end.waiting.empty()) world_.faults.count("message of an old connection", end.waiting.size());
  end.held = false;
  const auto& a = link->ends[1 - receiver].process->address();
  if (!is_blocked(a, end.process->address())) release(link, receiver);
  link->open = false;
  end_one(link, receiver, std::max(end.last_delivery, world_.scheduler.now()) + 1us, true);
}

// A trap may lay another trap, so only traps that already lie there see this message.
void SimulatedNetwork::spring(const LinkPtr& link, int to, const Message& m) {
  Caught caught{*link->ends[1 - to].process, *link->ends[to].process, m,
                [this, link] { shut(link, -1); },
                [this, link, to]() -> std::function<void()> {
                  link->ends[to].held = true;
                  held_.emplace_back(link, to);
                  end_one(link, 1 - to, world_.scheduler.now(), true);
                  return [this, link, to] { hear_at_last(link, to); };
                }};
  std::list<Trap> there;
  there.swap(traps_);
  for (auto t = there.begin(); t != there.end();) t = (*t)(caught) ? there.erase(t) : std::next(t);
  traps_.splice(traps_.begin(), there);
}

void SimulatedNetwork::break_between(const Process& a, const Process& b) {
  std::vector<LinkPtr> links;
  for (auto l = links_.lower_bound({&a, 0}); l != links_.end() && l->first.first == &a; ++l)
    if (l->second->ends[0].process == &b || l->second->ends[1].process == &b)
      links.push_back(l->second);
  for (auto& link : links) shut(link, -1);
}

}  // namespace loglog::simulator
