#include "http/net/rate_limits.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "core/codes.hpp"
#include "http/net_world.hpp"

using namespace soma;
using namespace soma::http;

namespace {

using clock = rate_limits::clock;

boost::asio::ip::address address(const char* text) {
  return boost::asio::ip::make_address(text);
}

app::caller caller(const char* tenant, const char* user, app::role role = app::role::user) {
  app::caller who;
  who.tenant = tenant_id(tenant);
  who.user = user_id(user);
  who.role = role;
  return who;
}

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

}  // namespace

TEST_CASE("rate limits: a user has his ration, by whichever key, and it grows again") {
  rate_limits rates(2, 0);
  const auto begin = clock::now();
  const auto burst = 2 * rate_limits::burst_s;
  for (unsigned i = 0; i < burst; ++i) {
    auto ann = caller("acme", "ann");
    ann.key_id = std::to_string(i);
    const auto share = rates.of_caller(ann, begin);
    REQUIRE(share);
    CHECK(share->is_allowed);
    CHECK(share->left == burst - 1 - i);
  }
  const auto over = rates.of_caller(caller("acme", "ann"), begin);
  REQUIRE(over);
  CHECK_FALSE(over->is_allowed);
  CHECK(over->reset_s == 1);
  CHECK(refusal_of(*over).code == codes::quota_exceeded);
  CHECK(refusal_of(*over).retry_after_s == 1);
  // Others have theirs, of other tenants too, and ann again after a while.
  CHECK(rates.of_caller(caller("acme", "bob"), begin)->is_allowed);
  CHECK(rates.of_caller(caller("other", "ann"), begin)->is_allowed);
  CHECK(rates.of_caller(caller("acme", "ann"), begin + std::chrono::seconds(1))->is_allowed);
  // Nobody in particular counts by the address, other nodes not at all.
  CHECK_FALSE(rates.of_caller(caller("", "", app::role::anonymous), begin));
  CHECK_FALSE(rates.of_caller(caller("acme", "", app::role::internal), begin));
  CHECK_FALSE(rates.of_address(address("192.0.2.1"), begin));
}

TEST_CASE("rate limits: an address has its ration, of IPv6 a network") {
  rate_limits rates(0, 1);
  const auto begin = clock::now();
  for (unsigned i = 0; i < rate_limits::burst_s; ++i)
    CHECK(rates.of_address(address("2001:db8::1"), begin)->is_allowed);
  CHECK_FALSE(rates.of_address(address("2001:db8::2"), begin)->is_allowed);
  CHECK(rates.of_address(address("2001:db8:0:1::1"), begin)->is_allowed);
  CHECK_FALSE(rates.of_caller(caller("acme", "ann"), begin));
}

TEST_CASE("rate limits: whoever has a whole site of IPv6 has no more than a few addresses may") {
  rate_limits rates(0, 1);
  const auto begin = clock::now();
  unsigned allowed = 0;
  for (unsigned network = 0; network < 4 * site_times; ++network)
    for (unsigned i = 0; i < rate_limits::burst_s; ++i) {
      char text[40];
      std::snprintf(text, sizeof text, "2001:db8:7:%x::1", network);
      allowed += rates.of_address(address(text), begin)->is_allowed ? 1 : 0;
    }
  CHECK(allowed == site_times * rate_limits::burst_s);
  const auto over = rates.of_address(address("2001:db8:7:ffff::1"), begin);
  CHECK_FALSE(over->is_allowed);
  CHECK(over->policy == "address");
  CHECK(over->reset_s >= 1);
  // Another site and addresses of IPv4 have theirs.
  CHECK(rates.of_address(address("2001:db8:8::1"), begin)->is_allowed);
  CHECK(rates.of_address(address("192.0.2.1"), begin)->is_allowed);
  CHECK_FALSE(site_key_of(address("192.0.2.1")));
  CHECK_FALSE(site_key_of(address("::ffff:192.0.2.1")));
}

TEST_CASE("rate limits: what threads take together is no more than there is") {
  rate_limits rates(10, 0);
  const auto begin = clock::now();
  std::vector<std::thread> all;
  std::atomic<unsigned> allowed{0};
  for (int t = 0; t < 4; ++t)
    all.emplace_back([&] {
      for (int i = 0; i < 200; ++i)
        allowed += rates.of_caller(caller("acme", "ann"), begin)->is_allowed ? 1 : 0;
    });
  for (auto& one : all) one.join();
  CHECK(allowed == 10 * rate_limits::burst_s);
}

TEST_CASE("rate limits: fields tell both, with what is left and the policy") {
  rate_share a{"address", 100, 10, 7, 10, true}, c{"caller", 20, 10, 0, 1, false};
  CHECK(rate_left(a, c) == R"("address";r=7;t=10, "caller";r=0;t=1)");
  CHECK(rate_policy(a, c) == R"("address";q=100;w=10, "caller";q=20;w=10)");
  CHECK(rate_left(std::nullopt, c) == R"("caller";r=0;t=1)");
}

TEST_CASE(
    "rate limits: any route is refused with 429 past them, and each answer says what is left") {
  server_options options;
  options.limits.address_per_s = 1;
  const auto server = start_test_server(options);
  int refused = 0;
  for (unsigned i = 0; i < 2 * rate_limits::burst_s; ++i) {
    const auto answer = ask(server->port(), get(i % 2 ? "/ping" : "/none"));
    CHECK(header_of(answer, "RateLimit-Policy") == R"("address";q=10;w=10)");
    CHECK(header_of(answer, "RateLimit").starts_with("\"address\";r="));
    if (status_of_text(answer) != 429) continue;
    ++refused;
    CHECK(header_of(answer, "Retry-After") == "1");
    CHECK(header_of(answer, "RateLimit") == R"("address";r=0;t=1)");
    CHECK(answer.find("quota.exceeded") != std::string::npos);
  }
  CHECK(refused > 0);
  const auto plain = start_test_server();
  CHECK(header_of(ask(plain->port(), get("/ping")), "RateLimit-Policy") == "");
}

TEST_CASE("rate limits: who has used his own up does not get it back by asking from many others") {
  token_buckets<std::string> buckets(1, 10, 64);
  const auto begin = clock::now();
  for (int i = 0; i < 10; ++i) CHECK(buckets.take("greedy", begin).is_allowed);
  CHECK_FALSE(buckets.take("greedy", begin).is_allowed);
  for (int i = 0; i < 1000; ++i) {
    CHECK(buckets.take(std::to_string(i), begin).is_allowed);
    CHECK_FALSE(buckets.take("greedy", begin).is_allowed);
  }
  // Also where nobody has more left than he.
  token_buckets<std::string> small(1, 1, 1);
  CHECK(small.take("a", begin).is_allowed);
  CHECK(small.take("b", begin).is_allowed);
}

TEST_CASE("rate limits: health, readiness and other nodes are not rationed, and a page is told") {
  struct by_token final : http::authenticator {
    boost::asio::awaitable<result<app::caller>> authenticate(const request_context&,
                                                             app::access) override {
      co_return error(codes::auth_required, "none");
    }
    bool is_of_node(const request_context& ctx) const override {
      return ctx.header("X-Internal-Token") == "shared";
    }
  } who;
  server_options options;
  options.limits.address_per_s = 1;
  options.authenticator = &who;
  options.guard = host_guard({}, {"https://page.example"});
  const auto server = start_test_server(options);
  const auto with = [](const char* line, const char* headers) {
    return std::string(line) + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
  };
  const auto used_up = [&] { return status_of_text(ask(server->port(), get("/ping"))) == 429; };
  for (unsigned i = 0; i < 2 * rate_limits::burst_s && !used_up(); ++i) continue;
  REQUIRE(used_up());
  for (const char* path : {"/healthz", "/readyz"})
    CHECK(status_of_text(ask(server->port(), get(path))) != 429);
  CHECK(status_of_text(ask(server->port(), with("GET /ping", "X-Internal-Token: shared\r\n"))) ==
        200);
  CHECK(status_of_text(ask(server->port(), with("GET /ping", "X-Internal-Token: no\r\n"))) == 429);
  const auto preflight = ask(server->port(), with("OPTIONS /ping",
                                                  "Origin: https://page.example\r\n"
                                                  "Access-Control-Request-Method: GET\r\n"));
  CHECK(status_of_text(preflight) == 204);
  const auto refused = ask(server->port(), with("GET /ping", "Origin: https://page.example\r\n"));
  CHECK(status_of_text(refused) == 429);
  CHECK(header_of(refused, "Access-Control-Allow-Origin") == "https://page.example");
}
