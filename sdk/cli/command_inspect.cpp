// loglog inspect: prints any file of a data directory offline, a line for each frame or record, or
// the entries of segments. Files are recognised by their magic, or by their size if they have none.
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <vector>

#include "proto-spec/disk/frame.h"
#include "proto-spec/disk/raft_log.h"
#include "proto-spec/disk/segment.h"
#include "proto-spec/disk/tombstones.h"
#include "proto-spec/files/posix_files.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/posix_output.h"

namespace loglog::cli {
namespace {

/// Reads a whole file; nullopt: it cannot be read, and the reason was printed. A file that was read
/// in part would look like a file that ends there, so that is an error.
std::optional<Bytes> slurp(const std::string& path) {
  auto file = files::read_file(path);
  if (file && *file) return *std::move(file);
  failed(file ? path + " is not there" : file.error().detail);
  return std::nullopt;
}

const char* name_of(FrameKind k) {
  switch (k) {
    case FrameKind::entry:
      return "entry";
    case FrameKind::packed_entry:
      return "packed entry";
    case FrameKind::term_start:
      return "term start";
    case FrameKind::segment_start:
      return "segment start";
    case FrameKind::nothing:
      break;
  }
  return "";
}

/// Where the good frames of a segment end, and why.
struct SegmentEnd {
  Offset at;
  FrameState state = FrameState::nothing;
  bool file_ends = false;
  const char* why() const {
    return file_ends                         ? "the file ends"
           : state == FrameState::nothing    ? "nothing was written here"
           : state == FrameState::incomplete ? "a frame is cut short"
                                             : "bad bytes: torn, damaged or misplaced";
  }
};

/// Calls on_frame(offset, view, bytes) for each frame whose checksums are right, up to the first
/// place without a good frame.
template <typename OnFrame>
SegmentEnd walk(const Bytes& file, const SegmentHeader& h, OnFrame&& on_frame) {
  Offset at = h.first;
  ByteSpan rest = file.span().subspan(segment_header_size);
  for (;;) {
    const FrameView v = look_at_frame(rest, h.log, at, true);
    if (v.state != FrameState::good) return {at, v.state, rest.empty()};
    const std::uint32_t length = v.prefix.frame_length();
    on_frame(at, v, rest.first(length));
    at += length;
    rest = rest.subspan(length);
  }
}

/// A cut frame at the end is not damage: a crash may leave it above the durable mark (spec/02).
int inspect_segment(const Bytes& file) {
  const auto h = decode_segment_header(file);
  if (!h) return failed(h.error().message());
  put("segment: cluster {:016x} log {} first {} chain {:016x}\n", h->cluster.value, h->log.value,
      h->first.value, h->chain.value);
  if (const auto m = decode_marks(file))
    put("marks: durable {} chain {:016x} committed {} (counter {})\n", m->durable.value,
        m->chain.value, m->committed.value, m->counter);
  else put("marks: none\n");
  Chain chain = h->chain;
  const SegmentEnd end = walk(file, *h, [&chain](Offset at, const FrameView& v, ByteSpan frame) {
    put("{} {} term {} producer {:016x} sequence {} payload {} bytes\n", at.value,
        name_of(v.prefix.kind), v.prefix.term.value, v.prefix.producer.value,
        v.prefix.sequence.value, v.prefix.payload_length);
    chain = extend_chain(chain, frame.data());
  });
  put("ends at {} (chain {:016x}): {}\n", end.at.value, chain.value, end.why());
  return end.state == FrameState::bad ? exit_failed : 0;
}

/// Prints the entries only, as `loglog read` does, so that a log can be restored from its files.
int print_entries(const std::string& path, Format format) {
  const auto file = slurp(path);
  if (!file) return exit_failed;
  const auto h = decode_segment_header(*file);
  if (!h) return failed(fmt::format("{}: {}", path, h.error().message()));
  const SegmentEnd end = walk(*file, *h, [format](Offset at, const FrameView& v, ByteSpan frame) {
    if (v.prefix.kind != FrameKind::entry && v.prefix.kind != FrameKind::packed_entry) return;
    const auto* payload = reinterpret_cast<const char*>(frame.data()) + frame_prefix_size;
    print_entry({.offset = at.value,
                 .next = at.value + frame.size(),
                 .term = v.prefix.term.value,
                 .producer = v.prefix.producer.value,
                 .sequence = v.prefix.sequence.value,
                 .payload = std::string(payload, v.prefix.payload_length),
                 .packed = v.prefix.kind == FrameKind::packed_entry},
                format, stdout);
  });
  if (end.file_ends || end.state == FrameState::nothing) return 0;
  return failed(fmt::format("{}: {} at offset {}", path, end.why(), end.at.value));
}

int inspect_raft(const Bytes& file) {
  RaftRecords on;
  on.hard_state = [](const RaftHardState& h) {
    put("hard state: term {} vote {}\n", h.term.value, h.vote.value);
  };
  on.entry = [](const RaftEntry& e) {
    put("entry {} term {} command {} bytes\n", e.index.value, e.term.value, e.command.size());
  };
  on.cut = [](RaftIndex from) { put("cut: entries from {} on are dropped\n", from.value); };
  const auto end = read_raft_log(file, on);
  if (!end) return failed(end.error().message());
  put("mark: durable up to byte {} (counter {})\n", end->mark.durable, end->mark.counter);
  put("ends at byte {} of {}: {}\n", end->good, file.size(),
      end->lost   ? "damaged below the mark"
      : end->torn ? "a torn record follows"
                  : "nothing was written here");
  return end->lost ? exit_failed : 0;
}

std::vector<std::uint64_t> values_of(const std::vector<LogId>& ids) {
  std::vector<std::uint64_t> out;
  out.reserve(ids.size());
  for (const LogId id : ids) out.push_back(id.value);
  return out;
}

int inspect(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return failed(
        path + " is no file; name a segment, promise, tombstones, identity, raft.log or snapshot");
  const auto read = slurp(path);
  if (!read) return exit_failed;
  const Bytes& file = *read;
  const std::string_view text = file.text();
  if (text.starts_with("LOGLSEG")) return inspect_segment(file);
  if (text.starts_with("LOGLRFT")) return inspect_raft(file);
  if (text.starts_with("LOGLSNP")) {
    const auto s = decode_snapshot(file);
    if (!s) return failed(s.error().message());
    put("snapshot: index {} term {} state {} bytes\n", s->index.value, s->term.value,
        s->state.size());
    return 0;
  }
  if (text.starts_with("LLID")) {
    const auto i = decode_identity(file);
    if (!i) return failed(i.error().message());
    put("identity: cluster \"{}\" {:016x} {} {} disk {:016x} records of version {}\n",
        i->cluster_name, i->cluster.value, i->role == 3 ? "storage node" : "sequencer", i->id,
        i->disk.value, i->record_version);
    return 0;
  }
  if (file.size() == tombstones_file_size) {
    const auto t = decode_tombstones(file);
    if (!t) put("tombstones: none\n");
    else
      put("tombstones: floor {} counter {} logs {}\n", t->floor.value, t->counter,
          fmt::join(values_of(t->ids), " "));
    return 0;
  }
  if (file.size() == promise_file_size) {
    const auto p = decode_promise(file);
    if (p)
      put("promise: term {} instance {:016x} (counter {})\n", p->term.value, p->instance.value,
          p->counter);
    else put("promise: no good slot\n");
    return p ? 0 : exit_failed;
  }
  return failed(path + " is no file of LogLog's");
}

}  // namespace

void add_inspect(CLI::App& app, Run& run) {
  struct Options {
    std::vector<std::string> paths;
    std::string format;
    bool entries = false;
    bool force = false;
  };
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand(
      "inspect",
      "print segment, promise, tombstones, identity, raft.log or snapshot files, offline");
  c->add_option("PATH", o->paths, "the files, in order")->required()->type_name(file_type);
  auto* entries = c->add_flag("--entries", o->entries,
                              "only the entries of segments, up to where nothing was written; in a "
                              "copy of a segment that is not closed, "
                              "the last ones may never have been committed");
  c->add_option("--format", o->format,
                "of entries: lines (default), json (one object a line, bytes in base64) or raw")
      ->check(CLI::IsMember({"lines", "json", "raw"}))
      ->needs(entries);
  c->add_flag("--force", o->force, "raw bytes to a terminal too")->needs(entries);
  c->footer(
      R"(Needs no cluster and changes nothing. Of a segment: its header, the node's marks, and a line a frame up to where it
ends, with the chain there. A node that is running may be about to write what is not there yet.

Examples:
  loglog inspect /var/lib/loglog/storage-1/logs/1/00000000000000000000.seg
  loglog inspect /var/lib/loglog/sequencer-1/raft.log
  loglog inspect --entries --format json backup/logs/1/*.seg

Exit codes:
  0   the file is whole; a tail that a crash has cut is not damage
  1   damage, or no file of LogLog's)");
  c->callback([&run, o] {
    run = [o] {
      const Format format = o->format == "json"  ? Format::json
                            : o->format == "raw" ? Format::raw
                                                 : Format::lines;
      if (refuses_terminal(format, false, o->force)) return exit_bad_options;
      for (const std::string& path : o->paths) {
        if (!o->entries && o->paths.size() > 1) put("{}:\n", path);
        if (const int code = o->entries ? print_entries(path, format) : inspect(path); code != 0)
          return code;
      }
      return 0;
    };
  });
}

}  // namespace loglog::cli
