#include "sequencer/app/status_pages.h"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <memory>
#include <random>
#include <utility>

#include "sequencer/app/status_json.h"
#include "sequencer/app/status_page.h"

namespace loglog::sequencer {
namespace {

/// Most logs of which /status.json tells.
constexpr std::uint32_t logs_max = 1000;
/// The driver gives the leader `leader_patience`; the rest is for its own turn.
constexpr auto patience = SequencerDriver::leader_patience + 500ms;

http::Answer page() {
  std::random_device entropy;
  const std::string nonce =
      fmt::format("{:08x}{:08x}{:08x}{:08x}", entropy(), entropy(), entropy(), entropy());
  http::Answer answer{200, status_page(nonce), "text/html; charset=utf-8"};
  answer.headers = {{"Content-Security-Policy", status_page_policy(nonce)},
                    {"Referrer-Policy", "no-referrer"}};
  return answer;
}

struct Seen {
  ClusterPicture picture;
  History history;
};

/// Asked on the driver's thread and waited for on this one: the leader may have to be asked first.
http::Answer status(SequencerDriver& driver, http::LoopGate& gate) {
  const auto asked = gate.ask([&driver] {
    auto promise = std::make_shared<std::promise<Seen>>();
    auto future = std::make_shared<std::future<Seen>>(promise->get_future());
    driver.picture(logs_max, [&driver, promise](ClusterPicture p) {
      promise->set_value({std::move(p), driver.history()});
    });
    return future;
  });
  if (!asked) return asked.error();
  if ((*asked)->wait_for(patience) != std::future_status::ready)
    return {503, "the loop did not answer in time\n"};
  try {
    const Seen seen = (*asked)->get();
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return {200, status_json(seen.picture, seen.history, static_cast<std::uint64_t>(now.count())),
            "application/json"};
  } catch (const std::future_error&) {  // the driver went, and the promise with it
    return {503, "the node is stopping\n"};
  }
}

}  // namespace

void add_status_pages(http::Pages& pages, SequencerDriver& driver, http::LoopGate& gate) {
  pages["/"] = [](const http::Request&) { return page(); };
  pages["/status.json"] = [&driver, &gate](const http::Request&) { return status(driver, gate); };
}

}  // namespace loglog::sequencer
