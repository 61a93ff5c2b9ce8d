// Nodes that hand requests over to each other: servers of this process, whose partitions are a map
// (tests/support/fake_partitions.hpp). For relay_test.cpp alone.
#pragma once

#include "http/routes/relay.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <set>
#include <thread>

#include "../support/cluster_certificates.hpp"
#include "../support/fake_partitions.hpp"
#include "../support/temp_folder.hpp"
#include "app/cluster.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/net/relayed_caller.hpp"
#include "http/net_world.hpp"
#include "peers/node_links.hpp"
#include "security/digest.hpp"

namespace soma::http {

using soma::testing::fake_log;
using soma::testing::fake_partitions;

inline constexpr std::uint32_t partitions = 8;
inline const std::string relay_key = relay_key_of("the server key of all nodes");
inline const session_key a_session{tenant_id("t"),
                                   session_id("5e551011-0000-4000-8000-000000000001")};

class known_doors final : public peers::node_links {
 public:
  known_doors(std::shared_ptr<std::map<std::string, std::string>> all,
              std::shared_ptr<fake_log> log)
      : all_(std::move(all)), log_(std::move(log)) {}
  std::uint16_t port() const override { return 0; }
  peers::links_seen look() const override {
    peers::links_seen seen;
    for (const auto& [node, door] : *all_) seen.nodes.emplace_back().node = node;
    return seen;
  }
  void deaf_to(const std::string& node) {
    const std::lock_guard lock(log_->mutex);
    deaf_to_ = node;
  }
  std::optional<std::string> door_of(const std::string& node) const override {
    {
      const std::lock_guard lock(log_->mutex);
      if (node == deaf_to_) return std::nullopt;
    }
    const auto at = all_->find(node);
    if (at == all_->end()) return std::nullopt;
    return at->second;
  }
  // As heartbeats would say it.
  std::optional<std::string> owner_said(std::uint32_t partition) const override {
    const std::lock_guard lock(log_->mutex);
    return log_->owners[partition];
  }
  std::int64_t documents_silent_ms() const override { return silent_ms; }
  std::int64_t clock_ahead_ms(const std::string&) const override { return ahead_ms; }
  void drain(bool) override {}
  void connect(const std::string&) override {}

  std::atomic<std::int64_t> silent_ms{0}, ahead_ms{0};

 private:
  const std::shared_ptr<std::map<std::string, std::string>> all_;
  const std::shared_ptr<fake_log> log_;
  std::string deaf_to_;
};

class whoever_says final : public authenticator {
 public:
  asio::awaitable<result<app::caller>> authenticate(const request_context& ctx,
                                                    app::access) override {
    app::caller who;
    who.tenant = tenant_id("t");
    who.user = user_id(std::string(ctx.header("Authorization")));
    who.role = app::role::user;
    who.groups = {"one", "two"};
    co_return who;
  }
  result<app::caller> relayed(request_context& ctx) const override {
    auto target = std::string(ctx.path);
    if (!ctx.query.empty()) target.append("?").append(ctx.query);
    auto told = read_relayed(relay_key, ctx.header(relayed_header), to_string(ctx.verb), target,
                             ctx.request_id, now_ms() + ahead_ms);
    if (!told) return error(codes::auth_invalid, "not signed");
    return std::move(told->who);
  }

  std::atomic<std::int64_t> ahead_ms{0};  // its node's clock
};

struct world {
  std::shared_ptr<fake_log> log = std::make_shared<fake_log>(partitions);
  std::shared_ptr<std::map<std::string, std::string>> doors =
      std::make_shared<std::map<std::string, std::string>>();
  std::uint32_t partition() const { return cluster::partition_of(a_session, partitions); }
  void owned_by(const std::string& node) {
    const std::lock_guard lock(log->mutex);
    for (auto& owner : log->owners) owner = node;
  }
};

struct node {
  // `certificates`: a folder (cluster_certificates.hpp); empty: nodes speak plainly.
  node(world& w, const std::string& called, const std::string& certificates = {})
      : name(called),
        host(w.log, called),
        links(w.doors, w.log),
        seen({host, links, called}),
        to_owners(seen, {std::chrono::milliseconds(600), std::chrono::milliseconds(400)},
                  relay_key) {
    router routes;
    add(routes, "append_event", [this](request_context& ctx) { return append(ctx); });
    add(routes, "delete_session", [this](request_context& ctx) { return remove(ctx); });
    add(routes, "get_session", [this](request_context& ctx) { return find(ctx); });
    add(routes, "create_session", [this](request_context& ctx) { return append(ctx); });
    add(routes, "upload_files", [this](request_context& ctx) { return upload(ctx); });
    add(routes, "read_workdir_file", [this](request_context& ctx) { return download(ctx); });
    add(routes, "get_attachment", [this](request_context& ctx) { return file(ctx); });
    add(routes, "stream_events", [this](request_context& ctx) { return find(ctx); });
    add(routes, "list_sessions", [this](request_context& ctx) { return find(ctx); });
    add(routes, "get_memory", [this](request_context& ctx) { return find(ctx); });
    add(routes, "login", [this](request_context& ctx) { return append(ctx); });
    server_options options;
    options.authenticator = &who;
    node_client_options reaches;
    if (!certificates.empty()) {
      const tls_files files{certificates + "/node.pem", certificates + "/node.key",
                            certificates + "/ca.pem"};
      tls = std::move(*tls_context::open(files));
      reaches.tls = *make_node_client(files);
    }
    options.nodes = node_door{std::string(loopback_address), 0, tls.get()};
    options.limits.stop_timeout_ms = 500;
    options.io_threads = 2;
    runs = std::make_unique<server>(std::move(options), std::move(routes));
    for (std::size_t i = 0; i < 2; ++i) to_owners.add_thread(runs->context(i), reaches);
    REQUIRE(runs->start().has_value());
    (*w.doors)[name] = std::string(loopback_address) + ":" + std::to_string(runs->node_port());
  }
  ~node() {
    runs->stop();
    to_owners.stop();  // before the contexts that its connections are of
  }

  void add(router& routes, std::string_view id, handler run) {
    const auto& what = app::operation_named(id);
    route r;
    r.pattern = what.path;
    r.operation_id = what.id;
    r.auth = what.access;
    switch (what.method) {
      case app::method::get: r.verb = verb::get; break;
      case app::method::delete_: r.verb = verb::delete_; break;
      default: r.verb = verb::post;
    }
    if (what.body == app::body::stream)
      r.body = body_mode::streamed, r.body_bytes_max = 1ull << 30;
    else if (what.body != app::body::none)
      r.body = body_mode::whole;
    r.handler = to_owners.at_owner(what, std::move(run));
    routes.add(std::move(r));
  }

  asio::awaitable<response> append(request_context& ctx) {
    ++carried_out;
    if (refuses > 0) {
      --refuses;
      co_return problem(error(codes::cluster_owner_lost, "lost", 1), ctx);
    }
    keys.insert(std::string(ctx.header("Idempotency-Key")));
    response answer(202);
    answer.body = name + "|" + ctx.caller.user.value + "|" + std::string(ctx.trace_id()) + "|" +
                  std::to_string(ctx.caller.groups.size()) + "|" + std::string(ctx.body) + "|" +
                  std::string(ctx.header("Cookie")) + std::string(ctx.header("Authorization"));
    answer.headers.emplace_back("Location", "/somewhere");
    co_return answer;
  }

  asio::awaitable<response> remove(request_context& ctx) {
    ++carried_out;
    if (refuses > 0) {
      --refuses;
      co_return problem(error(codes::cluster_owner_lost, "lost", 1), ctx);
    }
    co_return response(204);
  }

  asio::awaitable<response> find(request_context& ctx) {
    if (host.behind.load() > 0 && !host.look(0).owned_here)
      co_return problem(error(codes::session_not_found, "none"), ctx);
    co_return response(200, "\"" + name + "\"");
  }

  asio::awaitable<response> upload(request_context& ctx) {
    std::uint64_t bytes = 0, sum = 0;
    while (ctx.stream) {
      auto piece = co_await ctx.stream->read_some();
      if (!piece) co_return problem(piece.error(), ctx);
      if (piece->empty()) break;
      bytes += piece->size();
      for (const char c : *piece) sum += static_cast<unsigned char>(c);
      if (refuses > 0) co_return problem(error(codes::request_too_large, "too much"), ctx);
    }
    co_return response(201, name + "|" + std::to_string(bytes) + "|" + std::to_string(sum));
  }

  asio::awaitable<response> download(request_context&) {
    response answer;
    answer.content_type = {};
    answer.headers.emplace_back("Content-Type", "text/x-of-a-file");
    answer.headers.emplace_back("Content-Disposition", "attachment; filename=\"a\"");
    answer.content_security_policy = "default-src 'none'; sandbox; frame-ancestors 'none'";
    answer.produced_bytes = 16u << 20;
    answer.produce = [](response_stream& out) { return sixteen_mib(out); };
    co_return answer;
  }

  asio::awaitable<response> file(request_context& ctx) {
    if (!has_file) co_return problem(error(codes::attachment_not_found, "none"), ctx);
    co_return response(200, "\"" + name + "\"");
  }

  static asio::awaitable<bool> sixteen_mib(response_stream& out) {
    const std::string piece(64 * 1024, 'x');
    for (int i = 0; i < 256; ++i) {
      const bool taken = co_await out.write(piece);
      if (!taken) co_return false;
    }
    co_return true;
  }

  std::uint16_t port() const { return runs->port(); }

  const std::string name;
  fake_partitions host;
  known_doors links;
  app::cluster_node seen;
  owner_relay to_owners;
  whoever_says who;
  std::unique_ptr<tls_context> tls;
  std::unique_ptr<server> runs;
  std::atomic<bool> has_file{false};
  std::atomic<int> carried_out{0}, refuses{0};
  std::set<std::string> keys;  // of one thread at a time, since tests ask one thing after another
};

inline std::string request(const std::string& first_line, const std::string& fields = {},
                           const std::string& body = {}) {
  return first_line + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: somebody\r\nCookie: c=1\r\n" +
         fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// What a node hands over with a request, of a caller of that role.
inline std::string signed_by_node(const std::string& method, const std::string& target,
                                  app::role role, const std::string& body = {},
                                  std::int64_t at_ms = now_ms(),
                                  const std::string& key = relay_key) {
  relayed_caller who;
  who.who.tenant = tenant_id("t");
  who.who.role = role;
  who.at_ms = at_ms;
  who.body_sha256 = security::bytes_of(security::sha256(body));
  return "X-Request-ID: r-1\r\nSoma-Caller: " + write_relayed(key, who, method, target, "r-1") +
         "\r\n";
}

inline std::string to_session(const std::string& how, const std::string& behind = {}) {
  return how + " /v1/sessions/" + a_session.session.value + behind;
}

// A node that takes a request and goes, as one that is killed.
class dying_node {
 public:
  dying_node() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(fd_, 16) == 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    takes_ = std::thread([this] {
      for (int peer; (peer = ::accept(fd_, nullptr, nullptr)) >= 0; ::close(peer)) {
        char bytes[65536];
        (void)!::read(peer, bytes, sizeof bytes);
        ++taken;
        if (then) then();
      }
    });
  }
  ~dying_node() {
    ::shutdown(fd_, SHUT_RDWR);
    takes_.join();
    ::close(fd_);
  }
  std::uint16_t port = 0;
  std::atomic<int> taken{0};
  std::function<void()> then;

 private:
  int fd_;
  std::thread takes_;
};

// A node that takes a request and says nothing, as one that is stopped.
class hanging_node {
 public:
  hanging_node() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(fd_, 16) == 0);  // the system accepts
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
  }
  ~hanging_node() { ::close(fd_); }
  std::uint16_t port = 0;

 private:
  const int fd_;
};

}  // namespace soma::http
