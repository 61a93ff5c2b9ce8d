#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "core/codes.hpp"
#include "security/policy/policy.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;

namespace {

std::unique_ptr<policy> rules(std::string_view toml) {
  auto made = make_rules_policy(toml);
  REQUIRE(made);
  return std::move(*made);
}

decision ask(const policy& p, std::string_view action, std::string_view resource = {},
             std::string_view user = "ann", std::string_view role = "user") {
  return p.decide_now({"t", user, role, action, resource});
}

}  // namespace

TEST_CASE("policy: what no rule names is denied, and nobody is denied first") {
  const auto none = rules("");
  CHECK(ask(*none, "tool.execute").rule == "default");
  CHECK(!ask(*none, "tool.execute").allow);
  const auto all = rules("[[rule]]\nid='all'\neffect='allow'\nactions=['*']");
  CHECK(ask(*all, "anything").allow);
  CHECK(!all->decide_now({"", "ann", "admin", "anything", ""}).allow);
  CHECK(!all->decide_now({"t", "", "admin", "anything", ""}).allow);
}

TEST_CASE("policy: the first rule that fits decides, by every list it has") {
  const auto p = rules(R"(
[[rule]]
id = "no-code"
effect = "deny"
actions = ["tool.execute"]
resources = ["code_execute", "mcp.*"]
users = ["guest-*"]
reason = "Guests run no code."
[[rule]]
id = "admins"
effect = "allow"
actions = ["tool.catalog.update"]
roles = ["admin"]
[[rule]]
id = "tools"
effect = "allow"
actions = ["tool.execute"]
tenants = ["t"]
)");
  CHECK(ask(*p, "tool.execute", "code_execute", "guest-1").reason == "Guests run no code.");
  CHECK(ask(*p, "tool.execute", "mcp.files.read", "guest-1").rule == "no-code");
  CHECK(ask(*p, "tool.execute", "mcpx", "guest-1").allow);
  CHECK(ask(*p, "tool.execute", "code_execute", "guest").rule == "tools");
  CHECK(!ask(*p, "tool.catalog.update", "echo").allow);
  CHECK(ask(*p, "tool.catalog.update", "echo", "ann", "admin").allow);
  CHECK(!ask(*p, "tool.catalog.update", "echo", "ann", "").allow);
  CHECK(!p->decide_now({"other", "ann", "user", "tool.execute", "echo"}).allow);
}

TEST_CASE("policy: a role that is not known fits denials, and no permission") {
  const auto p = rules(R"(
[[rule]]
id = "no-users"
effect = "deny"
actions = ["tool.execute"]
resources = ["a"]
roles = ["user"]
[[rule]]
id = "admins"
effect = "allow"
actions = ["tool.execute"]
resources = ["b"]
roles = ["admin"]
[[rule]]
id = "rest"
effect = "allow"
actions = ["tool.execute"]
resources = ["a"]
)");
  CHECK(ask(*p, "tool.execute", "a", "ann", "").rule == "no-users");
  CHECK(ask(*p, "tool.execute", "a", "ann", "admin").rule == "rest");
  CHECK(ask(*p, "tool.execute", "b", "ann", "").rule == "default");
}

TEST_CASE("policy: a file that says what it cannot mean is refused by name") {
  struct row {
    const char *toml, *named;
  };
  const row rows[] = {
      {"[[rule]]\nid='a'\neffect='allow'", "actions is missing"},
      {"[[rule]]\neffect='allow'\nactions=['x']", "id is missing"},
      {"[[rule]]\nid='a'\neffect='maybe'\nactions=['x']", "effect"},
      {"[[rule]]\nid='a'\neffect='deny'\nactions=['x']\nuser=['y']", "user is no member"},
      {"[[rule]]\nid='a'\neffect='deny'\nactions=['x']\nusers=[]", "users"},
      {"[[rule]]\nid='a'\neffect='deny'\nactions='x'", "actions"},
      {"[[rule]]\nid='a'\neffect='allow'\nactions=['x']\n[[rule]]\nid='a'\neffect='deny'"
       "\nactions=['x']",
       "twice"},
      {"[rules]\nid='a'", "rules"},
      {"[[rule]", "line 1"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.toml);
    const auto made = make_rules_policy(r.toml);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == codes::config_invalid);
    CHECK(made.error().detail.find(r.named) != std::string::npos);
  }
}
