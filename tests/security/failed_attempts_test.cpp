#include "security/identity/failed_attempts.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "security/peer_network.hpp"

using namespace soma::security;

namespace {

constexpr auto minute = failed_attempts::window_ms;

// Fails until it has to wait; gives how often, and how long it waits then.
std::pair<int, std::int64_t> fail_until_it_waits(failed_attempts& all, std::string_view peer,
                                                 std::int64_t now) {
  int count = 0;
  while (all.wait_ms(peer, now) == 0) {
    all.failed(peer, now);
    ++count;
  }
  return {count, all.wait_ms(peer, now)};
}

std::string network(unsigned n) {
  char text[40];
  std::snprintf(text, sizeof text, "2001:db8:7:%x::1", n);
  return text;
}

}  // namespace

TEST_CASE("peer network: of IPv6 64 bits and the 48 around them, of IPv4 the address") {
  CHECK(network_of("2001:db8::1").own == network_of("2001:db8:0:0:ffff::2").own);
  CHECK(network_of("2001:db8::1").own != network_of("2001:db8:0:1::1").own);
  CHECK(network_of("2001:db8::1").site == network_of("2001:db8:0:1::1").site);
  CHECK(network_of("2001:db8::1").site != network_of("2001:db8:1::1").site);
  CHECK(network_of("192.0.2.1").own == network_of("::ffff:192.0.2.1").own);
  CHECK(network_of("192.0.2.1").own != network_of("192.0.2.2").own);
  CHECK(network_of("192.0.2.1").site.empty());
  CHECK(network_of("::ffff:192.0.2.1").site.empty());
  CHECK(network_of("no address").own == "no address");
}

TEST_CASE(
    "failed attempts: waits grow while it goes on, up to a bound, and are forgotten in time") {
  failed_attempts all;
  std::int64_t now = 1'000'000;
  std::vector<std::pair<int, std::int64_t>> seen;
  for (int i = 0; i < 7; ++i) {
    seen.push_back(fail_until_it_waits(all, "192.0.2.1", now));
    CHECK(all.wait_ms("192.0.2.2", now) == 0);  // nobody else waits
    now += seen.back().second;
    CHECK(all.wait_ms("192.0.2.1", now - 1) == 1);
    CHECK(all.wait_ms("192.0.2.1", now) == 0);
  }
  const std::vector<std::pair<int, std::int64_t>> wanted{
      {failed_attempts::free_max, minute},
      {failed_attempts::free_again_max, 2 * minute},
      {failed_attempts::free_again_max, 4 * minute},
      {failed_attempts::free_again_max, 8 * minute},
      {failed_attempts::free_again_max, 16 * minute},
      {failed_attempts::free_again_max, 16 * minute},
      {failed_attempts::free_again_max, 16 * minute}};
  CHECK(seen == wanted);
  now += failed_attempts::wait_ms_max;
  CHECK(fail_until_it_waits(all, "192.0.2.1", now) == wanted.front());
}

TEST_CASE("failed attempts: those that lie apart are not counted together") {
  failed_attempts all;
  std::int64_t now = 0;
  for (int i = 0; i < 1000; ++i, now += minute / (failed_attempts::free_max - 2)) {
    all.failed("192.0.2.1", now);
    REQUIRE(all.wait_ms("192.0.2.1", now) == 0);
  }
}

TEST_CASE("failed attempts: of IPv6 a network is one, and a site has a bound of its own") {
  failed_attempts all;
  for (int i = 0; i < failed_attempts::free_max; ++i)
    all.failed("2001:db8::" + std::to_string(i + 1), 0);
  CHECK(all.wait_ms("2001:db8::ffff", 0) == minute);
  CHECK(all.wait_ms("2001:db8:0:1::1", 0) == 0);
  // All networks of one site, each by itself below its bound.
  int count = 0;
  while (all.wait_ms(network(0xffff), 0) == 0) all.failed(network(count++ % 4000), 0);
  CHECK(count == failed_attempts::free_max * failed_attempts::site_times);
  CHECK(all.wait_ms("2001:db8:8::1", 0) == 0);
}

TEST_CASE("failed attempts: many addresses take a bounded room and bring nobody his back") {
  failed_attempts all;
  CHECK(fail_until_it_waits(all, "192.0.2.1", 0).second == minute);
  for (int i = 0; i < 19; ++i) all.failed("192.0.2.2", 0);
  std::size_t most = 0;
  for (unsigned i = 0; i < 50'000; ++i) {
    all.failed("10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
                   std::to_string(i & 255),
               1);
    most = std::max(most, all.size());
  }
  CHECK(most <= failed_attempts::peers_max);
  CHECK(all.wait_ms("192.0.2.1", 1) > 0);
  all.failed("192.0.2.2", 1);
  CHECK(all.wait_ms("192.0.2.2", 1) > 0);
}
