// Fills the placeholders of the page. Alarm meanings are compiled in and hold no markup.
#include "sequencer/app/status_page.h"

#include <fmt/format.h>

#include "sequencer/core/alarms.h"

namespace loglog::sequencer {
namespace {

void put_in(std::string& page, std::string_view mark, std::string_view text) {
  for (auto at = page.find(mark); at != std::string::npos; at = page.find(mark, at + text.size()))
    page.replace(at, mark.size(), text);
}

}  // namespace

std::string status_page(std::string_view nonce) {
  std::string meanings;
  for (const AlarmKind& k : alarm_kinds)
    meanings +=
        fmt::format("<dt id=\"about-{0}\" class=\"mono\">{0}</dt><dd>{1}</dd>\n", k.id, k.meaning);
  std::string page(status_page_html);
  put_in(page, "{{nonce}}", nonce);
  put_in(page, "{{alarms}}", meanings);
  return page;
}

std::string status_page_policy(std::string_view nonce) {
  return fmt::format(
      "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; img-src data:; "
      "connect-src 'self'; base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'",
      nonce);
}

}  // namespace loglog::sequencer
