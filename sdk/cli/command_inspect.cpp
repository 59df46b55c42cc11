// loglog inspect: any file of a data directory, offline, a line per frame or record.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "proto-spec/disk/frame.h"
#include "proto-spec/disk/raft_log.h"
#include "proto-spec/disk/segment.h"
#include "sdk/cli/cli.h"

namespace loglog::cli {
namespace {

Bytes slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream s;
  s << in.rdbuf();
  return Bytes::copy_of(s.str());
}

int inspect_segment(const Bytes& file) {
  const auto h = decode_segment_header(file);
  if (!h) return failed(h.error().message());
  fmt::print("segment: cluster {:016x} log {} first {} chain {:016x}\n", h->cluster.value, h->log.value, h->first.value, h->chain.value);
  if (const auto m = decode_marks(file))
    fmt::print("marks: durable {} chain {:016x} committed {} (counter {})\n", m->durable.value, m->chain.value, m->committed.value,
               m->counter);
  else fmt::print("marks: none\n");
  Offset at = h->first;
  Chain chain = h->chain;
  ByteSpan rest = file.span().subspan(segment_header_size);
  for (;;) {
    const FrameView v = look_at_frame(rest, h->log, at, true);
    if (v.state != FrameState::good) {
      const char* why = rest.empty()                        ? "the file ends"
                        : v.state == FrameState::nothing    ? "nothing was written here"
                        : v.state == FrameState::incomplete ? "a frame is cut short"
                                                            : "bad bytes: torn, damaged or misplaced";
      fmt::print("ends at {} (chain {:016x}): {}\n", at.value, chain.value, why);
      return v.state == FrameState::bad ? exit_failed : 0;
    }
    static const auto kind = [](FrameKind k) {
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
    };
    fmt::print("{} {} term {} producer {:016x} sequence {} payload {} bytes\n", at.value, kind(v.prefix.kind), v.prefix.term.value,
               v.prefix.producer.value, v.prefix.sequence.value, v.prefix.payload_length);
    chain = extend_chain(chain, rest.data());
    at += v.prefix.frame_length();
    rest = rest.subspan(v.prefix.frame_length());
  }
}

int inspect_raft(const Bytes& file) {
  RaftRecords on;
  on.hard_state = [](const RaftHardState& h) { fmt::print("hard state: term {} vote {}\n", h.term.value, h.vote.value); };
  on.entry = [](const RaftEntry& e) { fmt::print("entry {} term {} command {} bytes\n", e.index.value, e.term.value, e.command.size()); };
  on.cut = [](RaftIndex from) { fmt::print("cut: entries from {} on are dropped\n", from.value); };
  const auto good = read_raft_log(file, on);
  if (!good) return failed(good.error().message());
  fmt::print("ends at byte {} of {}{}\n", *good, file.size(), *good == file.size() ? "" : ": a torn record follows");
  return 0;
}

int inspect(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return failed(path + " is no file; name a segment, promise, identity, raft.log or snapshot");
  const Bytes file = slurp(path);
  const std::string_view text = file.text();
  if (text.starts_with("LOGLSEG")) return inspect_segment(file);
  if (text.starts_with("LOGLRFT")) return inspect_raft(file);
  if (text.starts_with("LOGLSNP")) {
    const auto s = decode_snapshot(file);
    if (!s) return failed(s.error().message());
    fmt::print("snapshot: index {} term {} state {} bytes\n", s->index.value, s->term.value, s->state.size());
    return 0;
  }
  if (text.starts_with("LLID")) {
    const auto i = decode_identity(file);
    if (!i) return failed(i.error().message());
    fmt::print("identity: cluster \"{}\" {:016x} {} {} disk {:016x}\n", i->cluster_name, i->cluster.value,
               i->role == 3 ? "storage node" : "sequencer", i->id, i->disk.value);
    return 0;
  }
  if (file.size() == promise_file_size) {
    const auto p = decode_promise(file);
    if (p) fmt::print("promise: term {} instance {:016x} (counter {})\n", p->term.value, p->instance.value, p->counter);
    else fmt::print("promise: no good slot\n");
    return p ? 0 : exit_failed;
  }
  return failed(path + " is no file of LogLog's");
}

}  // namespace

void add_inspect(CLI::App& app, Run& run) {
  auto path = std::make_shared<std::string>();
  auto* c = app.add_subcommand("inspect", "print a segment, promise, identity, raft.log or snapshot file, offline");
  c->add_option("PATH", *path, "the file")->required();
  c->callback([&run, path] { run = [path] { return inspect(*path); }; });
}

}  // namespace loglog::cli
