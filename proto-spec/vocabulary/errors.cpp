// The error table as an array, searched linearly: errors are rare, and the table has fewer than a
// hundred rows.
#include "proto-spec/vocabulary/errors.h"

namespace loglog {
namespace {

struct Row {
  Errc code;
  std::string_view name;
  Retry retry;
  std::string_view sentence;
};

constexpr Row rows[] = {
#define LOGLOG_ERROR(number, name, retry, sentence) {Errc::name, #name, Retry::retry, sentence},
#include "proto-spec/errors.def"
#undef LOGLOG_ERROR
};

const Row* find(Errc e) {
  for (const Row& r : rows)
    if (r.code == e) return &r;
  return nullptr;
}

}  // namespace

std::string_view name_of(Errc e) {
  const Row* r = find(e);
  return r ? r->name : "unknown_error";
}

std::string_view sentence_of(Errc e) {
  const Row* r = find(e);
  return r ? r->sentence : "the peer answered with an error this version does not know";
}

Retry retry_of(Errc e) {
  const Row* r = find(e);
  return r ? r->retry : Retry::no;
}

bool is_known(Errc e) { return find(e) != nullptr; }

std::string Error::message() const {
  std::string m{sentence_of(code)};
  if (!detail.empty()) m += ": " + detail;
  return m;
}

}  // namespace loglog
