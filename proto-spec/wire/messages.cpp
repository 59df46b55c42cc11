// The special members of Message, compiled once for the whole program, and the names of enums that
// status and figures show.
#include "proto-spec/wire/messages.h"

#include <iterator>
#include <type_traits>
#include <utility>

namespace loglog {

Message::Message() noexcept = default;
#define LOGLOG_MESSAGE(number, Name, direction, since) \
  Message::Message(Name m) noexcept : MessageVariant(std::move(m)) {}
#include "proto-spec/messages.def"
Message::Message(const Message&) = default;
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(const Message&) = default;
Message& Message::operator=(Message&&) noexcept = default;
Message::~Message() = default;
bool Message::operator==(const Message& o) const {
  return static_cast<const MessageVariant&>(*this) == static_cast<const MessageVariant&>(o);
}

MessageType type_of(const Message& m) {
  return std::visit(
      [](const auto& v) {
        using M = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::is_same_v<M, std::monostate>) return MessageType{};
        else return M::type;
      },
      static_cast<const MessageVariant&>(m));
}

std::string_view name_of(ReplicaState s) {
  // Index 0 and numbers of a newer peer give "".
  static constexpr std::string_view names[] = {
      "", "streaming", "lagging", "suspect", "unreachable", "newcomer", "full"};
  const auto i = static_cast<std::size_t>(s);
  return i < std::size(names) ? names[i] : "";
}

std::string_view name_of(NodeCondition c) {
  static constexpr std::string_view names[] = {
      "", "up", "lagging", "suspect", "unreachable", "foreign_disk", "data_loss", "refuses_leader"};
  const auto i = static_cast<std::size_t>(c);
  return i < std::size(names) ? names[i] : "";
}

std::string_view name_of(Health h) {
  static constexpr std::string_view names[] = {"", "healthy", "degraded", "not_serving"};
  const auto i = static_cast<std::size_t>(h);
  return i < std::size(names) ? names[i] : "";
}

std::string_view name_of(Severity s) {
  static constexpr std::string_view names[] = {"", "warning", "critical"};
  const auto i = static_cast<std::size_t>(s);
  return i < std::size(names) ? names[i] : "";
}

}  // namespace loglog
