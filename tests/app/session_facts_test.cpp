#include "app/session_facts.hpp"

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "app/on_lane.hpp"
#include "app/pipeline.hpp"
#include "core/codes.hpp"
#include "storage/event_log.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::app;

namespace {

class kept_records final : public security::audit_log {
 public:
  void write(std::string_view json) override { all.emplace_back(json); }
  bool flush(std::chrono::milliseconds) override { return true; }
  void reopen() override {}
  bool failing() const override { return false; }
  std::uint64_t lost() const override { return 0; }
  std::size_t waiting() const override { return 0; }
  std::vector<std::string> all;
};

constexpr std::string_view own_alone = R"(
[[rule]]
id = "own"
effect = "allow"
actions = ["conversation.*"]
owned = true
)";
constexpr std::string_view all_may = R"(
[[rule]]
id = "all"
effect = "allow"
actions = ["*"]
)";
constexpr std::string_view not_seen = "session.not_found";

struct world {
  world() {
    storage::append_op made;
    made.key = anns;
    made.events.push_back({1, event_type::session_open, "{}"});
    made.info.emplace();
    made.info->user_id = "ann";
    REQUIRE(log->commit({&made, 1}).front().has_value());
  }

  void ruled_by(std::string_view toml) { rules = std::move(*security::make_rules_policy(toml)); }

  // As the writer does: committed, then told.
  void share(sharing with) {
    storage::append_op op;
    op.key = anns;
    op.expected_seq = log->head(anns)->seq;
    op.info = log->head(anns)->info;
    op.info->sharing = std::move(with);
    REQUIRE(log->commit({&op, 1}).front().has_value());
    table.changed(anns, &*op.info);
  }

  // The rule or the code that refused, "" for none.
  std::string ask(std::string_view user, std::string_view operation, std::string resource,
                  app::role role = app::role::user) {
    caller who;
    who.tenant = anns.tenant;
    who.user = user_id(std::string(user));
    who.role = role;
    pipeline through{*rules, records, &facts};
    std::string said = "not run";
    boost::asio::co_spawn(
        io,
        [&]() -> boost::asio::awaitable<void> {
          auto in = co_await through.admit(who, operation_named(operation), resource);
          said = in                        ? std::string()
                 : in.error().rule.empty() ? std::string(in.error().code)
                                           : in.error().rule;
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
    who.role = role::user;
    pipeline through{*rules, records, &facts};
    std::string said = "not run";
    boost::asio::co_spawn(
        io,
        [&]() -> boost::asio::awaitable<void> {
          const std::vector<std::string> resources{resource};
          auto in = co_await through.admit(who, operation_named("create_session"), {});
          REQUIRE(in.has_value());
          auto may = co_await through.ask(*in, "conversation.read", resources);
          said = may ? std::string() : std::string(may.error().code);
        },
        boost::asio::detached);
    while (said == "not run") io.run_one();
    io.restart();
    return said;
  }

  const session_key anns{tenant_id("t"), session_id("00000000-0000-4000-8000-000000000001")};
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  lane quick{1};
  fact_table table;
  session_facts facts{table, *log, quick};
  std::unique_ptr<security::policy> rules = std::move(*security::make_rules_policy(own_alone));
  kept_records records;
  boost::asio::io_context io;
};

}  // namespace

TEST_CASE("session facts: a rule of what is owned lets its owner in and nobody else") {
  world w;
  CHECK(w.ask("ann", "get_session", w.anns.session.value) == "");
  CHECK(w.ask("bob", "get_session", w.anns.session.value) == not_seen);
  w.share({true, {}});
  CHECK(w.ask("bob", "get_session", w.anns.session.value) == "default");
  CHECK(w.ask("bob", "create_session", {}) == "");  // which is to be his
  CHECK(w.ask("bob", "send_message", {}) == "");
  // All of a tenant's sessions are nobody's.
  CHECK(w.ask("bob", "list_sessions", {}) == "default");
  CHECK(w.ask("bob", "stream_tenant", {}) == "default");
  CHECK(w.ask("bob", "get_session", "00000000-0000-4000-8000-000000000002") == not_seen);
  CHECK(w.ask("bob", "get_session", "no id") == not_seen);
}

TEST_CASE("session facts: a further question about a session knows its owner") {
  world w;
  CHECK(w.ask_further("ann", w.anns.session.value) == "");
  CHECK(w.ask_further("bob", w.anns.session.value) == not_seen);
  w.share({false, {"bob"}});
  CHECK(w.ask_further("bob", w.anns.session.value) == codes::policy_denied);
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
  w.table.changed(w.anns, nullptr);
  CHECK(w.ask("ann", "get_session", w.anns.session.value) == not_seen);
}

TEST_CASE("visibility: every operation that names a session is hidden from who does not see it") {
  world w;
  w.ruled_by(all_may);
  std::size_t asked = 0;
  for (const auto& one : operations()) {
    if (!names_a_session(one)) continue;
    CAPTURE(one.id);
    ++asked;
    const auto id = w.anns.session.value;
    CHECK(w.ask("bob", one.id, id) == not_seen);
    CHECK(w.ask("", one.id, id, role::anonymous) == not_seen);
    CHECK(w.ask("bob", one.id, "00000000-0000-4000-8000-000000000002") == not_seen);
    CHECK(w.ask("ann", one.id, id) == "");
    CHECK(w.ask("root", one.id, id, role::admin) == "");
    const auto of_others = is_for_owners(one.action) ? "owner" : "";
    w.share({false, {"bob", "carl"}});
    CHECK(w.ask("bob", one.id, id) == of_others);
    CHECK(w.ask("dora", one.id, id) == not_seen);
    w.share({true, {}});
    CHECK(w.ask("dora", one.id, id) == of_others);
    w.share({});
    CHECK(w.ask("dora", one.id, id) == not_seen);
  }
  CHECK(asked >= 20);
}

TEST_CASE("visibility: a session whose owner nobody knows is for admins") {
  world w;
  w.ruled_by(all_may);
  storage::append_op op;
  op.key = {w.anns.tenant, session_id("00000000-0000-4000-8000-000000000003")};
  op.events.push_back({1, event_type::session_open, "{}"});
  REQUIRE(w.log->commit({&op, 1}).front().has_value());
  CHECK(w.ask("bob", "get_session", op.key.session.value) == not_seen);
  CHECK(w.ask("", "get_session", op.key.session.value) == not_seen);
  CHECK(w.ask("root", "get_session", op.key.session.value, role::admin) == "");
}

TEST_CASE("visibility: what is hidden is recorded; what is not there is, where it would change") {
  world w;
  w.ruled_by(all_may);
  CHECK(w.ask("bob", "get_session", w.anns.session.value) == not_seen);
  REQUIRE(w.records.all.size() == 1);
  CHECK(w.records.all[0].find(R"("why":"visibility")") != std::string::npos);
  CHECK(w.ask("bob", "get_session", "00000000-0000-4000-8000-000000000002") == not_seen);
  CHECK(w.records.all.size() == 1);
  CHECK(w.ask("bob", "pause_session", "00000000-0000-4000-8000-000000000002") == not_seen);
  CHECK(w.records.all.size() == 2);
}

TEST_CASE("fact table: what the writer tells while the head is read is not forgotten") {
  world w;
  session_info shared;
  shared.user_id = "ann";
  shared.sharing.users = {"bob"};
  // A reader that has its head, and has not kept it yet.
  class slow_log final : public storage::session_log {
   public:
    explicit slow_log(storage::session_log& of) : of_(of) {}
    std::function<void()> then;
    result<storage::session_head> head(const session_key& key) const override {
      auto found = of_.head(key);
      then();
      return found;
    }
    std::uint32_t epoch() const override { return of_.epoch(); }
    std::vector<result<std::uint64_t>> commit(std::span<const storage::append_op> ops) override {
      return of_.commit(ops);
    }
    result<storage::event_page> read(const session_key& key,
                                     const storage::read_options& options) const override {
      return of_.read(key, options);
    }
    result<std::optional<std::string>> snapshot(const session_key& key) const override {
      return of_.snapshot(key);
    }
    result<storage::session_list_page> list(
        const tenant_id& tenant, const storage::session_list_options& options) const override {
      return of_.list(tenant, options);
    }
    result<std::vector<session_key>> busy_sessions() const override { return of_.busy_sessions(); }
    std::uint64_t stored_bytes(const tenant_id& tenant) const override {
      return of_.stored_bytes(tenant);
    }
    result<std::vector<tenant_id>> tenants() const override { return of_.tenants(); }
    result<void> stage(const session_key& key,
                       std::span<const storage::encoded_event> events) override {
      return of_.stage(key, events);
    }
    result<void> discard_staged(const session_key& key) override { return of_.discard_staged(key); }

   private:
    storage::session_log& of_;
  };
  slow_log slow(*w.log);
  slow.then = [&] { w.table.changed(w.anns, &shared); };
  auto read = w.table.read(slow, w.anns);
  REQUIRE(read);
  CHECK((*read)->shared.users == std::vector<std::string>{"bob"});
  CHECK((*w.table.known(w.anns))->shared.users == std::vector<std::string>{"bob"});
  fact_table other;
  slow.then = [&] { other.changed(w.anns, nullptr); };
  read = other.read(slow, w.anns);
  REQUIRE(read);
  CHECK_FALSE(*read);
  CHECK_FALSE(other.known(w.anns));
}

TEST_CASE("fact table: who follows it is told of a session that was known and is seen by others") {
  world w;
  std::vector<std::string> told;
  w.table.on_changed([&](const session_key& key, const session_fact& now) {
    told.push_back(key.session.value + (now.shared.is_private() ? " private" : " shared"));
  });
  w.share({true, {}});  // not known yet
  CHECK(told.empty());
  REQUIRE(w.table.read(*w.log, w.anns));
  w.share({true, {}});
  CHECK(told.empty());
  w.share({});
  CHECK(told == std::vector<std::string>{w.anns.session.value + " private"});
  w.table.on_changed({});
  w.share({true, {}});
  CHECK(told.size() == 1);
}
