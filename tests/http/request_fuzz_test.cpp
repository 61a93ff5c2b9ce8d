// Seeded mutations of valid requests against a server: it always answers or closes, answers only
// what is HTTP, and serves the next client as if nothing had been.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "http/net_world.hpp"

using namespace soma;
using namespace soma::http;

namespace {

const std::vector<std::string> valid = {
    "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /items/%41?x=1 HTTP/1.1\r\nHost: localhost:80\r\nAccept: */*\r\nX-Request-ID: a\r\n\r\n",
    "HEAD /export HTTP/1.1\r\nHost: [::1]\r\nConnection: keep-alive\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\nhello there",
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;a=\"b\"\r\nhello\r\n6\r\n there\r\n0\r\nX-Sum: 1\r\n\r\n",
    "POST /count HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: "
    "3\r\n\r\nabc",
    "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n",
    "GET http://localhost/query?after=1%202 HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\n\r\n",
    "GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
};
const std::vector<std::string> pieces = {
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    std::string(1, '\0'),
    "0",
    "-1",
    "\xff",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: localhost\r\n",
    "%00",
    "..",
    "HTTP/1.1",
    "999999999999999999999",
    "Connection: close\r\n",
    "X: " + std::string(20'000, 'x'),
};

class mutator {
 public:
  explicit mutator(std::uint32_t seed) : random_(seed) {}

  std::string next() {
    std::string text;
    for (auto n = below(3) + 1; n > 0; --n) text += valid[below(valid.size())];
    for (auto n = below(4) + 1; n > 0 && !text.empty(); --n) mutate(text);
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }

  void mutate(std::string& text) {
    const auto at = below(text.size());
    switch (below(6)) {
      case 0: text[at] = static_cast<char>(below(256)); break;
      case 1: text.erase(at, below(8) + 1); break;
      case 2: text.insert(at, pieces[below(pieces.size())]); break;
      case 3: text.insert(at, text.substr(below(text.size()), below(40))); break;
      case 4: text.resize(at); break;
      default: text[at] = static_cast<char>(text[at] ^ (1 << below(8))); break;
    }
  }

  std::minstd_rand random_;
};

std::uint32_t seed_of_run() {
  if (const char* given = std::getenv("SOMA_SEED"))
    return static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
  return std::random_device{}();
}

void send_and_judge(std::uint16_t port, const std::string& request) {
  raw_client client(port);
  client.send(request);
  client.shutdown_send();  // so that what is cut off ends, too
  const auto all = client.read_all();
  REQUIRE_FALSE(client.timed_out());
  if (!all.empty()) REQUIRE(all.starts_with("HTTP/1.1 "));
  const auto status = status_of_text(all);
  REQUIRE((all.empty() || (status >= 100 && status <= 599 && status != 500)));
}

}  // namespace

TEST_CASE("fuzz: a mutated request is answered or its connection closed") {
  const auto seed = seed_of_run();
  MESSAGE("seed " << seed << "; replay with SOMA_SEED");
  CAPTURE(seed);
  server_options options;
  options.limits.linger_timeout_ms = 100;
  const auto server = start_test_server(std::move(options));
  mutator mutations(seed);
  for (int i = 0; i < 3000; ++i) {
    const auto request = mutations.next();
    CAPTURE(request);
    send_and_judge(server->port(), request);
    if (i % 100 == 0) CHECK(body_of(ask(server->port(), valid[0])) == "pong");
  }
  eventually_open(*server, 0);
}
