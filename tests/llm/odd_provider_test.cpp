// The client against providers and proxies that do what nobody asked for.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <mutex>

#include "llm/collector.hpp"
#include "llm/scripted_server.hpp"
#include "llm/wire_form.hpp"

using namespace soma;
using test::peer;
using test::scripted_server;

namespace {

const std::string head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
const std::string good =
    "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n";

test::connection_script says(std::string bytes) {
  return [bytes = std::move(bytes)](peer& p) {
    p.read_request();
    p.write(bytes);
  };
}

std::string refuses(const std::string& message) {
  const auto body = "{\"error\":{\"message\":\"" + message + "\"}}";
  return "HTTP/1.1 400 Bad\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

struct fixture {
  std::unique_ptr<llm::llm_client> client = llm::make_provider_client({});

  static llm::call call_to(const scripted_server& server) {
    llm::call c;
    c.target.base_url = server.base_url();
    c.target.model = "m";
    c.target.max_tokens = 5;
    c.messages.push_back({"user", "hello", {}, {}});
    return c;
  }
  llm::stream_end run(llm::call c, test::collector got = {}) {
    const auto handle = client->start(std::move(c), got.sink());
    return got.end();
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "client: comments are signs of life, though not for ever") {
  scripted_server server({[](peer& p) {
    p.read_request();
    p.write(head);
    while (p.write(": thinking\n\n")) std::this_thread::yield();
  }});
  auto c = call_to(server);
  c.waits.first_token_ms = 20;
  const auto begin = std::chrono::steady_clock::now();
  CHECK(run(c).error->code == "llm.timeout_first_token");
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= std::chrono::milliseconds(20 * llm::limits::signs_of_life_max - 20));
}

TEST_CASE_FIXTURE(fixture, "client: an answer whose reason is known does not wait for its end") {
  scripted_server server({[](peer& p) {
    p.read_request();
    p.write(head + good);
    p.wait_closed();
  }});
  auto c = call_to(server);
  c.waits.idle_ms = 50;
  test::collector got;
  CHECK(!run(c, got).error);
  CHECK(got.text() == "hi");
}

TEST_CASE_FIXTURE(fixture, "client: a web page is no answer, and says so") {
  scripted_server server({says(head + "<!DOCTYPE html><title>Sign in</title>")});
  const auto end = run(call_to(server));
  CHECK(end.error->code == "llm.bad_stream");
  CHECK(end.error->detail == "the provider answered with a web page");
}

TEST_CASE_FIXTURE(fixture, "client: nothing at all is an empty answer") {
  for (const auto* answer : {"HTTP/1.1 204 No Content\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}) {
    scripted_server server({says(answer)});
    const auto end = run(call_to(server));
    CHECK(end.error->code == "llm.bad_stream");
    CHECK(end.error->detail.find("empty") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(fixture, "client: one JSON object a line is read, too") {
  scripted_server server(
      {says(head +
            "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n"
            "{\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n")});
  test::collector got;
  CHECK(!run(call_to(server), got).error);
  CHECK(got.text() == "ab");
}

TEST_CASE_FIXTURE(fixture, "client: an unknown content coding is an error, not rubbish") {
  scripted_server server(
      {says("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nConnection: close\r\n"
            "Content-Length: 3\r\n\r\nabc")});
  CHECK(run(call_to(server)).error->detail.find("coding") != std::string::npos);
}

TEST_CASE_FIXTURE(fixture,
                  "client: what is refused is left out at once, and the next time as well") {
  std::mutex mutex;
  std::vector<std::string> asked;
  const auto record = [&](std::string answer) {
    return [&, answer](peer& p) {
      auto request = p.read_request();
      {
        std::lock_guard lock(mutex);
        asked.push_back(std::move(request));
      }
      p.write(answer);
    };
  };
  scripted_server server(
      {record(refuses("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.")),
       record(refuses("stream_options: Extra inputs are not permitted")), record(head + good)});
  const auto end = run(call_to(server));
  CHECK(!end.error);
  CHECK(end.attempts == 3);
  CHECK(!run(call_to(server)).error);
  std::lock_guard lock(mutex);
  REQUIRE(asked.size() == 4);
  for (const auto n : {2u, 3u}) {
    CHECK(asked[n].find("\"max_completion_tokens\":5") != std::string::npos);
    CHECK(asked[n].find("stream_options") == std::string::npos);
  }
  CHECK(asked[0].find("Accept-Encoding: identity") != std::string::npos);
}

TEST_CASE_FIXTURE(fixture, "client: who relays a stream gets one from a server that gives none") {
  const std::string document =
      R"({"object":"chat.completion","id":"x","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"so","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}}],"usage":{"prompt_tokens":1}})";
  scripted_server server({says("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                               std::to_string(document.size()) + "\r\n\r\n" + document)});
  for (const bool stream : {true, false}) {
    auto c = call_to(server);
    c.raw_body = std::string(R"({"messages":[],"stream":)") + (stream ? "true}" : "false}");
    test::collector got;
    auto sink = got.sink();
    std::string raw;
    sink.on_raw = [&](std::string_view data) { raw += std::string(data) + '\n'; };
    const auto handle = client->start(std::move(c), std::move(sink));
    CHECK(got.end().finish_reason == "tool_calls");
    CHECK(raw.ends_with("[DONE]\n") == stream);
    CHECK((raw.find("\"delta\"") != std::string::npos) == stream);
    CHECK((raw.find("\"index\":0,\"type\"") != std::string::npos ||
           raw.find("\"index\":0}") != std::string::npos) == stream);
  }
}

TEST_CASE_FIXTURE(fixture,
                  "client: a model whose template begins its thinking is known by its end") {
  const auto answer = [](std::string content) {
    return says(head + "data: {\"choices\":[{\"delta\":{\"content\":\"" + content +
                "\"},\"finish_reason\":\"stop\"}]}\n\n");
  };
  scripted_server server({answer("plan\\n</think>\\n\\nfirst"),
                          answer("plan\\n</think>\\n\\nsecond"), answer("third"),
                          answer("fourth")});
  test::collector first, second, third, fourth;
  CHECK(!run(call_to(server), first).error);
  CHECK(first.text() == "plan\n</think>\n\nfirst");  // nobody could know
  CHECK(!run(call_to(server), second).error);
  CHECK(second.thinking() == "plan\n");
  CHECK(second.text() == "second");
  CHECK(!run(call_to(server), third).error);
  CHECK(third.text() == "third");
  CHECK(!run(call_to(server), fourth).error);
  CHECK(fourth.thinking().empty());
  CHECK(fourth.text() == "fourth");
}

TEST_CASE_FIXTURE(fixture,
                  "client: what one tenant's provider answered says nothing to another's") {
  const auto answer = [](std::string content) {
    return says(head + "data: {\"choices\":[{\"delta\":{\"content\":\"" + content +
                "\"},\"finish_reason\":\"stop\"}]}\n\n");
  };
  scripted_server server({answer("plan\\n</think>\\n\\nfirst"), answer("so"), answer("so")});
  const auto of = [&](const char* tenant) {
    auto c = call_to(server);
    c.tenant = tenant;
    return c;
  };
  test::collector first, others, its_own;
  CHECK(!run(of("one"), first).error);
  CHECK(!run(of("two"), others).error);
  CHECK(others.text() == "so");
  CHECK(others.thinking().empty());
  CHECK(!run(of("one"), its_own).error);
  CHECK(its_own.thinking() == "so");
}

TEST_CASE("client: what one client found out of a model the others know") {
  llm::client_options options;
  options.forms = std::make_shared<llm::wire_forms>();
  const auto one = llm::make_provider_client(options), other = llm::make_provider_client(options);
  const std::string content = R"("plan\n</think>\n\nso")";
  scripted_server server({says(head + R"(data: {"choices":[{"delta":{"content":)" + content +
                               R"(},"finish_reason":"stop"}]})" + "\n\n")});
  test::collector first, second;
  const auto a = one->start(fixture::call_to(server), first.sink());
  CHECK(!first.end().error);
  const auto b = other->start(fixture::call_to(server), second.sink());
  CHECK(!second.end().error);
  CHECK(second.text() == "so");
}

TEST_CASE_FIXTURE(fixture,
                  "client: a longer answer than the model gives is asked for shorter at once") {
  std::mutex mutex;
  std::string asked;
  scripted_server server(
      {says(refuses("max_tokens is too large: 9000. At most 4096.")), [&](peer& p) {
         auto request = p.read_request();
         {
           std::lock_guard lock(mutex);
           asked = std::move(request);
         }
         p.write(head + good);
       }});
  auto c = call_to(server);
  c.target.max_tokens = 9000;
  CHECK(!run(std::move(c)).error);
  std::lock_guard lock(mutex);
  CHECK(asked.find("\"max_tokens\":4096") != std::string::npos);
}
