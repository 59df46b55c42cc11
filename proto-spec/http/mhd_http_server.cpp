// libmicrohttpd runs a thread for each connection; every function of State is called on those
// threads. The choice of its flags is explained in start().
#include "proto-spec/http/mhd_http_server.h"

#include <fmt/format.h>
#include <microhttpd.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "proto-spec/http/posix_connection_deadlines.h"
#include "proto-spec/transport/posix_signals.h"

namespace loglog::http {
namespace {

// Stack of each connection's thread, bytes; the thread also makes the page.
constexpr std::size_t thread_stack_size = 512u << 10;
// Request line and headers, bytes. libmicrohttpd answers a larger request with 413 or 431.
constexpr std::size_t request_bytes_max = 16u << 10;

// Callback for each query parameter; a repeated name overwrites the earlier value.
MHD_Result add_argument(void* query, MHD_ValueKind, const char* name, const char* value) {
  (*static_cast<decltype(Request::query)*>(query))[name] = value == nullptr ? "" : value;
  return MHD_YES;
}

int socket_of(MHD_Connection* connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

// Queues the answer. With `last` the connection closes after it.
MHD_Result send(MHD_Connection* connection, const Answer& answer, bool last = false) {
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.type.c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  if (last) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  for (const auto& [name, value] : answer.headers)
    MHD_add_response_header(response, name.c_str(), value.c_str());
  if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED)
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  const MHD_Result queued = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return queued;
}

// 404 with the list of pages that exist.
Answer not_found(const Pages& pages, const char* path) {
  std::string body = fmt::format("{} is not here; there is:\n", path);
  for (const auto& [known, page] : pages) body += known + "\n";
  return {MHD_HTTP_NOT_FOUND, std::move(body)};
}

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

// Blocks in the resolver; only used at start.
Result<Addresses> look_up(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    return fail(Errc::bad_configuration,
                fmt::format("{}:{}: {}", host, port, ::gai_strerror(error)));
  return Addresses(found, &::freeaddrinfo);
}

}  // namespace

// Outlives the daemon: MHD_stop_daemon() waits for all of its threads, which use the other members.
struct Server::State {
  Pages pages;
  Notice notice;
  std::string address;
  std::unique_ptr<ConnectionDeadlines> deadlines;
  MHD_Daemon* daemon = nullptr;

  ~State() {
    if (daemon != nullptr) MHD_stop_daemon(daemon);
  }

  // libmicrohttpd calls this after the headers, again for each piece of a body, and once more at
  // the end. The last call sends the page.
  static MHD_Result requested(void* self, MHD_Connection* connection, const char* path,
                              const char* method, const char*, const char*, std::size_t* body,
                              void** seen) {
    const auto& s = *static_cast<const State*>(self);
    const std::string_view verb(method);
    if (verb != MHD_HTTP_METHOD_GET && verb != MHD_HTTP_METHOD_HEAD)
      return send(connection,
                  {MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n"});
    const bool first = *seen == nullptr;
    *seen = self;
    if (first || *body > 0) {
      // The body of a GET has no meaning; it is skipped.
      *body = 0;
      return MHD_YES;
    }
    const int socket = socket_of(connection);
    s.deadlines->request_came(socket);
    const auto page = s.pages.find(path);
    if (page == s.pages.end()) return send(connection, not_found(s.pages, path));
    Request request{path, {}};
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_argument, &request.query);
    // The connection of a probe is closed at once. A probe asks once, and would otherwise hold its
    // place until the next probe.
    const bool probe = request.path == "/healthz" || request.path == "/readyz";
    return send(connection, page->second(request), probe || s.deadlines->is_last_request(socket));
  }

  // Tells the deadlines about each socket; closed() runs before libmicrohttpd closes it.
  static void connection_changed(void* self, MHD_Connection* connection, void**,
                                 MHD_ConnectionNotificationCode what) {
    const auto& s = *static_cast<const State*>(self);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) s.deadlines->opened(socket_of(connection));
    else s.deadlines->closed(socket_of(connection));
  }
  static void answered(void* self, MHD_Connection* connection, void**, MHD_RequestTerminationCode) {
    static_cast<const State*>(self)->deadlines->answered(socket_of(connection));
  }

  // Formats a diagnostic line of libmicrohttpd for the notice.
  static void said(void* self, const char* format, std::va_list arguments) {
    const auto& s = *static_cast<const State*>(self);
    if (!s.notice) return;
    std::array<char, 512> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    std::string_view line(text.data());
    while (line.ends_with('\n')) line.remove_suffix(1);
    s.notice(fmt::format("http: {}", line));
  }
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

const std::string& Server::address() const { return state_->address; }

Result<std::unique_ptr<Server>> Server::start(const std::string& host, const std::string& port,
                                              Pages pages, ServerOptions options, Notice notice) {
  const auto addresses = look_up(host, port);
  if (!addresses) return std::unexpected(addresses.error());
  const addrinfo& where = **addresses;
  auto state = std::make_unique<State>();
  state->pages = std::move(pages);
  state->notice = std::move(notice);
  const unsigned spare = std::min(options.connections_spare, options.connections_max / 2);
  state->deadlines = std::make_unique<ConnectionDeadlines>(ConnectionDeadlines::Limits{
      std::chrono::seconds(options.request_max_s), std::chrono::seconds(options.connection_max_s),
      options.connections_max - spare});
  // Flags of libmicrohttpd. THREAD_PER_CONNECTION: a page may wait for the node, and other pages
  // must not wait behind it. ITC: a thread that ends says so, which makes room for another
  // connection at once. POLL: select(), the default, takes no descriptor above 1023, so a node with
  // more descriptors would lose its pages for good.
  //
  // ConnectionDeadlines replaces libmicrohttpd's own time-out, because with poll() its thread spins
  // through the last second of that time-out.
  unsigned flags = MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                   MHD_USE_ITC | MHD_USE_ERROR_LOG;
  if (where.ai_family == AF_INET6) flags |= MHD_USE_IPv6;
  // The daemon's thread passes its signal mask on to the threads of the connections.
  const transport::SignalsBlocked around_the_start;
  errno = 0;
  state->daemon =
      MHD_start_daemon(flags, 0, nullptr, nullptr, &State::requested, state.get(),             //
                       MHD_OPTION_EXTERNAL_LOGGER, &State::said, state.get(),                  //
                       MHD_OPTION_SOCK_ADDR, where.ai_addr,                                    //
                       MHD_OPTION_CONNECTION_LIMIT, options.connections_max,                   //
                       MHD_OPTION_CONNECTION_MEMORY_LIMIT, request_bytes_max,                  //
                       MHD_OPTION_THREAD_STACK_SIZE, thread_stack_size,                        //
                       MHD_OPTION_NOTIFY_CONNECTION, &State::connection_changed, state.get(),  //
                       MHD_OPTION_NOTIFY_COMPLETED, &State::answered, state.get(),             //
                       MHD_OPTION_END);
  if (state->daemon == nullptr) {
    const int error = errno;
    return fail(error == EADDRINUSE || error == EADDRNOTAVAIL || error == EACCES
                    ? Errc::address_in_use
                    : Errc::system_error,
                fmt::format("HTTP on {}:{}: {}", host, port,
                            error == 0 ? "libmicrohttpd does not start" : std::strerror(error)));
  }
  const MHD_DaemonInfo* bound = MHD_get_daemon_info(state->daemon, MHD_DAEMON_INFO_BIND_PORT);
  const bool ipv6_literal = host.find(':') != std::string::npos;
  state->address = fmt::format("{}:{}", ipv6_literal ? "[" + host + "]" : host, bound->port);
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

}  // namespace loglog::http
