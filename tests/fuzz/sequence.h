// Makes valid messages with arbitrary numbers from a fuzzer's bytes, for the fuzzers that drive a
// whole core through a sequence of steps.
// A number is small, was sent by the core before, or is absurd: numbers between these seldom break
// a core. No core is driven here; fuzz_client.cpp, fuzz_sequencer.cpp and fuzz_storage.cpp do that.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <typeindex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/codec.h"
#include "proto-spec/wire/field_codec.h"
#include "proto-spec/wire/may_send.h"

namespace loglog::fuzz {

/// Hands out the fuzzer's bytes in sequence. At their end it returns zeros; the caller then ends
/// the sequence.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t b = rest_.front();
    rest_ = rest_.subspan(1);
    return b;
  }
  /// Big-endian number of `bytes` bytes.
  std::uint64_t number(int bytes) {
    std::uint64_t n = 0;
    for (int i = 0; i < bytes; ++i) n = n << 8 | byte();
    return n;
  }
  /// A number in [0, n), or 0 if n is 0. Uses a byte, so only the first 256 values are reached.
  std::size_t below(std::size_t n) { return n <= 1 ? 0 : byte() % n; }

 private:
  std::span<const std::uint8_t> rest_;
};

/// Remembers the numbers, strings and bytes that the core has sent, so that later messages can
/// refer to real terms, offsets and ids. Numbers are kept by type; each list keeps the newest 32
/// values.
class Heard {
 public:
  template <class T>
  void number(std::uint64_t v) {
    keep(numbers_[typeid(T)], v);
  }
  template <class T>
  std::uint64_t pick_number(Input& in) const {
    const auto found = numbers_.find(typeid(T));
    return found == numbers_.end() || found->second.empty()
               ? 1
               : found->second[in.below(found->second.size())];
  }
  void text(const std::string& s) { keep(texts_, s); }
  void bytes(const Bytes& b) {
    if (!b.empty() && b.size() <= bytes_kept_max) keep(bytes_, b);
  }
  std::string pick_text(Input& in) const {
    return texts_.empty() ? "a" : texts_[in.below(texts_.size())];
  }
  Bytes pick_bytes(Input& in) const {
    return bytes_.empty() ? Bytes{} : bytes_[in.below(bytes_.size())];
  }

  /// Remembers every field of a message.
  template <class M>
  void message(const M& m);

 private:
  static constexpr std::size_t kept_max = 32;
  static constexpr std::size_t bytes_kept_max = 64u << 10;
  template <class T>
  static void keep(std::vector<T>& in, const T& v) {
    for (const T& there : in)
      if (there == v) return;
    if (in.size() == kept_max) in.erase(in.begin());
    in.push_back(v);
  }
  std::unordered_map<std::type_index, std::vector<std::uint64_t>> numbers_;
  std::vector<std::string> texts_;
  std::vector<Bytes> bytes_;
};

/// Visits the fields of a message that the core sent and hands each to Heard.
struct Listener {
  Heard& heard;
  template <class T>
  void operator()(const char*, T& v) {
    value(v);
  }
  void tail(const char*, Bytes& b) { heard.bytes(b); }
  template <class T>
  void value(T& v) {
    using U = std::remove_cvref_t<T>;
    if constexpr (std::is_same_v<U, std::string>) heard.text(v);
    else if constexpr (std::is_same_v<U, Bytes>) heard.bytes(v);
    else if constexpr (is_vector<U>) {
      for (auto& e : v) value(e);
    } else if constexpr (is_strong<U>) heard.number<U>(v.value);
    else if constexpr (std::is_integral_v<U>) heard.number<U>(static_cast<std::uint64_t>(v));
    else if constexpr (!std::is_enum_v<U>) for_each_field(v, *this);
  }
};

template <class M>
void Heard::message(const M& m) {
  Listener l{*this};
  std::visit(
      [&](const auto& v) {
        using V = std::remove_cvref_t<decltype(v)>;
        if constexpr (!std::is_same_v<V, std::monostate>) for_each_field(const_cast<V&>(v), l);
      },
      static_cast<const MessageVariant&>(m));
}

/// Fills the fields of a message from the input: small, remembered, close to remembered, absurd or
/// random numbers.
struct Filler {
  Input& in;
  const Heard& heard;
  static constexpr std::size_t list_length_max = 5;

  template <class T>
  void operator()(const char*, T& v) {
    value(v);
  }
  void tail(const char*, Bytes& b) { b = bytes(); }
  template <class T>
  std::uint64_t number() {
    constexpr std::uint64_t absurd[] = {
        ~0ull,      ~0ull - 1,  1ull << 63, (1ull << 63) - 1, 1ull << 62, 0xFFFFFFFF,    0xFFFFFFFE,
        1ull << 32, 1ull << 31, 1ull << 24, 16'777'255,       65'536,     (1u << 20) + 1};
    switch (in.below(5)) {
      case 0:
        return in.below(8);
      case 1:
        return heard.pick_number<T>(in);
      case 2:
        return heard.pick_number<T>(in) + in.below(3) - 1;
      case 3:
        return absurd[in.below(std::size(absurd))];
      default:
        return in.number(2);
    }
  }
  Bytes bytes() {
    switch (in.below(3)) {
      case 0:
        return {};
      case 1:
        return heard.pick_bytes(in);
      default: {
        Bytes b = Bytes::allocate(in.below(64));
        for (std::size_t i = 0; i < b.size(); ++i) b.mutable_data()[i] = std::byte{in.byte()};
        return b;
      }
    }
  }
  template <class T>
  void value(T& v) {
    using U = std::remove_cvref_t<T>;
    if constexpr (std::is_same_v<U, std::string>)
      v = in.below(4) == 0 ? std::string(in.below(256), 'x') : heard.pick_text(in);
    else if constexpr (std::is_same_v<U, Bytes>) v = bytes();
    else if constexpr (is_vector<U>) {
      v.resize(in.below(list_length_max));
      for (auto& e : v) value(e);
    } else if constexpr (is_strong<U>) v.value = static_cast<typename U::rep>(number<U>());
    else if constexpr (std::is_same_v<U, bool>) v = in.below(2) == 1;
    else if constexpr (std::is_enum_v<U>) v = static_cast<U>(in.byte());
    else if constexpr (std::is_integral_v<U>) v = static_cast<U>(number<U>());
    else for_each_field(v, *this);
  }
};

/// Returns any message that a process of role `from` may send to a process of role `to`, except
/// Hello. The caller sends Hello when it connects.
inline Message any_message(Input& in, const Heard& heard, Role from, Role to) {
  static const std::vector<Message> kinds = [] {
    std::vector<Message> all;
#define LOGLOG_MESSAGE(number, Name, direction, since) all.emplace_back(Name{});
#include "proto-spec/messages.def"
    return all;
  }();
  std::vector<const Message*> allowed;
  for (const Message& m : kinds)
    if (may_send(from, to, type_of(m)) && !std::holds_alternative<Hello>(m)) allowed.push_back(&m);
  Message m = *allowed[in.below(allowed.size())];
  Filler f{in, heard};
  std::visit(
      [&](auto& v) {
        using V = std::remove_cvref_t<decltype(v)>;
        if constexpr (!std::is_same_v<V, std::monostate>) for_each_field(v, f);
      },
      static_cast<MessageVariant&>(m));
  return m;
}

/// Aborts with `sentence` on stderr unless the promise `holds`; the fuzzer then keeps the input.
inline void require(bool holds, const char* sentence) {
  if (holds) return;
  std::fputs(sentence, stderr);
  std::fputc('\n', stderr);
  std::abort();
}

/// The processes that are connected to the core under test, by connection. Connection ids are never
/// used twice.
class Peers {
 public:
  struct Peer {
    Role role;
    std::uint32_t id;
  };
  /// Registers a new connection and returns it with a Hello that names role and id; the caller
  /// fills the other fields.
  std::pair<ConnectionId, Hello> connect(Role role, std::uint32_t id) {
    const ConnectionId c{++connections_};
    peers_[c] = {role, id};
    Hello h;
    h.role = role;
    h.id = id;
    return {c, h};
  }
  const Peer* find(ConnectionId c) const {
    const auto p = peers_.find(c);
    return p == peers_.end() ? nullptr : &p->second;
  }
  void erase(ConnectionId c) { peers_.erase(c); }
  /// Picks a peer by the input's next byte; returns nothing if no peer is connected.
  std::optional<ConnectionId> pick(Input& in) const {
    if (peers_.empty()) return {};
    return std::next(peers_.begin(), static_cast<std::ptrdiff_t>(in.below(peers_.size())))->first;
  }
  /// The oldest connection of a role.
  std::optional<ConnectionId> first(Role role) const {
    for (const auto& [c, p] : peers_)
      if (p.role == role) return c;
    return {};
  }

 private:
  std::map<ConnectionId, Peer> peers_;
  std::uint64_t connections_ = 0;
};

/// Remembers the messages that a step of the core sends, and requires that the step asks for
/// bounded work: at most 20 000 messages and 64 MiB.
template <class Sends>
void hear_step(Heard& heard, const Sends& sends) {
  constexpr std::size_t sends_max = 20'000;
  constexpr std::size_t bytes_max = 64u << 20;
  require(sends.size() <= sends_max, "one step sends too many messages");
  std::size_t bytes = 0;
  for (const auto& s : sends) {
    bytes += encoded_size(s.message);
    heard.message(s.message);
  }
  require(bytes <= bytes_max, "one step sends too many bytes");
}

/// Advances `now` by `d` in eight steps, or in steps of a millisecond if those are longer. Calls
/// `tick` after each step and stops early when `tick` returns false.
template <class Tick>
void pass_time(Time& now, Duration d, Tick tick) {
  for (const Time end = now + d; now < end;) {
    now = std::min(end, now + std::max<Duration>(d / 8, std::chrono::milliseconds(1)));
    if (!tick()) return;
  }
}

}  // namespace loglog::fuzz
