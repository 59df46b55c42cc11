// A wire between two network interfaces that delays, reorders and loses packets, in each direction
// independently:
// slow_wire ONE OTHER DELAY_MS JITTER_MS LOSS_PERCENT
// A packet from ONE leaves on OTHER after the delay, plus or minus the jitter, and vice versa,
// until SIGTERM. The program replaces the kernel's netem, which many kernels are built without.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t packet_max = 128u << 10;  // a segment-offloaded packet and its header
/// Bytes on their way; beyond this bound packets are lost, as on a real wire.
constexpr std::size_t waiting_max = 64u << 20;
constexpr int buffer_bytes = 32 << 20;

/// Delay and jitter in milliseconds, loss in per cent.
struct Weather {
  double delay_ms;
  double jitter_ms;
  double loss;
};

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "slow_wire: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

// Opens a raw packet socket on an interface. Packets carry the header with the work that the sender
// left to the card (checksums, segmentation), and leave with it.
int open_interface(const std::string& name) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("no packet socket");
  const int yes = 1;
  if (::setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) != 0) fail("PACKET_VNET_HDR");
  if (::setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) != 0)
    fail("PACKET_IGNORE_OUTGOING");
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(name.c_str()));
  if (address.sll_ifindex == 0 ||
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail(name);
  packet_mreq everything{address.sll_ifindex, PACKET_MR_PROMISC, 0, {}};
  if (::setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything, sizeof everything) != 0)
    fail(name);
  return fd;
}

/// Moves packets between the two ends in a single thread.
class Wire {
 public:
  Wire(const std::string& one, const std::string& other, Weather weather)
      : ends_{open_interface(one), open_interface(other)},
        weather_(weather),
        random_(std::random_device{}()) {}

  void run() {
    for (;;) {
      std::array<pollfd, 2> ready{{{ends_[0], POLLIN, 0}, {ends_[1], POLLIN, 0}}};
      timespec wait{1, 0};
      if (!waiting_.empty()) {
        const auto left = std::max(Clock::duration{}, waiting_.begin()->first - Clock::now());
        wait = {left / std::chrono::seconds(1), (left % std::chrono::seconds(1)).count()};
      }
      if (::ppoll(ready.data(), ready.size(), &wait, nullptr) < 0 && errno != EINTR) fail("poll");
      for (std::size_t i = 0; i < 2; ++i) take(i);
      while (!waiting_.empty() && waiting_.begin()->first <= Clock::now()) deliver();
    }
  }

 private:
  struct Packet {
    std::size_t from;
    std::vector<char> bytes;
  };

  /// Takes up to 256 packets from an end, and loses or delays each.
  void take(std::size_t from) {
    for (int i = 0; i < 256; ++i) {
      const ssize_t n = ::recv(ends_[from], buffer_.data(), buffer_.size(), 0);
      if (n < 0) return;  // no packet left, or the interface is down and SIGTERM comes next
      if (random_percent() < weather_.loss ||
          waiting_bytes_ + static_cast<std::size_t>(n) > waiting_max)
        continue;
      const double ms = weather_.delay_ms + weather_.jitter_ms * (random_percent() / 50 - 1);
      const auto due = Clock::now() + std::chrono::microseconds(
                                          static_cast<std::int64_t>(std::max(0.0, ms) * 1000));
      waiting_bytes_ += static_cast<std::size_t>(n);
      waiting_.emplace(due, Packet{from, {buffer_.data(), buffer_.data() + n}});
    }
  }

  void deliver() {
    const auto node = waiting_.extract(waiting_.begin());
    const Packet& p = node.mapped();
    waiting_bytes_ -= p.bytes.size();
    [[maybe_unused]] const ssize_t sent =
        // A packet that cannot be sent is lost.
        ::send(ends_[1 - p.from], p.bytes.data(), p.bytes.size(), 0);
  }

  double random_percent() { return std::uniform_real_distribution<>(0, 100)(random_); }

  std::array<int, 2> ends_;
  Weather weather_;
  std::mt19937_64 random_;
  std::multimap<Clock::time_point, Packet> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::vector<char> buffer_ = std::vector<char>(packet_max);
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    fmt::print(stderr, "usage: slow_wire ONE OTHER DELAY_MS JITTER_MS LOSS_PERCENT\n");
    return 2;
  }
  Wire wire(argv[1], argv[2], {std::atof(argv[3]), std::atof(argv[4]), std::atof(argv[5])});
  fmt::print("ready\n");
  std::fflush(stdout);
  wire.run();
}
