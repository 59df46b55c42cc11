// Errors as values: an enum, a sentence and a retry class for each, generated from the table
// proto-spec/errors.def. Servers, SDK and command line all report failures with these.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace loglog {

/// How a caller can react to an error.
enum class Retry : std::uint8_t {
  no,        ///< final: the same request fails again
  later,     ///< repeat to the same node after a pause
  elsewhere  ///< ask another node, or the leader that the answer names
};

// The SDK's public header loglog/error.h declares the same enumeration, because users do not get
// this file. tests/architecture/public_errors.py holds the two equal.
#ifndef LOGLOG_ERRC
#define LOGLOG_ERRC
/// Error numbers as they stand on the wire. 0 (ok) means no error.
enum class Errc : std::uint16_t {
#define LOGLOG_ERROR(number, name, retry, sentence) name = number,
#include "proto-spec/errors.def"
#undef LOGLOG_ERROR
};
#endif

/// The name in the table, for example "not_leader"; "unknown_error" for a number that is not in the
/// table.
std::string_view name_of(Errc e);
/// A sentence that tells a person how to act.
std::string_view sentence_of(Errc e);
/// Retry::no for a number that is not in the table.
Retry retry_of(Errc e);
/// True if the number is in the table. A newer peer may send numbers that this build does not know.
bool is_known(Errc e);

/// An error as a value. `detail` names the offending value, the limit and the remedy; it may be
/// empty.
struct Error {
  Errc code{};
  std::string detail;

  /// "<sentence>: <detail>", or the sentence alone.
  std::string message() const;
};

}  // namespace loglog
