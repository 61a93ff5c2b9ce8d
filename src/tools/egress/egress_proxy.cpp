#include "tools/egress/egress_proxy.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <thread>

#include "core/codes.hpp"
#include "core/thread_name.hpp"
#include "tools/egress/proxy_head.hpp"
#include "tools/sandbox/descriptors.hpp"

namespace soma::tools {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using clock = std::chrono::steady_clock;

constexpr std::uint16_t port_inside = 3128;
constexpr std::size_t piece_bytes = 16 * 1024;
constexpr std::size_t lookup_threads = 4;
// Until places, descriptors or a run's turn to look up are asked for again.
constexpr std::chrono::milliseconds pause_time{20};
// What was refused is read on for so long, so that the answer is not lost with its connection.
constexpr std::chrono::milliseconds farewell_time{2'000};
const std::string program_inside = "/opt/soma-egress";
constexpr auto plain = asio::as_tuple(asio::use_awaitable);

std::string installed_program() {
  std::error_code ec;
  return (std::filesystem::read_symlink("/proc/self/exe", ec).parent_path() / "soma-egress")
      .string();
}

bool listens(int fd) {
  const auto is = [fd](int option, int wanted) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
  };
  return is(SO_DOMAIN, AF_INET) && is(SO_TYPE, SOCK_STREAM) && is(SO_ACCEPTCONN, 1);
}

// The socket that soma-egress hands over; none where it is not one that listens, or not alone.
descriptor take_listener(int door) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  if (recvmsg(door, &message, MSG_CMSG_CLOEXEC) != 1) return {};
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) return {};
  std::vector<descriptor> came((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  for (std::size_t i = 0; i < came.size(); ++i) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
    came[i] = descriptor(fd);
  }
  if (came.size() != 1 || (message.msg_flags & MSG_CTRUNC) != 0 || !listens(came[0].get()))
    return {};
  return std::move(came[0]);
}

tcp::endpoint endpoint_of(const ip_address& address, std::uint16_t port) {
  asio::ip::address_v6::bytes_type bytes;
  std::copy(address.begin(), address.end(), bytes.begin());
  const asio::ip::address_v6 six(bytes);
  if (six.is_v4_mapped()) return {asio::ip::make_address_v4(asio::ip::v4_mapped, six), port};
  return {six, port};
}

std::string refusal(const char* status, const std::string& why) {
  const auto body = "soma-egress: " + why + "\n";
  return std::string("HTTP/1.1 ") + status +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

struct connection {
  connection(tcp::socket from, const asio::any_io_executor& on)
      : client(std::move(from)), host(on), timer(on) {}

  tcp::socket client, host;
  asio::steady_timer timer;
  clock::time_point deadline;
  bool closed = false;

  void allow(std::chrono::milliseconds time) {
    deadline = clock::now() + time;
    if (deadline < timer.expiry()) timer.cancel();  // wakes `watch`
  }
  void close() {
    closed = true;
    error_code ignored;
    client.close(ignored);
    host.close(ignored);
    timer.cancel();
  }
};
using connection_ptr = std::shared_ptr<connection>;

// Of the thread alone, once it is there, but for what is atomic or const.
struct lease_state {
  lease_state(asio::io_context& io, int door_fd, url_rules its_rules)
      : rules(std::move(its_rules)), door(io, door_fd), listener(io) {}

  const url_rules rules;
  asio::posix::stream_descriptor door;
  tcp::acceptor listener;
  std::set<connection_ptr> connections;
  std::uint64_t bytes = 0;
  bool looking_up = false;
  std::atomic<bool> closed = false;

  void close() {
    closed = true;
    error_code ignored;
    door.close(ignored);
    listener.close(ignored);
    for (const auto& one : connections) one->close();
  }
};
using lease_ptr = std::shared_ptr<lease_state>;

}  // namespace

class egress_proxy::service {
 public:
  explicit service(egress_options options) : options_(std::move(options)) {
    if (options_.program.empty()) options_.program = installed_program();
    thread_ = std::thread([this] {
      name_this_thread("egress");
      io_.run();
    });
  }
  void end() {
    io_.stop();
    thread_.join();
    lookups_.stop();  // what waits is dropped
    lookups_.join();
  }

  const egress_options& options() const { return options_; }
  asio::io_context& io() { return io_; }

  void begin(const lease_ptr& lease) { asio::co_spawn(io_, serve_run(lease), asio::detached); }

 private:
  asio::awaitable<void> serve_run(lease_ptr lease) {
    auto [failed] = co_await lease->door.async_wait(asio::posix::descriptor_base::wait_read, plain);
    if (failed || lease->closed) co_return;
    auto handed = take_listener(lease->door.native_handle());
    if (!handed) co_return lease->close();
    error_code wrong;
    lease->listener.assign(tcp::v4(), handed.release(), wrong);
    if (wrong) co_return lease->close();
    if (::write(lease->door.native_handle(), "", 1) != 1) co_return lease->close();
    while (!lease->closed) {
      const bool full = lease->connections.size() >= options_.run_connections_max ||
                        connections_ >= options_.all_connections_max;
      if (full) {
        co_await pause();
        continue;
      }
      auto [refused, socket] = co_await lease->listener.async_accept(plain);
      if (lease->closed) break;
      if (refused) {  // no descriptors are left
        co_await pause();
        continue;
      }
      auto one = std::make_shared<connection>(std::move(socket), io_.get_executor());
      ++connections_;
      lease->connections.insert(one);
      asio::co_spawn(io_, serve(lease, one), asio::detached);
    }
  }

  asio::awaitable<void> pause() {
    asio::steady_timer timer(io_, pause_time);
    co_await timer.async_wait(plain);
  }

  asio::awaitable<void> serve(lease_ptr lease, connection_ptr one) {
    one->allow(options_.head_time);
    asio::co_spawn(io_, watch(one), asio::detached);
    co_await answer(lease, one);
    one->close();
    lease->connections.erase(one);
    --connections_;
  }

  asio::awaitable<void> answer(const lease_ptr& lease, const connection_ptr& one) {
    boost::beast::flat_buffer buffer(options_.head_bytes_max + piece_bytes);
    http::request_parser<http::empty_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(options_.head_bytes_max));
    parser.body_limit(boost::none);  // bodies pass by as they come
    auto [bad, n] = co_await http::async_read_header(one->client, buffer, parser, plain);
    if (one->closed) co_return;
    if (bad) co_return co_await refuse(one, "400 Bad Request", "that is no request");
    proxy_request request;
    request.method = parser.get().method_string();
    request.target = parser.get().target();
    for (const auto& field : parser.get())
      request.headers.emplace_back(field.name_string(), field.value());
    auto address = address_of(request);
    if (!address) co_return co_await refuse(one, "400 Bad Request", address.error().detail);
    one->allow(options_.idle_time);
    auto judged = co_await judge(std::move(*address), lease, one);
    if (one->closed || lease->closed) co_return;
    if (!judged) {
      const bool denied = judged.error().code == codes::policy_denied;
      const char* status = denied ? "403 Forbidden" : "502 Bad Gateway";
      co_return co_await refuse(one, status, judged.error().detail);
    }
    const bool connected = co_await connect(one, *judged);
    if (one->closed) co_return;
    if (!connected)
      co_return co_await refuse(one, "504 Gateway Timeout", "the host does not answer");
    const auto rest = buffer.data();
    std::string first = request.tunnel() ? std::string() : head_for_host(request, *judged);
    first.append(static_cast<const char*>(rest.data()), rest.size());
    if (request.tunnel()) {
      const std::string_view established = "HTTP/1.1 200 Connection established\r\n\r\n";
      auto [gone, sent] = co_await asio::async_write(one->client, asio::buffer(established), plain);
      if (gone) co_return;
    }
    auto [gone, sent] = co_await asio::async_write(one->host, asio::buffer(first), plain);
    if (gone) co_return;
    asio::co_spawn(io_, pump(lease, one, one->client, one->host), asio::detached);
    co_await pump(lease, one, one->host, one->client);
  }

  // What is refused whatever its name leads to never waits for a look-up; a run has one at a time,
  // so that names that nobody answers for delay no other run.
  asio::awaitable<result<judged_url>> judge(std::string address, lease_ptr lease,
                                            connection_ptr one) {
    bool named = false;
    auto without_names = lease->rules;
    without_names.resolve = [&named](const std::string&) -> result<std::vector<ip_address>> {
      named = true;
      return error{codes::tool_failed, "it was not looked up"};
    };
    auto judged = judge_url(address, nullptr, without_names);
    if (!named) co_return judged;
    while (lease->looking_up && !one->closed) {
      auto waiting = pause();
      co_await std::move(waiting);
    }
    const error ended{codes::tool_cancelled, "it ended"};
    if (one->closed || lease->closed) co_return ended;
    lease->looking_up = true;
    std::optional<result<judged_url>> found;
    auto looking = look_up(address, lease, found);
    co_await asio::co_spawn(lookups_, std::move(looking), asio::use_awaitable);
    lease->looking_up = false;
    co_return std::move(*found);
  }

  // On a thread that may block.
  static asio::awaitable<void> look_up(const std::string& address, lease_ptr lease,
                                       std::optional<result<judged_url>>& found) {
    if (lease->closed)
      found.emplace(error{codes::tool_cancelled, "it ended"});
    else
      found.emplace(judge_url(address, nullptr, lease->rules));
    co_return;
  }

  asio::awaitable<bool> connect(const connection_ptr& one, const judged_url& where) {
    for (const auto& address : where.addresses) {
      const auto to = endpoint_of(address, where.port);
      error_code ignored;
      one->host.close(ignored);
      one->allow(options_.connect_time + options_.idle_time);
      auto timer = std::make_shared<asio::steady_timer>(io_, options_.connect_time);
      timer->async_wait([one, timer](const error_code& stopped) {
        error_code closing;
        if (!stopped) one->host.close(closing);
      });
      auto [failed] = co_await one->host.async_connect(to, plain);
      const bool in_time = timer->cancel() > 0;
      if (one->closed) co_return false;
      if (!failed && in_time) co_return true;
    }
    co_return false;
  }

  // Until one side has said all, and what it said is with the other.
  asio::awaitable<void> pump(lease_ptr lease, connection_ptr one, tcp::socket& from,
                             tcp::socket& to) {
    std::array<char, piece_bytes> piece;
    while (!one->closed) {
      one->allow(options_.idle_time);
      auto [end, n] = co_await from.async_read_some(asio::buffer(piece), plain);
      if (end) {
        error_code ignored;
        to.shutdown(tcp::socket::shutdown_send, ignored);
        if (end != asio::error::eof) one->close();
        co_return;
      }
      lease->bytes += n;
      if (lease->bytes > options_.run_bytes_max) co_return lease->close();
      auto [gone, sent] = co_await asio::async_write(to, asio::buffer(piece.data(), n), plain);
      if (gone) co_return one->close();
    }
  }

  asio::awaitable<void> refuse(connection_ptr one, const char* status, std::string why) {
    const auto text = refusal(status, why);
    one->allow(farewell_time);
    auto [gone, sent] = co_await asio::async_write(one->client, asio::buffer(text), plain);
    error_code ignored;
    one->client.shutdown(tcp::socket::shutdown_send, ignored);
    std::array<char, 1024> unread;
    bool more = !gone;
    while (more) {
      auto [end, n] = co_await one->client.async_read_some(asio::buffer(unread), plain);
      more = !end;
    }
  }

  // Closes what has stood still for too long.
  static asio::awaitable<void> watch(connection_ptr one) {
    while (!one->closed) {
      if (clock::now() >= one->deadline) co_return one->close();
      one->timer.expires_at(one->deadline);
      co_await one->timer.async_wait(plain);
    }
  }

  egress_options options_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> busy_ = asio::make_work_guard(io_);
  asio::thread_pool lookups_{lookup_threads};
  std::size_t connections_ = 0;
  std::thread thread_;
};

namespace {

class open_lease final : public egress_lease {
 public:
  open_lease(std::shared_ptr<asio::io_context> io, lease_ptr state, descriptor door,
             std::string program)
      : io_(std::move(io)),
        state_(std::move(state)),
        door_(std::move(door)),
        program_(std::move(program)) {}
  ~open_lease() override {
    asio::post(*io_, [state = std::move(state_)] { state->close(); });
  }

  void equip(sandbox_command& command) const override {
    const auto proxy = "http://127.0.0.1:" + std::to_string(port_inside);
    command.argv.insert(command.argv.begin(),
                        {program_inside, std::to_string(door_.get()), std::to_string(port_inside)});
    command.binds.push_back({program_, program_inside, false});
    for (const std::string file : {"/etc/ssl/certs", "/etc/ssl/openssl.cnf"})
      if (access(file.c_str(), R_OK) == 0) command.binds.push_back({file, file, false});
    command.inherited.push_back(door_.get());
    command.loopback = true;
    for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"})
      command.environment.emplace_back(name, proxy);
    for (const char* name : {"no_proxy", "NO_PROXY"})
      command.environment.emplace_back(name, "localhost,127.0.0.1");
    command.environment.emplace_back("NODE_USE_ENV_PROXY", "1");  // heeded from version 24 on
  }

 private:
  const std::shared_ptr<asio::io_context> io_;  // and the service that has it
  lease_ptr state_;
  const descriptor door_;
  const std::string program_;
};

}  // namespace

egress_proxy::egress_proxy(egress_options options)
    : service_(std::make_shared<service>(std::move(options))) {}
egress_proxy::~egress_proxy() {
  service_->end();
}

std::string egress_proxy::unavailable() const {
  const auto& program = service_->options().program;
  return access(program.c_str(), X_OK) == 0 ? "" : "the program soma-egress is not installed";
}

result<std::unique_ptr<egress_lease>> egress_proxy::open(std::vector<std::string> hosts) {
  if (hosts.empty()) return error{codes::policy_denied, "no host is named that may be reached"};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return error{codes::server_busy, "no descriptors are left"};
  descriptor inside(ends[1]);
  auto rules = service_->options().rules;
  rules.hosts = std::move(hosts);
  auto state = std::make_shared<lease_state>(service_->io(), ends[0], std::move(rules));
  service_->begin(state);
  std::shared_ptr<asio::io_context> io(service_, &service_->io());
  return std::unique_ptr<egress_lease>(new open_lease(
      std::move(io), std::move(state), std::move(inside), service_->options().program));
}

}  // namespace soma::tools
