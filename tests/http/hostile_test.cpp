// Clients that take what others need: connections, memory, time.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/byte_budget.hpp"
#include "core/codes.hpp"
#include "core/limits.hpp"
#include "core/tenant_places.hpp"
#include "http/net/stranger_buckets.hpp"
#include "http/net/trusted_proxies.hpp"
#include "http/net_world.hpp"

using namespace soma;
using namespace soma::http;

namespace {

std::string get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

std::string post_head(const std::string& path, std::size_t length, const std::string& fields = "") {
  return "POST " + path +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(length) + "\r\n" +
         fields + "\r\n";
}

server_options with(const net_limits& limits) {
  server_options options;
  options.limits = limits;
  return options;
}

boost::asio::ip::address address(const char* text) {
  return boost::asio::ip::make_address(text);
}

}  // namespace

TEST_CASE("refusal: a client that sends its whole body first still reads why it was refused") {
  const auto server = start_test_server();
  const std::string megabyte(1 << 20, 'x');
  // 413, 401 and 404, each before a byte of the body was read.
  for (const auto& [path, status] :
       std::vector<std::pair<std::string, int>>{{"/echo", 413}, {"/secret", 405}, {"/none", 404}}) {
    CAPTURE(path);
    raw_client client(server->port());
    REQUIRE(client.send(post_head(path, 10 * megabyte.size())));
    for (int i = 0; i < 10; ++i) REQUIRE(client.send(megabyte));
    const auto answer = client.read_all();
    CHECK(client.closed());
    CHECK(status_of_text(answer) == status);
    CHECK(count_responses(answer) == 1);
  }
  eventually_open(*server, 0);
}

TEST_CASE(
    "refusal: a connection too many is told so, also where its client sends before it reads") {
  net_limits limits;
  limits.connections_per_address_max = 1;
  constexpr int too_many = 20;  // all may be lingered for at once: the client need not wait
  limits.refused_lingering_max = too_many;
  const auto server = start_test_server(with(limits));
  raw_client first(server->port());
  REQUIRE(first.send(get("/ping")));
  CHECK(status_of_text(first.read_response()) == 200);
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < too_many; ++i) {
    raw_client client(server->port());
    REQUIRE(client.send(post_head("/echo", 2 * megabyte.size())));
    REQUIRE(client.send(megabyte));
    REQUIRE(client.send(megabyte));
    CHECK(status_of_text(client.read_response()) == 503);
  }
}

TEST_CASE("refusal: what is read and dropped after it has a bound, in bytes and in number") {
  net_limits limits;
  limits.linger_bytes_max = 1 << 20;
  const auto server = start_test_server(with(limits));
  raw_client client(server->port());
  client.send(post_head("/echo", 1u << 30));
  const std::string megabyte(1 << 20, 'x');
  bool open = true;
  for (int i = 0; i < 64 && open; ++i) open = client.send(megabyte);
  CHECK_FALSE(open);
  limits.lingering_max = 0;
  const auto other = start_test_server(with(limits));
  raw_client second(other->port());
  second.send(post_head("/echo", 1u << 30) + megabyte);
  second.read_all();
  CHECK(second.closed());
  eventually_open(*other, 0);
}

TEST_CASE("body: one in an encoding is refused, whoever reads it") {
  const auto server = start_test_server();
  for (const std::string path : {"/echo", "/count"}) {
    const auto answer =
        talk(server->port(), post_head(path, 2, "Content-Encoding: gzip\r\n") + "{}");
    CHECK(status_of_text(answer) == 415);
    CHECK(code_of(answer) == codes::request_unsupported_media_type);
    const auto plain =
        ask(server->port(), post_head(path, 2, "Content-Encoding: identity\r\n") + "{}");
    CHECK(status_of_text(plain) == 200);
  }
}

TEST_CASE("body: all that are read at once have one bound, and one tenant half of it") {
  const auto budget = std::make_shared<byte_budget>(100);
  byte_budget::share a, b, c;
  CHECK(budget->grow(a, "one", 30));
  CHECK(budget->grow(a, "one", 50));
  CHECK_FALSE(budget->grow(a, "one", 51));
  CHECK_FALSE(budget->grow(b, "one", 1));
  CHECK(budget->grow(b, "two", 40));
  CHECK_FALSE(budget->grow(c, "three", 11));
  CHECK(budget->grow(c, "three", 10));
  CHECK(budget->bytes_held() == 100);
  a.release();
  CHECK(budget->grow(b, "two", 50));
  b = std::move(c);
  CHECK(budget->bytes_held() == 10);
  b.release();
  CHECK(budget->bytes_held() == 0);
}

TEST_CASE("body: an answer has its turn, however large, and others keep their half") {
  const auto budget = std::make_shared<byte_budget>(100);
  byte_budget::share a, b, c, d;
  CHECK(budget->grow_for_answer(a, "one", 60));  // nothing else of its tenant is held
  CHECK_FALSE(budget->grow_for_answer(b, "one", 1));
  CHECK(budget->grow_for_answer(b, "two", 40));
  CHECK_FALSE(budget->grow_for_answer(c, "three", 1));
  budget->count(c, "three", 30);  // was made already
  CHECK(budget->bytes_held() == 130);
  a.release();
  CHECK_FALSE(budget->grow(d, "three", 30));
  CHECK(budget->grow_for_answer(d, "three", 20));
  for (auto* held : {&b, &c, &d}) held->release();
  CHECK(budget->bytes_held() == 0);
}

TEST_CASE(
    "body: an answer that nobody reads counts, and one too many is refused until it is read") {
  net_limits limits;
  limits.bodies_bytes_max = 64u << 20;  // of /large there is one for each tenant
  const auto server = start_test_server(with(limits));
  const auto until = [&](int status) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (status_of_text(ask(server->port(), get("/large"))) != status)
      if (std::chrono::steady_clock::now() > deadline) return false;
    return true;
  };
  {
    raw_client lazy(server->port());
    REQUIRE(lazy.send(get("/large")));
    CHECK(until(503));
    CHECK(status_of_text(ask(server->port(), get("/ping"))) == 200);
  }
  CHECK(until(200));
}

TEST_CASE("places: a tenant has its share of them, and all together no more than there are") {
  tenant_places places(2, 3);
  auto a = places.enter(tenant_id("one")), b = places.enter(tenant_id("one"));
  CHECK(a);
  CHECK(b);
  CHECK_FALSE(places.enter(tenant_id("one")));
  const auto c = places.enter(tenant_id("two"));
  CHECK(c);
  CHECK_FALSE(places.enter(tenant_id("two")));
  a.reset();
  CHECK(places.enter(tenant_id("two")));
  CHECK(places.enter(tenant_id("one")));
}

TEST_CASE("strangers: an address has its ration, of IPv6 a network, and it grows again") {
  using clock = stranger_buckets::clock;
  const auto begin = clock::now();
  stranger_buckets buckets(2);
  const auto burst = 2 * limits::http_strangers_burst_s;
  for (unsigned i = 0; i < burst; ++i) CHECK(buckets.take(address("192.0.2.1"), begin));
  CHECK_FALSE(buckets.take(address("192.0.2.1"), begin));
  CHECK(buckets.take(address("192.0.2.2"), begin));
  for (unsigned i = 0; i < burst; ++i) CHECK(buckets.take(address("2001:db8::1"), begin));
  CHECK_FALSE(buckets.take(address("2001:db8::2"), begin));
  CHECK(buckets.take(address("2001:db8:0:1::1"), begin));
  CHECK(buckets.take(address("192.0.2.1"), begin + std::chrono::seconds(1)));
  stranger_buckets none(0);
  for (unsigned i = 0; i < 100; ++i) CHECK(none.take(address("192.0.2.1"), begin));
}

TEST_CASE("strangers: whoever is nobody and at fault again and again is told to wait") {
  net_limits limits;
  limits.strangers_per_s = 1;
  const auto server = start_test_server(with(limits));
  bool told = false;
  for (unsigned i = 0; i < 100 && !told; ++i) {
    const auto answer = ask(server->port(), get("/secret"));
    told = status_of_text(answer) == 429;
    CHECK((told || status_of_text(answer) == 401));
    if (told) CHECK(header_of(answer, "Retry-After") != "");
  }
  CHECK(told);
  CHECK(status_of_text(ask(server->port(), post_head("/echo", 2) + "{}")) == 429);
  CHECK(status_of_text(ask(server->port(), get("/ping"))) == 200);  // what costs nothing goes on
}

TEST_CASE("connections: a full server closes the one that has been silent for longest") {
  net_limits limits;
  limits.connections_max = 3;
  limits.connections_per_address_max = 100;
  const auto server = start_test_server(with(limits));
  raw_client oldest(server->port()), busy(server->port()), later(server->port());
  REQUIRE(busy.send("GET /pi"));
  eventually_open(*server, 3);
  REQUIRE(later.send(get("/ping")));
  CHECK(body_of(later.read_response()) == "pong");
  CHECK(body_of(ask(server->port(), get("/ping"))) == "pong");
  CHECK(oldest.read_all() == "");
  CHECK(oldest.closed());
  REQUIRE(busy.send("ng HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  CHECK(body_of(busy.read_response()) == "pong");
}

TEST_CASE("connections: one address gets three quarters of them, unless it is a trusted proxy") {
  net_limits limits;
  limits.connections_max = 4;
  auto options = with(limits);
  const auto server = start_test_server(options);
  {
    std::vector<std::unique_ptr<raw_client>> three;
    for (int i = 0; i < 3; ++i) three.push_back(std::make_unique<raw_client>(server->port()));
    eventually_open(*server, 3);
    CHECK(status_of_text(talk(server->port(), "")) == 503);
  }
  eventually_open(*server, 0);
  options.proxies = *trusted_proxies::make({"127.0.0.0/8"}, "x-forwarded-for");
  const auto behind = start_test_server(options);
  std::vector<std::unique_ptr<raw_client>> four;
  for (int i = 0; i < 4; ++i) four.push_back(std::make_unique<raw_client>(behind->port()));
  eventually_open(*behind, 4);
}

TEST_CASE("connections: one that never sends a request is not kept as long as one that did") {
  net_limits limits;
  limits.header_timeout_ms = 100;
  limits.idle_timeout_ms = 60'000;
  const auto server = start_test_server(with(limits));
  raw_client silent(server->port()), known(server->port());
  REQUIRE(known.send(get("/ping")));
  CHECK(body_of(known.read_response()) == "pong");
  CHECK(silent.read_all() == "");
  CHECK(silent.closed());
  REQUIRE(known.send(get("/ping")));
  CHECK(body_of(known.read_response()) == "pong");
}

TEST_CASE("proxies: the client's address is the last one that no trusted proxy has") {
  const auto seen = [](const trusted_proxies& p, const char* peer, std::string_view name,
                       std::vector<std::string_view> values) {
    request_context ctx;
    for (const auto value : values) ctx.headers.push_back({name, value});
    return p.client_of(address(peer), ctx).to_string();
  };
  const auto x = *trusted_proxies::make({"10.0.0.0/8", "fd00::1"}, "x-forwarded-for");
  const std::string_view name = "X-Forwarded-For";
  CHECK(seen(x, "192.0.2.9", name, {"1.1.1.1"}) == "192.0.2.9");  // no proxy of ours says it
  CHECK(seen(x, "10.0.0.1", name, {"1.1.1.1"}) == "1.1.1.1");
  CHECK(seen(x, "10.0.0.1", name, {"6.6.6.6, 1.1.1.1, 10.2.3.4"}) == "1.1.1.1");
  CHECK(seen(x, "10.0.0.1", name, {"6.6.6.6", "1.1.1.1"}) == "1.1.1.1");
  CHECK(seen(x, "10.0.0.1", name, {"1.1.1.1, nonsense"}) == "10.0.0.1");
  CHECK(seen(x, "10.0.0.1", name, {}) == "10.0.0.1");
  CHECK(seen(x, "fd00::1", name, {"[2001:db8::7]:4711"}) == "2001:db8::7");
  CHECK(seen(x, "10.0.0.1", "Forwarded", {"for=1.1.1.1"}) == "10.0.0.1");
  const auto f = *trusted_proxies::make({"10.0.0.1"}, "forwarded");
  CHECK(seen(f, "10.0.0.1", "Forwarded", {"for=6.6.6.6, proto=https;For=\"[2001:db8::7]:80\""}) ==
        "2001:db8::7");
  CHECK(seen(f, "10.0.0.2", "Forwarded", {"for=6.6.6.6"}) == "10.0.0.2");
  for (const char* bad : {"", "10.0.0.0/33", "name", "10.0.0.0/", "10.0.0.0/8x"})
    CHECK(trusted_proxies::make({bad}, "forwarded").has_error());
}
