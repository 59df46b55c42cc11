// A record is good or the log ends there: there is no resynchronisation behind bad bytes.
// read_raft_log() then compares the end with the mark, which separates a torn write from a loss
// (spec/02 R2).
#include "proto-spec/disk/raft_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace loglog {
namespace {

constexpr char log_magic[8] = {'L', 'O', 'G', 'L', 'R', 'F', 'T', 1};
constexpr char snapshot_magic[8] = {'L', 'O', 'G', 'L', 'S', 'N', 'P', 1};
constexpr char mark_magic[4] = {'L', 'L', 'R', 'M'};
constexpr std::uint32_t mark_version = 1;
constexpr std::size_t mark_sum_at = 24;
constexpr std::size_t marks_at[2] = {2048, 2560};
// Bytes before a record's payload: length, checksum, kind.
constexpr std::size_t record_header = 9;
constexpr std::size_t snapshot_header = 32;

template <class T>
void put(std::string& out, T v) {
  char b[sizeof v];
  std::memcpy(b, &v, sizeof v);
  out.append(b, sizeof v);
}

// The checksum covers the kind too, so that a damaged kind byte is seen.
void append(std::string& out, RaftRecordKind kind, const std::string& payload) {
  std::string body(1, static_cast<char>(kind));
  body += payload;
  put(out, static_cast<std::uint32_t>(payload.size()));
  put(out, static_cast<std::uint32_t>(XXH3_64bits(body.data(), body.size())));
  out += body;
}

// The eighth byte is the version, so an older program refuses a newer file instead of reading it as
// damage.
Result<void> check_magic(ByteSpan b, const char (&magic)[8], const char* what) {
  if (b.size() < 8 || std::memcmp(b.data(), magic, 7) != 0)
    return fail(Errc::raft_damaged, fmt::format("{} is not one", what));
  if (b[7] != std::byte{1})
    return fail(Errc::newer_format, fmt::format("{} of format {}, this version reads 1", what,
                                                static_cast<unsigned>(b[7])));
  return {};
}

// Length of the good record at the beginning of `b`; 0 if there is none.
std::size_t good_record(ByteSpan b) {
  if (b.size() < record_header) return 0;
  const std::size_t n = load_le<std::uint32_t>(b.data());
  if (n > b.size() - record_header) return 0;
  const auto sum = static_cast<std::uint32_t>(XXH3_64bits(b.data() + 8, n + 1));
  return sum == load_le<std::uint32_t>(b.data() + 4) ? record_header + n : 0;
}

std::optional<RaftMark> decode_mark(ByteSpan slot) {
  if (std::memcmp(slot.data(), mark_magic, sizeof mark_magic) != 0 ||
      load_le<std::uint32_t>(slot.data() + 4) != mark_version)
    return {};
  if (load_le<std::uint64_t>(slot.data() + mark_sum_at) != XXH3_64bits(slot.data(), mark_sum_at))
    return {};
  return RaftMark{load_le<std::uint64_t>(slot.data() + 8),
                  load_le<std::uint64_t>(slot.data() + 16)};
}

/// The good slot with the higher counter.
std::optional<RaftMark> newest_mark(ByteSpan file) {
  std::optional<RaftMark> newest;
  for (const std::size_t at : marks_at)
    if (const auto m = decode_mark(file.subspan(at, raft_mark_size));
        m && (!newest || m->counter > newest->counter))
      newest = m;
  return newest;
}

bool all_zero(ByteSpan b) {
  return std::all_of(b.begin(), b.end(), [](std::byte x) { return x == std::byte{0}; });
}

// Asked only of good records, so an unknown kind was written by a newer version.
bool is_known(ByteSpan record) { return record[8] >= std::byte{1} && record[8] <= std::byte{3}; }

// Calls the callback of the record's kind. False if the payload's size is impossible for the kind.
bool hand_out(ByteSpan record, const RaftRecords& on) {
  const ByteSpan p = record.subspan(record_header);
  switch (static_cast<RaftRecordKind>(record[8])) {
    case RaftRecordKind::hard_state:
      if (p.size() != 12) return false;
      on.hard_state({RaftTerm{load_le<std::uint64_t>(p.data())},
                     SequencerId{load_le<std::uint32_t>(p.data() + 8)}});
      return true;
    case RaftRecordKind::entry:
      if (p.size() < 16) return false;
      on.entry({RaftTerm{load_le<std::uint64_t>(p.data())},
                RaftIndex{load_le<std::uint64_t>(p.data() + 8)}, Bytes::copy_of(p.subspan(16))});
      return true;
    case RaftRecordKind::cut:
      if (p.size() != 8) return false;
      on.cut(RaftIndex{load_le<std::uint64_t>(p.data())});
      return true;
  }
  return false;
}

}  // namespace

Bytes encode_raft_mark(const RaftMark& mark) {
  std::string out(mark_magic, sizeof mark_magic);
  put(out, mark_version);
  put(out, mark.counter);
  put(out, mark.durable);
  put(out, static_cast<std::uint64_t>(XXH3_64bits(out.data(), out.size())));
  out.resize(raft_mark_size);
  return Bytes::copy_of(out);
}

std::size_t raft_mark_at(const RaftMark& mark) { return marks_at[mark.counter % 2]; }

// The other slot stays zero, which is no good mark.
Bytes encode_raft_header(const RaftMark& mark) {
  std::string out(log_magic, 8);
  out.resize(raft_header_size);
  out.replace(raft_mark_at(mark), raft_mark_size, encode_raft_mark(mark).text());
  return Bytes::copy_of(out);
}

void append_record(std::string& out, const RaftHardState& h) {
  std::string p;
  put(p, h.term.value);
  put(p, h.vote.value);
  append(out, RaftRecordKind::hard_state, p);
}

void append_record(std::string& out, const RaftEntry& e) {
  std::string p;
  put(p, e.term.value);
  put(p, e.index.value);
  p += e.command.text();
  append(out, RaftRecordKind::entry, p);
}

void append_cut(std::string& out, RaftIndex from) {
  std::string p;
  put(p, from.value);
  append(out, RaftRecordKind::cut, p);
}

Result<RaftLogEnd> read_raft_log(ByteSpan file, const RaftRecords& on) {
  if (auto ok = check_magic(file, log_magic, "raft.log"); !ok) return std::unexpected(ok.error());
  if (file.size() < raft_header_size)
    return fail(Errc::raft_damaged, "raft.log ends in its header");
  const auto mark = newest_mark(file);
  if (!mark) return fail(Errc::raft_damaged, "neither of raft.log's marks can be read");
  RaftLogEnd end{raft_header_size, *mark, false, false};
  while (end.good < file.size()) {
    const ByteSpan rest = file.subspan(end.good);
    const std::size_t n = good_record(rest);
    if (n == 0) break;
    if (!is_known(rest))
      return fail(
          Errc::newer_format,
          fmt::format("raft.log has a record of kind {} at byte {}, this version reads 1 to 3",
                      static_cast<unsigned>(rest[8]), end.good));
    if (!hand_out(rest.first(n), on))
      return fail(Errc::raft_damaged,
                  fmt::format("raft.log has a record at byte {} that is none", end.good));
    end.good += n;
  }
  // Computed for the whole rest: a torn write may leave zeros first and old bytes behind.
  end.torn = !all_zero(file.subspan(end.good));
  end.lost = end.good < mark->durable;
  return end;
}

Bytes encode_snapshot(const RaftSnapshot& s) {
  std::string out(snapshot_magic, 8);
  put(out, s.index.value);
  put(out, s.term.value);
  put(out, static_cast<std::uint64_t>(s.state.size()));
  out += s.state.text();
  put(out, static_cast<std::uint64_t>(XXH3_64bits(out.data(), out.size())));
  return Bytes::copy_of(out);
}

Result<RaftSnapshot> decode_snapshot(const Bytes& b) {
  if (auto ok = check_magic(b, snapshot_magic, "the snapshot"); !ok)
    return std::unexpected(ok.error());
  if (b.size() < snapshot_header + 8) return fail(Errc::raft_damaged, "the snapshot is cut short");
  const std::uint64_t n = load_le<std::uint64_t>(b.data() + 24);
  if (n > b.size() - snapshot_header - 8)
    return fail(Errc::raft_damaged, "the snapshot's length is wrong");
  if (load_le<std::uint64_t>(b.data() + snapshot_header + n) !=
      XXH3_64bits(b.data(), snapshot_header + n))
    return fail(Errc::raft_damaged, "the snapshot's checksum is wrong");
  return RaftSnapshot{RaftIndex{load_le<std::uint64_t>(b.data() + 8)},
                      RaftTerm{load_le<std::uint64_t>(b.data() + 16)}, b.slice(snapshot_header, n)};
}

}  // namespace loglog
