// Addresses as people write them: "HOST:PORT", and "local:NAME" for a server of this process.
// Streams and listeners take them apart here; options of programs are checked with the same
// functions.
#pragma once
#include <optional>
#include <string>
#include <utility>

#include "proto-spec/vocabulary/result.h"

namespace loglog::transport {

/// Splits "127.0.0.1:7070", "[::1]:7070" or "host:7070" into host and port; "local:NAME" (a server
/// of this process) into "local" and NAME. bad_configuration otherwise.
Result<std::pair<std::string, std::string>> split_address(const std::string& address);
/// The same without "local:NAME", which is bad_configuration.
Result<std::pair<std::string, std::string>> split_tcp_address(const std::string& address);
/// NAME of "local:NAME"; nullopt for any other address, and for an empty name.
std::optional<std::string> local_name(const std::string& address);

}  // namespace loglog::transport
