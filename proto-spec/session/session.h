// One connection without I/O: hellos, version, who may talk to whom, and the messages after that
// (W4, W5).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/codec.h"

namespace loglog {

/// The receiving half of a connection. Not thread-safe. The driver sends `own` as its first
/// message, reads from the socket into writable(), tells filled(), and takes what next() gives
/// until it gives nothing.
class Session {
 public:
  struct Expectation {
    std::vector<Role> roles;  ///< who may be on the other side; empty: anybody
    std::uint32_t id = 0;     ///< the id dialled; 0: any
  };

  Session(Hello own, Expectation expected);

  std::span<std::byte> writable() { return decoder_.writable(); }
  void filled(std::size_t n) { decoder_.filled(n); }

  /// The first thing given is the peer's Hello, checked; then messages. nullopt: more bytes are
  /// needed. An error: the connection is to be closed with it, and nothing more may be asked. A
  /// message is given only if its direction allows the peer's role to send it to this side's
  /// (wire/may_send.h).
  Result<std::optional<Received>> next();
  bool established() const { return established_; }
  /// The beginning of a message is here, and its end is not.
  bool has_part() const { return decoder_.has_part(); }
  /// The receive block: see FrameDecoder.
  void set_block_size(std::size_t size) { decoder_.set_slab_size(size); }
  std::size_t wanted() const { return decoder_.wanted(); }
  std::size_t held() const { return decoder_.held(); }
  Bytes release_block() { return decoder_.release(); }
  void drop_block() { decoder_.drop(); }
  void take_block(Bytes block) { decoder_.take(std::move(block)); }
  const Hello& peer() const { return peer_; }
  /// What this side sends in: the highest version that both speak; before that is known, and where
  /// there is none, hello_version.
  std::uint8_t version() const { return version_; }
  /// What next() checks of a Hello; also for connections that carry no bytes.
  Result<void> accept(const Hello& theirs);

 private:
  Result<void> admits(const Message& m) const;

  FrameDecoder decoder_;
  Hello own_;
  Hello peer_;
  Expectation expected_;
  bool established_ = false;
  std::uint8_t version_ = hello_version;
};

/// "client", "sequencer", "storage".
std::string_view name_of(Role r);

}  // namespace loglog
