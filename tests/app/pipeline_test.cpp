#include "app/pipeline.hpp"

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include "core/codes.hpp"

using namespace soma;
using namespace soma::app;

namespace {

class kept_records final : public security::audit_log {
 public:
  void write(std::string_view json) override {
    all.push_back(boost::json::parse({json.data(), json.size()}).as_object());
  }
  std::uint32_t begin(const security::audit_record& what) override {
    begun.emplace_back(what.outcome);
    return 7;
  }
  void end(std::uint32_t of, const security::audit_record& what) override {
    CHECK(of == 7);
    record(what);
  }
  bool has_room() const override { return room; }
  bool flush(std::chrono::milliseconds) override { return true; }
  void reopen() override {}
  bool failing() const override { return false; }
  std::uint64_t lost() const override { return 0; }
  std::size_t waiting() const override { return 0; }

  std::vector<boost::json::object> all;
  std::vector<std::string> begun;
  bool room = true;
};

// Answers with `says`; later where `waits`, by the test.
class made_policy final : public security::policy {
 public:
  bool decide(std::span<const security::policy_input> asked, std::span<security::decision> answers,
              std::function<void()> done) const override {
    ++questions;
    if (waits && !done) {
      for (auto& one : answers) one = {false, "policy", "nobody answers at once", true};
      return true;
    }
    for (std::size_t i = 0; i < asked.size(); ++i)
      answers[i] = asked[i].resource == refused ? security::decision{false, "no", "refused"} : says;
    if (!waits) return true;
    later = std::move(done);
    return false;
  }

  security::decision says{true, "yes", ""};
  std::string refused = "nothing";
  bool waits = false;
  mutable int questions = 0;
  mutable std::function<void()> later;
};

class kept_spans final : public span_sink {
 public:
  void ended(const span& s) override {
    names.emplace_back(s.name);
    ids.emplace_back(s.span_id);
    parents.emplace_back(s.parent_id);
    failed.push_back(s.failed);
  }
  std::vector<std::string> names, ids, parents;
  std::vector<bool> failed;
};

struct world {
  world() {
    who.tenant = tenant_id("t");
    who.user = user_id("ann");
    who.role = role::admin;  // who sees every session
    who.request_id = "r-1";
  }

  // Runs one operation; the code of its refusal, or "".
  std::string run(const operation& what, bool well = true, std::vector<std::string> further = {}) {
    pipeline through(rules, records, nullptr, &spans);
    std::string code = "not run";
    boost::asio::co_spawn(
        io,
        [&]() -> boost::asio::awaitable<void> {
          auto in = co_await through.admit(who, what, "s-1");
          if (!in) {
            code = in.error().code;
            refusal = in.error();
            co_return;
          }
          auto more = co_await through.ask(*in, "attachment.read", further);
          code = more ? "" : std::string(more.error().code);
          in->ended(well && more, well && more ? 200 : 404);
        },
        boost::asio::detached);
    io.poll();
    io.restart();
    const auto at_first = code;
    // What waits goes on, on its own thread, once it is answered.
    while (rules.later) {
      std::exchange(rules.later, nullptr)();
      io.poll();
      io.restart();
    }
    return at_first;
  }

  boost::asio::io_context io;
  made_policy rules;
  kept_records records;
  kept_spans spans;
  caller who;
  error refusal;
};

// A member, or one of what `who` and `how` have.
std::string_view text(const boost::json::object& record, std::string_view name) {
  for (const auto* inner : {"", "who", "how"}) {
    const auto* in = *inner ? &record.at(inner).as_object() : &record;
    if (const auto* value = in->if_contains(name)) return std::string_view(value->as_string());
  }
  return {};
}

const operation& send_message = operation_named("send_message");

}  // namespace

TEST_CASE("pipeline: what policy allows is done, with one record of who, what and how it ended") {
  world w;
  CHECK(w.run(send_message) == "");
  REQUIRE(w.records.all.size() == 1);
  const auto& r = w.records.all.front();
  CHECK(text(r, "what") == "conversation.send");
  CHECK(text(r, "operation") == "send_message");
  CHECK(text(r, "outcome") == "done");
  CHECK(text(r, "resource") == "s-1");
  CHECK(text(r, "user_id") == "ann");
  CHECK(text(r, "role") == "admin");
  CHECK(text(r, "door") == "http");
  CHECK(text(r, "request_id") == "r-1");
  CHECK(r.at("how").at("status").as_int64() == 200);
}

TEST_CASE(
    "pipeline: what changes something is noted before it begins, and not begun without room") {
  world w;
  CHECK(w.run(send_message) == "");
  CHECK(w.records.begun == std::vector<std::string>{"interrupted"});
  CHECK(text(w.records.all.front(), "why") == "yes");
  CHECK(text(w.records.all.front(), "session_id") == "s-1");
  w.records.room = false;
  CHECK(w.run(send_message) == codes::dependency_unavailable);
  CHECK(w.refusal.parameter == "audit");
  CHECK(w.run(operation_named("get_session")) == "");
  CHECK(w.records.all.size() == 1);
}

TEST_CASE("pipeline: what fails is recorded as failed") {
  world w;
  CHECK(w.run(send_message, false) == "");
  REQUIRE(w.records.all.size() == 1);
  CHECK(text(w.records.all.front(), "outcome") == "failed");
}

TEST_CASE("pipeline: what policy denies is not done, and leaves one record with the rule") {
  world w;
  w.rules.says = {false, "closed", "not today"};
  CHECK(w.run(send_message) == codes::policy_denied);
  CHECK(w.refusal.rule == "closed");
  REQUIRE(w.records.all.size() == 1);
  CHECK(text(w.records.all.front(), "outcome") == "denied");
  CHECK(text(w.records.all.front(), "why") == "closed");
}

TEST_CASE(
    "pipeline: where policy is away no operation that it judges is done, each leaves a record") {
  for (const auto& one : operations()) {
    if (one.action.empty()) continue;
    CAPTURE(one.id);
    world w;
    w.rules.says = {false, "policy", "away", true};
    CHECK(w.run(one) == codes::dependency_unavailable);
    REQUIRE(w.records.all.size() == 1);
    CHECK(text(w.records.all.front(), "outcome") == "unavailable");
  }
}

TEST_CASE("pipeline: an answer that comes later is waited for") {
  world w;
  w.rules.waits = true;
  CHECK(w.run(send_message) == "not run");  // until the answer came
  CHECK(w.records.all.size() == 1);
  CHECK(text(w.records.all.front(), "outcome") == "done");
}

TEST_CASE("pipeline: of a further question one refusal refuses all, with a record of its own") {
  world w;
  w.rules.refused = "b";
  CHECK(w.run(send_message, true, {"a", "b"}) == codes::policy_denied);
  REQUIRE(w.records.all.size() == 2);
  CHECK(text(w.records.all[0], "what") == "attachment.read");
  CHECK(text(w.records.all[0], "outcome") == "denied");
  CHECK(text(w.records.all[0], "resource") == "b");
  CHECK(text(w.records.all[1], "outcome") == "failed");
}

TEST_CASE("pipeline: what is only read leaves no record where it is allowed") {
  world w;
  CHECK(w.run(operation_named("get_session")) == "");
  CHECK(w.records.all.empty());
}

TEST_CASE("pipeline: what policy let through is a span under its caller's, however it ends") {
  world w;
  w.who.parent_span_id = "00f067aa0ba902b7";
  CHECK(w.run(send_message) == "");
  CHECK(w.run(operation_named("send_session_message"), false) == "");
  w.rules.says = {false, "closed", "not today"};
  CHECK(w.run(send_message) == codes::policy_denied);
  CHECK(w.spans.names == std::vector<std::string>{"send_message", "send_message"});
  CHECK(w.spans.failed == std::vector<bool>{false, true});
  CHECK(w.spans.parents.front() == "00f067aa0ba902b7");
  CHECK(w.spans.ids.front().size() == 16);
  CHECK(w.spans.ids.front() != w.spans.ids.back());
}
