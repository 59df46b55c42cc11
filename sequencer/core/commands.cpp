// The bytes are replicated state on disk: fields and their order never change. A new field stands
// behind the others, in `if (record_version_of(f) >= n)`, with the record version n that brings it
// (decision 0012).
#include "sequencer/core/commands.h"

#include <utility>

#include "proto-spec/wire/field_codec.h"

namespace loglog::sequencer {

/// Field lists in the order of encoding. The field codec finds these functions by
/// argument-dependent lookup, so they stand outside the anonymous namespace.
template <class F>
void for_each_field(BeginTerm& c, F& f) {
  f("floor", c.floor);
  f("instance", c.instance);
  f("raft_term", c.raft_term);
  f("log", c.log);
}
template <class F>
void for_each_field(InitCluster& c, F& f) {
  f("cluster", c.cluster);
  f("cluster_name", c.cluster_name);
  f("sequencers", c.sequencers);
}
template <class F>
void for_each_field(RegisterStorage& c, F& f) {
  f("node", c.node);
}
template <class F>
void for_each_field(MakeLog& c, F& f) {
  f("name", c.name);
  f("options", c.options);
  f("members", c.members);
  f("basis", c.basis);
}
template <class F>
void for_each_field(MarkOpen& c, F& f) {
  f("log", c.log);
}
template <class F>
void for_each_field(MarkDeleting& c, F& f) {
  f("log", c.log);
}
template <class F>
void for_each_field(FinishDelete& c, F& f) {
  f("log", c.log);
}
template <class F>
void for_each_field(Trim& c, F& f) {
  f("log", c.log);
  f("offset", c.offset);
}
template <class F>
void for_each_field(RaiseFence& c, F& f) {
  f("log", c.log);
  f("token", c.token);
  f("basis", c.basis);
}
template <class F>
void for_each_field(ChangeRetention& c, F& f) {
  f("log", c.log);
  f("retention", c.retention);
  f("basis", c.basis);
}
template <class F>
void for_each_field(AdmitDisk& c, F& f) {
  f("node", c.node);
  f("old", c.old);
  f("disk", c.disk);
  f("instance", c.instance);
  f("raft_term", c.raft_term);
}
template <class F>
void for_each_field(SetMembers& c, F& f) {
  f("log", c.log);
  f("members", c.members);
}
template <class F>
void for_each_field(MarkLost& c, F& f) {
  f("node", c.node);
  f("disk", c.disk);
}
template <class F>
void for_each_field(RaiseVersion& c, F& f) {
  f("version", c.version);
}

namespace {

/// The kind byte is the place in the variant plus 1, so that 0 stays invalid.
template <std::size_t I = 0>
std::optional<Command> decode_kind(std::size_t kind, const Bytes& fields, std::uint8_t version) {
  if constexpr (I == std::variant_size_v<Command>) {
    return std::nullopt;
  } else {
    if (kind != I + 1) return decode_kind<I + 1>(kind, fields, version);
    std::variant_alternative_t<I, Command> c;
    if (!decode_fields(fields, version, c)) return std::nullopt;
    if constexpr (std::is_same_v<decltype(c), MakeLog>)
      if (c.options.durability != Durability::sync)
        // The entry asks for a durability that this version does not provide.
        return std::nullopt;
    return Command(std::move(c));
  }
}

}  // namespace

Bytes encode(const Command& c, std::uint8_t version) {
  return std::visit(
      [&](const auto& v) {
        Bytes out = Bytes::allocate(mark_size_of(version) + 1 + record_size(v, version));
        std::byte* at = write_mark_of(version, out.mutable_data());
        *at = static_cast<std::byte>(c.index() + 1);
        FieldWriter w{.at = at + 1, .record = version};
        for_each_field(const_cast<std::remove_cvref_t<decltype(v)>&>(v), w);
        return out;
      },
      c);
}

std::optional<Command> decode_command(const Bytes& bytes, std::uint8_t highest) {
  const std::uint8_t version = version_of_record(bytes.span());
  const std::size_t mark = mark_size_of(version);
  if (version == 0 || version > highest || bytes.size() <= mark) return std::nullopt;
  return decode_kind(static_cast<std::size_t>(bytes.data()[mark]), bytes.slice(mark + 1), version);
}

}  // namespace loglog::sequencer
