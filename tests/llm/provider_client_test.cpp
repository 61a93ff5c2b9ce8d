// The client against a provider on a raw socket.
#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>

#include "llm/collector.hpp"
#include "llm/scripted_server.hpp"

using namespace soma;
using test::peer;
using test::scripted_server;

namespace {

const std::string head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string chunk(const std::string& bytes) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + bytes + "\r\n";
}

std::string piece(const std::string& text) {
  return chunk("data: {\"choices\":[{\"delta\":{\"content\":\"" + text + "\"}}]}\n\n");
}

const std::string ending =
    chunk("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n") +
    chunk("data: [DONE]\n\n") + "0\r\n\r\n";

std::string plain(const std::string& status, const std::string& body,
                  const std::string& headers = {}) {
  return "HTTP/1.1 " + status + "\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

llm::call call_to(const std::string& base_url) {
  llm::call c;
  c.target.base_url = base_url;
  c.target.model = "m";
  c.target.api_key = secret_string("sk-test-0123456789");
  c.messages.push_back({"user", "hello", {}, {}});
  c.request_id = "r-1";
  return c;
}

void answer_all(peer& client) {
  while (!client.read_request().empty()) client.write(head + piece("hi") + ending);
}

void gone_at_once(peer& client) {
  client.read_request();
}

struct fixture {
  std::unique_ptr<llm::llm_client> client = llm::make_provider_client({});
  llm::stream_end run(llm::call c, test::collector got = {}) {
    const auto handle = client->start(std::move(c), got.sink());
    return got.end();
  }
};

// Everything that touches sockets settles within a deadline, without a fixed wait.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace

TEST_CASE_FIXTURE(fixture,
                  "client: asks with key, request id and host, and hands on what is said") {
  std::promise<std::string> asked;
  scripted_server server({[&](peer& p) {
    asked.set_value(p.read_request());
    p.write(head + piece("Hel") + piece("lo") + ending);
    p.wait_closed();
  }});
  test::collector got;
  const auto end = run(call_to(server.base_url()), got);
  CHECK(!end.error);
  CHECK(got.text() == "Hello");
  CHECK(got.ends() == 1);
  const auto request = asked.get_future().get();
  CHECK(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
  CHECK(request.find("\r\nAuthorization: Bearer sk-test-0123456789\r\n") != request.npos);
  CHECK(request.find("\r\nX-Request-Id: r-1\r\n") != request.npos);
  CHECK(request.find("Host: localhost:" + std::to_string(server.port())) != request.npos);
}

TEST_CASE_FIXTURE(fixture, "client: calls one after another share a connection") {
  scripted_server server({answer_all});
  for (int i = 0; i < 5; ++i) {
    CHECK(!run(call_to(server.base_url())).error);
    CHECK(eventually([&] { return client->stats().open_streams == 0; }));
  }
  CHECK(server.connections() == 1);
  CHECK(client->stats().connections_reused == 4);
  CHECK(client->stats().connections_open == 1);
  CHECK(client->stats().calls == 5);
}

TEST_CASE_FIXTURE(fixture, "client: a kept connection that turns out dead is replaced once") {
  std::promise<void> ended;
  scripted_server server({[&](peer& p) {
                            p.read_request();
                            p.write(head + piece("one") + ending);
                            gone_at_once(p);  // takes the next request and hangs up
                          },
                          answer_all});
  CHECK(!run(call_to(server.base_url())).error);
  test::collector got;
  CHECK(!run(call_to(server.base_url()), got).error);
  CHECK(got.text() == "hi");
  CHECK(server.connections() == 2);
}

TEST_CASE_FIXTURE(fixture, "client: destroying the handle closes the provider's connection") {
  std::promise<bool> closed;
  scripted_server server({[&](peer& p) {
    p.read_request();
    p.write(head + piece("one"));
    closed.set_value(p.wait_closed());
  }});
  test::collector got;
  auto handle = client->start(call_to(server.base_url()), got.sink());
  REQUIRE(got.wait([](const auto& s) { return s.pieces == 1; }));
  handle.reset();
  CHECK(closed.get_future().get());
  CHECK(eventually([&] { return client->stats().open_streams == 0; }));
  CHECK(got.ends() == 0);
}

TEST_CASE_FIXTURE(fixture, "client: a sink may destroy its own handle") {
  scripted_server server({[&](peer& p) {
    p.read_request();
    p.write(head + piece("one") + piece("two") + ending);
    p.wait_closed();
  }});
  struct shared {
    std::mutex mutex;
    std::unique_ptr<llm::stream_handle> handle;
    std::atomic<int> pieces{0};
  } state;
  {
    llm::stream_sink sink;
    sink.on_piece = [&state](std::string, bool) {
      std::lock_guard lock(state.mutex);
      state.handle.reset();
      ++state.pieces;
    };
    std::lock_guard lock(state.mutex);
    state.handle = client->start(call_to(server.base_url()), sink);
  }
  CHECK(eventually([&] { return state.pieces == 1 && client->stats().open_streams == 0; }));
  CHECK(eventually([&] { return client->stats().connections_open == 0; }));
  CHECK(state.pieces == 1);
}

TEST_CASE_FIXTURE(fixture, "client: paused it reads nothing, resumed it reads all") {
  constexpr std::size_t flood_bytes = 64 * 1024 * 1024;
  std::promise<std::size_t> stuck_at;
  std::atomic<bool> go{false};
  const std::string filler = piece(std::string(900, 'x'));
  scripted_server server({[&](peer& p) {
    p.read_request();
    p.write(head + piece("one"));
    while (!go) std::this_thread::yield();
    stuck_at.set_value(p.write_until_stuck(filler, flood_bytes, 200));
    p.wait_closed();
  }});
  test::collector got;
  auto c = call_to(server.base_url());
  c.waits.idle_ms = 100;  // must not run out while paused
  auto handle = client->start(c, got.sink());
  REQUIRE(got.wait([](const auto& s) { return s.pieces == 1; }));
  handle->pause();
  go = true;
  const auto sent = stuck_at.get_future().get();
  CHECK(sent < flood_bytes);
  CHECK(got.pieces() <= 1 + 20);  // one read that was under way
  CHECK(got.ends() == 0);
  handle->resume();
  const auto whole = static_cast<int>(sent / filler.size());
  CHECK(got.wait([&](const auto& s) { return s.pieces >= whole; }));
}

TEST_CASE_FIXTURE(fixture, "client: each wait that runs out has its own code") {
  SUBCASE("nothing said") {
    scripted_server server({[](peer& p) {
      p.read_request();
      p.write(head + chunk(": still here\n\n"));
      p.wait_closed();
    }});
    auto c = call_to(server.base_url());
    c.waits.first_token_ms = 30;
    const auto end = run(c);
    CHECK(end.error->code == "llm.timeout_first_token");
    CHECK(end.error->retryable);
  }
  SUBCASE("nothing more said") {
    scripted_server server({[](peer& p) {
      p.read_request();
      p.write(head + piece("one"));
      p.wait_closed();
    }});
    auto c = call_to(server.base_url());
    c.waits.idle_ms = 30;
    const auto end = run(c);
    CHECK(end.error->code == "llm.timeout_idle");
    CHECK(!end.cut);
  }
  SUBCASE("silence after the reason is a good end") {
    scripted_server server({[](peer& p) {
      p.read_request();
      p.write(head + piece("one") +
              chunk("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"));
      p.wait_closed();
    }});
    auto c = call_to(server.base_url());
    c.waits.idle_ms = 30;
    CHECK(!run(c).error);
  }
}

TEST_CASE_FIXTURE(fixture, "client: no TLS partner in time is unreachable") {
  scripted_server server({[](peer& p) {
    p.wait_closed();
    p.wait_closed();
  }});
  auto c = call_to("https://localhost:" + std::to_string(server.port()));
  c.waits.connect_ms = 50;
  const auto end = run(c);
  CHECK(end.error->code == "llm.unreachable");
  CHECK(end.error->retryable);
}

TEST_CASE_FIXTURE(fixture, "client: refused connections and unknown names are unreachable") {
  std::uint16_t port = 0;
  {
    scripted_server closed({answer_all});
    port = closed.port();
  }
  for (const auto& url : {"http://127.0.0.1:" + std::to_string(port),
                          std::string("http://no-such-host.invalid"), std::string()}) {
    CAPTURE(url);
    const auto end = run(call_to(url));
    REQUIRE(end.error);
    CHECK(end.error->code == "llm.unreachable");
    CHECK(end.error->retryable);
  }
}

TEST_CASE_FIXTURE(fixture, "client: a stream that breaks off is cut, with and without a reset") {
  for (const bool reset : {false, true}) {
    scripted_server server({[reset](peer& p) {
      p.read_request();
      p.write(head + piece("one"));
      if (!reset) return;
      p.write(": the reader has got this far\n\n");
      p.reset();
    }});
    test::collector got;
    const auto end = run(call_to(server.base_url()), got);
    REQUIRE(end.error);
    CHECK(end.error->code == "llm.bad_stream");
    CHECK(end.error->retryable);
    if (!reset) CHECK(end.cut);
  }
}

TEST_CASE_FIXTURE(fixture, "client: rubbish is a bad stream") {
  const std::string rows[] = {"SSH-2.0\r\n\r\n",
                              plain("200 OK", "<html>hello</html>"),
                              plain("200 OK", ""),
                              head + chunk("data: {\"a\n\n"),
                              "",
                              head + chunk("data: " + std::string(2 << 20, 'x'))};
  for (const auto& bytes : rows) {
    CAPTURE(bytes.substr(0, 60));
    scripted_server server({[&](peer& p) {
      p.read_request();
      p.write(bytes);
    }});
    const auto end = run(call_to(server.base_url()));
    REQUIRE(end.error);
    CHECK(end.error->code == "llm.bad_stream");
    CHECK(end.error->retryable);
    CHECK(!end.cut);
  }
}

TEST_CASE_FIXTURE(fixture,
                  "client: statuses become codes, Retry-After is kept, the key never shown") {
  scripted_server limited({[](peer& p) {
    p.read_request();
    p.write(plain("429 Too Many", R"({"error":{"message":"slow down"}})", "Retry-After: 7\r\n"));
    p.wait_closed();
  }});
  auto end = run(call_to(limited.base_url()));
  CHECK(end.error->code == "llm.rate_limited");
  CHECK(end.retry_after_ms == 7000);
  CHECK(end.error->detail == "the provider answered 429: slow down");

  scripted_server echoing({[](peer& p) {
    p.read_request();
    p.write(plain("400 Bad", R"({"error":{"message":"bad key sk-test-0123456789"}})"));
    p.wait_closed();
  }});
  auto c = call_to(echoing.base_url());
  c.prefix = "so far";
  end = run(c);
  CHECK(end.error->code == "llm.bad_request");
  CHECK(end.prefix_refused);
  CHECK(end.error->detail.find("sk-test") == std::string::npos);
}

TEST_CASE_FIXTURE(fixture, "client: an endless error body is not read to its end") {
  scripted_server server({[](peer& p) {
    p.read_request();
    p.write("HTTP/1.1 500 No\r\nContent-Length: 99999999\r\n\r\n");
    while (p.write(std::string(4096, 'x'))) {
    }
  }});
  CHECK(run(call_to(server.base_url())).error->code == "llm.provider_error");
}

TEST_CASE_FIXTURE(fixture, "client: a provider that does not stream is understood") {
  scripted_server server({[](peer& p) {
    p.read_request();
    p.write(plain("200 OK",
                  R"({"choices":[{"message":{"content":"all","tool_calls":[{"id":"a","function":)"
                  R"({"name":"t","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})"));
    p.wait_closed();
  }});
  test::collector got;
  const auto end = run(call_to(server.base_url()), got);
  CHECK(!end.error);
  CHECK(got.text() == "all");
  CHECK(end.finish_reason == "tool_calls");
  CHECK(end.tool_calls.size() == 1);
}

TEST_CASE("client: it may be destroyed while calls run and before their handles") {
  scripted_server server({[](peer& p) {
    p.read_request();
    p.write(head + piece("one"));
    p.wait_closed();
  }});
  auto client = llm::make_provider_client({});
  test::collector got;
  auto handle = client->start(call_to(server.base_url()), got.sink());
  REQUIRE(got.wait([](const auto& s) { return s.pieces == 1; }));
  client.reset();
  handle->pause();
  handle->resume();
  handle.reset();
  CHECK(got.ends() == 0);
}
