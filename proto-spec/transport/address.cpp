// A refusal names the address and the form that is wanted, because an operator reads it. Names are
// not looked up here.
#include "proto-spec/transport/address.h"

#include <fmt/format.h>

namespace loglog::transport {

std::optional<std::string> local_name(const std::string& address) {
  constexpr std::string_view prefix = "local:";
  if (!address.starts_with(prefix) || address.size() == prefix.size()) return std::nullopt;
  return address.substr(prefix.size());
}

Result<std::pair<std::string, std::string>> split_address(const std::string& address) {
  if (const auto name = local_name(address)) return std::pair{std::string("local"), *name};
  return split_tcp_address(address);
}

Result<std::pair<std::string, std::string>> split_tcp_address(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size())
    return fail(Errc::bad_configuration,
                fmt::format("\"{}\" is no address; give HOST:PORT", address));
  std::string host = address.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  // Remains of a URL, of blanks or of broken brackets would be looked up as a name and fail only
  // after seconds.
  if (host.empty() || host.find_first_of("[]/@ \t") != std::string::npos ||
      (!bracketed && host.find(':') != std::string::npos))
    return fail(
        Errc::bad_configuration,
        fmt::format("\"{}\" is no address; give HOST:PORT, or [IPV6]:PORT, and nothing else",
                    address));
  const std::string port = address.substr(colon + 1);
  const bool digits = port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoul(port) > 65535)
    return fail(Errc::bad_configuration, fmt::format("\"{}\" is no port; give 0 to 65535", port));
  return std::pair{host, port};
}

}  // namespace loglog::transport
