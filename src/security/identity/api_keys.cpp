#include "security/identity/api_keys.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <exception>
#include <tuple>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/uuid.hpp"
#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::string_view collection = "keys";
constexpr std::string_view scheme = "soma_";
constexpr std::size_t id_chars = 32;  // a UUID without its dashes
constexpr std::size_t shown_id_chars = 8;
constexpr std::size_t secret_chars = 43;

error invalid() {
  return {codes::auth_invalid, "the key is unknown, expired or revoked"};
}

std::string without_dashes(std::string id) {
  id.erase(std::remove(id.begin(), id.end(), '-'), id.end());
  return id;
}

std::string prefix_of(const std::string& id) {
  return std::string(scheme) + id.substr(0, shown_id_chars);
}

// The id inside a well-formed key; empty otherwise. The store is asked for nothing else.
std::string id_of(std::string_view text) {
  if (text.size() != scheme.size() + id_chars + 1 + secret_chars ||
      text.substr(0, scheme.size()) != scheme || text[scheme.size() + id_chars] != '_')
    return {};
  std::string id(text.substr(scheme.size(), id_chars));
  for (const std::size_t dash : {8, 13, 18, 23}) id.insert(dash, 1, '-');
  return is_uuid(id) ? id : std::string();
}

}  // namespace

struct key_store::stored {
  api_key key;
  std::string hash;  // hex
};

key_store::key_store(document_store& documents, const secret_string& server_key)
    : documents_(documents),
      key_(std::string(bytes_of(hmac_sha256(server_key.reveal(), "soma api key v1")))) {}

std::string key_store::hash(std::string_view text) const {
  return hex(bytes_of(hmac_sha256(key_.reveal(), text)));
}

namespace {

template <class Stored>
result<Stored> parse(std::string_view json) {
  const error corrupt(codes::storage_corrupt, "an API key's document cannot be read");
  boost::json::error_code ec;
  const auto value = boost::json::parse({json.data(), json.size()}, ec);
  if (ec) return corrupt;
  try {
    auto text = [&](const char* name) { return std::string(value.at(name).as_string().c_str()); };
    auto time = [&](const char* name) { return value.at(name).template to_number<std::int64_t>(); };
    Stored s;
    s.key.id = text("id");
    s.key.prefix = prefix_of(s.key.id);
    s.key.name = text("name");
    const auto role_name = text("role");
    if (role_name != "admin" && role_name != "user") return corrupt;
    s.key.role = role_name == "admin" ? role::admin : role::user;
    s.key.tenant.value = text("tenant");
    s.key.user.value = text("user");
    s.key.created_at_ms = time("created_at_ms");
    s.key.last_used_at_ms = time("last_used_at_ms");
    s.key.expires_at_ms = time("expires_at_ms");
    s.hash = text("hash");
    if (s.key.tenant.empty() || s.key.user.empty() || s.hash.size() != 64) return corrupt;
    return s;
  } catch (const std::exception&) {
    return corrupt;
  }
}

}  // namespace

result<std::optional<key_store::stored>> key_store::read(std::string_view id) const {
  const auto document = documents_.get(collection, id);
  if (!document) return document.error();
  if (!*document) return std::optional<stored>{};
  auto s = parse<stored>(**document);
  if (!s) return s.error();
  return std::optional<stored>(std::move(*s));
}

document_row key_store::row_of(const stored& s) {
  std::string json;
  json_writer w(json);
  w.begin_object().field("id", s.key.id).field("name", s.key.name);
  w.field("role", to_string(s.key.role)).field("tenant", s.key.tenant.value);
  w.field("user", s.key.user.value).field("hash", s.hash);
  w.field("created_at_ms", static_cast<std::uint64_t>(s.key.created_at_ms));
  w.field("last_used_at_ms", static_cast<std::uint64_t>(s.key.last_used_at_ms));
  w.field("expires_at_ms", static_cast<std::uint64_t>(s.key.expires_at_ms)).end_object();
  return {std::string(collection), s.key.id, std::move(json)};
}

result<void> key_store::write(const stored& s) {
  const auto row = row_of(s);
  return documents_.put(row.collection, row.key, row.document);
}

result<made_api_key> key_store::create(const new_api_key& wanted, std::int64_t now_ms,
                                       const keeper& keep) {
  const std::lock_guard lock(change_);
  stored s;
  s.key.name = wanted.name;
  s.key.role = wanted.role;
  s.key.tenant = wanted.tenant;
  s.key.user = wanted.user;
  s.key.created_at_ms = now_ms;
  s.key.expires_at_ms = wanted.expires_at_ms;
  s.key.id = new_uuid();
  s.key.prefix = prefix_of(s.key.id);
  std::string text =
      std::string(scheme) + without_dashes(s.key.id) + "_" + base64url(random_bytes(32));
  s.hash = hash(text);
  const auto done = keep ? keep(s.key, row_of(s)) : write(s);
  if (!done) return done.error();
  return made_api_key{s.key, secret_string(std::move(text))};
}

result<std::vector<api_key>> key_store::list(const tenant_id& tenant) const {
  const auto documents = documents_.list(collection);
  if (!documents) return documents.error();
  std::vector<api_key> keys;
  for (const auto& [id, json] : *documents) {
    auto s = parse<stored>(json);
    if (!s) return s.error();
    if (s->key.tenant == tenant) keys.push_back(std::move(s->key));
  }
  std::sort(keys.begin(), keys.end(), [](const api_key& a, const api_key& b) {
    return std::tie(a.created_at_ms, a.id) < std::tie(b.created_at_ms, b.id);
  });
  return keys;
}

result<void> key_store::remove(const tenant_id& tenant, std::string_view id) {
  const std::lock_guard lock(change_);
  const auto s = read(id);
  if (!s) return s.error();
  if (!*s || (*s)->key.tenant != tenant)
    return error(codes::key_not_found, "no such key in this tenant");
  return documents_.remove(collection, id);
}

result<api_key> key_store::verify(std::string_view text, std::int64_t now_ms) const {
  const auto id = id_of(text);
  if (id.empty()) return invalid();
  auto s = read(id);
  if (!s) return s.error();
  if (!*s || !constant_time_equal((*s)->hash, hash(text))) return invalid();
  const auto expires = (*s)->key.expires_at_ms;
  if (expires != 0 && now_ms >= expires) return invalid();
  return std::move((*s)->key);
}

result<api_key> key_store::find(std::string_view id, std::int64_t now_ms) const {
  auto s = read(id);
  if (!s) return s.error();
  if (!*s || ((*s)->key.expires_at_ms != 0 && now_ms >= (*s)->key.expires_at_ms)) return invalid();
  return std::move((*s)->key);
}

result<void> key_store::touch(const api_key& used, std::int64_t now_ms) {
  if (now_ms - used.last_used_at_ms < last_used_step_ms) return {};
  const std::lock_guard lock(change_);
  const auto there = documents_.get(collection, used.id);
  if (!there) return there.error();
  if (!*there) return {};
  auto s = parse<stored>(**there);
  if (!s) return s.error();
  s->key.last_used_at_ms = now_ms;
  // One that was taken back meanwhile stays so.
  const auto row = row_of(*s);
  const auto done = documents_.replace(row.collection, row.key, **there, row.document);
  return done ? result<void>() : done.error();
}

}  // namespace soma::security
