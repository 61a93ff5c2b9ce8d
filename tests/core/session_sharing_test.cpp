// Who sees a session is a fact of its log: changed by an event, kept over a reset and a restart,
// and nothing that a copy has.
#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "core/payload_rules.hpp"
#include "core/session_copy.hpp"
#include "core/session_core.hpp"
#include "core/sharing.hpp"
#include "support/result_text.hpp"

using namespace soma;

namespace {

// A session of ann's whose steps are durable at once.
struct shared_session {
  shared_session() {
    state.key = {tenant_id("t"), session_id("s")};
    take(step(state, rules, 1, input::activated{1, {1, 2}}));
    ask(input::open{});
  }

  void take(session_actions actions) {
    for (const auto& e : actions.append) log.push_back(e);
    appended = actions.append.size();
    for (const auto& one : actions.then)
      if (const auto* reply = std::get_if<action::reply>(&one)) replied = reply->what;
  }
  result<command_reply> ask(input::command what, const std::string& user = "ann") {
    input::commanded in;
    in.who.from.user_id = user;
    in.what = std::move(what);
    take(step(state, rules, 1, in));
    return replied;
  }
  result<command_reply> share(std::optional<bool> tenant,
                              std::optional<std::vector<std::string>> users) {
    return ask(input::update{{}, {tenant, std::move(users)}});
  }
  session_state folded(std::size_t from = 0) const {
    session_state s;
    s.key = state.key;
    for (auto n = from; n < log.size(); ++n) apply(s, decode(encode(log[n])).value());
    return s;
  }

  session_state state;
  session_rules rules;
  std::vector<event> log;
  std::size_t appended = 0;
  result<command_reply> replied = command_reply();
};

using users = std::vector<std::string>;

}  // namespace

TEST_CASE("sharing: a session begins as its owner's alone") {
  shared_session s;
  CHECK(s.state.sharing.is_private());
  CHECK(s.folded().sharing.is_private());
}

TEST_CASE("sharing: one event says who sees it from there on, and what is not given stays") {
  shared_session s;
  REQUIRE(s.share({}, users{"carl", "bob", "carl", "ann"}));
  CHECK(s.appended == 1);
  CHECK(s.state.sharing == sharing{false, {"bob", "carl"}});
  REQUIRE(s.share(true, {}));
  CHECK(s.state.sharing == sharing{true, {"bob", "carl"}});
  REQUIRE(s.ask(input::update{"Title", {}}));
  CHECK(s.state.title == "Title");
  REQUIRE(s.ask(input::pause{true}));
  CHECK(s.state.sharing == sharing{true, {"bob", "carl"}});
  CHECK(s.folded().sharing == s.state.sharing);
  REQUIRE(s.ask(input::update{"Other", {false, users{}}}));
  CHECK(s.appended == 1);  // title and sharing at once
  CHECK(s.state.sharing.is_private());
  REQUIRE(s.share(false, users{}));
  CHECK(s.appended == 0);  // as it was
  CHECK_FALSE(s.replied->event.seq);
}

TEST_CASE("sharing: too many, or what is no user, is refused and changes nothing") {
  shared_session s;
  users many;
  for (std::size_t n = 0; n <= shared_with_max; ++n) many.push_back("u" + std::to_string(n));
  const std::string longest(payload_limits::user_id_bytes_max, 'u');
  for (const auto& bad : {many, users{""}, users{"a\nb"}, users{longest + "u"}}) {
    const auto said = s.share({}, bad);
    REQUIRE_FALSE(said);
    CHECK(said.error().code == codes::request_invalid);
    CHECK(s.appended == 0);
  }
  many.pop_back();
  CHECK(s.share({}, many));
  CHECK(s.share({}, users{longest}));
}

TEST_CASE("sharing: a reset keeps it, though the events that said so are gone") {
  shared_session s;
  REQUIRE(s.share(true, users{"bob"}));
  const auto before = s.log.size();
  REQUIRE(s.ask(input::reset{}, "bob"));
  CHECK(s.state.sharing == sharing{true, {"bob"}});
  CHECK(s.state.owner == "ann");
  // What is kept begins with the new session.open.
  const auto kept = s.folded(before + 1);
  CHECK(kept.sharing == sharing{true, {"bob"}});
  CHECK(kept.owner == "ann");
}

TEST_CASE("sharing: a copy is its maker's alone") {
  shared_session s;
  REQUIRE(s.share(true, users{"bob"}));
  copy_options options;
  options.to = {tenant_id("t"), session_id("copy")};
  options.epoch = 2;
  options.rename = [](std::string_view id) { return std::string(id); };
  options.opened_by.user_id = "bob";
  session_copy copy(options);
  for (const auto& e : s.log) {
    const auto copied = copy.add(e);
    if (const auto* state = std::get_if<body::session_state>(&copied.body))
      CHECK_FALSE(state->shared);
  }
  CHECK(copy.state().sharing.is_private());
  CHECK(copy.state().owner == "bob");
}

TEST_CASE("sharing: an event of a version before says nothing of it") {
  const auto e =
      decode(R"({"version":"v1","meta":{"event_id":"1.2","tenant_id":"t","session_id":"s",)"
             R"("created_at":"2026-01-01T00:00:00.000Z"},"type":"session.state",)"
             R"("payload":{"paused":false,"title":"T"}})");
  REQUIRE(e);
  CHECK_FALSE(std::get<body::session_state>(e->body).shared);
}
