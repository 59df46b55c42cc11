// The faults of the recovery model: lost power, killed processes, failed syncs, bad bytes, lost
// disks, nodes that go down. Every step is `Kind::chance` and is bounded by a count in `Bounds`.
// Without a K or T rule the replica draws the wrong conclusion from the fault.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "proto-spec/model/recovery_model.h"

namespace loglog::model::recovery {

// Any prefix between the medium's end and the written end may survive. Without K3 the replica cuts
// its log at the first bad frame; without K4.skip it closes the hole by moving later frames up.
void Model::lose_power(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.power_losses >= bounds_.power_losses || replica.is_down != 0) return;
  for (int length = replica.medium; length <= replica.written; ++length) {
    State next = state;
    Replica& back = next.replicas[n];
    next.power_losses++;
    come_back(back, length);
    if (!on(Part::t3_durable)) back.promise = back.instance = 0;
    if (!on(Part::k3)) {
      come_back(back, whole_length(back, length));
    } else if (!on(Part::k4_skip) && back.holes != 0) {
      const int hole = std::countr_zero(static_cast<unsigned>(back.holes));
      std::copy(back.frames + hole + 1, back.frames + length, back.frames + hole);
      back.holes = 0;
      come_back(back, length - 1);
    }
    steps.add(next, Kind::chance, [&] {
      return fmt::format("{} loses power and comes back with {}{}", name(replica),
                         log_text(back.frames, back.written, back.holes),
                         back.promise == 0 ? ", its promise forgotten" : "");
    });
  }
}

// K1: a killed process loses nothing that it wrote, and must make it durable before it reports it.
void Model::restart_process(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.restarts >= bounds_.restarts || replica.is_down != 0) return;
  State next = state;
  next.restarts++;
  come_back(next.replicas[n], replica.written);
  if (!on(Part::k1))
    // Without K1 it reports bytes that only the page cache holds.
    next.replicas[n].medium = replica.medium;
  steps.add(next, Kind::chance, [&] {
    return fmt::format("{} is killed and starts again with {}{}", name(replica),
                       log_text(replica.frames, replica.written),
                       on(Part::k1) ? "" : ", as the page cache shows it");
  });
}

// K2: after a failed fdatasync the kernel drops the dirty pages, so a second fdatasync would
// succeed falsely.
void Model::fail_sync(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.failed_syncs >= bounds_.failed_syncs || replica.durable == replica.written) return;
  State next = state;
  next.failed_syncs++;
  if (on(Part::k2)) {
    // The process ends and reads the medium's tail at its start.
    come_back(next.replicas[n], replica.medium);
  } else {
    next.replicas[n].durable = replica.written;
  }
  steps.add(next, Kind::chance, [&] {
    return fmt::format("an fdatasync of {} fails and the pages are lost{}", name(replica),
                       on(Part::k2) ? "; it ends and starts again"
                                    : "; the next one succeeds, and it believes itself durable");
  });
}

// Any durable frame may rot. `late_damage` records that the frame had been acknowledged or
// committed, because the copy count must not blame the protocol for that (C2).
void Model::rot(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.bit_rots >= bounds_.bit_rots || replica.is_down != 0) return;
  for (int place = 0; place < replica.medium; ++place) {
    if (has(replica.holes, place)) continue;
    State next = state;
    next.bit_rots++;
    next.replicas[n].holes |= bit(place);
    for (int l = 0; l < state.begun; ++l)
      if (std::max(replica.acknowledged[l], state.leaders[l].committed) > place)
        next.late_damage = 1;
    steps.add(next, Kind::chance, [&] {
      return fmt::format("a bit rots in {} of {}", frame_text(replica.frames[place]),
                         name(replica));
    });
  }
}

// T4, T5: three ways in which a replica forgets: a new disk, an unreadable promise, a deleted log.
void Model::lose_disk(const State& state, int n, Steps<State>& steps) const {
  const Replica& replica = state.replicas[n];
  if (state.disk_losses >= bounds_.disk_losses || replica.is_down != 0 ||
      replica.has_lost_data != 0)
    return;
  const auto lose = [&](auto&& change, std::string_view how) {
    State next = state;
    next.disk_losses++;
    change(next.replicas[n]);
    steps.add(next, Kind::chance, [&] { return fmt::format("{} {}", name(replica), how); });
  };
  const auto empty = [&](Replica& lost) { come_back(lost, 0); };
  lose(
      [&](Replica& lost) {
        empty(lost);
        lost.promise = lost.instance = 0;
        lost.has_lost_data = on(Part::t4_disk);  // T4: another disk identity is another member
      },
      "gets a new disk and comes back empty under its old id");
  lose(
      [&](Replica& lost) {
        come_back(lost, lost.medium);
        lost.promise = lost.instance = 0;
        lost.has_lost_data = on(Part::t4_promise);  // T4: an unreadable promise is DATA LOSS
      },
      "comes back with its log, but cannot read its promise");
  if (!on(Part::t5))
    lose(empty, "finds no word of the log in an old copy of the metadata, and deletes it");
}

void Model::go_down(const State& state, int n, Steps<State>& steps) const {
  if (state.nodes_down >= bounds_.nodes_down || state.replicas[n].is_down != 0) return;
  State next = state;
  next.nodes_down++;
  next.replicas[n].is_down = 1;
  steps.add(next, Kind::chance,
            [&] { return fmt::format("{} goes down for good", name(state.replicas[n])); });
}

}  // namespace loglog::model::recovery
