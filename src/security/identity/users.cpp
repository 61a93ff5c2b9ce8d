#include "security/identity/users.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <exception>
#include <mutex>

#include "core/codes.hpp"
#include "core/json_writer.hpp"

namespace soma::security {
namespace {

constexpr std::string_view collection = "users";
constexpr int alter_tries_max = 8;

std::string key_of(const tenant_id& tenant, const user_id& user) {
  return tenant.value + '\n' + user.value;
}

result<user_record> parse(std::string_view json) {
  const error corrupt(codes::storage_corrupt, "a user's document cannot be read");
  boost::json::error_code ec;
  const auto value = boost::json::parse({json.data(), json.size()}, ec);
  if (ec) return corrupt;
  try {
    auto text = [&](const char* name) { return std::string(value.at(name).as_string().c_str()); };
    user_record one;
    one.tenant.value = text("tenant");
    one.user.value = text("user");
    one.disabled = value.at("disabled").as_bool();
    const auto role_name = text("role");
    if (role_name == "admin") one.role = role::admin;
    if (role_name == "user") one.role = role::user;
    if (!role_name.empty() && !one.role) return corrupt;
    one.last_seen_at_ms = value.at("last_seen_at_ms").to_number<std::int64_t>();
    if (one.tenant.empty() || one.user.empty()) return corrupt;
    return one;
  } catch (const std::exception&) {
    return corrupt;
  }
}

}  // namespace

result<user_record> user_store::find(const tenant_id& tenant, const user_id& user) const {
  const auto document = documents_.get(collection, key_of(tenant, user));
  if (!document) return document.error();
  if (*document) return parse(**document);
  user_record none;
  none.tenant = tenant;
  none.user = user;
  return none;
}

result<std::vector<user_record>> user_store::list(const tenant_id& tenant) const {
  const auto documents = documents_.list(collection);
  if (!documents) return documents.error();
  std::vector<user_record> all;
  for (const auto& [key, json] : *documents) {
    auto one = parse(json);
    if (!one) return one.error();
    if (one->tenant == tenant) all.push_back(std::move(*one));
  }
  std::sort(all.begin(), all.end(),
            [](const user_record& a, const user_record& b) { return a.user < b.user; });
  return all;
}

// Other processes may have the same documents: whoever is faster is read again.
result<user_record> user_store::alter(const tenant_id& tenant, const user_id& user,
                                      const std::function<void(user_record&)>& how) {
  const std::lock_guard lock(change_);
  const auto key = key_of(tenant, user);
  for (int tries = 0; tries < alter_tries_max; ++tries) {
    const auto read = documents_.get(collection, key);
    if (!read) return read.error();
    auto one = *read ? parse(**read) : result<user_record>(user_record{tenant, user});
    if (!one) return one;
    how(*one);
    std::string json;
    json_writer w(json);
    w.begin_object().field("tenant", one->tenant.value).field("user", one->user.value);
    w.field_bool("disabled", one->disabled).field("role", one->role ? to_string(*one->role) : "");
    w.field("last_seen_at_ms", static_cast<std::uint64_t>(one->last_seen_at_ms)).end_object();
    if (!*read) {
      if (auto put = documents_.put(collection, key, json); !put) return put.error();
      return one;
    }
    const auto replaced = documents_.replace(collection, key, **read, json);
    if (!replaced) return replaced.error();
    if (*replaced) return one;
  }
  return error(codes::server_busy, "others keep changing the user", 1);
}

result<user_record> user_store::change(const tenant_id& tenant, const user_id& user,
                                       const user_change& what) {
  return alter(tenant, user, [&](user_record& one) {
    if (what.disabled) one.disabled = *what.disabled;
    if (what.role) one.role = *what.role;
  });
}

result<void> user_store::touch(const user_record& seen, std::int64_t now_ms) {
  if (now_ms - seen.last_seen_at_ms < seen_step_ms) return {};
  const auto done =
      alter(seen.tenant, seen.user, [&](user_record& one) { one.last_seen_at_ms = now_ms; });
  return done ? result<void>() : done.error();
}

}  // namespace soma::security
