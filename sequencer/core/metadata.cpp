// Each on() is the rule of a command. It must depend on nothing but the state and the command,
// because every sequencer applies it alone. A refused command changes nothing but the version.
#include "sequencer/core/metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/wire/field_codec.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

/// FNV-1a. The hash is part of the replicated state, so it must never change.
std::size_t deletion_entry(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash % deletion_entries;
}

/// Records the change, so that a repeat of the same request is recognised (T6).
Applied changed(LogInfo& l, RaftIndex index, const Basis& basis) {
  l.changed = index;
  l.changed_by = basis.id;
  return {Error{}, l.id, {}};
}

Applied refused(Errc code, std::string detail, LogId log = {}) {
  return {Error{code, std::move(detail)}, log, {}};
}
Applied done(LogId log = {}) { return {Error{}, log, {}}; }

bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '/' || c == '-';
}

}  // namespace

Applied MetadataState::apply(RaftIndex index, const Command& command) {
  state_.version = index;
  return std::visit([&](const auto& c) { return on(index, c); }, command);
}

Applied MetadataState::on(RaftIndex, const BeginTerm& c) {
  LogInfo* log = c.log == LogId{} ? nullptr : find(c.log);
  if (c.log != LogId{} && log == nullptr) return refused(Errc::no_such_log, {}, c.log);
  const Result<Term> minted = mint(c.floor);
  if (!minted) return {minted.error(), c.log, {}};
  if (log != nullptr) log->last_term = *minted;
  return {Error{}, c.log, *minted};
}

/// T1: the next term. A floor is the word of a storage node, so a floor far above the last term is
/// not believed. The highest number is never passed, so that no term is given twice.
Result<Term> MetadataState::mint(Term floor) {
  const Term last = state_.last_term;
  if (floor > last && floor.value - last.value > term_ahead_max)
    return fail(Errc::invalid_argument,
                fmt::format("a floor of term {} is more than {} above the last term, {}",
                            floor.value, term_ahead_max, last.value));
  const Term above = std::max(last, floor);
  if (above.value >= term_max)
    return fail(Errc::too_many,
                fmt::format("term {} is the last one, the highest is {}", above.value, term_max));
  state_.last_term = rules::next_term(above, last);
  return state_.last_term;
}

Applied MetadataState::on(RaftIndex, const InitCluster& c) {
  if (state_.cluster != ClusterId{} && state_.cluster != c.cluster)
    return refused(Errc::wrong_cluster, "the cluster has an id already");
  state_.cluster = c.cluster;
  state_.cluster_name = c.cluster_name;
  state_.sequencers = c.sequencers;
  return done();
}

Applied MetadataState::on(RaftIndex, const RegisterStorage& c) {
  const auto at = std::lower_bound(state_.storage.begin(), state_.storage.end(), c.node.id,
                                   [](const StorageInfo& s, NodeId id) { return s.id < id; });
  if (at == state_.storage.end() || at->id != c.node.id) {
    state_.storage.insert(at, c.node);
    return done();
  }
  // T4: another disk under the same id is another member. It never takes the first disk's place
  // silently; AdmitDisk does that by an operator's order.
  if (rules::is_foreign_disk(c.node.disk, at->disk))
    return refused(Errc::wrong_identity,
                   fmt::format("node {} is registered with another disk", c.node.id.value));
  at->disk = c.node.disk;
  at->address = c.node.address;
  // A count that did not rise belongs to a request that came late, so `boot` stays too.
  if (c.node.promise_count > at->promise_count) {
    at->promise_count = c.node.promise_count;
    at->boot = c.node.boot;
  }
  return done();
}

Applied MetadataState::on(RaftIndex index, const MakeLog& c) {
  if (const LogInfo* there = log(std::string_view(c.name)))
    return refused(Errc::log_exists, c.name, there->id);
  // The members were chosen before the command was committed: a disk may have been replaced since.
  for (const Member& m : c.members) {
    const StorageInfo* s = node(m.node);
    if (s == nullptr || s->disk != m.disk)
      return refused(Errc::not_enough_nodes, "a chosen node is not registered any more");
  }
  if (rules::is_late_creation(c.basis.seen, deletion_of(c.name)))
    return refused(Errc::superseded, c.name);
  LogInfo info;
  info.id = rules::new_log_id(index, state_.logs.size());
  info.name = c.name;
  info.state = LogState::creating;
  info.options = c.options;
  info.members = c.members;
  info.made_by = c.basis.id;
  const std::size_t bytes = logs_bytes_ + bytes_of(info);
  if (state_.logs.size() >= logs_max || bytes > metadata_bytes_max)
    return refused(Errc::too_many,
                   fmt::format("there are {} logs, which take {} bytes of the metadata; at most {} "
                               "logs and {} bytes are "
                               "possible: delete logs, or put what belongs together into one",
                               state_.logs.size(), logs_bytes_, logs_max, metadata_bytes_max));
  index_log(info, state_.logs.size());
  state_.logs.push_back(info);
  return done(info.id);
}

Applied MetadataState::on(RaftIndex, const MarkOpen& c) {
  LogInfo* l = find(c.log);
  if (l == nullptr) return refused(Errc::no_such_log, {}, c.log);
  if (l->state == LogState::deleting) return refused(Errc::log_deleted, l->name, c.log);
  l->state = LogState::open;
  return done(c.log);
}

/// T6: the version of the name's last deletion. Creations that are based on an older version are
/// late.
RaftIndex& MetadataState::deletion_of(const std::string& name) {
  if (state_.deletions.size() != deletion_entries) state_.deletions.resize(deletion_entries);
  return state_.deletions[deletion_entry(name)];
}

Applied MetadataState::on(RaftIndex index, const MarkDeleting& c) {
  LogInfo* l = find(c.log);
  if (l == nullptr) return refused(Errc::no_such_log, {}, c.log);
  // The name is free at once; the log itself goes when all members have dropped it (FinishDelete).
  if (l->state != LogState::deleting) {
    by_name_.erase(l->name);
    deletion_of(l->name) = index;
  }
  l->state = LogState::deleting;
  return done(c.log);
}

Applied MetadataState::on(RaftIndex, const FinishDelete& c) {
  const LogInfo* l = find(c.log);
  if (l == nullptr) return refused(Errc::no_such_log, {}, c.log);
  if (l->state != LogState::deleting)
    return refused(Errc::wrong_state, "the log is not being deleted", c.log);
  state_.logs.erase(state_.logs.begin() + static_cast<std::ptrdiff_t>(by_id_[c.log]));
  index_logs();
  return done(c.log);
}

Applied MetadataState::on(RaftIndex, const Trim& c) {
  LogInfo* l = find(c.log);
  if (l == nullptr) return refused(Errc::no_such_log, {}, c.log);
  l->trim = rules::trim_point(l->trim, c.offset);
  return done(c.log);
}

/// F2. A repeat changes nothing, so a client that heard no answer may ask again. A token that the
/// client names is its own basis, because tokens never fall. Token 0 asks for the next number, so
/// it is judged by the version that the client knew (T6).
Applied MetadataState::on(RaftIndex index, const RaiseFence& c) {
  LogInfo* l = find(c.log);
  if (l == nullptr) return refused(Errc::no_such_log, {}, c.log);
  if (c.token.value > fence_token_max)
    return refused(
        Errc::invalid_argument,
        fmt::format("fencing token {} is above the highest, {}", c.token.value, fence_token_max),
        c.log);
  if (c.token == FenceToken{}) {
    if (rules::is_repeat(c.basis.id, l->changed_by)) return done(c.log);
    if (rules::is_superseded(c.basis.seen, l->changed))
      return refused(Errc::superseded, l->name, c.log);
    if (l->fence.value >= fence_token_max)
      return refused(Errc::too_many,
                     fmt::format("the log's fencing token is {}, the highest: there is no next one",
                                 l->fence.value),
                     c.log);
    l->fence = l->fence + 1;
    return changed(*l, index, c.basis);
  }
  if (rules::lowers_token(c.token, l->fence))
    return refused(Errc::producer_fenced,
                   fmt::format("the log's fencing token is {}, a newer one than {}", l->fence.value,
                               c.token.value),
                   c.log);
  if (c.token == l->fence) return done(c.log);
  l->fence = c.token;
  return changed(*l, index, c.basis);
}

Applied MetadataState::on(RaftIndex index, const ChangeRetention& c) {
  LogInfo* l = find(c.log);
  if (l == nullptr) return refused(Errc::no_such_log, {}, c.log);
  if (rules::is_repeat(c.basis.id, l->changed_by)) return done(c.log);
  if (rules::is_superseded(c.basis.seen, l->changed))
    return refused(Errc::superseded, l->name, c.log);
  l->options.retention = c.retention;
  return changed(*l, index, c.basis);
}

Applied MetadataState::on(RaftIndex, const AdmitDisk& c) {
  const auto at = std::find_if(state_.storage.begin(), state_.storage.end(),
                               [&](const StorageInfo& s) { return s.id == c.node; });
  if (at == state_.storage.end() || at->disk != c.old || c.disk == DiskId{} || c.disk == c.old)
    return refused(Errc::wrong_identity,
                   fmt::format("node {} is not registered with disk {:016x} any more", c.node.value,
                               c.old.value));
  // C1: a log that still names the new disk as its member would count it as a member that never
  // left, although entries were committed without it meanwhile.
  const Member back{c.node, c.disk};
  for (const LogInfo& l : state_.logs)
    if (rules::is_coming_back(std::ranges::find(l.members, back) != l.members.end()))
      return refused(Errc::invalid_argument,
                     fmt::format("log {} has not taken in the disk that replaced this one: an old "
                                 "disk never comes back",
                                 l.name));
  const Result<Term> minted = mint({});
  if (!minted) return {minted.error(), {}, {}};
  // The new disk begins with a clean record: loss, process and promise count belonged to the old
  // disk.
  at->disk = c.disk;
  at->lost = false;
  at->boot = {};
  at->promise_count = 0;
  return {Error{}, {}, *minted};
}

Applied MetadataState::on(RaftIndex, const MarkLost& c) {
  const auto at = std::find_if(state_.storage.begin(), state_.storage.end(),
                               [&](const StorageInfo& s) { return s.id == c.node; });
  if (at == state_.storage.end() || at->disk != c.disk)
    return refused(Errc::wrong_identity,
                   fmt::format("node {} is not registered with disk {:016x} any more", c.node.value,
                               c.disk.value));
  at->lost = true;
  return done();
}

/// C1 step 3. Refused if another disk was admitted since the leader asked, because that disk was
/// not part of the term.
Applied MetadataState::on(RaftIndex, const SetMembers& c) {
  LogInfo* l = find(c.log);
  if (l == nullptr) return refused(Errc::no_such_log, {}, c.log);
  const auto stands = [&](const Member& before, const Member& now) {
    return before == now || (before.node == now.node && now.disk == disk_of(now.node));
  };
  if (l->state != LogState::open || !std::ranges::equal(l->members, c.members, stands))
    return refused(Errc::wrong_state, "a disk was replaced again, or the log is being deleted",
                   c.log);
  l->members = c.members;
  return done(c.log);
}

/// T7. Programs that do not read the version have ended before this point.
Applied MetadataState::on(RaftIndex, const RaiseVersion& c) {
  if (c.version <= record_version()) return done();
  state_.record_version = c.version;
  index_logs();  // logs have another size in the new version
  return done();
}

/// Bytes of a log in a snapshot. The size depends on the cluster's version, and not on the version
/// that this program reads, because all sequencers refuse the same logs. No other command changes
/// the size, so the bound holds.
std::size_t MetadataState::bytes_of(const LogInfo& l) const {
  return record_size(l, record_version());
}

LogInfo* MetadataState::find(LogId id) {
  const auto i = by_id_.find(id);
  return i == by_id_.end() ? nullptr : &state_.logs[i->second];
}
const LogInfo* MetadataState::log(LogId id) const {
  const auto i = by_id_.find(id);
  return i == by_id_.end() ? nullptr : &state_.logs[i->second];
}
const LogInfo* MetadataState::log(std::string_view name) const {
  const auto i = by_name_.find(std::string(name));
  return i == by_name_.end() ? nullptr : log(i->second);
}
const StorageInfo* MetadataState::node(NodeId id) const {
  const auto at = std::lower_bound(state_.storage.begin(), state_.storage.end(), id,
                                   [](const StorageInfo& s, NodeId n) { return s.id < n; });
  return at == state_.storage.end() || at->id != id ? nullptr : &*at;
}

DiskId MetadataState::disk_of(NodeId id) const {
  const StorageInfo* s = node(id);
  return s == nullptr ? DiskId{} : s->disk;
}

Bytes MetadataState::snapshot() const { return encode_record(state_, record_version()); }

bool MetadataState::restore(const Bytes& snapshot) {
  ClusterMetadata m;
  if (!decode_record(snapshot, highest_, m) || m.record_version > highest_) return false;
  // A durability that this version does not know cannot be kept, so the snapshot is not understood.
  if (!std::ranges::all_of(
          m.logs, [](const LogInfo& l) { return l.options.durability == Durability::sync; }))
    return false;
  state_ = std::move(m);
  index_logs();
  return true;
}

void MetadataState::index_logs() {
  by_id_.clear();
  by_name_.clear();
  logs_on_.clear();
  logs_bytes_ = 0;
  for (std::size_t i = 0; i < state_.logs.size(); ++i) index_log(state_.logs[i], i);
}

void MetadataState::index_log(const LogInfo& l, std::size_t at) {
  by_id_[l.id] = at;
  logs_bytes_ += bytes_of(l);
  if (l.state != LogState::deleting) by_name_[l.name] = l.id;
  for (const Member& m : l.members) ++logs_on_[m.node];
}

std::size_t MetadataState::logs_on(NodeId id) const {
  const auto n = logs_on_.find(id);
  return n == logs_on_.end() ? 0 : n->second;
}

Result<LogOptions> effective_options(const std::string& name, LogOptions o, std::size_t nodes) {
  if (name.empty()) return fail(Errc::invalid_argument, "a log needs a name");
  if (name.size() > log_name_max)
    return fail(Errc::invalid_argument, fmt::format("the name has {} bytes, at most {} are allowed",
                                                    name.size(), log_name_max));
  if (!std::all_of(name.begin(), name.end(), is_name_character))
    return fail(Errc::invalid_argument, "a name holds only letters, digits and . _ / -");
  if (o.replicas == 0)
    o.replicas =
        static_cast<std::uint8_t>(std::min<std::size_t>(3, std::max<std::size_t>(1, nodes)));
  if (o.replicas > replicas_max)
    return fail(
        Errc::invalid_argument,
        fmt::format("{} replicas asked for, at most {} are possible", o.replicas, replicas_max));
  if (o.write_quorum == 0) o.write_quorum = rules::default_write_quorum(o.replicas);
  if (rules::is_quorum_too_large(o.write_quorum, o.replicas))
    return fail(Errc::invalid_argument,
                fmt::format("a write quorum of {} is more than the {} replicas", o.write_quorum,
                            o.replicas));
  if (o.segment_size == 0) o.segment_size = segment_size_default;
  if (o.segment_size < segment_size_min || o.segment_size > segment_size_max)
    return fail(Errc::invalid_argument,
                fmt::format("a segment size of {} bytes is outside {} to {}", o.segment_size,
                            segment_size_min, segment_size_max));
  if (o.durability != Durability::sync)
    return fail(Errc::invalid_argument,
                fmt::format("durability {} is not known; every log is acknowledged after "
                            "fdatasync, so ask for 0 (sync)",
                            static_cast<unsigned>(o.durability)));
  if (auto retention = check_retention(o.retention, o.segment_size); !retention)
    return std::unexpected(retention.error());
  // Waiting brings no further node, so the error is final.
  if (nodes < o.replicas)
    return fail(Errc::invalid_argument,
                fmt::format("{} replicas are asked for, and the cluster has {} storage nodes",
                            o.replicas, nodes));
  return o;
}

Result<void> check_retention(const Retention& r, std::uint64_t segment_size) {
  if (r.bytes != 0 && r.bytes < segment_size)
    return fail(
        Errc::invalid_argument,
        fmt::format(
            "a retention of {} bytes is less than the log's segment size, {}; whole segments are "
            "trimmed, so ask for more or for smaller segments",
            r.bytes, segment_size));
  if (r.ms != 0 && (r.ms < retention_ms_min || r.ms > retention_ms_max))
    return fail(Errc::invalid_argument, fmt::format("a retention of {} ms is outside {} to {}",
                                                    r.ms, retention_ms_min, retention_ms_max));
  return {};
}

}  // namespace loglog::sequencer
