#include "security/secrets/credential_vault.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "security/digest.hpp"
#include "security/secrets/sealed_text.hpp"

namespace soma::security {
namespace {

constexpr std::string_view collection = "credentials";
constexpr std::size_t data_key_bytes = 32, fingerprint_chars = 16;

std::string row_key(const tenant_id& tenant, std::string_view provider) {
  return tenant.value + '\n' + std::string(provider);
}

std::string bound_to(const tenant_id& tenant, std::string_view provider) {
  return "credential\n" + row_key(tenant, provider);
}

// Which key sealed a row: tells keys apart and nothing of them.
std::string key_id(const secret_string& key) {
  return hex(bytes_of(sha256("soma key id\n" + std::string(key.reveal())))).substr(0, 16);
}

error no_key() {
  return {codes::secret_key_missing, "no secret is stored while GATEWAY_ENC_KEY is not set"};
}

}  // namespace

struct credential_vault::row {
  std::string key_id, data_key, secret;  // the latter two sealed
  credential_view view;

  std::string to_json() const {
    std::string out;
    json_writer w(out);
    w.begin_object().field("key_id", key_id).field("data_key", data_key).field("secret", secret);
    w.field("provider", view.provider).field("fingerprint", view.fingerprint);
    w.field("created_at_ms", static_cast<std::uint64_t>(view.created_at_ms));
    w.field("updated_at_ms", static_cast<std::uint64_t>(view.updated_at_ms)).end_object();
    return out;
  }
};

std::optional<credential_vault::row> credential_vault::parse(std::string_view document) {
  boost::system::error_code ec;
  const auto value = boost::json::parse({document.data(), document.size()}, ec);
  if (ec || !value.is_object()) return std::nullopt;
  const auto& o = value.get_object();
  const auto text = [&](const char* name) {
    const auto* member = o.if_contains(name);
    return member && member->is_string() ? std::string(member->get_string()) : std::string();
  };
  const auto number = [&](const char* name) {
    const auto* member = o.if_contains(name);
    return member && member->is_int64() ? member->get_int64() : 0;
  };
  row r{text("key_id"),
        text("data_key"),
        text("secret"),
        {text("provider"), text("fingerprint"), number("created_at_ms"), number("updated_at_ms")}};
  if (r.data_key.empty() || r.secret.empty()) return std::nullopt;
  return r;
}

credential_vault::credential_vault(document_store& store, std::vector<secret_string> keys)
    : store_(store), keys_(std::make_shared<const key_list>(std::move(keys))) {}
credential_vault::~credential_vault() = default;

result<void> credential_vault::load() {
  const std::lock_guard one_at_a_time(change_mutex_);
  auto stored = store_.list(collection);
  if (!stored) return stored.error();
  std::map<std::string, std::shared_ptr<const row>> all;
  for (const auto& [key, document] : *stored) {
    auto r = parse(document);
    if (!r) return error(codes::storage_corrupt, "a stored credential cannot be read");
    all.emplace(key, std::make_shared<const row>(std::move(*r)));
  }
  const std::lock_guard lock(mutex_);
  rows_ = std::move(all);
  return {};
}

std::shared_ptr<const credential_vault::row> credential_vault::find(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto at = rows_.find(key);
  return at == rows_.end() ? nullptr : at->second;
}

std::map<std::string, std::shared_ptr<const credential_vault::row>> credential_vault::rows() const {
  std::lock_guard lock(mutex_);
  return rows_;
}

std::shared_ptr<const credential_vault::key_list> credential_vault::keys() const {
  std::lock_guard lock(mutex_);
  return keys_;
}

result<void> credential_vault::store(const std::string& key, row r) {
  if (auto stored = store_.put(collection, key, r.to_json()); !stored) return stored;
  auto kept = std::make_shared<const row>(std::move(r));
  std::lock_guard lock(mutex_);
  rows_.insert_or_assign(key, std::move(kept));
  return {};
}

result<credential_view> credential_vault::put(const tenant_id& tenant, std::string_view provider,
                                              const secret_string& secret, std::int64_t now_ms) {
  const std::lock_guard one_at_a_time(change_mutex_);
  const auto with = keys();
  if (with->empty()) return no_key();
  const auto key = row_key(tenant, provider);
  const auto old = find(key);
  const auto place = bound_to(tenant, provider);
  const secret_string data_key(random_bytes(data_key_bytes));
  row r;
  r.key_id = key_id(with->front());
  r.data_key = seal(with->front(), place + "\ndata key", data_key.reveal());
  r.secret = seal(data_key, place, secret.reveal());
  r.view.provider = provider;
  r.view.fingerprint =
      hex(bytes_of(hmac_sha256(data_key.reveal(), secret.reveal()))).substr(0, fingerprint_chars);
  r.view.created_at_ms = old ? old->view.created_at_ms : now_ms;
  r.view.updated_at_ms = now_ms;
  auto view = r.view;
  if (auto stored = store(key, std::move(r)); !stored) return stored.error();
  return view;
}

result<secret_string> credential_vault::open_data_key(const key_list& keys, const row& r,
                                                      std::string_view place) {
  for (const auto& key : keys) {
    if (key_id(key) != r.key_id) continue;
    return unseal(key, std::string(place) + "\ndata key", r.data_key);
  }
  return error(codes::secret_key_wrong,
               "the secret was sealed under a key that the server was not given");
}

result<std::optional<secret_string>> credential_vault::open(const tenant_id& tenant,
                                                            std::string_view provider) const {
  const auto found = find(row_key(tenant, provider));
  if (!found) return std::optional<secret_string>();
  const auto with = keys();
  if (with->empty()) return no_key();
  const auto place = bound_to(tenant, provider);
  auto data_key = open_data_key(*with, *found, place);
  if (!data_key) return data_key.error();
  auto secret = unseal(*data_key, place, found->secret);
  if (!secret) return secret.error();
  return std::optional(std::move(*secret));
}

std::optional<credential_view> credential_vault::view(const tenant_id& tenant,
                                                      std::string_view provider) const {
  const auto found = find(row_key(tenant, provider));
  return found ? std::optional(found->view) : std::nullopt;
}

std::vector<credential_view> credential_vault::list(const tenant_id& tenant) const {
  std::vector<credential_view> views;
  const auto prefix = row_key(tenant, "");
  std::lock_guard lock(mutex_);
  for (auto at = rows_.lower_bound(prefix); at != rows_.end() && at->first.starts_with(prefix);
       ++at)
    views.push_back(at->second->view);
  return views;
}

result<void> credential_vault::remove(const tenant_id& tenant, std::string_view provider) {
  const std::lock_guard one_at_a_time(change_mutex_);
  const auto key = row_key(tenant, provider);
  if (auto removed = store_.remove(collection, key); !removed) return removed;
  std::lock_guard lock(mutex_);
  rows_.erase(key);
  return {};
}

result<credential_vault::rotation> credential_vault::rotate(std::vector<secret_string> keys) {
  const std::lock_guard one_at_a_time(change_mutex_);
  if (keys.empty()) return no_key();
  const auto with = std::make_shared<const key_list>(std::move(keys));
  {
    std::lock_guard lock(mutex_);
    keys_ = with;
  }
  rotation done;
  const auto newest = key_id(with->front());
  for (const auto& [key, r] : rows()) {
    if (r->key_id == newest) {
      ++done.kept;
      continue;
    }
    const auto place = "credential\n" + key;
    auto data_key = open_data_key(*with, *r, place);
    if (!data_key) {
      ++done.lost;
      continue;
    }
    auto changed = *r;
    changed.key_id = newest;
    changed.data_key = seal(with->front(), place + "\ndata key", data_key->reveal());
    if (auto stored = store(key, std::move(changed)); !stored) return stored.error();
    ++done.sealed_anew;
  }
  return done;
}

std::size_t credential_vault::unreadable() const {
  const auto with = keys();
  std::size_t count = 0;
  for (const auto& [key, r] : rows()) count += !open_data_key(*with, *r, "credential\n" + key);
  return count;
}

}  // namespace soma::security
