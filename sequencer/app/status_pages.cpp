// An HTTP thread asks here; the answer is made on the driver's thread, which may ask the leader
// first.
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

/// Most logs that /status.json lists; README.md names the number.
constexpr std::uint32_t logs_max = 1000;
/// The driver waits `leader_patience` for the leader; the rest is for its own turn.
constexpr auto patience = SequencerDriver::leader_patience + 500ms;

/// A nonce for each answer: a script that an attacker smuggles into a name cannot know it.
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

/// Asks on the driver's thread and waits on this HTTP thread, because the leader may be asked
/// first.
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
  } catch (const std::future_error&) {  // the driver is gone, and the promise with it
    return {503, "the node is stopping\n"};
  }
}

}  // namespace

void add_status_pages(http::Pages& pages, SequencerDriver& driver, http::LoopGate& gate) {
  pages["/"] = [](const http::Request&) { return page(); };
  pages["/status.json"] = [&driver, &gate](const http::Request&) { return status(driver, gate); };
}

}  // namespace loglog::sequencer
