// Expected failures are values: a function that can fail for a reason outside the program returns a
// Result. Bugs go through check.h instead.
#pragma once
#include <expected>
#include <string>
#include <utility>

#include "proto-spec/vocabulary/errors.h"

namespace loglog {

template <class T>
using Result = std::expected<T, Error>;

/// Shorthand for returning an error; `detail` as in Error.
inline std::unexpected<Error> fail(Errc code, std::string detail = {}) {
  return std::unexpected(Error{code, std::move(detail)});
}

}  // namespace loglog
