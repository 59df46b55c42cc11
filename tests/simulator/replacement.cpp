// The operator acts only on the cluster's metadata and its own patience. It knows the newest
// metadata that any sequencer had: those that live may all lag, and still name a disk that was
// replaced.
#include "tests/simulator/replacement.h"

#include <algorithm>

#include "proto-spec/disk/segment.h"

namespace loglog::simulator {
namespace {

constexpr Duration operator_patience = 2s;
constexpr Duration pause = 500ms;
constexpr int tries_max = 8;  // after so many tries the node gets an empty disk instead

// nullptr before the first sequencer has any.
const ClusterMetadata* newest(const World& world) {
  return world.newest_metadata ? &*world.newest_metadata : nullptr;
}

Member member_of(const StorageProcess& p) { return {p.id(), p.hello().disk}; }

bool is_taken(const World& world, const StorageProcess& p) {
  const ClusterMetadata* m = newest(world);
  return m != nullptr && p.alive() && std::ranges::any_of(m->storage, [&](const StorageInfo& s) {
           return Member{s.id, s.disk} == member_of(p);
         });
}

}  // namespace

bool is_taken_in_whole(const World& world, const StorageProcess& p) {
  if (!is_taken(world, p)) return false;
  return std::ranges::all_of(newest(world)->logs, [&](const LogInfo& l) {
    const auto m = std::ranges::find(l.members, p.id(), &Member::node);
    if (m == l.members.end() || l.state != LogState::open) return true;
    const storage::LogCore* core = const_cast<StorageProcess&>(p).machine()->log(l.id);
    return *m == member_of(p) && core != nullptr && core->is_matched() && !core->suspect;
  });
}

bool is_marked_lost(const World& world, NodeId node) {
  const ClusterMetadata* m = newest(world);
  return m != nullptr && std::ranges::any_of(m->storage, [&](const StorageInfo& s) {
           return s.id == node && s.lost;
         });
}

bool was_replaced(const World& world, NodeId node, SimulatedDisk disk) {
  const ClusterMetadata* m = newest(world);
  disk.start_error_at = 0;
  const auto file = disk.file("identity");
  if (m == nullptr || !file || file->empty()) return false;
  const auto identity = decode_identity(*file);
  const auto known = std::ranges::find(m->storage, node, &StorageInfo::id);
  return identity && known != m->storage.end() && known->disk != identity->disk;
}

void Operator::replace(StorageProcess& p) {
  if (!client_) {
    client::Options o;
    for (const auto& s : world_.sequencers) o.addresses.push_back(s->address());
    client_ = std::make_unique<ClientProcess>(world_, o, "operator");
    client_->start();
  }
  ask(p, 1);
}

void Operator::lose_disk(StorageProcess& p, Random& random) {
  const SimulatedDisk gone = p.disk;
  const auto old = old_disks_.find(&p);
  if (old != old_disks_.end() && random.chance(1, 3)) p.disk = old->second;
  else p.disk.lose(Loss::everything);
  old_disks_.insert_or_assign(&p, gone);
}

// Asks again until the disk is whole. A disk that the cluster never accepts (it was replaced
// before, C1) is exchanged for an empty disk.
void Operator::ask(StorageProcess& p, int times) {
  if (is_taken_in_whole(world_, p)) return;
  if (times % tries_max == 0 && p.alive() && !is_taken(world_, p)) {
    p.kill();
    p.disk.lose(Loss::everything);
    p.start();
  }
  const Time now = client_->now();
  // A registered disk may be another disk a moment later, if power went before its identity was
  // durable. So the operator keeps looking.
  if (!is_taken(world_, p))
    client_->call([&](client::ClientMachine& m) {
      m.replace_disk(now, client::Token{++tokens_}, p.id(), false, now + operator_patience);
    });
  world_.scheduler.after(pause, [this, &p, times] { ask(p, times + 1); });
}

}  // namespace loglog::simulator
