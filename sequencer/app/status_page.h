// The status page: sequencer/app/status_page.html, compiled in. It shows /status.json and nothing
// else.
#pragma once
#include <string>
#include <string_view>

namespace loglog::sequencer {

/// The page, with the meanings of all alarms. Its script and style carry `nonce`, a fresh random
/// text, so that a browser runs nothing else.
std::string status_page(std::string_view nonce);
/// Content-Security-Policy to send with the page: its own parts, and questions to this server
/// alone.
std::string status_page_policy(std::string_view nonce);

/// The file as it is in the source tree; {{nonce}} and {{alarms}} are placeholders.
extern const std::string_view status_page_html;

}  // namespace loglog::sequencer
