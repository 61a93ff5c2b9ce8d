#include "security/identity/browser_sessions.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <exception>
#include <tuple>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::string_view collection = "browser_sessions";
constexpr std::size_t token_chars = 43;  // 32 bytes as base64url

error invalid() {
  return {codes::auth_invalid, "the browser session is unknown or over"};
}

result<browser_session> parse(std::string_view json) {
  const error corrupt(codes::storage_corrupt, "a browser session's document cannot be read");
  boost::json::error_code ec;
  const auto value = boost::json::parse({json.data(), json.size()}, ec);
  if (ec) return corrupt;
  try {
    auto text = [&](const char* name) { return std::string(value.at(name).as_string().c_str()); };
    browser_session s;
    s.who.tenant.value = text("tenant");
    s.who.user.value = text("user");
    s.who.key_id = text("key_id");
    s.who.via = via::cookie;
    const auto role_name = text("role");
    if (role_name != "admin" && role_name != "user") return corrupt;
    s.who.role = role_name == "admin" ? role::admin : role::user;
    s.expires_at_ms = value.at("expires_at_ms").to_number<std::int64_t>();
    if (const auto* created = value.as_object().if_contains("created_at_ms"))
      s.created_at_ms = created->to_number<std::int64_t>();
    if (const auto* groups = value.as_object().if_contains("groups"))
      for (const auto& one : groups->as_array()) s.who.groups.emplace_back(one.as_string());
    if (const auto* by = value.as_object().if_contains("provider")) {
      const auto& members = by->as_object();
      s.provider = provider_part{text_of(members, "issuer"), text_of(members, "subject"),
                                 text_of(members, "session"), text_of(members, "sealed"),
                                 members.at("asked_at_ms").to_number<std::int64_t>()};
    }
    if (s.who.tenant.empty() || s.who.user.empty()) return corrupt;
    return s;
  } catch (const std::exception&) {
    return corrupt;
  }
}

std::string document_of(const browser_session& s) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("tenant", s.who.tenant.value).field("user", s.who.user.value);
  w.field("role", to_string(s.who.role)).field("key_id", s.who.key_id);
  w.field("created_at_ms", static_cast<std::uint64_t>(s.created_at_ms));
  w.field("expires_at_ms", static_cast<std::uint64_t>(s.expires_at_ms));
  if (!s.who.groups.empty()) {
    w.key("groups").begin_array();
    for (const auto& one : s.who.groups) w.string(one);
    w.end_array();
  }
  if (s.provider) {
    w.key("provider").begin_object().field("issuer", s.provider->issuer);
    w.field("subject", s.provider->subject).field("session", s.provider->session);
    w.field("sealed", s.provider->sealed);
    w.field("asked_at_ms", static_cast<std::uint64_t>(s.provider->asked_at_ms)).end_object();
  }
  w.end_object();
  return out;
}

std::string attributes(bool secure) {
  return std::string("; Path=/; HttpOnly; SameSite=Strict") + (secure ? "; Secure" : "");
}

}  // namespace

std::string_view cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const auto end = std::min(header.find(';'), header.size());
    auto pair = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    while (!pair.empty() && (pair.front() == ' ' || pair.front() == '\t')) pair.remove_prefix(1);
    while (!pair.empty() && (pair.back() == ' ' || pair.back() == '\t')) pair.remove_suffix(1);
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name)
      return pair.substr(equals + 1);
  }
  return {};
}

browser_sessions::browser_sessions(document_store& documents, const secret_string& server_key,
                                   std::int64_t ttl_ms)
    : documents_(documents),
      key_(std::string(bytes_of(hmac_sha256(server_key.reveal(), "soma browser session v1")))),
      cookie_name_(std::string(plain_cookie_name) + '_' +
                   hex(bytes_of(hmac_sha256(key_.reveal(), "cookie name"))).substr(0, 8)),
      ttl_ms_(ttl_ms) {}

std::string browser_sessions::id_of(std::string_view token) const {
  return hex(bytes_of(hmac_sha256(key_.reveal(), token)));
}

result<secret_string> browser_sessions::put(browser_session fresh, std::int64_t ttl_ms,
                                            std::int64_t now_ms) {
  fresh.created_at_ms = now_ms;
  fresh.expires_at_ms = now_ms + ttl_ms;
  std::string token = base64url(random_bytes(32));
  if (const auto done = documents_.put(collection, id_of(token), document_of(fresh)); !done)
    return done.error();
  return secret_string(std::move(token));
}

result<secret_string> browser_sessions::open(const identity& who, std::int64_t now_ms) {
  browser_session fresh;
  fresh.who = who;
  return put(std::move(fresh), ttl_ms_, now_ms);
}

result<secret_string> browser_sessions::open(const identity& who, const provider_part& by,
                                             std::int64_t ttl_ms, std::int64_t now_ms) {
  browser_session fresh;
  fresh.who = who;
  fresh.provider = by;
  return put(std::move(fresh), std::min(ttl_ms, ttl_ms_), now_ms);
}

result<void> browser_sessions::renew(std::string_view id, const provider_part& by,
                                     std::int64_t now_ms) {
  const auto read = documents_.get(collection, id);
  if (!read) return read.error();
  if (!*read) return {};
  auto there = parse(**read);
  if (!there) return there.error();
  if (now_ms >= there->expires_at_ms) return {};
  there->provider = by;
  // One that was ended meanwhile stays so.
  const auto done = documents_.replace(collection, id, **read, document_of(*there));
  return done ? result<void>() : done.error();
}

result<std::vector<browser_session>> browser_sessions::list_of_providers(
    std::int64_t now_ms) const {
  const auto documents = documents_.list(collection);
  if (!documents) return documents.error();
  std::vector<browser_session> all;
  for (const auto& [id, json] : *documents) {
    auto s = parse(json);
    if (!s) return s.error();
    if (!s->provider || now_ms >= s->expires_at_ms) continue;
    s->who.cookie_hash = id;
    all.push_back(std::move(*s));
  }
  return all;
}

result<browser_session> browser_sessions::find(std::string_view token, std::int64_t now_ms) const {
  if (token.size() != token_chars) return invalid();
  return find_id(id_of(token), now_ms);
}

result<browser_session> browser_sessions::find_id(std::string_view id, std::int64_t now_ms) const {
  const auto document = documents_.get(collection, id);
  if (!document) return document.error();
  if (!*document) return invalid();
  auto s = parse(**document);
  if (s && now_ms >= s->expires_at_ms) return invalid();
  if (s) s->who.cookie_hash = id;
  return s;
}

result<void> browser_sessions::close(std::string_view token) {
  return documents_.remove(collection, id_of(token));
}

result<std::vector<browser_session>> browser_sessions::list(const tenant_id& tenant,
                                                            const user_id* user,
                                                            std::int64_t now_ms) const {
  const auto documents = documents_.list(collection);
  if (!documents) return documents.error();
  std::vector<browser_session> all;
  for (const auto& [id, json] : *documents) {
    auto s = parse(json);
    if (!s) return s.error();
    if (s->who.tenant != tenant || (user && s->who.user != *user) || now_ms >= s->expires_at_ms)
      continue;
    s->who.cookie_hash = id;
    all.push_back(std::move(*s));
  }
  std::sort(all.begin(), all.end(), [](const browser_session& a, const browser_session& b) {
    return std::tie(b.expires_at_ms, a.who.cookie_hash) <
           std::tie(a.expires_at_ms, b.who.cookie_hash);
  });
  return all;
}

result<void> browser_sessions::close_of(const tenant_id& tenant, const user_id& user,
                                        std::string_view id) {
  const error none(codes::sign_in_not_found, "you have no such sign-in");
  const auto document = documents_.get(collection, id);
  if (!document) return document.error();
  if (!*document) return none;
  const auto s = parse(**document);
  if (!s) return s.error();
  if (s->who.tenant != tenant || s->who.user != user) return none;
  return documents_.remove(collection, id);
}

result<std::size_t> browser_sessions::sweep(std::int64_t now_ms) {
  const auto documents = documents_.list(collection);
  if (!documents) return documents.error();
  std::size_t swept = 0;
  for (const auto& [id, json] : *documents) {
    const auto s = parse(json);
    if (s && now_ms < s->expires_at_ms) continue;
    if (const auto done = documents_.remove(collection, id); !done) return done.error();
    ++swept;
  }
  return swept;
}

std::string browser_sessions::set_cookie(const secret_string& token, bool secure) const {
  return cookie_name_ + "=" + std::string(token.reveal()) + attributes(secure) +
         "; Max-Age=" + std::to_string(ttl_ms_ / 1000);
}

std::string browser_sessions::clear_cookie(std::string_view header, bool secure) const {
  const bool is_plain = cookie_value(header, cookie_name_).empty() &&
                        !cookie_value(header, plain_cookie_name).empty();
  return (is_plain ? std::string(plain_cookie_name) : cookie_name_) + "=" + attributes(secure) +
         "; Max-Age=0";
}

std::string_view browser_sessions::token_in(std::string_view header) const {
  const auto own = cookie_value(header, cookie_name_);
  return own.empty() ? cookie_value(header, plain_cookie_name) : own;
}

}  // namespace soma::security
