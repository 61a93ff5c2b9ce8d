#include "security/policy/question.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "core/json_writer.hpp"
#include "core/time.hpp"

namespace soma::security {
namespace {

using named = std::pair<std::string_view, std::string_view>;

constexpr named types[] = {
    {"conversation.", "session"}, {"session.", "session"},           {"workdir.", "session"},
    {"feedback.", "session"},     {"tool.catalog.", "tool_catalog"}, {"tool.", "tool"},
    {"mcp.", "mcp_server"},       {"profile.", "model_profile"},     {"llm.", "model"},
    {"dlq.", "dead_letter"},
};

// Others than those that have a secret in their bodies may be kept (app/operations.cpp).
constexpr std::string_view never_kept[] = {"credential.update", "key.manage", "mcp.update",
                                           "settings.update"};

void append_part(std::string& key, std::string_view part) {
  key.append(std::to_string(part.size())).push_back(':');
  key.append(part);
}

}  // namespace

std::string_view resource_type(std::string_view action) {
  for (const auto& [prefix, type] : types)
    if (action.starts_with(prefix)) return type;
  return action.substr(0, action.find('.'));
}

std::string input_json(const policy_input& asked, std::int64_t now_ms) {
  std::string out;
  out.reserve(512);
  json_writer w(out);
  w.begin_object().field("tenant", asked.tenant).key("user").begin_object();
  w.field("id", asked.user).field("role", asked.role).key("groups").begin_array();
  for (const auto& group : asked.groups) w.string(group);
  w.end_array().end_object().field("action", asked.action);
  w.key("resource").begin_object().field("type", resource_type(asked.action));
  w.field_if("id", asked.resource);
  if (asked.owner) w.field("owner", *asked.owner);
  const auto session =
      resource_type(asked.action) == "session" ? asked.resource : std::string_view(asked.session);
  w.field_if("session_id", session);
  if (asked.shared) {
    w.field("visibility", visibility_name(*asked.shared)).key("shared_with").begin_array();
    for (const auto& user : asked.shared->users) w.string(user);
    w.end_array();
  }
  if (!asked.found.empty()) {
    w.key("found").begin_object();
    for (const auto& one : asked.found) w.field(one.kind, one.count);
    w.end_object();
  }
  w.end_object().key("context").begin_object();
  w.field_if("request_id", asked.request_id).field_if("door", asked.door);
  w.field_if("key_id", asked.key_id).field("time", format_rfc3339(now_ms));
  w.field_bool("caller_is_stale", asked.stale).end_object().end_object();
  return out;
}

std::string question_key(const policy_input& asked) {
  std::string key;
  key.reserve(192);
  for (const auto part : {asked.tenant, asked.user, asked.role, asked.action, asked.resource,
                          asked.session, asked.key_id, asked.door})
    append_part(key, part);
  key.push_back(asked.stale ? 's' : '-');
  key.push_back(asked.owner ? 'o' : '-');
  if (asked.owner) append_part(key, *asked.owner);
  for (const auto& group : asked.groups) append_part(key, group);
  key.push_back('f');
  for (const auto& one : asked.found) {
    append_part(key, one.kind);
    append_part(key, std::to_string(one.count));
  }
  if (asked.shared) {
    key.push_back(asked.shared->visible_to_tenant ? 't' : 'p');
    for (const auto& user : asked.shared->users) append_part(key, user);
  }
  return key;
}

bool is_kept(std::string_view action) {
  return std::find(std::begin(never_kept), std::end(never_kept), action) == std::end(never_kept);
}

}  // namespace soma::security
