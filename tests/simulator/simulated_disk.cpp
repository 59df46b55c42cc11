// Each operation exists in the driver's two steps: `begin` changes the page cache, `finish` syncs
// or applies directory changes. Directory changes are atomic here, except that a power cut may undo
// an unsynced unlink.
#include "tests/simulator/simulated_disk.h"

#include <algorithm>
#include <cstring>

#include "proto-spec/disk/frame.h"
#include "proto-spec/disk/segment.h"
#include "proto-spec/disk/tombstones.h"
#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/rules.h"
#include "proto-spec/wire/field_codec.h"

namespace loglog::simulator {

using namespace storage;

namespace {
constexpr std::uint64_t sector = 512;

/// K6: true if anywhere behind the header a scan would accept a frame of this very log and offset.
bool holds_frame(ByteSpan file, LogId log, Offset first) {
  for (std::size_t at = segment_header_size; at + frame_overhead <= file.size(); ++at)
    if (file[at] != std::byte{0} &&
        look_at_frame(file.subspan(at), log, first + (at - segment_header_size), false).state ==
            FrameState::good)
      return true;
  return false;
}
}  // namespace

// A write also makes an unreadable range readable again, as a rewritten sector is.
void SimulatedFile::write(std::uint64_t at, ByteSpan data) {
  if (data.empty()) return;
  if (seen.size() < at + data.size()) resize(at + data.size());
  std::memcpy(seen.data() + at, data.data(), data.size());
  dirty_.emplace_back(at, data.size());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> left;
  for (auto [from, to] : unreadable_) {
    if (from < at) left.emplace_back(from, std::min(to, at));
    if (to > at + data.size()) left.emplace_back(std::max(from, at + data.size()), to);
  }
  unreadable_ = std::move(left);
}

bool SimulatedFile::readable(std::uint64_t at, std::uint64_t length) const {
  return std::none_of(unreadable_.begin(), unreadable_.end(),
                      [&](const auto& u) { return u.first < at + length && at < u.second; });
}

void SimulatedFile::damage(std::uint64_t at, ByteSpan bytes) {
  for (auto* layer : {&seen, &durable_})
    if (at + bytes.size() <= layer->size())
      std::memcpy(layer->data() + at, bytes.data(), bytes.size());
}

// Only dirty ranges are copied; a clean page that differs from the medium stays hidden, as in a
// kernel (K2).
void SimulatedFile::sync() {
  if (resized_) durable_ = seen;
  else
    for (auto [at, n] : dirty_)
      if (at < seen.size())
        std::memcpy(durable_.data() + at, seen.data() + at,
                    std::min<std::uint64_t>(n, seen.size() - at));
  dirty_.clear();
  resized_ = false;
}

// None, some or all of the unsynced sectors reach the medium, at random.
std::size_t SimulatedFile::keep_sectors(Random& random) {
  if (resized_ && random.chance(1, 2)) durable_.resize(seen.size());
  std::size_t lost = 0;
  const std::uint64_t survive = random.below(3);
  for (auto [at, n] : dirty_) {
    for (std::uint64_t s = at / sector * sector; s < at + n; s += sector) {
      const std::uint64_t from = std::max(s, at);
      const std::uint64_t to =
          std::min({s + sector, at + n, static_cast<std::uint64_t>(durable_.size()),
                    static_cast<std::uint64_t>(seen.size())});
      if (from >= to) continue;
      if (survive == 2 || (survive == 1 && random.chance(1, 2))) {
        std::memcpy(durable_.data() + from, seen.data() + from, to - from);
        continue;
      }
      ++lost;
      if (survive != 1 || !random.chance(1, 16)) continue;
      // The sector that was being written tears inside.
      const std::uint64_t torn = random.below(to - from);
      std::memcpy(durable_.data() + from, seen.data() + from, torn);
    }
  }
  dirty_.clear();
  resized_ = false;
  return lost;
}

// Used for promise slots: a torn slot has new bytes at its beginning only.
void SimulatedFile::tear(Random& random) {
  constexpr std::uint64_t torn_max = 40;
  for (auto [at, n] : dirty_)
    if (at + n <= durable_.size())
      std::memcpy(durable_.data() + at, seen.data() + at, 1 + random.below(std::min(n, torn_max)));
  dirty_.clear();
  drop_cache();
}

std::size_t SimulatedFile::power_cut(Random& random) {
  // A clean page may still differ from the medium after a failed sync.
  const std::size_t lost = dirty_.empty() && !resized_ ? 0 : keep_sectors(random);
  drop_cache();
  return lost;
}

void SimulatedFile::failed_sync(Random& random) {
  keep_sectors(random);
  // Behind the medium's end the file's size is already durable, because it was reserved and synced
  // long before.
  if (durable_.size() < seen.size()) durable_.resize(seen.size());
}

void SimulatedDisk::begin(const DiskOperation& op) {
  if (const auto* w = std::get_if<WriteGroup>(&op)) {
    SimulatedFile& f = logs_.at(w->log).segments.at(w->first);
    std::uint64_t at = w->position;
    for (const Bytes& b : w->buffers) {
      f.write(at, b);
      at += b.size();
    }
    f.write(w->marks_position, w->marks);
  } else if (const auto* r = std::get_if<RepairSegment>(&op)) {
    logs_.at(r->log).segments.at(r->first).write(r->position, r->data);
  } else if (const auto* p = std::get_if<SavePromise>(&op)) {
    SimulatedFile& f = p->log == LogId{} ? promise_ : logs_.at(p->log).promise;
    if (f.seen.size() < promise_file_size) f.resize(promise_file_size);
    f.write((p->counter % 2) * promise_slot_size, p->slot);
  } else if (const auto* t = std::get_if<SaveTombstones>(&op)) {
    if (tombstones_.seen.size() < tombstones_file_size) tombstones_.resize(tombstones_file_size);
    tombstones_.write((t->counter % 2) * tombstones_slot_size, t->slot);
  } else if (const auto* c = std::get_if<CloseSegment>(&op)) {
    SimulatedFile& f = logs_.at(c->log).segments.at(c->first);
    f.sync();  // the driver cuts the file behind the last synced group
    f.resize(segment_header_size + c->length);
    f.sync();
  }
}

// The directory's side of an operation; a removed K6 or S4_durable changes it, so that the mutation
// score can prove these rules here.
void SimulatedDisk::apply_metadata(const DiskOperation& op) {
  if (const auto* m = std::get_if<MakeLog>(&op)) {
    Log& l = logs_[m->log];
    l.info = m->info;
    if (l.promise.seen.empty()) l.promise.resize(promise_file_size);
    l.promise.sync();
  } else if (const auto* o = std::get_if<OpenSegment>(&op)) {
    Log& l = logs_.at(o->log);
    l.unlinked.clear();  // the directory is synced
    check(!l.next.empty(), "a segment is opened in a file that was prepared");
    check(!holds_frame(l.next, o->log, o->first),
          "of a file's former life, no frame is one of its new place (K6)");
    SimulatedFile f;
    f.write(0, std::exchange(l.next, {}));
    f.write(0, o->header);
    f.sync();
    l.segments[o->first] = std::move(f);
  } else if (const auto* p = std::get_if<PrepareNext>(&op)) {
    if (const auto l = logs_.find(p->log); l != logs_.end() && l->second.next.size() < p->size) {
      if (!spare_.empty()) {
        l->second.next = std::move(spare_.front());
        spare_.pop_front();
      }
      l->second.next.resize(std::max<std::size_t>(l->second.next.size(), p->size));
    }
  } else if (const auto* g = std::get_if<GrowSegment>(&op)) {
    const auto l = logs_.find(g->log);
    // The log was dropped meanwhile.
    if (l == logs_.end() || !l->second.segments.contains(g->first)) return;
    SimulatedFile& f = l->second.segments.at(g->first);
    if (f.seen.size() < g->size) f.resize(g->size);
  } else if (const auto* t = std::get_if<TruncateLog>(&op)) {
    auto& segments = logs_.at(t->log).segments;
    if (removed(Rule::K6))
      for (const auto& [first, f] : segments)
        if (t->everything || first > t->first) keep_spare(f);
    if (t->everything) segments.clear();
    else {
      if (removed(Rule::S4_durable))
        logs_.at(t->log).unlinked.insert(segments.upper_bound(t->first), segments.end());
      segments.erase(segments.upper_bound(t->first), segments.end());
      SimulatedFile& f = segments.at(t->first);
      const std::size_t keep = segment_header_size + t->length;
      check(f.seen.size() >= keep || t->length == 0, "truncate beyond the end of the file");
      const std::vector<std::byte> zeros(f.seen.size() - std::min(keep, f.seen.size()));
      f.write(keep, zeros);
      if (!removed(Rule::S4_durable)) f.sync();
    }
  } else if (const auto* u = std::get_if<UnlinkSegments>(&op)) {
    const auto l = logs_.find(u->log);
    if (l == logs_.end()) return;  // the log was dropped meanwhile
    auto& segments = l->second.segments;
    for (Offset first : u->firsts) {
      if (const auto f = segments.find(first); u->trimmed && f != segments.end())
        keep_spare(f->second);
      segments.erase(first);
    }
  } else if (const auto* d = std::get_if<DropLog>(&op)) {
    logs_.erase(d->log);
  } else if (const auto* s = std::get_if<SaveFile>(&op)) {
    files_[s->name] = s->data;
  }
}

std::uint8_t SimulatedDisk::named_version() const {
  const auto file = files_.find("identity");
  const auto identity = file == files_.end() ? decode_identity({}) : decode_identity(file->second);
  return identity ? identity->record_version : record_version_first;
}

std::uint8_t SimulatedDisk::highest_record() const {
  const auto metadata = files_.find("metadata");
  std::uint8_t highest =
      metadata == files_.end() ? record_version_first : version_of_record(metadata->second.span());
  for (const auto& [id, log] : logs_)
    highest = std::max(highest, version_of_record(log.info.span()));
  return highest;
}

// K6: a few files of trimmed segments wait to be reused with their old bytes.
void SimulatedDisk::keep_spare(const SimulatedFile& file) {
  constexpr std::size_t spare_max = 4;
  if (spare_.size() < spare_max && !file.seen.empty()) spare_.push_back(file.seen);
}

// A full disk refuses only operations that may fail; all others must have their space (K5).
DiskDone SimulatedDisk::finish(const DiskRequest& request) {
  DiskDone done{request.ticket, Errc::ok, {}, {}};
  const DiskOperation& op = request.operation;
  if (full && may_fail(op) && !std::holds_alternative<ReadSegment>(op)) {
    done.error = lies_about_space ? Errc::ok : Errc::no_space;
    return done;
  }
  if (const auto* w = std::get_if<WriteGroup>(&op)) {
    if (w->sync && !skips_sync) logs_.at(w->log).segments.at(w->first).sync();
  } else if (const auto* r = std::get_if<RepairSegment>(&op)) {
    logs_.at(r->log).segments.at(r->first).sync();
  } else if (const auto* p = std::get_if<SavePromise>(&op)) {
    (p->log == LogId{} ? promise_ : logs_.at(p->log).promise).sync();
  } else if (std::holds_alternative<SaveTombstones>(op)) {
    tombstones_.sync();
  } else if (const auto* rd = std::get_if<ReadSegment>(&op)) {
    auto b = read(rd->log, rd->first, rd->position, rd->length);
    if (b) done.data = *b;
    else done.error = b.error().code;
  } else {
    apply_metadata(op);
  }
  return done;
}

// A directory change that was under way may or may not have happened; page cache writes stay where
// `begin` put them.
void SimulatedDisk::interrupted(const DiskOperation& op, Random& random) {
  const bool data =
      std::holds_alternative<WriteGroup>(op) || std::holds_alternative<ReadSegment>(op) ||
      std::holds_alternative<SavePromise>(op) || std::holds_alternative<RepairSegment>(op) ||
      std::holds_alternative<SaveTombstones>(op);
  if (!data && random.chance(1, 2)) apply_metadata(op);
}

std::size_t SimulatedDisk::power_cut(Random& random) {
  std::size_t lost = promise_.power_cut(random) + tombstones_.power_cut(random);
  for (auto& [id, log] : logs_) {
    lost += log.promise.power_cut(random);
    for (auto& [first, f] : log.unlinked)
      if (random.chance(1, 2)) log.segments.try_emplace(first, std::move(f));
    log.unlinked.clear();
    for (auto& [first, f] : log.segments) lost += f.power_cut(random);
  }
  return lost;
}

void SimulatedDisk::reopen(bool from_medium) {
  const auto again = [&](SimulatedFile& f) {
    f.sync();
    if (from_medium) f.drop_cache();
  };
  again(promise_);
  again(tombstones_);
  for (auto& [id, log] : logs_) {
    again(log.promise);
    log.unlinked.clear();
    for (auto& [first, f] : log.segments) again(f);
  }
}

// K2: the failed operation leaves some sectors on the medium and clean pages in the cache.
void SimulatedDisk::fail(const DiskOperation& op, Random& random) {
  if (const auto* w = std::get_if<WriteGroup>(&op))
    logs_.at(w->log).segments.at(w->first).failed_sync(random);
  else if (const auto* r = std::get_if<RepairSegment>(&op))
    logs_.at(r->log).segments.at(r->first).failed_sync(random);
  else if (const auto* p = std::get_if<SavePromise>(&op))
    (p->log == LogId{} ? promise_ : logs_.at(p->log).promise).failed_sync(random);
  else if (std::holds_alternative<SaveTombstones>(op)) tombstones_.failed_sync(random);
  else interrupted(op, random);
}

void SimulatedDisk::lose(Loss what) {
  switch (what) {
    case Loss::everything:
      *this = SimulatedDisk{};
      break;
    case Loss::identity:
      files_.erase("identity");
      break;
    case Loss::files:
      files_.erase("identity");
      [[fallthrough]];
    case Loss::promise:
      promise_.damage(0, std::vector<std::byte>(promise_.seen.size(), std::byte{0x5A}));
      break;
    case Loss::logs:
      logs_.clear();
      break;
  }
}

void SimulatedDisk::put_back_files(const SimulatedDisk& before) {
  promise_ = before.promise_;
  files_["identity"] = before.files_.at("identity");
}

bool SimulatedDisk::needs_space(const DiskOperation& op) const {
  const auto* w = std::get_if<WriteGroup>(&op);
  if (w == nullptr) return false;
  std::uint64_t end = w->position;
  for (const Bytes& b : w->buffers) end += b.size();
  return end > logs_.at(w->log).segments.at(w->first).seen.size();
}

void SimulatedDisk::lose_below(LogId log, Offset first) {
  const auto l = logs_.find(log);
  if (l == logs_.end()) return;
  auto& segments = l->second.segments;
  segments.erase(segments.begin(), segments.lower_bound(first));
}

void SimulatedDisk::lose_from(LogId log, Offset first) {
  const auto l = logs_.find(log);
  if (l == logs_.end()) return;
  auto& segments = l->second.segments;
  segments.erase(segments.lower_bound(first), segments.end());
}

// T3: rot of the newest slot is harmless only if the other slot is good.
void SimulatedDisk::rot_promise(Random& random) {
  constexpr std::uint64_t sealed_bytes = 32;
  const ByteSpan file = promise_.medium();
  const auto newest = decode_promise(file);
  if (!newest) return;
  // If power tore a slot or it rotted before, no other slot is left to spare.
  for (std::size_t slot = 0; slot < 2; ++slot) {
    std::vector<std::byte> twice;
    for (int i = 0; i < 2; ++i) {
      const ByteSpan one = file.subspan(slot * promise_slot_size, promise_slot_size);
      twice.insert(twice.end(), one.begin(), one.end());
    }
    if (!decode_promise(twice)) return;
  }
  const std::uint64_t at = newest->counter % 2 * promise_slot_size + random.below(sealed_bytes);
  const std::byte turned = promise_.medium()[at] ^ std::byte(1u << random.below(8));
  promise_.damage(at, ByteSpan(&turned, 1));
}

void SimulatedDisk::damage(Damage kind, const Place& p, Random& random) {
  SimulatedFile& f = logs_.at(p.log).segments.at(p.file);
  switch (kind) {
    case Damage::bit_rot: {
      const std::uint64_t at = p.from + random.below(p.to - p.from);
      const std::byte turned = f.seen[at] ^ std::byte(1u << random.below(8));
      f.damage(at, ByteSpan(&turned, 1));
      break;
    }
    case Damage::stale:
      f.damage(p.from, std::vector<std::byte>(p.to - p.from));
      break;
    case Damage::misdirected: {
      const std::vector<std::byte> lost(f.seen.begin() + static_cast<std::ptrdiff_t>(p.from),
                                        f.seen.begin() + static_cast<std::ptrdiff_t>(p.to));
      f.damage(p.from, std::vector<std::byte>(lost.size()));
      f.damage(
          segment_header_size + random.below(f.seen.size() - segment_header_size - lost.size() + 1),
          lost);
      break;
    }
    case Damage::truncated:
      f.resize(p.from);
      f.sync();
      break;
    case Damage::unreadable:
      f.make_unreadable(p.from, p.to - p.from);
      break;
  }
}

/// The error for this question, if it is the question that must fail.
template <class T>
std::optional<Result<T>> SimulatedDisk::start_error() {
  if (start_error_at == 0 || --start_error_at > 0) return std::nullopt;
  if (hides_start_errors) return Result<T>(T{});
  return Result<T>(loglog::fail(Errc::directory_unreadable, "no descriptor is left"));
}

Result<std::vector<LogId>> SimulatedDisk::logs() {
  if (auto e = start_error<std::vector<LogId>>()) return *e;
  std::vector<LogId> out;
  for (const auto& [id, log] : logs_) out.push_back(id);
  return out;
}

Result<StartupDisk::LogFiles> SimulatedDisk::files_of(LogId id) {
  if (auto e = start_error<LogFiles>()) return *e;
  const Log& log = logs_.at(id);
  return LogFiles{log.info, Bytes::copy_of(ByteSpan(log.promise.seen))};
}

Result<std::vector<Offset>> SimulatedDisk::segments_of(LogId id) {
  if (auto e = start_error<std::vector<Offset>>()) return *e;
  std::vector<Offset> out;
  for (const auto& [first, f] : logs_.at(id).segments) out.push_back(first);
  return out;
}

Result<Bytes> SimulatedDisk::read(LogId log, Offset first, std::uint64_t position,
                                  std::uint32_t length) {
  if (auto e = start_error<Bytes>()) return *e;
  const auto l = logs_.find(log);
  if (l == logs_.end() || !l->second.segments.contains(first))
    return loglog::fail(Errc::io_error, "no such segment");
  const SimulatedFile& file = l->second.segments.at(first);
  if (!file.readable(position, length))
    return loglog::fail(Errc::io_error, "the medium cannot be read there");
  const auto& seen = file.seen;
  if (position >= seen.size()) return Bytes{};
  return Bytes::copy_of(
      ByteSpan(seen).subspan(position, std::min<std::uint64_t>(length, seen.size() - position)));
}

Result<std::uint64_t> SimulatedDisk::file_size(LogId log, Offset first) {
  if (auto e = start_error<std::uint64_t>()) return *e;
  const auto l = logs_.find(log);
  if (l == logs_.end() || !l->second.segments.contains(first)) return 0;
  return l->second.segments.at(first).seen.size();
}

Result<Bytes> SimulatedDisk::file(const std::string& name) {
  if (auto e = start_error<Bytes>()) return *e;
  if (name == "promise") return Bytes::copy_of(ByteSpan(promise_.seen));
  if (name == "tombstones") return Bytes::copy_of(ByteSpan(tombstones_.seen));
  const auto f = files_.find(name);
  return f == files_.end() ? Bytes{} : f->second;
}

}  // namespace loglog::simulator
