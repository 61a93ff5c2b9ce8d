// Attempts, fallbacks and breakers, against providers on raw sockets.
#include <doctest/doctest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <future>

#include "llm/call_places.hpp"
#include "llm/collector.hpp"
#include "llm/provider_client.hpp"
#include "llm/provider_health.hpp"
#include "llm/scripted_server.hpp"

using namespace soma;
using test::peer;
using test::scripted_server;

namespace {

const std::string head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
const std::string good =
    "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";
const std::string begun = "data: {\"choices\":[{\"delta\":{\"content\":\"so far\"}}]}\n\n";

std::string status(const std::string& line, const std::string& headers = {}) {
  return "HTTP/1.1 " + line + "\r\n" + headers + "Content-Length: 0\r\nConnection: close\r\n\r\n";
}

test::connection_script says(std::string bytes) {
  return [bytes = std::move(bytes)](peer& p) {
    p.read_request();
    p.write(bytes);
  };
}

llm::profile profile_at(const scripted_server& server, std::string name = "first") {
  llm::profile p;
  p.name = name;
  p.provider = "provider-" + name;
  p.model = "model-" + name;
  p.base_url = server.base_url();
  return p;
}

llm::call call_to(const scripted_server& server) {
  llm::call c;
  c.target = profile_at(server);
  c.messages.push_back({"user", "hello", {}, {}});
  return c;
}

struct fixture {
  explicit fixture(const llm::health_rules& rules = {})
      : health(std::make_shared<llm::provider_health>(rules)) {
    llm::client_options options;
    options.health = health;
    client = llm::make_provider_client(options);
  }
  llm::stream_end run(llm::call c, test::collector got = {}) {
    const auto handle = client->start(std::move(c), got.sink());
    return got.end();
  }
  std::shared_ptr<llm::provider_health> health;
  std::unique_ptr<llm::llm_client> client;
};

llm::health_rules quick_breaker(std::int64_t open_ms) {
  llm::health_rules rules;
  rules.failures_to_open = 1;
  rules.open_ms = open_ms;
  return rules;
}

}  // namespace

TEST_CASE_FIXTURE(fixture, "invocation: a failure before the first piece is tried again") {
  scripted_server server({says(status("503 Busy")), says(status("500 No")), says(head + good)});
  auto c = call_to(server);
  c.retries = 2;
  test::collector got;
  const auto end = run(c, got);
  CHECK(!end.error);
  CHECK(end.attempts == 3);
  CHECK(got.text() == "hi");
  CHECK(server.connections() == 3);
}

TEST_CASE_FIXTURE(fixture, "invocation: after the first piece nothing is tried again") {
  scripted_server server({says(head + begun), says(head + good)});
  scripted_server other({says(head + good)});
  auto c = call_to(server);
  c.retries = 5;
  c.fallbacks = {profile_at(other, "second")};
  test::collector got;
  const auto end = run(c, got);
  REQUIRE(end.error);
  CHECK(end.cut);
  CHECK(end.attempts == 1);
  CHECK(got.text() == "so far");
  CHECK(other.connections() == 0);
}

TEST_CASE_FIXTURE(fixture, "invocation: what asking again cannot mend is not asked again") {
  for (const char* line : {"400 Bad", "401 Who", "404 Where"}) {
    CAPTURE(line);
    scripted_server server({says(status(line)), says(head + good)});
    auto c = call_to(server);
    c.retries = 3;
    const auto end = run(c);
    CHECK(end.error);
    CHECK(end.attempts == 1);
    CHECK(server.connections() == 1);
  }
}

TEST_CASE_FIXTURE(fixture, "invocation: Retry-After is waited for, and too long a one is not") {
  using clock = std::chrono::steady_clock;
  {
    scripted_server server(
        {says(status("429 Slow", "retry-after-ms: 700\r\n")), says(head + good)});
    auto c = call_to(server);
    c.retries = 1;
    const auto from = clock::now();
    CHECK(!run(c).error);
    CHECK(clock::now() - from >= std::chrono::milliseconds(700));
  }
  scripted_server server({says(status("429 Slow", "Retry-After: 3600\r\n")), says(head + good)});
  auto c = call_to(server);
  c.retries = 1;
  const auto end = run(c);
  REQUIRE(end.error);
  CHECK(end.error->code == "llm.rate_limited");
  CHECK(end.retry_after_ms == 3'600'000);
  CHECK(end.attempts == 1);
}

TEST_CASE_FIXTURE(fixture, "invocation: fallbacks are asked in order, each as what it is") {
  std::promise<std::string> asked;
  scripted_server first({says(status("500 No"))}), second({says(status("401 Who"))});
  scripted_server third({[&](peer& p) {
    asked.set_value(p.read_request());
    p.write(head + good);
  }});
  auto c = call_to(first);
  c.fallbacks = {profile_at(second, "second"), profile_at(third, "third")};
  c.fallbacks[1].api_key = secret_string("sk-third");
  c.fallbacks[1].prices = llm::token_prices{1, 1, 1};
  c.target.api_key = secret_string("sk-first");
  c.raw_body = R"({"messages":[]})";  // a relayed body names the model of whom it goes to
  const auto end = run(c);
  CHECK(!end.error);
  CHECK(end.profile == "third");
  CHECK(end.provider == "provider-third");
  CHECK(end.model == "model-third");
  CHECK(end.base_url == third.base_url());
  CHECK(end.attempts == 3);
  CHECK(end.usage.cost_usd.has_value());
  const auto request = asked.get_future().get();
  CHECK(request.find("\"model\":\"model-third\"") != request.npos);
  CHECK(request.find("Bearer sk-third") != request.npos);
  CHECK(request.find("sk-first") == request.npos);
}

TEST_CASE_FIXTURE(fixture, "invocation: another provider is not shown this one's state") {
  std::promise<std::string> to_first, to_second;
  const auto record = [](std::promise<std::string>& into, std::string answer) {
    return [&into, answer](peer& p) {
      into.set_value(p.read_request());
      p.write(answer);
    };
  };
  scripted_server first({record(to_first, status("500 No"))});
  scripted_server second({record(to_second, head + "data: [DONE]\n\n")});
  auto c = call_to(first);
  c.target.wire = llm::wire_kind::openai_responses;
  c.messages.push_back({"assistant", "hm", {}, {}});
  c.messages.back().provider_state_json = R"([{"type":"reasoning","encrypted_content":"opaque"}])";
  c.fallbacks = {profile_at(second, "second")};
  c.fallbacks[0].wire = llm::wire_kind::openai_responses;
  run(c);
  const auto to_its_own = to_first.get_future().get();
  const auto to_another = to_second.get_future().get();
  CHECK(to_its_own.find("opaque") != to_its_own.npos);
  CHECK(to_another.find("opaque") == to_another.npos);
}

TEST_CASE("invocation: an open breaker keeps calls from the provider, then lets one through") {
  fixture f(quick_breaker(300));
  scripted_server server({says(status("500 No")), says(head + good)});
  CHECK(f.run(call_to(server)).error->code == "llm.provider_error");
  const auto refused = f.run(call_to(server));
  CHECK(refused.error->code == "llm.circuit_open");
  CHECK(refused.attempts == 0);
  CHECK(server.connections() == 1);
  scripted_server other({says(head + good)});
  auto c = call_to(server);
  c.fallbacks = {profile_at(other, "second")};
  CHECK(f.run(c).profile == "second");  // without a word to the one left alone
  CHECK(server.connections() == 1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (f.run(call_to(server)).error && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  CHECK(server.connections() == 2);
  CHECK(f.health->open_breakers(0).empty());
}

TEST_CASE("invocation: a breaker that opens between two attempts leaves the failure's own name") {
  fixture f(quick_breaker(60'000));
  std::promise<std::string> key;
  scripted_server server({[&](peer& p) {
    p.read_request();
    using namespace std::chrono;
    const auto now = duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
    f.health->failed(key.get_future().get(), now);  // another call's
    p.write(status("500 No"));
  }});
  key.set_value("\nprovider-first " + server.base_url() + " model-first");
  auto c = call_to(server);
  c.retries = 1;
  const auto end = f.run(c);
  CHECK(end.error->code == "llm.provider_error");
  CHECK(end.attempts == 1);
}

TEST_CASE("invocation: a call counts once for its breaker, whatever its retries") {
  llm::health_rules rules;
  rules.failures_to_open = 2;
  rules.open_ms = 60'000;
  fixture f(rules);
  scripted_server server({says(status("500 No"))});
  auto c = call_to(server);
  c.retries = 2;
  CHECK(f.run(c).attempts == 3);
  CHECK(f.health->open_breakers(0).empty());
  CHECK(f.run(c).attempts == 3);
  CHECK(f.run(c).error->code == "llm.circuit_open");
}

TEST_CASE("invocation: what a tenant's calls lead to keeps no other tenant from a provider") {
  fixture f(quick_breaker(60'000));
  scripted_server server({says(status("500 No")), says(head + good)});
  auto one = call_to(server), another = call_to(server);
  one.tenant = "one";
  another.tenant = "another";
  CHECK(f.run(one).error->code == "llm.provider_error");
  CHECK(f.run(one).error->code == "llm.circuit_open");
  CHECK(!f.run(another).error);
}

TEST_CASE("invocation: an answer that the provider's filter ends opens no breaker") {
  const std::string filtered =
      "data: {\"choices\":[{\"delta\":{\"content\":\"I\"},\"finish_reason\":"
      "\"content_filter\"}]}\n\ndata: [DONE]\n\n";
  fixture f(quick_breaker(60'000));
  scripted_server server({says(head + filtered), says(head + good)});
  CHECK(f.run(call_to(server)).error->code == "llm.provider_error");
  CHECK(!f.run(call_to(server)).error);
}

TEST_CASE("invocation: a request that is at fault itself opens no breaker, whatever the status") {
  const std::string pictures =
      R"({"error":{"code":500,"message":"image input is not supported - hint: if this is unexpected, you may need to provide the mmproj","type":"server_error"}})";
  const std::string roles =
      R"({"error":{"message":"Jinja Exception: roles must alternate","type":"server_error"}})";
  const std::string no_embeddings = R"({"error":{"code":501,"message":"not here"}})";
  for (const auto& [line, body] : {std::pair{"500 No", pictures}, std::pair{"500 No", roles},
                                   std::pair{"501 No", no_embeddings}}) {
    CAPTURE(body);
    fixture f(quick_breaker(60'000));
    scripted_server server({says("HTTP/1.1 " + std::string(line) +
                                 "\r\nContent-Length: " + std::to_string(body.size()) +
                                 "\r\nConnection: close\r\n\r\n" + body)});
    auto c = call_to(server);
    c.retries = 3;
    const auto end = f.run(c);
    CHECK(end.error->code == "llm.bad_request");
    CHECK(end.attempts == 1);
    CHECK(f.run(c).error->code == "llm.bad_request");  // no breaker in between
  }
}

TEST_CASE("invocation: a trial that runs out of its time or is cancelled frees the breaker") {
  fixture f(quick_breaker(0));  // half open at once
  std::promise<void> asked;
  scripted_server server({says(status("500 No")),
                          [](peer& p) {
                            p.read_request();
                            p.wait_closed();
                          },
                          [&](peer& p) {
                            p.read_request();
                            asked.set_value();
                            p.wait_closed();
                          },
                          says(head + good)});
  CHECK(f.run(call_to(server)).error);
  auto c = call_to(server);
  c.waits.total_ms = 50;
  CHECK(f.run(c).error->code == "llm.timeout_total");
  {
    test::collector got;
    const auto handle = f.client->start(call_to(server), got.sink());
    REQUIRE(asked.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  }
  // Were the breaker still waiting for its trial, this would be refused.
  CHECK(!f.run(call_to(server)).error);
}

TEST_CASE_FIXTURE(fixture, "invocation: the total time bounds waits between attempts too") {
  scripted_server server({says(status("503 Busy", "Retry-After: 9\r\n")), says(head + good)});
  auto c = call_to(server);
  c.retries = 1;
  c.waits.total_ms = 100;
  CHECK(run(c).error->code == "llm.timeout_total");
  CHECK(server.connections() == 1);
}

TEST_CASE("invocation: retries stop when their budget is used up") {
  llm::health_rules rules;
  rules.retries_a_call = 0;
  rules.retries_saved_max = 1;
  rules.failures_to_open = 1000;
  fixture f(rules);
  scripted_server server({says(status("500 No"))});
  auto c = call_to(server);
  c.retries = 5;
  CHECK(f.run(c).attempts == 2);
  CHECK(f.run(c).attempts == 1);
}

TEST_CASE_FIXTURE(fixture, "invocation: cancelled between attempts it asks no more") {
  std::promise<void> first;
  scripted_server server({[&](peer& p) {
                            p.read_request();
                            p.write(status("503 Busy", "Retry-After: 5\r\n"));
                            p.wait_closed();
                            first.set_value();
                          },
                          says(head + good)});
  auto c = call_to(server);
  c.retries = 1;
  test::collector got;
  auto handle = client->start(c, got.sink());
  first.get_future().wait();
  handle.reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (client->stats().open_streams > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  CHECK(client->stats().open_streams == 0);
  CHECK(got.ends() == 0);
  CHECK(server.connections() == 1);
}

TEST_CASE_FIXTURE(fixture, "invocation: paused before it is answered it stays so over attempts") {
  std::promise<void> answered;
  scripted_server server({says(status("500 No")), [&](peer& p) {
                            p.read_request();
                            p.write(head + good);
                            answered.set_value();
                            p.wait_closed();
                          }});
  auto c = call_to(server);
  c.retries = 1;
  test::collector got;
  const auto handle = client->start(c, got.sink());
  handle->pause();
  handle->resume();
  answered.get_future().wait();
  CHECK(!got.end().error);
}

TEST_CASE("invocation: on a borrowed io it may be left behind in any state") {
  // A call that is over and whose connection still waits for the last chunk, one that is asked,
  // and one that was never run: the client goes, then its io.
  std::promise<void> hangs;
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", good.size());
  scripted_server server({[&](peer& p) {
                            p.read_request();
                            p.write(chunked + size + good + "\r\n");
                            p.wait_closed();
                          },
                          [&](peer& p) {
                            p.read_request();
                            hangs.set_value();
                            p.wait_closed();
                          }});
  test::collector over, asked, never;
  auto io = std::make_unique<boost::asio::io_context>(1);
  auto client = llm::make_provider_client_on(*io, {});
  auto first = client->start(call_to(server), over.sink());
  while (over.ends() == 0) io->run_one();
  auto second = client->start(call_to(server), asked.sink());
  auto waits = hangs.get_future();
  while (waits.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    io->run_one_for(std::chrono::milliseconds(10));
  auto third = client->start(call_to(server), never.sink());
  first.reset();
  client.reset();
  SUBCASE("the handles before the io") {
    second.reset();
    third.reset();
    io.reset();
  }
  SUBCASE("the io runs on for a while") {
    second.reset();
    third.reset();
    io->poll();
    io.reset();
  }
  CHECK(never.ends() == 0);
}

TEST_CASE("invocation: past the bound calls open no connection, and each has its turn") {
  llm::place_limits limits;
  limits.a_provider = 2;
  llm::client_options options;
  options.places = std::make_shared<llm::call_places>(limits);
  const auto client = llm::make_provider_client(options);
  std::atomic<int> at_once{0}, most{0};
  std::promise<void> all_asked;
  const auto go = all_asked.get_future().share();
  scripted_server server({[&](peer& p) {
    p.read_request();
    const int now = ++at_once;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) continue;
    go.wait();
    --at_once;
    p.write(head + good);
  }});
  std::vector<test::collector> got(6);
  std::vector<std::unique_ptr<llm::stream_handle>> handles;
  for (auto& one : got) handles.push_back(client->start(call_to(server), one.sink()));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while ((options.places->now().waiting < 4 || at_once < 2) &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  CHECK(options.places->now().waiting == 4);
  CHECK(server.connections() == 2);
  handles[5].reset();  // cancelled while waiting
  all_asked.set_value();
  for (int n = 0; n < 5; ++n) CHECK(!got[static_cast<std::size_t>(n)].end().error);
  CHECK(most == 2);
  CHECK(server.connections() == 5);
  CHECK(got[5].ends() == 0);
}

TEST_CASE("invocation: a provider without stop words is left where the answer has one") {
  std::promise<void> left;
  auto gone = left.get_future();
  scripted_server server({[&](peer& p) {
    p.read_request();
    p.write(head +
            "data: {\"type\":\"response.output_text.delta\",\"delta\":\"one E\"}\n\n"
            "data: {\"type\":\"response.output_text.delta\",\"delta\":\"ND two\"}\n\n");
    p.wait_closed();
    left.set_value();
  }});
  fixture f;
  auto c = call_to(server);
  c.target.wire = llm::wire_kind::openai_responses;
  c.target.stop = {"END"};
  test::collector got;
  const auto handle = f.client->start(std::move(c), got.sink());
  const auto end = got.end();
  CHECK_FALSE(end.error);
  CHECK(end.finish_reason == "stop");
  CHECK(got.text() == "one ");
  CHECK(gone.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
}
