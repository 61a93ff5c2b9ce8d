#include "http/net/relayed_caller.hpp"

#include <boost/json.hpp>

#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "security/digest.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;

std::string signature(std::string_view key, std::string_view payload, std::string_view method,
                      std::string_view target, std::string_view request_id) {
  std::string what;
  for (const auto part : {method, target, request_id, payload}) what.append(part).append("\n");
  return security::hex(security::bytes_of(security::hmac_sha256(key, what)));
}

app::role role_of(std::string_view name) {
  for (const auto one : {app::role::user, app::role::admin, app::role::internal})
    if (name == to_string(one)) return one;
  return app::role::anonymous;
}

std::int64_t number_of(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value && value->is_int64() ? value->get_int64() : 0;
}

// Null for what is none.
json::value payload_in(std::string_view header) {
  const auto payload = security::parse_base64url(header.substr(0, header.find('.')));
  if (!payload) return {};
  boost::system::error_code ec;
  auto value = json::parse(*payload, ec);
  return ec ? json::value() : value;
}

}  // namespace

std::string relay_key_of(std::string_view server_key) {
  return std::string(
      security::bytes_of(security::hmac_sha256(server_key, "soma request handed over v1")));
}

std::string write_relayed(std::string_view relay_key, const relayed_caller& what,
                          std::string_view method, std::string_view target,
                          std::string_view request_id) {
  std::string payload;
  json_writer w(payload);
  const auto& who = what.who;
  w.begin_object().field("tenant", who.tenant.value).field("user", who.user.value);
  w.field("role", to_string(who.role)).field("key_id", who.key_id);
  w.field_bool("cookie", who.is_cookie).field("cookie_hash", who.cookie_hash);
  w.key("groups").begin_array();
  for (const auto& group : who.groups) w.string(group);
  w.end_array().field("expires_at", who.expires_at_ms);
  w.field("door", to_string(who.door));
  w.field("peer", what.peer).field("node", what.node).field("at", what.at_ms);
  if (what.body_sha256) w.field("body", security::base64url(*what.body_sha256));
  w.end_object();
  const auto text = security::base64url(payload);
  return text + "." + signature(relay_key, text, method, target, request_id);
}

std::optional<relayed_caller> read_relayed(std::string_view relay_key, std::string_view header,
                                           std::string_view method, std::string_view target,
                                           std::string_view request_id, std::int64_t now_ms) {
  const auto dot = header.find('.');
  if (relay_key.empty() || dot == std::string_view::npos) return std::nullopt;
  const auto text = header.substr(0, dot);
  if (!security::constant_time_equal(signature(relay_key, text, method, target, request_id),
                                     header.substr(dot + 1)))
    return std::nullopt;
  const auto value = payload_in(header);
  const auto* from = value.if_object();
  if (!from) return std::nullopt;
  relayed_caller out;
  out.at_ms = number_of(*from, "at");
  if (out.at_ms > now_ms + relayed_age_ms_max || out.at_ms < now_ms - relayed_age_ms_max)
    return std::nullopt;
  out.who.tenant = tenant_id(text_of(*from, "tenant"));
  out.who.user = user_id(text_of(*from, "user"));
  out.who.role = role_of(text_of(*from, "role"));
  out.who.key_id = text_of(*from, "key_id");
  const auto* cookie = from->if_contains("cookie");
  out.who.is_cookie = cookie && cookie->is_bool() && cookie->get_bool();
  out.who.cookie_hash = text_of(*from, "cookie_hash");
  if (const auto* groups = from->if_contains("groups"); groups && groups->is_array())
    for (const auto& group : groups->get_array())
      if (group.is_string()) out.who.groups.emplace_back(group.get_string());
  if (text_of(*from, "door") == to_string(app::door::kafka)) out.who.door = app::door::kafka;
  out.who.expires_at_ms = number_of(*from, "expires_at");
  out.peer = text_of(*from, "peer");
  out.node = text_of(*from, "node");
  return out;
}

bool is_of_body(std::string_view header, std::string_view body, bool in_pieces) {
  const auto value = payload_in(header);
  const auto* from = value.if_object();
  if (!from) return false;
  const auto said = text_of(*from, "body");
  if (in_pieces || said.empty()) return in_pieces && said.empty();
  return said == security::base64url(security::bytes_of(security::sha256(body)));
}

}  // namespace soma::http
