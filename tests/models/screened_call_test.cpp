#include "models/screened_call.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/codes.hpp"
#include "models/egress_denial.hpp"
#include "security/memory_documents.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::models;
namespace pii = soma::security::pii;

namespace {

class kept_client final : public llm::llm_client {
 public:
  std::unique_ptr<llm::stream_handle> start(llm::call c, llm::stream_sink to) override {
    calls.push_back(std::move(c));
    sink = std::move(to);
    struct handle final : llm::stream_handle {
      explicit handle(kept_client& of) : of_(of) {}
      ~handle() override { ++of_.gone; }
      void pause() override { of_.paused = true; }
      void resume() override { of_.paused = false; }
      kept_client& of_;
    };
    return std::make_unique<handle>(*this);
  }
  counters stats() const override { return {}; }

  std::vector<llm::call> calls;
  llm::stream_sink sink;
  int gone = 0;
  bool paused = false;
};

struct world {
  security::memory_documents rows;
  metrics_registry metrics;
  pii::egress_guard guard{pii::mode::off, rows, metrics};
  kept_client client;
  std::vector<pii::leaving> asked;
  pii::egress_guard::told later;  // where policy takes its time
  bool waits = false, allows = true;
  std::string said, thought;
  std::vector<std::string> pieces;
  std::optional<llm::stream_end> end;
  std::deque<std::function<void()>> at_home, put_aside;
  std::string judged;

  world() {
    guard.ask_by([this](pii::leaving what, pii::egress_guard::told then) {
      asked.push_back(what);
      if (waits) {
        later = std::move(then);
        return;
      }
      then(answers(what.to.size()));
    });
  }
  std::vector<security::decision> answers(std::size_t n) const {
    return {n, {allows, "no-mail", allows ? "" : "No mail leaves.", false}};
  }
  screening how(pii::mode m) {
    pii::leaving about;
    about.tenant = "ours";
    about.user = "ann";
    screening out{client, guard, m, about, {}, {}, {}};
    out.on_judged = [this](const pii::counts& found, const security::decision& said_of) {
      judged = pii::counts_json(found) + (said_of.allow ? " yes" : " no");
    };
    return out;
  }
  llm::stream_sink sink() {
    llm::stream_sink out;
    out.on_piece = [this](const std::string& text, bool thinking) {
      CHECK_FALSE(text.empty());
      (thinking ? thought : said) += text;
      pieces.push_back(text);
    };
    out.on_end = [this](llm::stream_end how) { end = std::move(how); };
    return out;
  }
  result<std::unique_ptr<llm::stream_handle>> start(screening how, llm::call c) {
    return start_screened(std::move(how), std::move(c), sink());
  }
};

llm::call call_saying(std::string text) {
  llm::call c;
  c.target.provider = "test";
  c.target.base_url = "http://models.test/v1";
  c.messages.push_back({"user", std::move(text), {}, {}});
  return c;
}

constexpr const char* told = "I am ann@example.org, call +49 30 901820.";

}  // namespace

TEST_CASE_FIXTURE(world, "screened call: where nothing is found nobody is asked") {
  const auto handle = start(how(pii::mode::deny), call_saying("Hello"));
  REQUIRE(handle);
  CHECK(client.calls.at(0).messages[0].text == "Hello");
  CHECK(asked.empty());
}

TEST_CASE_FIXTURE(world, "screened call: words are put back however the answer is cut") {
  const std::string answer = "To [[mail-1]] [[x]] and [[phone-1]], not [[mail-7]] [[";
  const std::string wanted = "To ann@example.org [[x]] and +49 30 901820, not [[mail-7]] [[";
  for (std::size_t first = 0; first <= answer.size(); ++first) {
    for (std::size_t second = first; second <= answer.size(); ++second) {
      said.clear();
      const auto handle = start(how(pii::mode::redact), call_saying(told));
      REQUIRE(handle);
      REQUIRE(client.calls.back().messages[0].text == "I am [[mail-1]], call [[phone-1]].");
      const auto piece = [&](std::size_t begin, std::size_t size) {
        if (size > 0) client.sink.on_piece(answer.substr(begin, size), false);
      };
      piece(0, first), piece(first, second - first), piece(second, answer.size() - second);
      client.sink.on_end({});
      REQUIRE(said == wanted);
    }
    client.calls.clear();
  }
  CHECK(asked.back().to == std::vector<std::string>{"llm:test"});
  CHECK(judged == R"({"mail":1,"phone":1} yes)");
}

TEST_CASE_FIXTURE(world, "screened call: no more is held back than a placeholder may have") {
  const auto handle = start(how(pii::mode::redact), call_saying(told));
  REQUIRE(handle);
  const std::string brackets(1000, '[');
  std::size_t sent = 0;
  for (const char c : brackets) {
    client.sink.on_piece(std::string(1, c), false);
    ++sent;
    CHECK(sent - said.size() <= pii::placeholders::bytes_max);
  }
  client.sink.on_end({});
  CHECK(said == brackets);
}

TEST_CASE_FIXTURE(world, "screened call: thinking and text have their own words, in their order") {
  const auto handle = start(how(pii::mode::redact), call_saying(told));
  REQUIRE(handle);
  client.sink.on_piece("hm [[mail-", true);
  client.sink.on_piece("Yes [[mail-", false);
  client.sink.on_piece("1]] [", false);
  client.sink.on_piece("[[mail-1]]", true);
  client.sink.on_end({});
  CHECK(said == "Yes ann@example.org [");
  CHECK(thought == "hm [[mail-ann@example.org");
  CHECK(pieces[1] == "[[mail-");
}

TEST_CASE_FIXTURE(world, "screened call: what the model calls tools with has the true words") {
  const auto handle = start(how(pii::mode::redact), call_saying(told));
  REQUIRE(handle);
  llm::stream_end how_it_ended;
  how_it_ended.finish_reason = "tool_calls";
  how_it_ended.tool_calls.push_back({{}, "p", "echo", R"({"to":"[[mail-1]]"})"});
  client.sink.on_end(how_it_ended);
  CHECK(end->tool_calls[0].inputs_json == R"({"to":"ann@example.org"})");
}

TEST_CASE_FIXTURE(world, "screened call: all that a call has is looked through, and a prefix too") {
  auto c = call_saying(told);
  c.messages.push_back({"assistant", "", {{{}, "p", "mail", R"({"to":"bob@example.org"})"}}, {}});
  c.messages.back().provider_state_json = R"([{"thinking":"of ann@example.org"}])";
  llm::chat_message parts{"user", "kim@example.org", {}, {}};
  parts.content_json = R"({"type":"text","text":"kim@example.org"})";
  c.messages.push_back(parts);
  c.prefix = "Ann is ann@example.org";
  c.members_json = R"({"user":"lee@example.org"})";
  c.tools.push_back({"t", "Ask may@example.org", R"({"d":"joe@example.org"})"});
  c.target.stop = {"zoe@example.org"};
  const auto handle = start(how(pii::mode::redact), c);
  REQUIRE(handle);
  const auto& went = client.calls.at(0);
  CHECK(went.messages[1].tool_calls[0].inputs_json == R"({"to":"[[mail-2]]"})");
  CHECK(went.messages[1].provider_state_json.empty());
  CHECK(went.messages[2].content_json == R"({"type":"text","text":"[[mail-3]]"})");
  CHECK(went.messages[2].text == "[[mail-3]]");
  CHECK(went.prefix == "Ann is [[mail-1]]");
  CHECK(went.members_json == R"({"user":"[[mail-4]]"})");
  CHECK(went.tools[0].description == "Ask [[mail-5]]");
  CHECK(went.tools[0].inputs_schema_json == R"({"d":"[[mail-6]]"})");
  CHECK(went.target.stop[0] == "[[mail-7]]");
  CHECK(judged == R"({"mail":8,"phone":1} yes)");
}

TEST_CASE_FIXTURE(world, "screened call: modes") {
  const auto denied = start(how(pii::mode::deny), call_saying(told));
  REQUIRE(denied.has_error());
  CHECK(denied.error().code == codes::policy_denied);
  CHECK(denied.error().rule == "egress.pii");
  CHECK(asked.empty());
  const auto reported = start(how(pii::mode::report), call_saying(told));
  REQUIRE(reported);
  CHECK(client.calls.at(0).messages[0].text == told);
  client.sink.on_piece("[[mail-1]]", false);
  CHECK(said == "[[mail-1]]");
  allows = false;
  for (const auto m : {pii::mode::report, pii::mode::redact}) {
    const auto by_rule = start(how(m), call_saying(told));
    REQUIRE(by_rule.has_error());
    CHECK(by_rule.error().rule == "no-mail");
  }
  CHECK(client.calls.size() == 1);
  CHECK(judged == R"({"mail":1,"phone":1} no)");
}

TEST_CASE_FIXTURE(world, "screened call: what a provider's own items hold counts in each mode") {
  auto c = call_saying("Hello");
  c.messages.push_back({"assistant", "Hi", {}, {}});
  c.messages.back().provider_state_json = R"([{"thinking":"of ann@example.org"}])";
  const auto denied = start(how(pii::mode::deny), c);
  REQUIRE(denied.has_error());
  CHECK(denied.error().rule == "egress.pii");
  CHECK(client.calls.empty());
  const auto reported = start(how(pii::mode::report), c);
  REQUIRE(reported);
  CHECK(judged == R"({"mail":1} yes)");
  CHECK(client.calls.at(0).messages[1].provider_state_json == c.messages[1].provider_state_json);
  // It does not go, so there is nothing to ask about.
  asked.clear();
  const auto redacted = start(how(pii::mode::redact), c);
  REQUIRE(redacted);
  CHECK(client.calls.at(1).messages[1].provider_state_json.empty());
  CHECK(asked.empty());
}

TEST_CASE_FIXTURE(world,
                  "screened call: an answer of policy that comes later is acted on at home") {
  waits = true;
  auto with_home = how(pii::mode::redact);
  with_home.home = [this](std::function<void()> work) { at_home.push_back(std::move(work)); };
  auto handle = start(with_home, call_saying(told));
  REQUIRE(handle);
  (*handle)->pause();
  later(answers(1));
  CHECK(client.calls.empty());
  at_home.front()();
  CHECK(client.calls.size() == 1);
  CHECK(client.paused);
  handle->reset();
  CHECK(client.gone == 1);

  at_home.clear();
  auto refused = start(with_home, call_saying(told));
  REQUIRE(refused);
  allows = false;
  later(answers(1));
  at_home.front()();
  REQUIRE(end);
  CHECK(end->error->code == codes::policy_denied);
  const auto why = with_rule({codes::policy_denied, end->error->detail});
  CHECK(why.rule == "no-mail");
  CHECK(why.detail == "No mail leaves.");

  end.reset();
  auto away = start(how(pii::mode::report), call_saying(told));
  later({{false, "opa", "it hangs", true}});
  CHECK(end->error->code == codes::dependency_unavailable);
  CHECK(end->error->retryable);

  // Who has let go is told nothing, and nothing goes.
  end.reset();
  allows = true;
  auto gone = start(how(pii::mode::report), call_saying(told));
  gone->reset();
  later(answers(1));
  CHECK_FALSE(end);
  CHECK(client.calls.size() == 1);
}

TEST_CASE_FIXTURE(world, "screened call: what is long is looked through elsewhere") {
  auto with_aside = how(pii::mode::redact);
  bool full = false;
  with_aside.aside = [&](std::function<void()> work) {
    if (!full) put_aside.push_back(std::move(work));
    return !full;
  };
  const std::string long_text(screening::inline_bytes_max, ' ');
  auto handle = start(with_aside, call_saying(told + long_text));
  REQUIRE(handle);
  CHECK(client.calls.empty());
  put_aside.front()();
  CHECK(client.calls.at(0).messages[0].text == "I am [[mail-1]], call [[phone-1]]." + long_text);
  put_aside.clear();
  auto gone = start(with_aside, call_saying(told + long_text));
  gone->reset();
  put_aside.front()();
  CHECK(client.calls.size() == 1);
  full = true;
  CHECK(start(with_aside, call_saying(told + long_text)).error().code == codes::server_busy);
}

TEST_CASE_FIXTURE(world, "screened call: a fallback that may not have it is left out") {
  auto c = call_saying(told);
  for (const auto* name : {"one", "two"}) {
    c.fallbacks.push_back(c.target);
    c.fallbacks.back().provider = name;
  }
  waits = true;
  const auto handle = start(how(pii::mode::report), c);
  later({{true, "", "", false}, {false, "r", "", false}, {true, "", "", false}});
  REQUIRE(client.calls.at(0).fallbacks.size() == 1);
  CHECK(client.calls[0].fallbacks[0].provider == "two");
}
