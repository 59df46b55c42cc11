// Expected failures are values.
#pragma once
#include <expected>
#include <string>
#include <utility>

#include "proto-spec/vocabulary/errors.h"

namespace loglog {

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string detail = {}) {
  return std::unexpected(Error{code, std::move(detail)});
}

}  // namespace loglog
