// The model client and the rehearsal server together: what the product sees of it.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "llm/collector.hpp"
#include "llm/provider_health.hpp"
#include "rehearsal/running_server.hpp"

using namespace soma;

namespace {

// Failures are what is scripted here: no breaker shall come between.
llm::client_options without_breaker() {
  llm::client_options options;
  options.health = std::make_shared<llm::provider_health>(llm::health_rules{1'000'000});
  return options;
}

struct fixture {
  test::running_rehearsal server;
  std::unique_ptr<llm::llm_client> client = llm::make_provider_client(without_breaker());

  llm::call ask(std::string text) const {
    llm::call c;
    c.target.base_url = server.base_url();
    c.target.model = "rehearsal";
    c.messages.push_back({"system", "You are a test.", {}, {}});
    c.messages.push_back({"user", std::move(text), {}, {}});
    return c;
  }
  test::collector run(llm::call c) const {
    test::collector got;
    const auto handle = client->start(std::move(c), got.sink());
    got.end();
    return got;
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture,
                  "rehearsal: says that it is not a model and repeats what it understood") {
  auto got = run(ask("Hello rehearsal [[rehearsal delay_ms=0]]"));
  const auto end = got.end();
  CHECK(!end.error);
  CHECK(end.finish_reason == "stop");
  CHECK(end.usage.prompt_tokens > 0);
  CHECK(got.text().find("not a language model") != std::string::npos);
  CHECK(got.text().find("“Hello rehearsal”") != std::string::npos);
  CHECK(got.text().find("[[") == std::string::npos);
}

TEST_CASE_FIXTURE(fixture,
                  "rehearsal: a prefix cut at any byte is continued to the same whole text") {
  const std::string question = "x [[rehearsal delay_ms=0 unicode=1 words=6]]";
  const auto whole = run(ask(question)).text();
  REQUIRE(whole.size() > 60);
  std::vector<std::pair<test::collector, std::unique_ptr<llm::stream_handle>>> running;
  std::vector<std::string> prefixes;
  for (std::size_t n = 1; n <= whole.size(); ++n) {
    if (n < whole.size() && (static_cast<unsigned char>(whole[n]) & 0xC0) == 0x80) continue;
    auto c = ask(question);
    c.prefix = whole.substr(0, n);
    prefixes.push_back(c.prefix);
    test::collector got;
    auto handle = client->start(std::move(c), got.sink());
    running.emplace_back(got, std::move(handle));
  }
  for (std::size_t i = 0; i < running.size(); ++i) {
    const auto end = running[i].first.end();
    CHECK(!end.error);
    CHECK(end.finish_reason == "stop");
    CHECK(prefixes[i] + running[i].first.text() == whole);
  }
}

TEST_CASE_FIXTURE(fixture,
                  "rehearsal: an attempt cut at any byte and continued gives the whole text") {
  const auto whole = run(ask("y [[rehearsal delay_ms=0 unicode=1 words=4]]")).text();
  for (std::size_t n = 1; n < whole.size(); ++n) {
    const auto question =
        "y [[rehearsal delay_ms=0 unicode=1 words=4 fault=cut fault_times=1 fault_at=" +
        std::to_string(n) + "]]";
    auto first = run(ask(question));
    const auto cut = first.end();
    REQUIRE(cut.error);
    CHECK(cut.error->code == "llm.bad_stream");
    CHECK(cut.cut);
    CHECK(first.text().size() >= n);
    auto c = ask(question);
    c.prefix = first.text();
    auto second = run(std::move(c));
    CHECK(!second.end().error);
    CHECK(first.text() + second.text() == whole);
  }
}

TEST_CASE_FIXTURE(fixture, "rehearsal: single bytes on the wire arrive as whole code points") {
  const auto plain = run(ask("z [[rehearsal delay_ms=0 unicode=1 words=3]]")).text();
  auto got = run(ask("z [[rehearsal delay_ms=0 chunk_bytes=1 unicode=1 words=3]]"));
  CHECK(!got.end().error);
  CHECK(got.text() == plain);
}

TEST_CASE_FIXTURE(fixture, "rehearsal: scripted calls come in parallel and once a round") {
  auto c =
      ask("q [[rehearsal delay_ms=0 tool1=calculator inputs1=%7B%22expression%22%3A%221%2B1%22%7D "
          "tool2=clock inputs2=not%20json]]");
  c.tools.push_back({"calculator", "adds", R"({"type":"object"})"});
  auto got = run(c);
  auto end = got.end();
  CHECK(end.finish_reason == "tool_calls");
  REQUIRE(end.tool_calls.size() == 2);
  CHECK(end.tool_calls[0].tool_id == "calculator");
  CHECK(end.tool_calls[0].inputs_json == R"({"expression":"1+1"})");
  CHECK(end.tool_calls[1].inputs_json == R"({"_invalid_arguments":"not json"})");
  CHECK(end.tool_calls[0].provider_call_id != end.tool_calls[1].provider_call_id);
  c.messages.push_back({"assistant", got.text(), end.tool_calls, {}});
  for (const auto& call : end.tool_calls)
    c.messages.push_back({"tool", "2", {}, call.provider_call_id});
  auto after = run(c);
  CHECK(after.end().finish_reason == "stop");
  CHECK(after.text().find("a tool answered") != std::string::npos);
}

TEST_CASE_FIXTURE(fixture, "rehearsal: arithmetic asks the calculator, remember asks memory_save") {
  auto c = ask("what is 17 * (3 + 4)? [[rehearsal delay_ms=0]]");
  CHECK(run(c).end().tool_calls.empty());
  c.tools.push_back({"calculator", "", R"({"type":"object","required":["expression"]})"});
  c.tools.push_back({"memory_save", "", R"({"type":"object","required":["text"]})"});
  auto end = run(c).end();
  REQUIRE(end.tool_calls.size() == 1);
  CHECK(end.tool_calls[0].inputs_json == R"x({"expression":"17 * (3 + 4)"})x");
  c.messages.back().text = "what is 19.99 * 3 + tax of 8 %? [[rehearsal delay_ms=0]]";
  end = run(c).end();
  REQUIRE(end.tool_calls.size() == 1);
  CHECK(end.tool_calls[0].inputs_json == R"({"expression":"19.99 * 3 + 8%"})");
  c.messages.back().text = "Remember that I like tea [[rehearsal delay_ms=0]]";
  end = run(c).end();
  REQUIRE(end.tool_calls.size() == 1);
  CHECK(end.tool_calls[0].tool_id == "memory_save");
  CHECK(end.tool_calls[0].inputs_json == R"({"text":"I like tea"})");
}

TEST_CASE_FIXTURE(fixture, "rehearsal: remember asks document_ingest to keep what is attached") {
  auto c =
      ask("Remember this, please [[rehearsal delay_ms=0]]\n[attached: a, b.pdf (application/pdf, "
          "3 bytes), attachment_id id-1]\n[attached: c.md, attachment_id id-2]");
  c.tools.push_back({"document_ingest", "", R"({"type":"object","required":["attachment_id"]})"});
  c.tools.push_back({"memory_save", "", R"({"type":"object","required":["text"]})"});
  const auto end = run(c).end();
  REQUIRE(end.tool_calls.size() == 2);
  CHECK(end.tool_calls[0].tool_id == "document_ingest");
  CHECK(end.tool_calls[0].inputs_json == R"({"attachment_id":"id-1","remember":true})");
  CHECK(end.tool_calls[1].inputs_json == R"({"attachment_id":"id-2","remember":true})");
}

TEST_CASE_FIXTURE(fixture, "rehearsal: scripted faults are what the client reports") {
  struct row {
    const char* script;
    const char* code;
    bool retryable, prefix_refused;
  };
  const row rows[] = {
      {"status=429 retry_after=2", "llm.rate_limited", true, false},
      {"status=500", "llm.provider_error", true, false},
      {"status=401", "llm.auth", false, false},
      {"refuse_prefix=1", "llm.bad_request", false, true},
      {"fault=rubbish fault_at=3", "llm.bad_stream", true, false},
      {"fault=reset fault_at=3", "llm.bad_stream", true, false},
      {"fault=error_event fault_at=3", "llm.provider_error", true, false},
      {"fault=hang fault_at=3", "llm.timeout_idle", true, false},
      {"hang_before=1", "llm.timeout_first_token", true, false},
      {"nonsense=1", "llm.bad_request", false, true},
  };
  for (const auto& r : rows) {
    CAPTURE(r.script);
    auto c = ask(std::string("f [[rehearsal delay_ms=0 ") + r.script + "]]");
    c.prefix = "This is";
    c.waits.idle_ms = c.waits.first_token_ms = 100;
    const auto end = run(c).end();
    REQUIRE(end.error);
    CHECK(end.error->code == r.code);
    CHECK(end.error->retryable == r.retryable);
    CHECK(end.prefix_refused == r.prefix_refused);
    if (end.error->code == "llm.rate_limited") CHECK(end.retry_after_ms == 2000);
  }
}

TEST_CASE_FIXTURE(fixture, "rehearsal: thinking comes before the text and apart from it") {
  auto got = run(ask("t [[rehearsal delay_ms=0 thinking=3 words=2 usage=11,7]]"));
  CHECK(got.end().usage == soma::usage{11, 7});
  CHECK(got.thinking() == "every event is");
  CHECK(got.text() == "every event");
}

TEST_CASE_FIXTURE(fixture, "rehearsal: a thousand streams at once all come to their end") {
  std::vector<std::pair<test::collector, std::unique_ptr<llm::stream_handle>>> running;
  for (int i = 0; i < 1000; ++i) {
    test::collector got;
    auto handle =
        client->start(ask(std::to_string(i) + " [[rehearsal delay_ms=1 words=20]]"), got.sink());
    running.emplace_back(got, std::move(handle));
  }
  int ended = 0;
  for (auto& [got, handle] : running) ended += got.end().finish_reason == "stop";
  CHECK(ended == 1000);
}
