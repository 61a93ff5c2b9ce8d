#include "app/session_facts.hpp"

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "app/pipeline.hpp"
#include "core/codes.hpp"
#include "storage/event_log.hpp"

using namespace soma;
using namespace soma::app;

namespace {

class no_records final : public security::audit_log {
 public:
  void write(std::string_view) override {}
  bool flush(std::chrono::milliseconds) override { return true; }
  void reopen() override {}
  bool failing() const override { return false; }
  std::uint64_t lost() const override { return 0; }
  std::size_t waiting() const override { return 0; }
};

constexpr std::string_view own_alone = R"(
[[rule]]
id = "own"
effect = "allow"
actions = ["conversation.*"]
owned = true
)";

struct world {
  world() {
    storage::append_op made;
    made.key = anns;
    made.events.push_back({1, event_type::session_open, "{}"});
    made.info.emplace();
    made.info->user_id = "ann";
    REQUIRE(log->commit({&made, 1}).front().has_value());
  }

  // The rule or the code that refused, "" for none.
  std::string ask(std::string_view user, std::string_view operation, std::string resource) {
    caller who;
    who.tenant = anns.tenant;
    who.user = user_id(std::string(user));
    std::string said = "not run";
    boost::asio::co_spawn(
        io,
        [&]() -> boost::asio::awaitable<void> {
          auto in = co_await through.admit(who, operation_named(operation), resource);
          said = in ? std::string() : in.error().rule;
        },
        boost::asio::detached);
    // The lane answers from its own thread.
    while (said == "not run") io.run_one();
    io.restart();
    return said;
  }

  // Of who may make a session, and then wants to read that one.
  std::string ask_further(std::string_view user, std::string resource) {
    caller who;
    who.tenant = anns.tenant;
    who.user = user_id(std::string(user));
    std::string said = "not run";
    boost::asio::co_spawn(
        io,
        [&]() -> boost::asio::awaitable<void> {
          const std::vector<std::string> resources{resource};
          auto in = co_await through.admit(who, operation_named("create_session"), {});
          REQUIRE(in.has_value());
          auto may = co_await through.ask(*in, "conversation.read", resources);
          said = may ? std::string() : may.error().rule;
        },
        boost::asio::detached);
    while (said == "not run") io.run_one();
    io.restart();
    return said;
  }

  const session_key anns{tenant_id("t"), session_id("00000000-0000-4000-8000-000000000001")};
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  lane quick{1};
  session_facts facts{*log, quick};
  std::unique_ptr<security::policy> rules = std::move(*security::make_rules_policy(own_alone));
  no_records records;
  pipeline through{*rules, records, &facts};
  boost::asio::io_context io;
};

}  // namespace

TEST_CASE("session facts: a rule of what is owned lets its owner in and nobody else") {
  world w;
  CHECK(w.ask("ann", "get_session", w.anns.session.value) == "");
  CHECK(w.ask("bob", "get_session", w.anns.session.value) == "default");
  CHECK(w.ask("bob", "create_session", {}) == "");  // which is to be his
  CHECK(w.ask("bob", "send_message", {}) == "");
  // All of a tenant's sessions are nobody's.
  CHECK(w.ask("bob", "list_sessions", {}) == "default");
  CHECK(w.ask("bob", "stream_tenant", {}) == "default");
  CHECK(w.ask("bob", "get_session", "00000000-0000-4000-8000-000000000002") == "default");
  CHECK(w.ask("bob", "get_session", "no id") == "default");
}

TEST_CASE("session facts: a further question about a session knows its owner") {
  world w;
  CHECK(w.ask_further("ann", w.anns.session.value) == "");
  CHECK(w.ask_further("bob", w.anns.session.value) == "default");
}

TEST_CASE("session facts: known from memory once they were asked for") {
  world w;
  CHECK(w.ask("ann", "get_session", w.anns.session.value) == "");
  storage::append_op gone;
  gone.key = w.anns;
  gone.expected_seq = 1;
  gone.remove = true;
  REQUIRE(w.log->commit({&gone, 1}).front().has_value());
  CHECK(w.ask("ann", "get_session", w.anns.session.value) == "");
}
