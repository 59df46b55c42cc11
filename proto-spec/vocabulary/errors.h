// The errors of the protocol, from the table proto-spec/errors.def.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace loglog {

/// What a caller can do about an error.
enum class Retry : std::uint8_t {
  no,        ///< final: the same request will fail again
  later,     ///< try again after a pause, the same place
  elsewhere  ///< try another node (or the leader named in the answer)
};

enum class Errc : std::uint16_t {
#define LOGLOG_ERROR(number, name, retry, sentence) name = number,
#include "proto-spec/errors.def"
#undef LOGLOG_ERROR
};

/// The name as it stands in the table, for example "not_leader"; "unknown_error" for a number not
/// in it.
std::string_view name_of(Errc e);
/// One sentence a person can act on.
std::string_view sentence_of(Errc e);
Retry retry_of(Errc e);
/// Whether this number is in the table (a newer peer may know more).
bool is_known(Errc e);

/// An error as a value: what, and the detail that names the value, the limit and what to do.
struct Error {
  Errc code{};
  std::string detail;

  /// "<sentence>: <detail>", or the sentence alone.
  std::string message() const;
};

}  // namespace loglog
