// Messages to bytes and back, in the format of spec/01 W2 and W3. The message structs are in
// messages.h, the fields' encoding in field_codec.h. Sessions and connections use the decoder;
// tests and tools call encode() and decode() directly.
//
// Header: version 1, type 1, flags 2, body length 4, request id 4, checksum 4 bytes; little-endian.
// Checksum: low half of XXH3-64 over the header (checksum zero) and all fields, without the tail.
#pragma once
#include <optional>

#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace loglog {

/// Bytes.
inline constexpr std::size_t message_header_size = 16;
/// Bytes of a receive block. A connection reads up to that much from its socket at a time; a small
/// message becomes a slice of the block.
inline constexpr std::size_t receive_block_size = 256u << 10;

/// The decoded header. `flags` are zero in every valid message; `body_length` counts fields and
/// tail, bytes.
struct MessageHeader {
  std::uint8_t version = 0;
  std::uint8_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t body_length = 0;
  RequestId request{};
  std::uint32_t checksum = 0;
};

/// An encoded message: `head` holds header and fields. `tail` is the handle of the raw bytes behind
/// them, which are not copied; it may be empty.
struct Encoded {
  Bytes head;
  Bytes tail;
  std::size_t size() const { return head.size() + tail.size(); }
};

/// Encodes in the form of `version`, the version that the connection has agreed on
/// (session/session.h). std::monostate gives an empty result.
Encoded encode(RequestId request, const Message& m, std::uint8_t version = hello_version);

/// encode(...).size() without encoding, for limits and statistics.
std::size_t encoded_size(const Message& m, std::uint8_t version = hello_version);

/// Decodes 16 bytes. Fails with wrong_version (version 0) or malformed_message. The limits on
/// version and size are the decoder's. Total.
Result<MessageHeader> decode_header(ByteSpan bytes);

/// A decoded message with the request id of its header.
struct Received {
  RequestId request{};
  Message message;
};

/// Decodes a whole message, header and body. Tails and Bytes fields are slices of `whole`, not
/// copies. Total: any bytes give a message or a refusal, in memory bounded by the size of `whole`
/// (W5).
Result<Received> decode(const Bytes& whole);

/// Cuts a byte stream into messages and receives in place: the driver reads from the socket
/// straight into writable(), so a payload is never copied. If a message does not fit the rest of
/// the block, the part that has come moves to a new block of the message's size. ("Slab" is the
/// receive block.)
class MessageDecoder {
 public:
  /// `slab_size`: bytes of a receive block. `body_max`: largest body accepted, bytes.
  explicit MessageDecoder(std::size_t slab_size = receive_block_size,
                          std::uint32_t body_max = message_body_max);

  /// The place for the next bytes; never empty. Allocates a block if wanted() says so. Valid until
  /// the next call of any member.
  std::span<std::byte> writable();
  /// Sets the agreed version; messages of a newer version are refused (wrong_version). Until then
  /// only hello_version is accepted.
  void set_version(std::uint8_t version) { version_ = version; }
  /// Sets both sizes for the blocks and messages from now on. Bytes that have come stay where they
  /// are.
  void set_sizes(std::size_t slab_size, std::uint32_t body_max) {
    slab_size_ = slab_size;
    body_max_ = body_max;
  }
  /// Bytes of the next receive block. A larger message still gets a block of its own size.
  void set_slab_size(std::size_t size) { slab_size_ = size; }
  /// True if a part of a message has come and the rest has not.
  bool has_part() const { return end_ > begin_; }
  /// Bytes of the block that writable() would allocate; 0 if the present block has room.
  std::size_t wanted() const;
  /// Memory of the present block, bytes.
  std::size_t held() const { return slab_.held(); }
  /// Gives the block away if no part of a message is in it, so that a silent connection holds none
  /// (W10). Otherwise returns an empty handle and keeps the block.
  Bytes release();
  /// Drops the block with all bytes in it; for a stream that has ended.
  void drop();
  /// Receives into `block` from now on, from its beginning. Only after release(), with no part of a
  /// message here.
  void take(Bytes block) { slab_ = std::move(block); }
  /// Reports that `n` bytes were written to the start of writable().
  void filled(std::size_t n);
  /// The next whole message; nullopt: more bytes are needed. After an error the stream is dead, and
  /// nothing may be called but drop().
  Result<std::optional<Received>> next();

 private:
  /// Moves the unfinished part to a new block of `size` bytes.
  void make_room(std::size_t size);

  std::size_t slab_size_;
  std::uint32_t body_max_;
  Bytes slab_;
  std::size_t begin_ = 0;     // first byte of the first message not yet given out
  std::size_t end_ = 0;       // end of the received bytes; begin_ <= end_ <= slab_.size()
  std::size_t whole_ = 0;     // size of the unfinished message, header included; 0: not known
  bool after_large_ = false;  // the message before was large; see codec.cpp
  std::uint8_t version_ = hello_version;
};

/// A readable line: the message's name and fields; tails as their length. For logs and tests.
std::string to_text(const Message& m);

}  // namespace loglog
