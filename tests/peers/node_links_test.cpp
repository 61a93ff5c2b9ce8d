// Links between nodes of this process, over the loopback.
#include "peers/node_links.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "../support/cluster_certificates.hpp"
#include "../support/fake_partitions.hpp"
#include "../support/temp_folder.hpp"
#include "peers/handshake.hpp"

using namespace soma;
using namespace soma::peers;
using soma::testing::fake_log;
using soma::testing::fake_partitions;

namespace {

constexpr std::uint32_t partitions = 8;

bool until(const std::function<bool()>& what,
           std::chrono::seconds at_most = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  while (!what()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

struct test_node {
  test_node(std::shared_ptr<fake_log> log, const std::string& name, std::vector<std::string> peers,
            std::string tls_dir = {}, const std::string& server_key = "the same",
            std::optional<std::string> door = std::nullopt)
      : host(log, name) {
    link_options options;
    options.self.cluster = "test";
    options.self.node = name;
    options.self.version = "0";
    options.self.server_key = secret_fingerprint(server_key, "server key");
    options.listen = "127.0.0.1:0";
    options.peers = std::move(peers);
    options.tls_dir = std::move(tls_dir);
    options.heartbeat_ms = 50;
    options.retry_ms = 20;
    options.rules.copies = 2;
    options.rules.silence_ms = 1'000;
    options.rules.confirm_ms = 300;
    options.rules.join_ms = 1'500;
    options.rules.settle_ms = 100;
    auto opened = node_links::open(std::move(options), host);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
    links = std::move(*opened);
    links->connect(door.value_or("127.0.0.1:1" + name));
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(links->port()); }
  std::size_t here() const {
    std::size_t count = 0;
    for (const auto& one : links->look().nodes) count += one.state == "here";
    return count;
  }

  fake_partitions host;
  std::unique_ptr<node_links> links;
};

class silent_client {
 public:
  explicit silent_client(std::uint16_t port, const std::string& says = {})
      : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    if (!says.empty()) REQUIRE(::send(fd_, says.data(), says.size(), MSG_NOSIGNAL) > 0);
  }
  ~silent_client() { ::close(fd_); }
  silent_client(const silent_client&) = delete;

 private:
  const int fd_;
};

}  // namespace

TEST_CASE("links: three nodes find each other through one, and share the partitions") {
  auto log = std::make_shared<fake_log>(partitions);
  test_node a(log, "a", {});
  test_node b(log, "b", {a.address()});
  test_node c(log, "c", {a.address(), b.address()});
  REQUIRE(until([&] { return a.here() == 3 && b.here() == 3 && c.here() == 3; }));
  REQUIRE(until([&] { return a.host.owned() + b.host.owned() + c.host.owned() == partitions; }));
  REQUIRE(until([&] {
    for (std::uint32_t p = 0; p < partitions; ++p) {
      const std::vector<std::string> all{"a", "b", "c"};
      if (a.host.look(p).owner != cluster::holders(p, all, 2)[0]) return false;
    }
    return true;
  }));
  CHECK(a.links->door_of("b") == "127.0.0.1:1b");
  CHECK_FALSE(a.links->door_of("nobody").has_value());

  SUBCASE("what a node had that is gone is taken over") {
    const auto had = c.host.owned();
    REQUIRE(had > 0);
    c.links.reset();
    CHECK(until([&] { return a.host.owned() + b.host.owned() == partitions; }));
    CHECK(a.host.told_down() == std::vector<std::string>{"c"});
    CHECK_FALSE(a.links->door_of("c").has_value());
    CHECK(a.links->look().nodes.back().state == "down");
  }
  SUBCASE("a drained node leaves nothing, and takes its share again") {
    c.links->drain(true);
    CHECK(until([&] { return c.host.owned() == 0; }));
    CHECK(until([&] { return a.links->look().nodes.back().state == "draining"; }));
    c.links->drain(false);
    CHECK(until([&] { return c.host.owned() > 0; }));
    CHECK(a.host.told_down().empty());
  }
}

TEST_CASE("links: a node is linked before it takes requests, and says where once it does") {
  auto log = std::make_shared<fake_log>(partitions);
  test_node a(log, "a", {});
  test_node b(log, "b", {a.address()}, {}, "the same", "");
  REQUIRE(until([&] { return a.here() == 2 && b.here() == 2; }));
  REQUIRE(until([&] { return b.host.owned() > 0; }));
  CHECK_FALSE(a.links->door_of("b").has_value());
  b.links->connect("127.0.0.1:1b");
  CHECK(until([&] { return a.links->door_of("b") == "127.0.0.1:1b"; }));
  CHECK(a.here() == 2);
  // What it owns is known without its log; so is the time there.
  CHECK(until([&] {
    for (std::uint32_t p = 0; p < partitions; ++p)
      if (b.host.look(p).owned_here && a.links->owner_said(p) != "b") return false;
    return true;
  }));
  CHECK(std::abs(a.links->clock_ahead_ms("b")) < 1'000);
  CHECK(a.links->documents_silent_ms() >= 0);
}

TEST_CASE("links: a node that leaves has given up all before it is gone") {
  auto log = std::make_shared<fake_log>(partitions);
  test_node a(log, "a", {});
  test_node b(log, "b", {a.address()});
  REQUIRE(until([&] { return a.here() == 2 && b.here() == 2; }));
  REQUIRE(until([&] { return b.host.owned() > 0 && a.host.owned() > 0; }));
  b.links->leave();
  CHECK(until([&] { return b.host.owned() == 0; }, std::chrono::seconds(2)));
  CHECK(a.host.told_down().empty());
}

TEST_CASE("links: a node with another server key is not let in, and both say why") {
  auto log = std::make_shared<fake_log>(partitions), other = std::make_shared<fake_log>(partitions);
  test_node a(log, "a", {});
  test_node b(other, "b", {a.address()}, {}, "another");
  REQUIRE(until([&] { return !b.links->look().refused.empty(); }));
  CHECK(b.links->look().refused[0].find("server key") != std::string::npos);
  CHECK(a.here() == 1);
  CHECK(b.here() == 1);
}

TEST_CASE("links: what proves a node once proves nothing again, and nothing else") {
  identity secrets;
  secrets.server_key = secret_fingerprint("the same", "server key");
  hello said;
  said.node = "a";
  said.http = "127.0.0.1:1";
  const auto mine = new_nonce(), theirs = new_nonce();
  CHECK(mine != theirs);
  const auto shown = prove(secrets, side::answers, said, mine, theirs);
  CHECK_FALSE(disproved(secrets, side::answers, said, mine, theirs, shown));
  CHECK(disproved(secrets, side::answers, said, new_nonce(), theirs, shown));
  CHECK(disproved(secrets, side::answers, said, mine, new_nonce(), shown));
  CHECK(disproved(secrets, side::asks, said, mine, theirs, shown));
  auto another = said;
  another.http = "127.0.0.1:2";
  CHECK(disproved(secrets, side::answers, another, mine, theirs, shown));
  auto other = secrets;
  other.internal_token = "x";
  CHECK(*disproved(other, side::answers, said, mine, theirs, shown) ==
        "its GATEWAY_INTERNAL_TOKEN is another");
  // Whoever is greeted proves it once.
  greetings all;
  auto hello_of_b = said;
  hello_of_b.node = "b";
  hello_of_b.nonce = new_nonce();
  said.nonce = new_nonce();
  const auto answer = all.answer(secrets, said, hello_of_b, nullptr, 0);
  CHECK_FALSE(disproved_answer(secrets, answer, hello_of_b.nonce));
  const auto proved = prove(secrets, side::asks, hello_of_b, hello_of_b.nonce, answer.nonce);
  const auto taken = all.take(secrets, proved, nullptr);
  REQUIRE(taken);
  CHECK(taken->first.node == "b");
  CHECK_FALSE(taken->second);
  CHECK_FALSE(all.take(secrets, proved, nullptr));
}

TEST_CASE("links: a second node of one name is not let in") {
  auto log = std::make_shared<fake_log>(partitions), other = std::make_shared<fake_log>(partitions);
  test_node a(log, "a", {});
  test_node b(other, "a", {a.address()});
  REQUIRE(until([&] { return !b.links->look().refused.empty(); }));
  CHECK(b.links->look().refused[0].find("name") != std::string::npos);
}

TEST_CASE("links: who has a certificate of the cluster is let in, over TLS; others are not") {
  testing::temp_folder folder, strangers;
  testing::make_cluster_certificates(folder.path());
  testing::make_cluster_certificates(strangers.path());
  auto log = std::make_shared<fake_log>(partitions), other = std::make_shared<fake_log>(partitions);
  test_node a(log, "a", {}, folder.path());
  test_node b(log, "b", {a.address()}, folder.path());
  CHECK(until([&] { return a.here() == 2 && b.here() == 2; }));
  test_node stranger(other, "x", {a.address()}, strangers.path());
  test_node plain(other, "y", {a.address()});
  // Each has found out that it is alone.
  CHECK(until([&] { return stranger.host.owned() + plain.host.owned() == partitions; }));
  CHECK(stranger.here() == 1);
  CHECK(plain.here() == 1);
  CHECK(a.here() == 2);
}

TEST_CASE("links: who connects and says nothing, or not what is understood, disturbs nobody") {
  testing::temp_folder folder;
  testing::make_cluster_certificates(folder.path());
  for (const auto& tls_dir : {std::string(), folder.path().string()}) {
    CAPTURE(tls_dir);
    auto log = std::make_shared<fake_log>(partitions);
    test_node a(log, "a", {}, tls_dir);
    test_node b(log, "b", {a.address()}, tls_dir);
    REQUIRE(until([&] { return a.here() == 2 && b.here() == 2; }));
    const silent_client silent(a.links->port()), speaks(a.links->port(), "GET / HTTP/1.1\r\n\r\n");
    std::this_thread::sleep_for(std::chrono::seconds(3));
    CHECK(a.host.told_down().empty());
    CHECK(b.host.told_down().empty());
    CHECK(a.here() == 2);
  }
}

TEST_CASE("links: plain links leave the loopback neither to listen nor to connect") {
  auto log = std::make_shared<fake_log>(partitions);
  fake_partitions host(log, "a");
  link_options options;
  options.self.node = "a";
  options.listen = "0.0.0.0:0";
  auto opened = node_links::open(options, host);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().detail.starts_with("cluster.listen: "));
  options.listen = "127.0.0.1:0";
  options.peers = {"192.0.2.1:4000"};
  opened = node_links::open(options, host);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().detail.starts_with("cluster.peers: "));
  options.peers = {"no port"};
  CHECK_FALSE(node_links::open(options, host).has_value());
  options.peers = {};
  options.tls_dir = "/nowhere";
  opened = node_links::open(options, host);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().detail.starts_with("cluster.tls_dir: "));
}
