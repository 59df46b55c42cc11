// to_text(): a field visitor that prints. It follows the table in messages.def, so a new message
// needs no code here.
#include <fmt/format.h>

#include "proto-spec/wire/codec.h"
#include "proto-spec/wire/field_codec.h"

namespace loglog {
namespace {

// Prints "name=value" pairs. Producer ids and hashes are hexadecimal, other ids decimal, errors by
// name, other enums as numbers, Bytes and tails as their length.
struct TextWriter {
  std::string out;
  template <class T>
  void operator()(const char* name, T& v) {
    // Blanks separate fields, but not the first field of a record.
    if (!out.empty() && out.back() != '{') out += ' ';
    out += name;
    out += '=';
    value(v);
  }
  void tail(const char* name, const Bytes& b) { out += fmt::format(" {}={}B", name, b.size()); }
  template <class U>
  void value(U& v) {
    if constexpr (std::is_same_v<U, std::string>) out += fmt::format("\"{}\"", v);
    else if constexpr (std::is_same_v<U, Bytes>) out += fmt::format("{}B", v.size());
    else if constexpr (std::is_same_v<U, Errc>) out += name_of(v);
    else if constexpr (std::is_same_v<U, ProducerId> || std::is_same_v<U, RunDigest> ||
                       std::is_same_v<U, Chain>)
      out += fmt::format("{:x}", v.value);
    else if constexpr (is_vector<U>) {
      out += '[';
      for (auto& e : v) {
        if (out.back() != '[') out += ' ';
        value(e);
      }
      out += ']';
    } else if constexpr (is_strong<U>) out += fmt::format("{}", v.value);
    else if constexpr (std::is_same_v<U, bool>) out += v ? "yes" : "no";
    else if constexpr (std::is_enum_v<U>) out += fmt::format("{}", static_cast<unsigned>(v));
    else if constexpr (std::is_integral_v<U>) out += fmt::format("{}", v);
    else {
      out += '{';
      for_each_field(v, *this);
      out += '}';
    }
  }
};

}  // namespace

std::string to_text(const Message& message) {
  return std::visit(
      [](auto& m) -> std::string {
        using M = std::remove_cvref_t<decltype(m)>;
        if constexpr (std::is_same_v<M, std::monostate>) return "(none)";
        else {
          TextWriter w;
          for_each_field(const_cast<M&>(m), w);
          std::string name{name_of(M::type)};
          return w.out.empty() ? name : name + ' ' + w.out;
        }
      },
      message);
}

}  // namespace loglog
