// The status page: sequencer/app/status_page.html, compiled in.
#pragma once
#include <string>
#include <string_view>

namespace loglog::sequencer {

/// The page with the meanings of all alarms. Its own script and style carry `nonce`, so that a
/// browser runs nothing else.
std::string status_page(std::string_view nonce);
/// Content-Security-Policy to send with it: this page's own parts, and questions to this server.
std::string status_page_policy(std::string_view nonce);

/// The file as it lies in the tree, with {{nonce}} and {{alarms}} to be put in.
extern const std::string_view status_page_html;

}  // namespace loglog::sequencer
