// Messages to bytes and back. Header: version 1, type 1, flags 2, body length 4, request id 4,
// checksum 4, all little-endian; the checksum is the low half of XXH3-64 over the header (checksum
// zero) and all fields, without the tail.
#pragma once
#include <optional>

#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace loglog {

inline constexpr std::size_t message_header_size = 16;
/// Bytes of one receive block: what a connection takes from its socket at once, and what a small
/// message is a slice of.
inline constexpr std::size_t receive_block_size = 256u << 10;

struct MessageHeader {
  std::uint8_t version = 0;
  std::uint8_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t body_length = 0;
  RequestId request{};
  std::uint32_t checksum = 0;
};

/// An encoded message: `head` is header and fields, `tail` the handle of the raw bytes that follow
/// (may be empty).
struct Encoded {
  Bytes head;
  Bytes tail;
  std::size_t size() const { return head.size() + tail.size(); }
};

/// In the form of that protocol version, which a connection agrees on (session/session.h).
Encoded encode(RequestId request, const Message& m, std::uint8_t version = hello_version);

/// encode(…).size(), without encoding.
std::size_t encoded_size(const Message& m, std::uint8_t version = hello_version);

/// Total: any 16 bytes give a header or a refusal (wrong_version, malformed_message,
/// message_too_large).
Result<MessageHeader> decode_header(ByteSpan bytes);

struct Received {
  RequestId request{};
  Message message;
};

/// Decodes one whole message (header and body). Total: any bytes give a message or a refusal, in
/// memory bounded by the size of `whole`. Tails and Bytes fields are slices of `whole`, not copies.
Result<Received> decode(const Bytes& whole);

/// Cuts a byte stream into messages, receiving in place: the driver reads from the socket straight
/// into writable(), so that a payload is never copied. A message that does not fit the rest of the
/// slab moves (its part that came) to a block of its own size.
class FrameDecoder {
 public:
  /// slab_size: bytes of one receive block. body_max: largest body accepted.
  explicit FrameDecoder(std::size_t slab_size = receive_block_size,
                        std::uint32_t body_max = message_body_max);

  /// Where the next bytes go; never empty. Valid until the next call of any member.
  std::span<std::byte> writable();
  /// The version that was agreed on: messages of a newer one are refused (wrong_version). Until
  /// told, only hello_version.
  void set_version(std::uint8_t version) { version_ = version; }
  /// From now on. What came already stays where it is.
  void set_sizes(std::size_t slab_size, std::uint32_t body_max) {
    slab_size_ = slab_size;
    body_max_ = body_max;
  }
  /// Size of the next receive block, bytes; a message that is larger gets a block of its own size.
  void set_slab_size(std::size_t size) { slab_size_ = size; }
  /// A part of a message has come, and the rest has not.
  bool has_part() const { return end_ > begin_; }
  /// Bytes of the block that writable() is going to take; 0: the present block has room.
  std::size_t wanted() const;
  /// Memory of the present block, bytes.
  std::size_t held() const { return slab_.held(); }
  /// With no part of a message here: gives the block away, so that a connection that is silent
  /// holds none. Empty: there is none.
  Bytes release();
  /// Gives the block away with what has come: the stream is at its end.
  void drop();
  /// Receives into `block` from now on, from its beginning; only after release().
  void take(Bytes block) { slab_ = std::move(block); }
  /// `n` bytes were written there.
  void filled(std::size_t n);
  /// The next whole message; nullopt: more bytes are needed. After an error the stream is dead.
  Result<std::optional<Received>> next();

 private:
  void make_room(std::size_t size);

  std::size_t slab_size_;
  std::uint32_t body_max_;
  Bytes slab_;
  std::size_t begin_ = 0;  // first byte not yet given out
  std::size_t end_ = 0;    // end of what came
  std::size_t whole_ = 0;  // size of the message of which a part came; 0: not known
  bool after_large_ = false;
  std::uint8_t version_ = hello_version;
};

/// One readable line: name and fields; tails as their length.
std::string to_text(const Message& m);

}  // namespace loglog
