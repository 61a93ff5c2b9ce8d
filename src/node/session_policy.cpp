#include "node/session_policy.hpp"

#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "core/json_text.hpp"

namespace soma {
namespace {

namespace json = boost::json;

security::policy_input question(const asker& who, std::string_view action,
                                std::string_view resource, bool stale) {
  security::policy_input asked{who.tenant.value, who.user, who.was.role, action, resource};
  asked.session = who.session;
  asked.groups = who.was.groups;
  asked.key_id = who.was.key_id;
  asked.door = who.was.door;
  asked.request_id = who.request_id;
  asked.stale = stale;
  return asked;
}

struct wish {
  std::string action, resource;
};

// What a call of a tool is: its running, and what it does to other things.
std::vector<wish> wishes_of(std::string_view tool_id, const json::object& inputs) {
  std::vector<wish> all{{"tool.execute", std::string(tool_id)}};
  if (tool_id == "memory_save") all.push_back({"memory.write", {}});
  if (tool_id == "memory_recall") all.push_back({"memory.read", {}});
  if (tool_id == "memory_forget") all.push_back({"memory.delete", text_of(inputs, "memory_id")});
  if (tool_id != "document_ingest") return all;
  if (!inputs.contains("attachment_id")) return all;
  const auto* remember = inputs.if_contains("remember");
  if (remember && remember->is_bool() && remember->get_bool()) all.push_back({"memory.write", {}});
  all.push_back({"attachment.read", text_of(inputs, "attachment_id")});
  return all;
}

// The first refusal counts; what somebody denies, before what nobody could be asked.
tools::verdict verdict_of(std::vector<security::decision>& said) {
  const security::decision* away = nullptr;
  for (const auto& one : said) {
    if (one.unavailable)
      away = away ? away : &one;
    else if (!one.allow)
      return {false, one.rule, one.reason, false};
  }
  if (away) return {false, away->rule, away->reason, true};
  return {true, said.front().rule, {}, false};
}

}  // namespace

actor_then read_actor(std::string_view text) {
  actor_then out;
  boost::system::error_code ec;
  const auto value = json::parse({text.data(), text.size()}, ec);
  if (ec || !value.is_object()) return out;
  const auto& members = value.get_object();
  out.role = text_of(members, "role");
  out.key_id = text_of(members, "key_id");
  out.door = text_of(members, "door");
  if (const auto* groups = members.if_contains("groups"); groups && groups->is_array())
    for (const auto& one : groups->get_array())
      if (one.is_string()) out.groups.emplace_back(std::string_view(one.get_string()));
  return out;
}

// Has what its questions point to.
struct session_policy::asking {
  asker who;
  std::vector<wish> wishes;
  std::vector<security::policy_input> asked;
  std::vector<security::decision> answers;
  tools::runner_parts::judged then;

  void end() { then(verdict_of(answers)); }

  static void begin(const std::shared_ptr<asking>& a, const security::policy& policy, bool stale) {
    for (const auto& one : a->wishes)
      a->asked.push_back(question(a->who, one.action, one.resource, stale));
    a->answers.resize(a->asked.size());
    if (policy.decide(a->asked, a->answers, [a] { a->end(); })) a->end();
  }
};

void session_policy::judge(const tools::tool_caller& who, std::string_view tool_id,
                           const json::object& inputs, tools::runner_parts::judged then) const {
  auto a = std::make_shared<asking>();
  a->who = {who.session.tenant, who.user_id, who.session.session.value, who.request_id,
            read_actor(who.actor_json)};
  a->wishes = wishes_of(tool_id, inputs);
  a->then = std::move(then);
  if (!policy_.wants_standing()) return asking::begin(a, policy_, false);
  auto look = [this, a] { asking::begin(a, policy_, has_left_(a->who)); };
  if (!quick_.post(app::turn_of(a->who.tenant), std::move(look)))
    a->then({false, "policy", "much waits for the store already", true});
}

// Has what its questions point to.
struct session_policy::leaving_asking {
  asker who;
  security::pii::leaving what;
  std::vector<security::counted_kind> found;
  std::vector<security::policy_input> asked;
  std::vector<security::decision> answers;
  security::pii::egress_guard::told then;

  static void begin(const std::shared_ptr<leaving_asking>& a, const security::policy& policy,
                    bool stale) {
    for (const auto& place : a->what.to) {
      auto one = question(a->who, "egress.pii", place, stale);
      one.found = a->found;
      a->asked.push_back(one);
    }
    a->answers.resize(a->asked.size());
    const auto end = [a] { a->then(std::move(a->answers)); };
    if (policy.decide(a->asked, a->answers, end)) end();
  }
};

void session_policy::judge_leaving(security::pii::leaving what,
                                   security::pii::egress_guard::told then) const {
  auto a = std::make_shared<leaving_asking>();
  a->what = std::move(what);
  a->who = {tenant_id(a->what.tenant), a->what.user, a->what.session, a->what.request_id,
            read_actor(a->what.actor_json)};
  for (std::size_t i = 0; i < security::pii::kinds; ++i)
    if (a->what.found[i] > 0)
      a->found.push_back(
          {to_string(static_cast<security::pii::kind>(i)), std::uint64_t{a->what.found[i]}});
  a->then = std::move(then);
  // Where nobody was at a door, nobody can have left.
  if (!policy_.wants_standing() || a->what.actor_json.empty())
    return leaving_asking::begin(a, policy_, false);
  auto look = [this, a] { leaving_asking::begin(a, policy_, has_left_(a->who)); };
  if (!quick_.post(app::turn_of(a->who.tenant), std::move(look)))
    a->then(std::vector<security::decision>(
        a->what.to.size(), {false, "policy", "much waits for the store already", true}));
}

std::vector<bool> session_policy::may_read(asker who,
                                           const std::vector<std::string>& attachments) const {
  const bool stale = policy_.wants_standing() && has_left_(who);
  std::vector<security::policy_input> asked;
  for (const auto& id : attachments) asked.push_back(question(who, "attachment.read", id, stale));
  std::vector<security::decision> answers(asked.size());
  policy_.decide_waiting(asked, answers);
  std::vector<bool> out;
  for (const auto& one : answers) out.push_back(one.allow);
  return out;
}

}  // namespace soma
