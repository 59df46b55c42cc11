// A connection's receiving side without I/O (W4 to W5): checks the peer's hello, agrees on the
// version, checks directions, and cuts the byte stream into messages. transport/connection.h
// drives it over streams; the simulator calls accept() alone.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/codec.h"

namespace loglog {

/// The receiving half of a connection. Not thread-safe. The driver sends `own` as its first
/// message, reads from the socket into writable(), reports the bytes with filled(), and calls
/// next() until it returns nothing.
class Session {
 public:
  /// Which peers the hello may name. A dialling side knows role and id; a listening side knows the
  /// roles.
  struct Expectation {
    std::vector<Role> roles;  ///< roles that the peer may have; empty: any role
    std::uint32_t id = 0;     ///< node or sequencer id that was dialled; 0: any id
  };

  /// `own`: this side's hello, which also tells its role and versions.
  Session(Hello own, Expectation expected);

  std::span<std::byte> writable() { return decoder_.writable(); }
  void filled(std::size_t n) { decoder_.filled(n); }

  /// The next message; the first is the peer's Hello, already checked. nullopt: more bytes are
  /// needed. After an error the driver closes the connection with it and calls nothing more. A
  /// message against its direction is such an error (W4a, wire/may_send.h).
  Result<std::optional<Received>> next();
  /// True after the peer's hello has been accepted.
  bool established() const { return established_; }
  /// True if the beginning of a message is here and its end is not.
  bool has_part() const { return decoder_.has_part(); }
  /// These pass the receive block through to the decoder; see MessageDecoder.
  void set_block_size(std::size_t size) { decoder_.set_slab_size(size); }
  std::size_t wanted() const { return decoder_.wanted(); }
  std::size_t held() const { return decoder_.held(); }
  Bytes release_block() { return decoder_.release(); }
  void drop_block() { decoder_.drop(); }
  void take_block(Bytes block) { decoder_.take(std::move(block)); }
  /// The peer's hello; valid once established.
  const Hello& peer() const { return peer_; }
  /// The version in which this side sends: the highest that both sides speak. Before the peer's
  /// hello, and if there is no common version, it is hello_version.
  std::uint8_t version() const { return version_; }
  /// The checks that next() applies to a Hello. Also for connections that carry no bytes, as in the
  /// simulator.
  Result<void> accept(const Hello& theirs);

 private:
  /// Checks a message's direction.
  Result<void> admits(const Message& m) const;

  MessageDecoder decoder_;
  Hello own_;
  Hello peer_;
  Expectation expected_;
  bool established_ = false;
  std::uint8_t version_ = hello_version;  // see version()
};

/// "client", "sequencer", "storage node".
std::string_view name_of(Role r);

}  // namespace loglog
