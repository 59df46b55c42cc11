#include "tests/simulator/replacement.h"

#include <algorithm>

namespace loglog::simulator {
namespace {

constexpr Duration patience = 2s;
constexpr Duration pause = 500ms;

const ClusterMetadata* newest_metadata(const World& world) {
  const ClusterMetadata* newest = nullptr;
  for (const auto& s : world.sequencers)
    if (s->alive() && (newest == nullptr || s->machine()->metadata().version > newest->version)) newest = &s->machine()->metadata();
  return newest;
}

Member member_of(const StorageProcess& p) { return {p.id(), p.hello().disk}; }

bool is_taken(const World& world, const StorageProcess& p) {
  const ClusterMetadata* m = newest_metadata(world);
  return m != nullptr && p.alive() &&
         std::ranges::any_of(m->storage, [&](const StorageInfo& s) { return Member{s.id, s.disk} == member_of(p); });
}

}  // namespace

bool is_taken_in_whole(const World& world, const StorageProcess& p) {
  if (!is_taken(world, p)) return false;
  return std::ranges::all_of(newest_metadata(world)->logs, [&](const LogInfo& l) {
    const auto m = std::ranges::find(l.members, p.id(), &Member::node);
    if (m == l.members.end() || l.state != LogState::open) return true;
    const storage::LogCore* core = const_cast<StorageProcess&>(p).machine()->log(l.id);
    return *m == member_of(p) && core != nullptr && core->is_matched() && !core->suspect;
  });
}

void Operator::replace(StorageProcess& p) {
  if (!client_) {
    client::Options o;
    for (const auto& s : world_.sequencers) o.addresses.push_back(s->address());
    client_ = std::make_unique<ClientProcess>(world_, o, "operator");
    client_->start();
  }
  ask(p);
}

void Operator::ask(StorageProcess& p) {
  if (is_taken_in_whole(world_, p)) return;
  const Time now = client_->now();
  // One that is taken may be another one a moment later: power went before its identity was durable.
  if (!is_taken(world_, p))
    client_->call([&](client::ClientMachine& m) { m.replace_disk(now, client::Token{++tokens_}, p.id(), false, now + patience); });
  world_.scheduler.after(pause, [this, &p] { ask(p); });
}

}  // namespace loglog::simulator
