// What a node shows over HTTP: a table of paths, each with the function that answers it.
#pragma once
#include <functional>
#include <map>
#include <string>

namespace loglog::http {

struct Request {
  std::string path;                                       ///< as in Pages, without the query
  std::map<std::string, std::string, std::less<>> query;  ///< decoded; of a repeated name the last
};

struct Answer {
  unsigned status = 200;
  std::string body;
  std::string type = "text/plain; charset=utf-8";
  std::map<std::string, std::string> headers = {};  ///< further ones
};

/// Runs on a thread of the server, several at once; may block for as long as its client may wait.
/// What it throws ends the process.
using Page = std::function<Answer(const Request&)>;
/// By path, "/metrics". GET and HEAD are all that a page knows.
using Pages = std::map<std::string, Page, std::less<>>;

}  // namespace loglog::http
