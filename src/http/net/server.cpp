#include "http/net/server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <mutex>
#include <thread>

#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "core/thread_name.hpp"
#include "http/net/io_shard.hpp"
#include "http/net/linger.hpp"
#include "http/net/problem.hpp"
#include "http/net/response_head.hpp"

namespace soma::http {
namespace {

namespace sys = boost::system;
using asio::ip::tcp;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
// How late a deadline may be noticed.
constexpr auto sweep_interval = std::chrono::milliseconds(50);
// A pause where accept fails for want of descriptors: the backlog keeps the clients waiting.
constexpr auto accept_pause = std::chrono::milliseconds(20);
// Of all other nodes: each keeps those that are idle for a while, and has one a request under way.
constexpr std::size_t node_connections_max = 4'096;

std::string date_line() {
  const std::time_t now = std::time(nullptr);
  std::tm utc;
  gmtime_r(&now, &utc);
  char text[64];
  const auto n = std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
  return {text, n};
}

}  // namespace

void io_shard::watch() {
  date = date_line();
  timer.expires_after(sweep_interval);
  timer.async_wait([this, second = std::time(nullptr)](const sys::error_code& ec) {
    if (ec) return;
    const auto at = clock::now();
    for (auto& s : sockets) {
      if (s.deadline > at || s.expired) continue;
      s.expired = true;
      s.socket.cancel();
    }
    watch();
  });
}

void io_shard::stop_idle() {
  stopping = true;
  for (auto& s : sockets)
    if (s.idle) s.socket.cancel();
}

bool io_shard::close_longest_idle() {
  watched_socket* oldest = nullptr;
  for (auto& s : sockets)
    if (s.idle && !s.expired && (!oldest || s.idle_since < oldest->idle_since)) oldest = &s;
  if (!oldest) return false;
  oldest->expired = true;
  oldest->socket.cancel();
  return true;
}

void io_shard::close_all() {
  for (auto& s : sockets) s.socket.close();
}

struct server::impl {
  impl(server_options o, router r) : options(std::move(o)), routes(std::move(r)) {
    if (options.io_threads == 0) options.io_threads = 1;
    slots->probe = options.probe;
    for (std::size_t i = 0; i < options.io_threads; ++i) {
      auto& shard = shards.emplace_back(
          std::make_unique<io_shard>(i, options, routes, checkers, bodies, rates));
      guards.emplace_back(shard->context.get_executor());
    }
    acceptor.emplace(shards[0]->context);
    if (options.nodes) node_acceptor.emplace(shards[0]->context);
  }

  ~impl() {
    if (spare >= 0) ::close(spare);
  }

  result<void> bind() {
    auto all = bind(*acceptor, options.address, options.port);
    if (!all) return all.error();
    bound = *all;
    if (!options.nodes) return {};
    auto nodes = bind(*node_acceptor, options.nodes->address, options.nodes->port);
    if (!nodes) return nodes.error();
    node_bound = *nodes;
    return {};
  }

  static result<std::uint16_t> bind(tcp::acceptor& to, const std::string& at, std::uint16_t port) {
    sys::error_code ec;
    const auto address = asio::ip::make_address(at, ec);
    const tcp::endpoint endpoint(address, port);
    if (!ec) to.open(endpoint.protocol(), ec);
    if (!ec) to.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) to.bind(endpoint, ec);
    if (!ec) to.listen(4096, ec);
    if (ec)
      return error(codes::config_invalid,
                   "cannot listen on " + at + ":" + std::to_string(port) + ": " + ec.message());
    return to.local_endpoint(ec).port();
  }

  // Nodes are few, and known by what they show: they take no connection from a client.
  asio::awaitable<void> accept_nodes() {
    asio::steady_timer pause(shards[0]->context);
    std::size_t next = 0;
    while (node_acceptor->is_open()) {
      io_shard& shard = *shards[next];
      next = (next + 1) % shards.size();
      tcp::socket socket(shard.context);
      const auto [ec] = co_await node_acceptor->async_accept(socket, as_tuple);
      if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) break;
      if (ec) {
        pause.expires_after(accept_pause);
        co_await pause.async_wait(as_tuple);
        continue;
      }
      sys::error_code gone;
      auto peer = socket.remote_endpoint(gone).address();
      if (!gone && node_slots->open.load(std::memory_order_acquire) < node_connections_max)
        asio::co_spawn(shard.context,
                       serve_node(shard, std::move(socket), connection_slot(node_slots, peer)),
                       asio::detached);
    }
  }

  asio::awaitable<void> accept_loop() {
    asio::steady_timer pause(shards[0]->context);
    std::size_t next = 0;
    while (acceptor->is_open()) {
      io_shard& shard = *shards[next];
      next = (next + 1) % shards.size();
      tcp::socket socket(shard.context);
      const auto [ec] = co_await acceptor->async_accept(socket, as_tuple);
      if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) break;
      if (ec) {
        if (ec == asio::error::no_descriptors || ec == sys::errc::too_many_files_open_in_system)
          refuse_with_spare(shard);
        pause.expires_after(accept_pause);
        co_await pause.async_wait(as_tuple);
      } else {
        sys::error_code gone;
        auto peer = socket.remote_endpoint(gone).address();
        if (!gone) admit(shard, std::move(socket), std::move(peer));
      }
    }
  }

  void admit(io_shard& shard, tcp::socket socket, asio::ip::address peer) {
    const auto& limits = options.limits;
    const auto share = limits.connections_per_address_max > 0
                           ? limits.connections_per_address_max
                           : (limits.connections_max * 3 + 3) / 4;
    if (!options.proxies.trusts(peer) && slots->open_of(peer) >= share) {
      asio::post(shard.context,
                 [this, &shard, kept = std::make_shared<tcp::socket>(std::move(socket))]() mutable {
                   refuse_and_linger(shard, std::move(*kept));
                 });
      return;
    }
    if (slots->open.load(std::memory_order_acquire) < limits.connections_max)
      return serve(shard, std::move(socket), std::move(peer));
    // Full: whoever has been silent for longest makes room for one who has something to say.
    asio::post(shard.context, [this, &shard, peer = std::move(peer),
                               kept = std::make_shared<tcp::socket>(std::move(socket))]() mutable {
      if (shard.close_longest_idle())
        serve(shard, std::move(*kept), std::move(peer));
      else
        refuse_and_linger(shard, std::move(*kept));
    });
  }

  void serve(io_shard& shard, tcp::socket socket, asio::ip::address peer) {
    asio::co_spawn(
        shard.context,
        serve_connection(shard, std::move(socket), connection_slot(slots, std::move(peer))),
        asio::detached);
  }

  // No descriptor is left: one that is kept for this lets the client be told, and is taken again
  // before anybody else gets it.
  void refuse_with_spare(io_shard& shard) {
    if (spare >= 0) ::close(spare);
    sys::error_code ec;
    tcp::socket socket(shard.context);
    acceptor->non_blocking(true, ec);
    acceptor->accept(socket, ec);
    if (!ec) refuse(socket);
    spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }

  // One write: a client past the limit may cost no more than that, and its descriptor for as long
  // as it takes to read the answer, where few others do.
  void refuse(tcp::socket& socket) {
    if (options.probe) options.probe->on_connection_refused();
    const auto id = new_uuid();
    response answer =
        problem({codes::server_busy, "This server has as many connections as it takes", 1}, id);
    std::string out;
    append_head(out, answer, {date_line(), id, answer.body.size(), false, false, false});
    out += answer.body;
    sys::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(out), ignored);
  }

  // On the shard's thread.
  void refuse_and_linger(io_shard& shard, tcp::socket socket) {
    refuse(socket);
    if (shard.refused >= options.limits.refused_lingering_max) return;
    asio::co_spawn(shard.context, linger_refused(shard, std::move(socket)), asio::detached);
  }

  static asio::awaitable<void> linger_refused(io_shard& shard, tcp::socket socket) {
    watched_socket watched(std::move(socket));
    shard.sockets.push_back(watched);
    ++shard.refused;
    co_await linger(shard, watched);
    --shard.refused;
  }

  void run() {
    for (auto& shard : shards) {
      shard->watch();
      threads.emplace_back([&s = *shard] {
        this_thread_must_not_block();
        name_this_thread("io");
        s.context.run();
      });
    }
    asio::co_spawn(shards[0]->context, accept_loop(), asio::detached);
    if (node_acceptor) asio::co_spawn(shards[0]->context, accept_nodes(), asio::detached);
  }

  // Runs `work` on every io thread and waits for it.
  template <class Work>
  void on_every_thread(Work work) {
    std::mutex mutex;
    std::condition_variable done;
    std::size_t left = shards.size();
    for (auto& shard : shards) {
      asio::post(shard->context, [&, s = shard.get()] {
        work(*s);
        const std::lock_guard lock(mutex);
        if (--left == 0) done.notify_one();
      });
    }
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return left == 0; });
  }

  void stop() {
    if (threads.empty()) return;
    on_every_thread([this](io_shard& s) {
      if (s.index == 0) {
        sys::error_code ignored;
        acceptor->close(ignored);
        if (node_acceptor) node_acceptor->close(ignored);
      }
      s.stop_idle();
      if (options.on_stopping) options.on_stopping(s.index);
    });
    const auto deadline = clock::now() + std::chrono::milliseconds(options.limits.stop_timeout_ms);
    const auto open = [this] {
      return slots->open.load(std::memory_order_acquire) +
             node_slots->open.load(std::memory_order_acquire);
    };
    while (open() > 0 && clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    on_every_thread([](io_shard& s) {
      s.close_all();
      s.timer.cancel();
    });
    for (auto& guard : guards) guard.reset();
    for (auto& shard : shards) shard->context.stop();
    for (auto& thread : threads) thread.join();
    threads.clear();
    checkers.join();  // before the connections that wait for it are destroyed
  }

  server_options options;
  router routes;
  asio::thread_pool checkers{1};
  std::shared_ptr<byte_budget> bodies =
      std::make_shared<byte_budget>(options.limits.bodies_bytes_max);
  rate_limits rates{options.limits.caller_per_s, options.limits.address_per_s};
  int spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);  // see refuse_with_spare()
  std::shared_ptr<connection_slot::pool> slots = std::make_shared<connection_slot::pool>();
  std::shared_ptr<connection_slot::pool> node_slots = std::make_shared<connection_slot::pool>();
  std::vector<std::unique_ptr<io_shard>> shards;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards;
  std::optional<tcp::acceptor> acceptor, node_acceptor;
  std::vector<std::thread> threads;
  std::uint16_t bound = 0, node_bound = 0;
};

result<app::caller> authenticator::relayed(request_context&) const {
  return error(codes::auth_invalid, "no node hands requests over to this one");
}

server::server(server_options options, router routes)
    : impl_(std::make_unique<impl>(std::move(options), std::move(routes))) {}

server::~server() {
  stop();
}

result<void> server::start() {
  if (auto ok = impl_->bind(); !ok) return ok.error();
  impl_->run();
  return {};
}

void server::stop() {
  impl_->stop();
}
std::uint16_t server::port() const {
  return impl_->bound;
}
std::uint16_t server::node_port() const {
  return impl_->node_bound;
}
std::size_t server::io_threads() const {
  return impl_->shards.size();
}
asio::io_context& server::context(std::size_t i) {
  return impl_->shards.at(i)->context;
}
std::size_t server::open_connections() const {
  return impl_->slots->open.load(std::memory_order_relaxed);
}

}  // namespace soma::http
