// Encoding runs over the fields twice (size, then bytes) so that the head is allocated once. The
// decoder at the end of the file chooses where received bytes go, which decides how often payloads
// are copied.
#include "proto-spec/wire/codec.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <utility>

#include "proto-spec/wire/field_codec.h"

namespace loglog {
namespace {

// Position of the checksum in the header.
constexpr std::size_t header_checksum_at = 12;
// Bytes; messages up to this size are hashed in a single call.
constexpr std::size_t short_message = 256;

// Covers header and fields, with the checksum field taken as zero (W2).
std::uint32_t checksum(const std::byte* head, std::size_t size) {
  // Most messages are short. Copying them and hashing in a single call costs a fraction of the
  // streaming hash.
  if (std::byte b[short_message]; size <= sizeof b) {
    std::memcpy(b, head, size);
    store_le(b + header_checksum_at, std::uint32_t{0});
    return static_cast<std::uint32_t>(XXH3_64bits(b, size));
  }
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  static constexpr std::byte zero[4]{};
  XXH3_64bits_update(&state, head, header_checksum_at);
  XXH3_64bits_update(&state, zero, sizeof zero);
  XXH3_64bits_update(&state, head + message_header_size, size - message_header_size);
  return static_cast<std::uint32_t>(XXH3_64bits_digest(&state));
}

// Finds a message's tail, which the field codecs skip.
struct TailPicker {
  Bytes tail_bytes;
  template <class T>
  void operator()(const char*, T&) {}
  void tail(const char*, Bytes& b) { tail_bytes = b; }
};

// Decodes the fields of a message type. The checksum is verified last, because only the fields tell
// where the tail begins; the reader is total, so damaged fields do no harm before.
template <class M>
Result<Received> decode_as(const MessageHeader& h, const Bytes& whole) {
  Received out;
  out.request = h.request;
  M& m = out.message.emplace<M>();
  FieldReader r{.source = whole, .at = message_header_size, .version = h.version};
  for_each_field(m, r);
  const std::string name{name_of(M::type)};
  if (!r.ok)
    return fail(Errc::malformed_message,
                "the fields of " + name + " end early or hold an impossible value");
  if (r.at != whole.size())
    return fail(Errc::malformed_message, name + " has bytes after its last field");
  const std::size_t covered = r.has_tail ? r.tail_begin : whole.size();
  if (checksum(whole.data(), covered) != h.checksum) return fail(Errc::checksum_mismatch, name);
  return out;
}

// The refusal of a message that its header's version does not contain.
std::unexpected<Error> too_new(const MessageHeader& h, int since) {
  return fail(Errc::malformed_message, std::string(name_of(static_cast<MessageType>(h.type))) +
                                           " in version " + std::to_string(h.version) +
                                           "; it exists since version " + std::to_string(since));
}

}  // namespace

// Also the test for a known number: an unknown number gives an empty name.
std::string_view name_of(MessageType t) {
  switch (t) {
#define LOGLOG_MESSAGE(number, Name, direction, since) \
  case MessageType::Name:                              \
    return #Name;
#include "proto-spec/messages.def"
  }
  return "";
}

Encoded encode(RequestId request, const Message& message, std::uint8_t version) {
  Encoded out;
  std::visit(
      [&](auto& m) {
        using M = std::remove_cvref_t<decltype(m)>;
        if constexpr (!std::is_same_v<M, std::monostate>) {
          FieldSizer sizer{.version = version};
          for_each_field(const_cast<M&>(m), sizer);
          TailPicker picker;
          for_each_field(const_cast<M&>(m), picker);
          out.tail = picker.tail_bytes;
          out.head = Bytes::allocate(message_header_size + sizer.size);
          std::byte* p = out.head.mutable_data();
          store_le(p, version);
          store_le(p + 1, static_cast<std::uint8_t>(M::type));
          store_le(p + 2, std::uint16_t{0});
          store_le(p + 4, static_cast<std::uint32_t>(sizer.size + out.tail.size()));
          store_le(p + 8, request.value);
          store_le(p + header_checksum_at, std::uint32_t{0});
          FieldWriter writer{.at = p + message_header_size, .version = version};
          for_each_field(const_cast<M&>(m), writer);
          // Last: the checksum covers all bytes before.
          store_le(p + header_checksum_at, checksum(p, out.head.size()));
        }
      },
      message);
  return out;
}

std::size_t encoded_size(const Message& message, std::uint8_t version) {
  return std::visit(
      [&](const auto& m) -> std::size_t {
        using M = std::remove_cvref_t<decltype(m)>;
        if constexpr (std::is_same_v<M, std::monostate>) return 0;
        else {
          FieldSizer sizer{.version = version};
          for_each_field(const_cast<M&>(m), sizer);
          TailPicker picker;
          for_each_field(const_cast<M&>(m), picker);
          return message_header_size + sizer.size + picker.tail_bytes.size();
        }
      },
      message);
}

Result<MessageHeader> decode_header(ByteSpan b) {
  if (b.size() < message_header_size) return fail(Errc::malformed_message, "a header has 16 bytes");
  const std::byte* p = b.data();
  MessageHeader h;
  h.version = load_le<std::uint8_t>(p);
  h.type = load_le<std::uint8_t>(p + 1);
  h.flags = load_le<std::uint16_t>(p + 2);
  h.body_length = load_le<std::uint32_t>(p + 4);
  h.request = RequestId{load_le<std::uint32_t>(p + 8)};
  h.checksum = load_le<std::uint32_t>(p + header_checksum_at);
  if (h.version == 0) return fail(Errc::wrong_version, "message version 0, there is none before 1");
  if (h.flags != 0)
    return fail(Errc::malformed_message, "flags " + std::to_string(h.flags) + ", expected 0");
  if (name_of(static_cast<MessageType>(h.type)).empty())
    return fail(Errc::malformed_message, "no message has number " + std::to_string(h.type));
  return h;
}

Result<Received> decode(const Bytes& whole) {
  auto h = decode_header(whole);
  if (!h) return std::unexpected(h.error());
  if (whole.size() != message_header_size + std::size_t{h->body_length})
    return fail(Errc::malformed_message, "the body length does not match");
  switch (static_cast<MessageType>(h->type)) {
#define LOGLOG_MESSAGE(number, Name, direction, since) \
  case MessageType::Name:                              \
    if (h->version < since) return too_new(*h, since); \
    return decode_as<Name>(*h, whole);
#include "proto-spec/messages.def"
  }
  return fail(Errc::malformed_message);
}

namespace {
// A large message is often followed by another. Therefore only a small first piece is read behind
// it. The piece tells the size of the next message, and the rest is read straight into a block that
// holds all of it. At most the piece is ever copied. Both values in bytes.
constexpr std::size_t large_message = 32u << 10;
constexpr std::size_t first_piece = 16u << 10;
}  // namespace

MessageDecoder::MessageDecoder(std::size_t slab_size, std::uint32_t body_max)
    : slab_size_(slab_size), body_max_(body_max) {}

void MessageDecoder::make_room(std::size_t size) {
  const std::size_t have = end_ - begin_;
  Bytes next = Bytes::allocate(size);
  if (have > 0) std::memcpy(next.mutable_data(), slab_.data() + begin_, have);
  slab_ = next;
  begin_ = 0;
  end_ = have;
}

// A new block is needed in three cases: the rest of this block cannot hold the unfinished message;
// the block is full; less than a first piece is left behind a large message.
std::size_t MessageDecoder::wanted() const {
  if (whole_ > slab_.size() - begin_) return std::max(slab_size_, whole_);
  const bool too_little =
      after_large_ && begin_ == end_ && slab_.size() - end_ < std::min(first_piece, slab_size_);
  return slab_.size() == end_ || too_little ? slab_size_ : 0;
}

Bytes MessageDecoder::release() {
  if (has_part()) return {};
  begin_ = end_ = 0;
  return std::exchange(slab_, {});
}

// whole_ is reset too, so that wanted() does not ask for the rest of a message that will not come.
void MessageDecoder::drop() {
  begin_ = end_ = whole_ = 0;
  slab_ = {};
}

// Behind a large unfinished message nothing is read into the same block: the next message would
// then have to move.
std::span<std::byte> MessageDecoder::writable() {
  if (const std::size_t size = wanted(); size > 0) make_room(size);
  std::size_t room = slab_.size() - end_;
  if (whole_ >= large_message) room = std::min(room, begin_ + whole_ - end_);
  else if (after_large_) room = std::min(room, first_piece);
  return {slab_.mutable_data() + end_, room};
}

void MessageDecoder::filled(std::size_t n) { end_ += n; }

// Version and size are checked as soon as the header is here, before memory for the body is
// allocated.
Result<std::optional<Received>> MessageDecoder::next() {
  const std::size_t have = end_ - begin_;
  if (have < message_header_size) return std::nullopt;
  auto h = decode_header(slab_.span().subspan(begin_, message_header_size));
  if (!h) return std::unexpected(h.error());
  if (h->version > version_)
    return fail(Errc::wrong_version, "message version " + std::to_string(h->version) +
                                         ", at most " + std::to_string(version_) +
                                         " is spoken on this connection");
  if (h->body_length > body_max_)
    return fail(Errc::message_too_large, "a body of " + std::to_string(h->body_length) +
                                             " bytes, at most " + std::to_string(body_max_) +
                                             " are accepted");
  const std::size_t whole = message_header_size + h->body_length;
  whole_ = have < whole ? whole : 0;
  if (have < whole) return std::nullopt;
  auto r = decode(slab_.slice(begin_, whole));
  begin_ += whole;
  after_large_ = whole >= large_message;
  if (!r) return std::unexpected(r.error());
  return std::optional<Received>(std::move(*r));
}

}  // namespace loglog
