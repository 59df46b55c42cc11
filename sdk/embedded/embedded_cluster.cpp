// Starts storage nodes first, then sequencers, because the sequencers' options name the addresses
// of all nodes. Stopping goes the other way.
#include <fmt/format.h>
#include <loglog/embedded.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "proto-spec/transport/address.h"
#include "proto-spec/transport/listener.h"
#include "proto-spec/transport/posix_fork.h"
#include "proto-spec/vocabulary/limits.h"
#include "sequencer/app/sequencer.h"
#include "storage-node/app/storage_node.h"

namespace loglog {
namespace {

std::unexpected<CallError> refused(std::string sentence) {
  return std::unexpected(CallError{Errc::bad_configuration, std::move(sentence)});
}
std::unexpected<CallError> refused(const Error& e) {
  return std::unexpected(CallError{e.code, e.message(), retry_of(e.code) != Retry::no});
}

// Addresses with ports that were free a moment ago, all different. Sequencers must know each
// other's addresses before any of them listens, so port 0 cannot be used. All listeners are held
// until the end; otherwise the kernel could give the same port twice.
Result<std::vector<std::string>> free_addresses(const std::string& host, std::size_t count) {
  transport::Loop loop;
  std::vector<std::unique_ptr<transport::Listener>> held;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) {
    auto listener =
        transport::Listener::listen(loop, host + ":0", [](const transport::Stream::Ptr&) {});
    if (!listener) return std::unexpected(listener.error());
    out.push_back((*listener)->address());
    held.push_back(std::move(*listener));
  }
  return out;
}

/// HTTP addresses of `count` nodes: the ports from that of `first` on, or "" for all (no HTTP).
Result<std::vector<std::string>> http_listen(const std::string& first, std::size_t count) {
  std::vector<std::string> out(count);
  if (first.empty()) return out;
  const auto parts = transport::split_tcp_address(first);
  if (!parts) return std::unexpected(parts.error());
  const auto port = std::stoul(parts->second);
  if (port + count - 1 > 65535)
    return fail(Errc::bad_configuration,
                fmt::format("{}: {} nodes take the ports from there on, and there are 65535", first,
                            count));
  const std::string host = first.substr(0, first.rfind(':'));
  for (std::size_t i = 0; i < count; ++i)
    out[i] = fmt::format("{}:{}", host, port == 0 ? 0 : port + i);
  return out;
}

/// Data directory of a node; i from 1.
std::string folder(const EmbeddedOptions& o, const char* role, std::uint32_t i) {
  return fmt::format("{}/{}-{}", o.data, role, i);
}

/// Number of nodes of this role that the data directory was used with.
std::uint32_t found(const EmbeddedOptions& o, const char* role) {
  std::uint32_t n = 0;
  while (std::filesystem::exists(folder(o, role, n + 1))) ++n;
  return n;
}

/// Makes the folders of all nodes. Returns a reason if the data directory belongs to a cluster with
/// other numbers of nodes.
std::optional<std::string> take_folders(const EmbeddedOptions& o) {
  const std::uint32_t sequencers = found(o, "sequencer"), storage = found(o, "storage");
  if (sequencers != 0 && sequencers != o.sequencers)
    return fmt::format(
        "{} has the data of {} sequencers and {} are to run: the set of sequencers stays as it was "
        "made; run {}, or name another folder",
        o.data, sequencers, o.sequencers, sequencers);
  if (storage > o.storage)
    return fmt::format(
        "{} has the data of {} storage nodes and {} are to run: logs would lack replicas; run {} "
        "or more, or name another folder",
        o.data, storage, o.storage, storage);
  std::error_code error;
  for (std::uint32_t i = 1; i <= o.sequencers && !error; ++i)
    std::filesystem::create_directories(folder(o, "sequencer", i), error);
  for (std::uint32_t i = 1; i <= o.storage && !error; ++i)
    std::filesystem::create_directories(folder(o, "storage", i), error);
  if (error) return fmt::format("{}: {}", o.data, error.message());
  return std::nullopt;
}

}  // namespace

struct EmbeddedCluster::State {
  transport::ProcessMark process;
  EmbeddedOptions options;
  std::vector<std::unique_ptr<storage::StorageNode>> nodes;
  std::vector<std::unique_ptr<sequencer::Sequencer>> sequencers;
  std::string address;
  std::vector<std::string> http_addresses;
};

EmbeddedCluster::EmbeddedCluster(std::unique_ptr<State> state) : state_(std::move(state)) {}
EmbeddedCluster::EmbeddedCluster(EmbeddedCluster&&) noexcept = default;
EmbeddedCluster& EmbeddedCluster::operator=(EmbeddedCluster&& o) noexcept {
  if (this != &o) {
    stop();
    state_ = std::move(o.state_);
  }
  return *this;
}
EmbeddedCluster::~EmbeddedCluster() { stop(); }

std::expected<EmbeddedCluster, CallError> EmbeddedCluster::start(EmbeddedOptions o) {
  if (o.sequencers != 1 && o.sequencers != 3 && o.sequencers != 5)
    return refused(fmt::format("{} sequencers: give 1, 3 or 5", o.sequencers));
  if (o.storage < 1 || o.storage > 9)
    return refused(fmt::format("{} storage nodes: give 1 to 9", o.storage));
  if (o.data.empty()) return refused("no data directory: name one");
  auto state = std::make_unique<State>();
  std::string host;
  std::vector<SequencerInfo> list;
  // A random name, unlike that of any other cluster on this machine: local names are shared by all
  // processes of a network namespace.
  std::random_device entropy;
  const std::string local = fmt::format("local:{}-{:08x}{:08x}", o.name, entropy(), entropy());
  if (o.listen.empty()) {
    for (std::uint32_t i = 1; i <= o.sequencers; ++i)
      list.push_back({SequencerId{i}, fmt::format("{}-sequencer-{}", local, i)});
  } else {
    const auto parts = transport::split_address(o.listen);
    if (!parts) return refused(parts.error());
    host = o.listen.substr(0, o.listen.rfind(':'));
    auto addresses = free_addresses(host, o.sequencers);
    if (!addresses) return refused(addresses.error());
    if (parts->second != "0") addresses->front() = o.listen;
    for (std::uint32_t i = 1; i <= o.sequencers; ++i)
      list.push_back({SequencerId{i}, (*addresses)[i - 1]});
  }
  const auto http = http_listen(o.http, o.sequencers + o.storage);
  if (!http) return refused(http.error());
  if (auto why = take_folders(o)) return refused(std::move(*why));

  std::vector<StorageInfo> node_list;
  for (std::uint32_t i = 1; i <= o.storage; ++i) {
    storage::NodeOptions n;
    n.id = i;
    n.cluster_name = o.name;
    n.listen = o.listen.empty() ? fmt::format("{}-storage-{}", local, i)
                                : host + ":0";  // clients learn the port from the metadata
    n.data = folder(o, "storage", i);
    n.http = (*http)[o.sequencers + i - 1];
    n.log_level = transport::LogLevel::warning;
    state->nodes.push_back(std::make_unique<storage::StorageNode>(n));
    if (auto ok = state->nodes.back()->start(); !ok) return refused(ok.error());
    node_list.push_back({NodeId{i}, DiskId{}, state->nodes.back()->address()});
  }
  for (std::uint32_t i = 1; i <= o.sequencers; ++i) {
    sequencer::SequencerOptions s;
    s.id = i;
    s.cluster_name = o.name;
    s.listen = list[i - 1].address;
    s.data = folder(o, "sequencer", i);
    s.sequencers = list;
    s.storage = node_list;
    s.http = (*http)[i - 1];
    s.log_level = transport::LogLevel::warning;
    state->sequencers.push_back(std::make_unique<sequencer::Sequencer>(s));
    if (auto ok = state->sequencers.back()->start(); !ok) return refused(ok.error());
  }
  state->address = list.front().address;
  if (!o.http.empty()) {
    for (const auto& s : state->sequencers) state->http_addresses.push_back(s->http_address());
    for (const auto& n : state->nodes) state->http_addresses.push_back(n->http_address());
  }
  state->options = std::move(o);
  return EmbeddedCluster(std::move(state));
}

const std::string& EmbeddedCluster::address() const { return state_->address; }
const std::vector<std::string>& EmbeddedCluster::http_addresses() const {
  return state_->http_addresses;
}

bool EmbeddedCluster::wait_ready(std::chrono::milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + std::min(wait, timeout_max);
  ClientOptions options;
  options.addresses = {state_->address};
  options.timeout = std::clamp(wait, std::chrono::milliseconds(1), std::chrono::milliseconds(1000));
  auto client = Client::connect(std::move(options));
  if (!client) return false;
  for (;;) {
    if (const auto r = client->status(false)) {
      const auto up = std::count_if(r->storage.begin(), r->storage.end(),
                                    [](const auto& n) { return n.state == "up"; });
      if (up == static_cast<std::ptrdiff_t>(state_->options.storage)) return true;
    }
    if (std::chrono::steady_clock::now() >= until) return false;
    // A pause between two questions that were answered; an unanswered question waits by itself.
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void EmbeddedCluster::stop() {
  if (!state_) return;
  // In a child process the state is leaked: the nodes run in the parent, and the child must not
  // close their files.
  if (state_->process.inherited()) {
    [[maybe_unused]] const State* left_alone = state_.release();
    return;
  }
  // All sequencers are asked before any is waited for, so that they do not hand the lead over to
  // each other.
  for (auto& s : state_->sequencers) s->begin_stop();
  state_->sequencers.clear();
  for (auto& n : state_->nodes) n->begin_stop();
  state_->nodes.clear();
}

}  // namespace loglog
