// Addresses: each form that is taken, and the near misses that are refused before anything is
// dialled.
#include "proto-spec/transport/address.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::transport;

namespace {

/// "HOST PORT", or "refused".
std::string split(const std::string& address) {
  const auto parts = split_address(address);
  return parts ? parts->first + " " + parts->second : "refused";
}

}  // namespace

TEST_CASE("address: host and port, of names and of both families") {
  CHECK(split("127.0.0.1:7070") == "127.0.0.1 7070");
  CHECK(split("host:0") == "host 0");
  CHECK(split("[::1]:65535") == "::1 65535");
}

TEST_CASE("address: a server of this process has a name in place of a port") {
  CHECK(split("local:name") == "local name");
  CHECK(local_name("local:name") == "name");
  CHECK_FALSE(local_name("localhost:1"));
  CHECK(split("local:") == "refused");
  CHECK(split_tcp_address("local:name").error().code == Errc::bad_configuration);
}

TEST_CASE("address: a near miss is refused") {
  for (const std::string address :
       {"", "host", "host:", ":7070", "::1:7070", "[::1:7070", "http://host:1", "host:x",
        "host:65536", "host:123456", "a b:1", "[]:1"}) {
    CAPTURE(address);
    const auto parts = split_address(address);
    REQUIRE_FALSE(parts);
    CHECK(parts.error().code == Errc::bad_configuration);
  }
}
