#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "proto-spec/wire/codec.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

void SimulatedNetwork::deliver(const LinkPtr& link, int to, std::function<void()> what) {
  End& end = link->ends[to];
  const std::string& a = link->ends[1 - to].process->address();
  if (!end.waiting.empty() || blocked_.contains({a, end.process->address()})) {
    if (end.waiting.empty()) stalled_.emplace_back(link, to);
    end.waiting.push_back(std::move(what));
    return;
  }
  const Time when = std::max(end.last_delivery, world_.scheduler.now() + world_.network_delay());
  end.last_delivery = when;
  Process* process = end.process;
  const std::uint64_t life = end.life;
  world_.scheduler.at(when, [process, life, what = std::move(what)]() mutable { process->deliver(life, std::move(what)); });
}

void SimulatedNetwork::heal() {
  blocked_.clear();
  auto stalled = std::move(stalled_);
  stalled_.clear();
  for (auto& [link, to] : stalled) {
    auto waiting = std::move(link->ends[to].waiting);
    link->ends[to].waiting.clear();
    for (auto& what : waiting) deliver(link, to, std::move(what));
  }
}

SimulatedNetwork::LinkPtr SimulatedNetwork::find(const Process& p, ConnectionId id) {
  const auto l = links_.find({&p, id.value});
  return l == links_.end() ? nullptr : l->second;
}

void SimulatedNetwork::dial(Process& from, const std::string& address, ConnectionId id, std::uint64_t dial_key) {
  Process* to = world_.find(address);
  const std::uint64_t life = from.life();
  Process* source = &from;
  const bool refused =
      to == nullptr || !to->alive() || blocked_.contains({from.address(), address}) || blocked_.contains({address, from.address()});
  if (refused) {
    world_.scheduler.after(world_.network_delay() * 2, [source, life, id, dial_key] {
      source->deliver(life, [source, id, dial_key] { source->on_connect_failed(dial_key, id); });
    });
    return;
  }
  auto link = std::make_shared<Link>();
  link->dial_key = dial_key;
  link->ends[0] = End{source, life, id, {}, false, {}};
  link->ends[1] = End{to, to->life(), to->next_connection(), {}, false, {}};
  links_[{source, id.value}] = link;
  links_[{to, link->ends[1].id.value}] = link;
  // What each side says of itself is read when it is said: at the accepting side when the dialler's hello is there.
  deliver(link, 1, [this, link, dial_key, hello = from.hello()] {
    if (!link->open) return;
    Process* p = link->ends[1].process;
    deliver(link, 0, [link, dial_key, answer = p->hello()] {
      if (!link->open) return;
      link->ends[0].told = true;
      link->ends[0].process->on_connected(link->ends[0].id, answer, dial_key);
    });
    link->ends[1].told = true;
    p->on_connected(link->ends[1].id, hello, 0);
  });
}

void SimulatedNetwork::send(Process& from, ConnectionId id, RequestId request, const Message& m) {
  const LinkPtr link = find(from, id);
  if (!link || !link->open) return;
  const int to = link->ends[0].process == &from && link->ends[0].id == id ? 1 : 0;
  if (tap) tap(from, *link->ends[to].process, m);
  const Encoded e = encode(request, m);
  Bytes whole = Bytes::allocate(e.size());
  std::memcpy(whole.mutable_data(), e.head.data(), e.head.size());
  if (!e.tail.empty()) std::memcpy(whole.mutable_data() + e.head.size(), e.tail.data(), e.tail.size());
  ++messages_;
  bytes_ += whole.size();
  deliver(link, to, [this, link, to, whole, name = from.name()] {
    if (!link->open) return;
    auto r = decode(whole);
    check(r.has_value(), "a message sent by a core does not decode");
    End& end = link->ends[to];
    if (world_.options.trace) world_.trace(end.process->name(), "<- " + name + ": " + to_text(r->message));
    end.process->on_arrived(end.id, r->request, std::move(r->message));
  });
}

void SimulatedNetwork::shut(const LinkPtr& link, int except) {
  if (!link->open) return;
  link->open = false;
  for (int i = 0; i < 2; ++i) {
    End& end = link->ends[i];
    links_.erase({end.process, end.id.value});
    end.waiting.clear();
    if (i == except) continue;
    Process* p = end.process;
    const std::uint64_t life = end.life;
    const Time when = std::max(end.last_delivery, world_.scheduler.now() + world_.network_delay());
    world_.scheduler.at(when, [link, i, p, life] {
      p->deliver(life, [link, i, p] {
        End& e = link->ends[i];
        if (e.told) p->on_disconnected(e.id);
        else if (i == 0) p->on_connect_failed(link->dial_key, e.id);
      });
    });
  }
}

void SimulatedNetwork::close(Process& from, ConnectionId id) {
  const LinkPtr link = find(from, id);
  if (!link) return;
  shut(link, link->ends[0].process == &from && link->ends[0].id == id ? 0 : 1);
}

void SimulatedNetwork::process_died(Process& p) {
  std::vector<LinkPtr> mine;  // in the order of connection ids: one process's keys are adjacent and ascending
  for (auto l = links_.lower_bound({&p, 0}); l != links_.end() && l->first.first == &p; ++l) mine.push_back(l->second);
  for (auto& link : mine) shut(link, link->ends[0].process == &p ? 0 : 1);
}

bool SimulatedNetwork::break_one(Random& r) {
  if (links_.empty()) return false;
  // Keyed by addresses of processes for lookup only; choose by an order that the seed alone decides.
  std::vector<std::pair<std::string, LinkPtr>> order;
  for (auto& [key, link] : links_)
    if (link->ends[0].process == key.first)
      order.emplace_back(link->ends[0].process->name() + "/" + std::to_string(link->ends[0].id.value), link);
  if (order.empty()) return false;
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  shut(order[r.below(order.size())].second, -1);
  return true;
}

}  // namespace loglog::simulator
