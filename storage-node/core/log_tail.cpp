// The walk over frames. extend() is the only place that moves a tail over a frame.
#include "storage-node/core/log_tail.h"

#include "proto-spec/vocabulary/check.h"

namespace loglog::storage {
namespace {
/// D4: replicas compare chains at the first frame end past each multiple of this.
constexpr std::uint64_t checkpoint_every = 1u << 20;
}  // namespace

void extend(Tail& tail, std::vector<TermStart>& terms, const std::byte* frame,
            const FramePrefix& prefix, Chain after) {
  // A log that was trimmed or re-based begins with a segment start, which names the term in force
  // and that term's first frame (F5).
  if (prefix.kind == FrameKind::segment_start && terms.empty()) {
    const auto start = read_segment_start({frame + frame_prefix_size, prefix.payload_length});
    if (start && start->term_in_force != Term{})
      terms.push_back({start->term_in_force, start->term_start});
  }
  if (terms.empty() || terms.back().term != prefix.term) terms.push_back({prefix.term, tail.end});
  const Offset before = tail.end;
  tail.end += prefix.frame_length();
  tail.chain = after;
  tail.last_term = prefix.term;
  if (before.value / checkpoint_every != tail.end.value / checkpoint_every) {
    tail.checkpoint = tail.end;
    tail.checkpoint_chain = after;
  }
}

Scanned scan_frames(ByteSpan bytes, LogId log, Offset limit, bool verify_payloads, Tail& tail,
                    std::vector<TermStart>& terms,
                    const std::function<void(const FramePrefix&, std::size_t)>& before_frame) {
  Scanned s;
  while (tail.end < limit) {
    const ByteSpan left = bytes.subspan(s.good_bytes);
    const FrameView view = look_at_frame(left, log, tail.end, verify_payloads);
    s.stop = view.state;
    if (view.state != FrameState::good) return s;
    // A lower term is a remnant of a log that was cut, with valid checksums of its own. A frame
    // across the limit is none of the range that was asked for.
    if (view.prefix.term < tail.last_term || tail.end + view.prefix.frame_length() > limit) {
      s.stop = FrameState::bad;
      return s;
    }
    if (before_frame) before_frame(view.prefix, s.good_bytes);
    extend(tail, terms, left.data(), view.prefix, extend_chain(tail.chain, left.data()));
    s.good_bytes += view.prefix.frame_length();
  }
  s.stop = FrameState::good;
  return s;
}

void stamp_run(Bytes& images, LogId log, Term term, Tail& tail, std::vector<TermStart>& terms) {
  std::size_t at = 0;
  while (at < images.size()) {
    std::byte* frame = images.mutable_data() + at;
    auto prefix = read_prefix(frame);
    check(prefix && at + prefix->frame_length() <= images.size(), "a staged run is no run");
    const std::uint32_t length = prefix->frame_length();
    const Chain after = stamp_frame(frame, length, term, log, tail.end, tail.chain);
    prefix->term = term;
    extend(tail, terms, frame, *prefix, after);
    at += length;
  }
}

Bytes unstamped_copy(ByteSpan frames) {
  Bytes copy = Bytes::copy_of(frames);
  std::size_t at = 0;
  // The frames come from disk or memory and may end in the middle of a frame, so the walk stops
  // there. The length field of the prefix is read directly, since it is the same in stamped and
  // unstamped frames.
  while (at + frame_overhead <= copy.size()) {
    std::byte* frame = copy.mutable_data() + at;
    const std::uint64_t length = std::uint64_t{load_le<std::uint32_t>(frame) >> 8} + frame_overhead;
    if (at + length > copy.size()) break;
    unstamp_frame(frame, static_cast<std::uint32_t>(length));
    at += length;
  }
  return copy;
}

void cut_terms(std::vector<TermStart>& terms, Offset end) {
  while (!terms.empty() && terms.back().offset >= end) terms.pop_back();
}

void trim_terms(std::vector<TermStart>& terms, Offset first) {
  // The term in force at `first` has its first frame at or below it.
  while (terms.size() > 1 && terms[1].offset <= first) terms.erase(terms.begin());
}

}  // namespace loglog::storage
