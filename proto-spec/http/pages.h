// The interface between a node and the HTTP server: a table of paths, each with the function that
// answers it. Knows neither sockets nor libmicrohttpd.
#pragma once
#include <functional>
#include <map>
#include <string>

namespace loglog::http {

/// A GET or HEAD request; other methods never reach a page.
struct Request {
  /// The key of the page in Pages; without the query.
  std::string path;
  /// Decoded. A repeated name has its last value.
  std::map<std::string, std::string, std::less<>> query;
};

/// The answer of a page: HTTP status, body and content type.
struct Answer {
  unsigned status = 200;
  std::string body;
  std::string type = "text/plain; charset=utf-8";
  std::map<std::string, std::string> headers = {};  ///< in addition to the standard headers
};

/// Runs on a thread of the HTTP server, several at a time. It may block as long as its client may
/// wait. An exception ends the process.
using Page = std::function<Answer(const Request&)>;
/// By path, for example "/metrics".
using Pages = std::map<std::string, Page, std::less<>>;

}  // namespace loglog::http
