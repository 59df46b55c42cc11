// Frames by hand: offsets of fields are constants here, and the checksum functions choose between
// XXH3's inlined form (short input) and its dispatched form (long payloads). The layout is in the
// header.
#include "proto-spec/disk/frame.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <utility>

#ifdef LOGLOG_XXH_DISPATCH
// From libxxhash, declared by hand. Its own header would replace the inlined functions, which are
// faster for short input.
extern "C" XXH64_hash_t XXH3_64bits_dispatch(const void* input, std::size_t size);
#endif

namespace loglog {
namespace {

// Bytes. Below this size the switch to the widest vector registers and back costs more than it
// saves.
[[maybe_unused]] constexpr std::size_t dispatched_above = 8u << 10;

// Positions inside the prefix that are written or skipped on their own.
constexpr std::size_t term_at = 4;
constexpr std::size_t payload_checksum_at = 24;
constexpr std::size_t checksum_at = 32;
constexpr std::byte payload_version{1};

std::uint32_t low_half(std::uint64_t h) { return static_cast<std::uint32_t>(h); }

// Builds the payload of a leader's own frame: a version byte, then fields as on the wire.
class PayloadWriter {
 public:
  PayloadWriter() { out_.push_back(payload_version); }
  template <class T>
  void put(T v) {
    std::byte b[sizeof v];
    store_le(b, v);
    out_.insert(out_.end(), b, b + sizeof v);
  }
  // The whole frame image; producer and sequence are 0.
  Bytes image(FrameKind kind) const {
    Bytes b = Bytes::allocate(out_.size() + frame_overhead);
    write_frame_image(b.mutable_data(), kind, ProducerId{}, Sequence{}, out_);
    return b;
  }

 private:
  std::vector<std::byte> out_;
};

// Reads such a payload. After the first field that is missing, every get() returns 0 and ok() is
// false.
class PayloadReader {
 public:
  explicit PayloadReader(ByteSpan b) : left_(b) { ok_ = get<std::byte>() == payload_version; }
  template <class T>
  T get() {
    if (left_.size() < sizeof(T)) {
      ok_ = false;
      return T{};
    }
    T v = load_le<T>(left_.data());
    left_ = left_.subspan(sizeof(T));
    return v;
  }
  // True if all fields were there and no byte is left.
  bool complete() const { return ok_ && left_.empty(); }
  bool ok() const { return ok_; }

 private:
  ByteSpan left_;
  bool ok_ = true;
};

}  // namespace

std::optional<FramePrefix> read_prefix(const std::byte* p) {
  FramePrefix f;
  f.kind = static_cast<FrameKind>(p[0]);
  switch (f.kind) {
    case FrameKind::entry:
    case FrameKind::term_start:
    case FrameKind::segment_start:
    case FrameKind::packed_entry:
      break;
    default:
      return std::nullopt;
  }
  f.payload_length = load_le<std::uint32_t>(p) >> 8;
  f.term = Term{load_le<std::uint32_t>(p + term_at)};
  f.producer = ProducerId{load_le<std::uint64_t>(p + 8)};
  f.sequence = Sequence{load_le<std::uint64_t>(p + 16)};
  f.payload_checksum = load_le<std::uint64_t>(p + payload_checksum_at);
  f.prefix_checksum = load_le<std::uint32_t>(p + checksum_at);
  return f;
}

void write_frame_image(std::byte* out, FrameKind kind, ProducerId producer, Sequence sequence,
                       ByteSpan payload) {
  const auto n = static_cast<std::uint32_t>(payload.size());
  store_le(out, static_cast<std::uint32_t>(kind) | (n << 8));
  store_le(out + term_at, std::uint32_t{0});
  store_le(out + 8, producer.value);
  store_le(out + 16, sequence.value);
  store_le(out + payload_checksum_at, payload_checksum(payload));
  store_le(out + checksum_at, std::uint32_t{0});
  if (n > 0) std::memcpy(out + frame_prefix_size, payload.data(), n);
  store_le(out + frame_prefix_size + n, n + frame_overhead);
  store_le(out + frame_prefix_size + n + 4, std::uint32_t{0});
}

std::uint64_t payload_checksum(ByteSpan payload) {
#ifdef LOGLOG_XXH_DISPATCH
  if (payload.size() > dispatched_above)
    return XXH3_64bits_dispatch(payload.data(), payload.size());
#endif
  return XXH3_64bits(payload.data(), payload.size());
}

// Hashes a copy, because log id and offset are not in the frame and must follow the prefix (F2).
std::uint32_t prefix_checksum(const std::byte* prefix, LogId log, Offset offset) {
  std::byte b[checksum_at + 16];
  std::memcpy(b, prefix, checksum_at);
  store_le(b + checksum_at, log.value);
  store_le(b + checksum_at + 8, offset.value);
  return low_half(XXH3_64bits(b, sizeof b));
}

Chain extend_chain(Chain before, const std::byte* stamped_prefix) {
  return Chain{XXH3_64bits_withSeed(stamped_prefix, frame_prefix_size, before.value)};
}

// The term goes first: the checksum covers it.
Chain stamp_frame(std::byte* frame, std::uint32_t frame_length, Term term, LogId log, Offset offset,
                  Chain before) {
  store_le(frame + term_at, term.value);
  const std::uint32_t sum = prefix_checksum(frame, log, offset);
  store_le(frame + checksum_at, sum);
  store_le(frame + frame_length - 4, ~sum);
  return extend_chain(before, frame);
}

void unstamp_frame(std::byte* frame, std::uint32_t frame_length) {
  store_le(frame + term_at, std::uint32_t{0});
  store_le(frame + checksum_at, std::uint32_t{0});
  store_le(frame + frame_length - 4, std::uint32_t{0});
}

RunDigest digest_of(ByteSpan images) {
  // Prefixes are gathered so that the hash runs once for up to 32 frames. Runs of at most 32 frames
  // need no streaming state, whose initialisation costs more than their hash.
  std::byte gathered[32 * checksum_at];
  std::size_t size = 0;
  XXH3_state_t state;
  bool begun = false;
  while (images.size() >= frame_overhead) {
    const std::byte* p = images.data();
    if (size == sizeof gathered) {
      if (!std::exchange(begun, true)) XXH3_64bits_reset(&state);
      XXH3_64bits_update(&state, gathered, size);
      size = 0;
    }
    std::memcpy(gathered + size, p, checksum_at);
    store_le(gathered + size + term_at, std::uint32_t{0});
    size += checksum_at;
    const std::size_t length = (load_le<std::uint32_t>(p) >> 8) + frame_overhead;
    if (length > images.size()) break;
    images = images.subspan(length);
  }
  if (!begun) return RunDigest{XXH3_64bits(gathered, size)};
  XXH3_64bits_update(&state, gathered, size);
  return RunDigest{XXH3_64bits_digest(&state)};
}

Result<Reference> check_images(ByteSpan images, bool verify_payloads) {
  if (images.empty()) return fail(Errc::malformed_message, "a run has at least one frame");
  if (images.size() > run_size_max)
    return fail(Errc::message_too_large, "a run of " + std::to_string(images.size()) +
                                             " bytes, at most " + std::to_string(run_size_max) +
                                             " are accepted");
  Reference run;
  run.length = static_cast<std::uint32_t>(images.size());
  ByteSpan left = images;
  while (!left.empty()) {
    if (left.size() < frame_overhead)
      return fail(Errc::malformed_message, "a run ends inside a frame");
    const std::byte* p = left.data();
    const auto f = read_prefix(p);
    if (!f || (f->kind != FrameKind::entry && f->kind != FrameKind::packed_entry))
      return fail(Errc::malformed_message, "a run holds a frame that is no entry");
    const std::uint32_t n = f->frame_length();
    if (left.size() < n) return fail(Errc::malformed_message, "a run ends inside a frame");
    // A client must not stamp: the term is given by the order (F1).
    if (f->term != Term{} || f->prefix_checksum != 0 || load_le<std::uint32_t>(p + n - 4) != 0)
      return fail(Errc::malformed_message, "a frame image is stamped already");
    if (load_le<std::uint32_t>(p + n - 8) != n)
      return fail(Errc::malformed_message, "a frame's two lengths differ");
    if (run.count == 0) {
      run.producer = f->producer;
      run.first = f->sequence;
      // Producer 0 marks the leader's own frames (F5).
      if (run.producer == ProducerId{} || run.first == Sequence{})
        return fail(Errc::malformed_message, "producer id and sequence of an entry are never 0");
    } else if (f->producer != run.producer || f->sequence != run.first + run.count) {
      return fail(Errc::malformed_message,
                  "the frames of a run are not consecutive entries of one producer");
    }
    if (++run.count > run_frames_max)
      return fail(Errc::malformed_message,
                  "a run holds at most " + std::to_string(run_frames_max) + " frames");
    if (verify_payloads &&
        payload_checksum(left.subspan(frame_prefix_size, f->payload_length)) != f->payload_checksum)
      return fail(Errc::corrupt, "the payload checksum of sequence " +
                                     std::to_string(f->sequence.value) + " is wrong");
    left = left.subspan(n);
  }
  run.digest = digest_of(images);
  return run;
}

// The prefix is verified before its length is trusted; otherwise damage could ask for up to 16 MiB
// of further bytes.
FrameView look_at_frame(ByteSpan bytes, LogId log, Offset offset, bool verify_payload) {
  if (bytes.empty()) return {FrameState::incomplete, {}};
  const std::byte* p = bytes.data();
  if (p[0] == std::byte{0}) return {FrameState::nothing, {}};
  if (bytes.size() < frame_prefix_size) return {FrameState::incomplete, {}};
  const auto f = read_prefix(p);
  if (!f) return {FrameState::bad, {}};
  if (f->prefix_checksum != prefix_checksum(p, log, offset)) return {FrameState::bad, *f};
  const std::uint32_t n = f->frame_length();
  if (bytes.size() < n) return {FrameState::incomplete, *f};
  if (load_le<std::uint32_t>(p + n - 8) != n ||
      load_le<std::uint32_t>(p + n - 4) != ~f->prefix_checksum)
    return {FrameState::bad, *f};
  if (verify_payload &&
      payload_checksum(bytes.subspan(frame_prefix_size, f->payload_length)) != f->payload_checksum)
    return {FrameState::bad, *f};
  return {FrameState::good, *f};
}

// spec/02 F5.
Bytes make_term_start_image(const TermStartPayload& t) {
  PayloadWriter w;
  w.put(t.previous_start.value);
  w.put(t.previous_term.value);
  w.put(t.instance.value);
  w.put(t.clock_ms);
  w.put(t.write_quorum);
  w.put(static_cast<std::uint8_t>(t.members.size()));
  for (const Member& m : t.members) {
    w.put(m.node.value);
    w.put(m.disk.value);
  }
  return w.image(FrameKind::term_start);
}

Bytes make_segment_start_image(const SegmentStartPayload& s) {
  PayloadWriter w;
  w.put(s.clock_ms);
  w.put(s.term_in_force.value);
  w.put(s.term_start.value);
  return w.image(FrameKind::segment_start);
}

std::optional<TermStartPayload> read_term_start(ByteSpan payload) {
  PayloadReader r(payload);
  TermStartPayload t;
  t.previous_start = Offset{r.get<std::uint64_t>()};
  t.previous_term = Term{r.get<std::uint32_t>()};
  t.instance = InstanceId{r.get<std::uint64_t>()};
  t.clock_ms = r.get<std::uint64_t>();
  t.write_quorum = r.get<std::uint8_t>();
  const auto n = r.get<std::uint8_t>();
  // Stops at the first missing field, so a false count allocates nothing.
  for (int i = 0; i < n && r.ok(); ++i) {
    const NodeId node{r.get<std::uint32_t>()};
    t.members.push_back(Member{node, DiskId{r.get<std::uint64_t>()}});
  }
  return r.complete() ? std::optional(t) : std::nullopt;
}

std::optional<SegmentStartPayload> read_segment_start(ByteSpan payload) {
  PayloadReader r(payload);
  SegmentStartPayload s;
  s.clock_ms = r.get<std::uint64_t>();
  s.term_in_force = Term{r.get<std::uint32_t>()};
  s.term_start = Offset{r.get<std::uint64_t>()};
  return r.complete() ? std::optional(s) : std::nullopt;
}

std::optional<std::uint64_t> clock_at(ByteSpan bytes, LogId log, Offset offset) {
  const FrameView frame = look_at_frame(bytes, log, offset, true);
  if (frame.state != FrameState::good) return std::nullopt;
  const ByteSpan payload = bytes.subspan(frame_prefix_size, frame.prefix.payload_length);
  if (frame.prefix.kind == FrameKind::segment_start) {
    if (const auto s = read_segment_start(payload)) return s->clock_ms;
  } else if (frame.prefix.kind == FrameKind::term_start) {
    if (const auto t = read_term_start(payload)) return t->clock_ms;
  }
  return std::nullopt;
}

}  // namespace loglog
