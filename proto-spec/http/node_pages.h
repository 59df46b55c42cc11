// The pages that every node has: liveness and readiness, for orchestrators and load balancers. A
// server's own pages (status, metrics) are in its app layer.
#pragma once
#include <expected>
#include <functional>
#include <string>

#include "proto-spec/http/loop_gate.h"
#include "proto-spec/http/pages.h"

namespace loglog::http {

/// A sentence: the role that the node serves, or the reason why it does not serve its role now.
using Readiness = std::expected<std::string, std::string>;

/// /healthz: 200 as long as the node's thread answers. /readyz: 200 or 503 with the sentence of
/// `ready`, which runs on the node's thread. The gate must outlive the pages.
inline Pages node_pages(LoopGate& gate, std::function<Readiness()> ready) {
  Pages pages;
  pages["/healthz"] = [&gate](const Request&) -> Answer {
    const auto alive = gate.ask([] { return true; });
    return alive ? Answer{200, "alive\n"} : alive.error();
  };
  pages["/readyz"] = [&gate, ready = std::move(ready)](const Request&) -> Answer {
    const auto asked = gate.ask(ready);
    if (!asked) return asked.error();
    return *asked ? Answer{200, "ready: " + **asked + "\n"}
                  : Answer{503, "not ready: " + asked->error() + "\n"};
  };
  return pages;
}

}  // namespace loglog::http
