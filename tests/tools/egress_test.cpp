#include "tools/egress/egress_proxy.hpp"

#include <filesystem>

#include "core/codes.hpp"
#include "tools/egress/proxy_head.hpp"
#include "tools/tiny_server.hpp"
#include "tools/tool_world.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

std::string build_program(const char* name) {
  std::error_code ec;
  return (std::filesystem::read_symlink("/proc/self/exe", ec).parent_path() / name).string();
}

// A proxy whose only names are those of the test, all on this machine's loopback.
struct world {
  tiny_server server{[](const std::string&) { return http_answer("from outside"); }};
  tools::egress_proxy proxy{options()};

  tools::egress_options options() {
    tools::egress_options out;
    out.program = build_program("soma-egress");
    out.run_bytes_max = 1 << 20;
    out.rules.ports = {server.port()};
    out.rules.resolve = [](const std::string& host) -> result<std::vector<ip_address>> {
      if (host == "private.example.org") return std::vector{from_v4(10u << 24 | 1u)};
      if (host.ends_with("example.org")) return std::vector{from_v4(127u << 24 | 1u)};
      return error{codes::tool_failed, "the host " + host + " is not known"};
    };
    out.rules.allowed = [](const ip_address& address) {
      return address == from_v4(127u << 24 | 1u);
    };
    return out;
  }

  std::string at(const std::string& host, const std::string& path = "/") const {
    return "http://" + host + ":" + std::to_string(server.port()) + path;
  }

  seen_run fetch(const std::vector<std::string>& hosts, const std::string& url) {
    return run_with(hosts,
                    "import urllib.request, urllib.error\n"
                    "try: print(urllib.request.urlopen('" +
                        url +
                        "').read().decode())\n"
                        "except urllib.error.HTTPError as e: print(e.code, e.read().decode())\n");
  }
  // soma-egress has sanitizers where this has, whose shadow counts as memory.
  static void make_room([[maybe_unused]] tools::sandbox_command& command) {
#if defined(__SANITIZE_ADDRESS__)
    command.limits.memory_bytes = 1ull << 46;
#endif
  }
  seen_run run_with(const std::vector<std::string>& hosts, const std::string& script) {
    auto lease = proxy.open(hosts);
    REQUIRE(lease.has_value());
    auto command = python(script);
    make_room(command);
    (*lease)->equip(command);
    return run(std::move(command));
  }
  // What the proxy answers to bytes of any kind.
  std::string answer_to(const std::string& bytes) {
    return run_with({"example.org"},
                    "import socket\ns = socket.create_connection(('127.0.0.1', 3128))\n"
                    "s.sendall(" +
                        bytes +
                        ")\ns.shutdown(socket.SHUT_WR)\n"
                        "while True:\n b = s.recv(65536)\n if not b: break\n print(b.decode())\n")
        .output;
  }
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_FIXTURE(world, "egress: a host that is named is reached, and asked in its own form") {
  const auto seen = fetch({"example.org"}, at("example.org", "/a?b=c"));
  INFO(seen.errors);
  CHECK(seen.output == "from outside\n");
  REQUIRE(server.requests().size() == 1);
  const auto asked = server.requests()[0];
  CHECK(asked.starts_with("GET /a?b=c HTTP/1.1\r\nHost: example.org:" +
                          std::to_string(server.port())));
  CHECK(holds(asked, "Connection: close\r\n"));
}

TEST_CASE_FIXTURE(world, "egress: a host that is not named is refused, and nothing goes out") {
  const auto seen = fetch({"other.example.org", "*.elsewhere.org"}, at("example.org"));
  CHECK(holds(seen.output, "403 "));
  CHECK(holds(seen.output, "not among those that this tool may reach"));
  CHECK(server.requests().empty());
}

TEST_CASE_FIXTURE(world, "egress: a named host that leads into a private network is refused") {
  const auto seen = fetch({"*.example.org"}, at("private.example.org"));
  CHECK(holds(seen.output, "403 "));
  CHECK(holds(seen.output, "not a public one"));
}

TEST_CASE_FIXTURE(world, "egress: a tunnel leads to the host, and both ways") {
  const auto port = std::to_string(server.port());
  const auto seen =
      run_with({"example.org"},
               "import socket\ns = socket.create_connection(('127.0.0.1', 3128))\n"
               "s.sendall(b'CONNECT example.org:" +
                   port +
                   " HTTP/1.1\\r\\n\\r\\n')\n"
                   "print(s.recv(65536).decode().splitlines()[0])\n"
                   "s.sendall(b'GET /through HTTP/1.1\\r\\n\\r\\n')\n"
                   "while True:\n b = s.recv(65536)\n if not b: break\n print(b.decode())\n");
  CHECK(seen.output.starts_with("HTTP/1.1 200 "));
  CHECK(holds(seen.output, "from outside"));
  REQUIRE(server.requests().size() == 1);
  CHECK(server.requests()[0] == "GET /through HTTP/1.1\r\n\r\n");
}

TEST_CASE_FIXTURE(world, "egress: a tunnel to another host, port or network is refused") {
  const auto port = std::to_string(server.port());
  const std::vector<std::string> targets{
      "elsewhere.org:" + port, "example.org:22",  "127.0.0.1:" + port,        "2130706433:" + port,
      "[::1]:" + port,         "example.org.:22", "user@example.org:" + port,
  };
  for (const auto& target : targets) {
    CAPTURE(target);
    CHECK(holds(answer_to("b'CONNECT " + target + " HTTP/1.1\\r\\n\\r\\n'"), " 403 "));
  }
  CHECK(server.requests().empty());
}

TEST_CASE_FIXTURE(world, "egress: what is no request to a proxy gets a clear answer") {
  CHECK(holds(answer_to("b'GET / HTTP/1.1\\r\\nHost: example.org\\r\\n\\r\\n'"), " 400 "));
  CHECK(holds(answer_to("b'CONNECT example.org HTTP/1.1\\r\\n\\r\\n'"), " 400 "));
  CHECK(holds(answer_to("b'\\x16\\x03\\x01rubbish\\r\\n\\r\\n'"), " 400 "));
  CHECK(holds(answer_to("b'GET http://example.org/ HTTP/1.1\\r\\nA: ' + b'x' * 100000"), " 400 "));
  CHECK(server.requests().empty());
}

TEST_CASE_FIXTURE(world, "egress: there is no way but the proxy") {
  const auto seen = run_with({"example.org"},
                             "import socket\n"
                             "for host in ['127.0.0.1', '10.0.0.1', '1.1.1.1']:\n"
                             " try: socket.create_connection((host, " +
                                 std::to_string(server.port()) +
                                 "), 5); print('reached', host)\n"
                                 " except OSError as e: print('no', host)\n"
                                 "try: socket.getaddrinfo('example.org', 80); print('reached')\n"
                                 "except OSError: print('no name')\n"
                                 "try: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
                                 "except OSError: print('no packets')\n"
                                 "for kind, protocol in [(1, 262), (2, 136), (1, 132), (2, 33)]:\n"
                                 " try: socket.socket(socket.AF_INET, kind, protocol)\n"
                                 " except OSError as e: print(protocol, e.errno in (1, 38))\n");
  CHECK(seen.output ==
        "no 127.0.0.1\nno 10.0.0.1\nno 1.1.1.1\nno name\nno packets\n"
        "262 True\n136 True\n132 True\n33 True\n");
  CHECK(server.requests().empty());
}

TEST_CASE_FIXTURE(world, "egress: a run that was not let out has no sockets of IP") {
  const auto seen =
      run(python("import socket\n"
                 "try: socket.socket(socket.AF_INET)\n"
                 "except PermissionError: print('none')\n"));
  CHECK(seen.output == "none\n");
}

TEST_CASE_FIXTURE(world, "egress: more bytes than a run may move end its connections") {
  tiny_server large([](const std::string&) { return http_answer(std::string(4 << 20, 'x')); });
  auto rules = options();
  rules.rules.ports = {large.port()};
  tools::egress_proxy narrow(std::move(rules));
  auto lease = narrow.open({"example.org"});
  REQUIRE(lease.has_value());
  auto command = python(
      "import urllib.request\n"
      "try: print(len(urllib.request.urlopen('http://example.org:" +
      std::to_string(large.port()) +
      "/').read()))\n"
      "except Exception as e: print('cut')\n");
  make_room(command);
  (*lease)->equip(command);
  CHECK(run(std::move(command)).output == "cut\n");
}

TEST_CASE_FIXTURE(world, "egress: connections past the limit wait until one is over") {
  const auto seen = run_with(
      {"example.org"},
      "import socket\nheld = [socket.create_connection(('127.0.0.1', 3128)) for _ in range(16)]\n"
      "last = socket.create_connection(('127.0.0.1', 3128))\n"
      "last.sendall(b'GET http://example.org:" +
          std::to_string(server.port()) +
          "/ HTTP/1.1\\r\\n\\r\\n')\nlast.settimeout(0.2)\n"
          "try: print(last.recv(4096))\nexcept TimeoutError: print('it waits')\n"
          "held.pop().close()\nlast.settimeout(None)\n"
          "print(last.recv(4096).decode().splitlines()[0])\n");
  INFO(seen.errors);
  CHECK(seen.output == "it waits\nHTTP/1.1 200 OK\n");
}

TEST_CASE_FIXTURE(world, "egress: one run that takes all it can leaves the others their own") {
  auto greedy = proxy.open({"example.org"});
  REQUIRE(greedy.has_value());
  auto command = python(
      "import socket\nheld = []\nfor _ in range(60):\n"
      " s = socket.socket()\n s.setblocking(False)\n s.connect_ex(('127.0.0.1', 3128))\n"
      " held.append(s)\nprint('all', flush=True)\nimport time\nwhile True: time.sleep(1)\n");
  make_room(command);
  (*greedy)->equip(command);
  watched_run running(shared_sandbox(), std::move(command));
  running.output_with("all");
  CHECK(fetch({"example.org"}, at("example.org")).output == "from outside\n");
  running.cancel();
}

TEST_CASE_FIXTURE(world, "egress: a name that nobody answers for delays no other run") {
  std::mutex mutex;
  std::condition_variable changed;
  bool asked = false, answer = false;
  auto slow_options = options();
  slow_options.rules.resolve = [&, quick = options().rules.resolve](const std::string& host) {
    if (host == "slow.example.org") {
      std::unique_lock hold(mutex);
      asked = true;
      changed.notify_all();
      changed.wait(hold, [&] { return answer; });
    }
    return quick(host);
  };
  tools::egress_proxy both(std::move(slow_options));
  const auto command_for = [&](const tools::egress_lease& lease, const std::string& host) {
    auto command = python("import urllib.request\nprint(urllib.request.urlopen('" + at(host) +
                          "').read().decode())\n");
    make_room(command);
    lease.equip(command);
    return command;
  };
  auto slow = both.open({"slow.example.org"}), quick = both.open({"example.org"});
  REQUIRE(slow.has_value());
  REQUIRE(quick.has_value());
  watched_run waiting(shared_sandbox(), command_for(**slow, "slow.example.org"));
  {
    std::unique_lock hold(mutex);
    REQUIRE(changed.wait_for(hold, patience, [&] { return asked; }));
  }
  CHECK(run(command_for(**quick, "example.org")).output == "from outside\n");
  {
    std::lock_guard hold(mutex);
    answer = true;
  }
  changed.notify_all();
  waiting.wait();
  CHECK(waiting.output() == "from outside\n");
}

TEST_CASE_FIXTURE(world, "egress: a large body passes, and a slow host is told of") {
  tiny_server taking([](const std::string& request) {
    return http_answer(std::to_string(request.size() - request.find("\r\n\r\n") - 4));
  });
  auto wide = options();
  wide.rules.ports = {taking.port()};
  wide.run_bytes_max = 16 << 20;
  tools::egress_proxy roomy(std::move(wide));
  auto lease = roomy.open({"example.org"});
  REQUIRE(lease.has_value());
  auto command =
      python("import urllib.request\nprint(urllib.request.urlopen('http://example.org:" +
             std::to_string(taking.port()) + "/', data=b'x' * 3000000).read().decode())\n");
  make_room(command);
  (*lease)->equip(command);
  CHECK(run(std::move(command)).output == "3000000\n");
}

TEST_CASE_FIXTURE(world, "egress: a host that does not take the connection is 504, in its time") {
  // A listener whose queue is full takes nobody.
  const int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  REQUIRE(bind(full, reinterpret_cast<sockaddr*>(&here), size) == 0);
  REQUIRE(listen(full, 0) == 0);
  REQUIRE(getsockname(full, reinterpret_cast<sockaddr*>(&here), &size) == 0);
  std::vector<int> filling;
  for (int i = 0; i < 8; ++i) {
    filling.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    connect(filling.back(), reinterpret_cast<sockaddr*>(&here), size);
  }
  auto hurried = options();
  hurried.rules.ports = {ntohs(here.sin_port)};
  hurried.connect_time = std::chrono::milliseconds(100);
  tools::egress_proxy proxy_in_a_hurry(std::move(hurried));
  auto lease = proxy_in_a_hurry.open({"example.org"});
  REQUIRE(lease.has_value());
  auto command = python(
      "import urllib.request, urllib.error\n"
      "try: urllib.request.urlopen('http://example.org:" +
      std::to_string(ntohs(here.sin_port)) +
      "/')\nexcept urllib.error.HTTPError as e: print(e.code)\n");
  make_room(command);
  (*lease)->equip(command);
  CHECK(run(std::move(command)).output == "504\n");
  for (const int fd : filling) close(fd);
  close(full);
}

TEST_CASE_FIXTURE(world, "egress: a proxy that ends before its runs takes nothing down") {
  auto early = std::make_unique<tools::egress_proxy>(options());
  auto lease = early->open({"example.org"});
  REQUIRE(lease.has_value());
  auto command = python("import time\nprint('in', flush=True)\nwhile True: time.sleep(1)\n");
  make_room(command);
  (*lease)->equip(command);
  watched_run running(shared_sandbox(), std::move(command));
  running.output_with("in");
  early.reset();
  running.cancel();
  lease->reset();
}

TEST_CASE_FIXTURE(world, "egress: no host named is no way out, not every host") {
  const auto lease = proxy.open({});
  REQUIRE_FALSE(lease.has_value());
  CHECK(lease.error().code == codes::policy_denied);
}

TEST_CASE_FIXTURE(world, "egress: a way out that nobody takes, or that ends first, hurts nobody") {
  { const auto unused = proxy.open({"example.org"}); }
  auto lease = proxy.open({"example.org"});
  REQUIRE(lease.has_value());
  auto command = python(
      "import socket, sys\ns = socket.create_connection(('127.0.0.1', 3128))\n"
      "print('in', flush=True)\n"
      // Taken or still waiting to be taken: it is closed or refused.
      "try: print(len(s.recv(10)))\nexcept ConnectionResetError: print(0)\n");
  make_room(command);
  (*lease)->equip(command);
  watched_run running(shared_sandbox(), std::move(command));
  running.output_with("in");
  lease->reset();
  CHECK(running.wait().exit_code == 0);
  CHECK(running.output() == "in\n0\n");
}

TEST_CASE("egress: the head that a host gets has nothing of the way to the proxy") {
  tools::proxy_request request{"POST",
                               "http://example.org/p",
                               {{"Host", "other.example.org"},
                                {"Proxy-Authorization", "Basic x"},
                                {"Connection", "X-Hop, keep-alive, Content-Length"},
                                {"X-Hop", "1"},
                                {"Content-Length", "3"}}};
  tools::url_rules rules;
  rules.resolve = [](const std::string&) -> result<std::vector<ip_address>> {
    return std::vector{from_v4(93u << 24 | 184u << 16 | 216u << 8 | 34u)};
  };
  const auto address = tools::address_of(request);
  REQUIRE(address.has_value());
  const auto where = tools::judge_url(*address, nullptr, rules);
  REQUIRE(where.has_value());
  CHECK(tools::head_for_host(request, *where) ==
        "POST /p HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
}
