#include "node/secrets.hpp"

#include <sys/stat.h>

#include <set>
#include <utility>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "observability/log.hpp"
#include "security/secrets/key_file.hpp"

namespace soma {
namespace {

// A file is replaced as a whole, so another one has another inode or time.
std::string version_of(const std::string& path) {
  struct stat info {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) return {};
  return std::to_string(info.st_ino) + ' ' + std::to_string(info.st_size) + ' ' +
         std::to_string(info.st_mtim.tv_sec) + ' ' + std::to_string(info.st_mtim.tv_nsec);
}

void record_rotation(security::audit_log& audit, const security::credential_vault::rotation& how) {
  std::string data;
  json_writer w(data);
  w.begin_object().field("sealed_anew", std::uint64_t{how.sealed_anew});
  w.field("kept", std::uint64_t{how.kept}).field("lost", std::uint64_t{how.lost}).end_object();
  security::audit_record r;
  r.what = "secrets.rotated";
  r.door = "node";
  r.outcome = "done";
  r.data_json = std::string_view(data).substr(1, data.size() - 2);
  audit.record(r);
}

}  // namespace

result<std::vector<secret_string>> encryption_keys(const config& settings) {
  const auto& file = settings.text("auth.enc_key_file");
  const auto& listed = settings.secret("auth.enc_key");
  if (file.empty()) return security::parse_encryption_keys(listed.reveal());
  if (!listed.empty())
    return error(codes::config_invalid, "auth.enc_key and auth.enc_key_file cannot both be set");
  return security::read_key_file(file);
}

namespace {

// Fingerprints by tenant.
constexpr std::string_view tenant_keys_collection = "tenant_keys";

result<security::tenant_keys_options> tenant_keys_options_of(const config& settings) {
  auto keys = encryption_keys(settings);
  if (!keys) return keys.error();
  security::tenant_keys_options options;
  options.folder = security::tenant_keys_folder(settings.text("storage.data_dir"));
  options.wraps = std::move(*keys);
  options.makes = settings.flag("storage.encrypt_events");
  return options;
}

}  // namespace

result<std::unique_ptr<security::tenant_keys>> open_tenant_keys(const config& settings) {
  auto options = tenant_keys_options_of(settings);
  if (!options) return options.error();
  return security::tenant_keys::open(std::move(*options));
}

result<std::unique_ptr<security::tenant_keys>> open_tenant_keys_to_erase(const config& settings) {
  security::tenant_keys_options options;
  options.folder = security::tenant_keys_folder(settings.text("storage.data_dir"));
  options.to_erase = true;
  return security::tenant_keys::open(std::move(options));
}

result<std::unique_ptr<security::tenant_keys>> open_tenant_keys(
    const config& settings, storage::document_store& documents) {
  auto options = tenant_keys_options_of(settings);
  if (!options) return options.error();
  options->on_made = [&documents](const tenant_id& tenant, std::string_view fingerprint) {
    return documents.put_document(tenant_keys_collection, tenant.value, fingerprint);
  };
  auto keys = security::tenant_keys::open(std::move(*options));
  if (!keys) return keys.error();
  std::set<std::string> noted;
  const auto check = [&](const std::string& tenant, const std::string& print) -> result<void> {
    noted.insert(tenant);
    return (*keys)->check(tenant_id(tenant), print);
  };
  auto checked = storage::each_document(documents, tenant_keys_collection, "", check);
  if (!checked) return checked.error();
  // A crash came between the key and its note, or the note was of a store that was given up.
  for (const auto& [tenant, print] : (*keys)->fingerprints())
    if (!noted.contains(tenant.value))
      if (auto put = documents.put_document(tenant_keys_collection, tenant.value, print); !put)
        return put.error();
  return keys;
}

node_secrets::node_secrets(const config& settings, security::document_store& documents,
                           security::audit_log& audit, security::tenant_keys& tenant_keys,
                           std::vector<secret_string> keys)
    : audit_(audit),
      key_file_(settings.text("auth.enc_key_file")),
      key_file_seen_(version_of(key_file_)),
      tenant_keys_(tenant_keys),
      vault_(documents, std::move(keys)) {}

result<std::unique_ptr<node_secrets>> node_secrets::open(const config& settings,
                                                         security::document_store& documents,
                                                         security::audit_log& audit,
                                                         security::tenant_keys& tenant_keys) {
  auto keys = encryption_keys(settings);
  if (!keys) return keys.error();
  auto older = keys->size() > 1 ? *keys : std::vector<secret_string>();
  std::unique_ptr<node_secrets> made(
      new node_secrets(settings, documents, audit, tenant_keys, std::move(*keys)));
  if (auto loaded = made->vault_.load(); !loaded) return loaded.error();
  if (!older.empty())  // secrets that an older key encrypts move to the first
    if (auto done = made->rotate(std::move(older), false); !done) return done.error();
  if (const auto lost = made->vault_.unreadable(); lost > 0)
    log(log_level::error, "secrets.unreadable",
        {{"count", static_cast<std::int64_t>(lost)},
         {"reason", "auth.enc_key is not the key they were encrypted under"}});
  return made;
}

result<void> node_secrets::rotate(std::vector<secret_string> keys, bool are_new) {
  auto wrapped = tenant_keys_.rotate(keys);
  if (!wrapped) return wrapped.error();
  if (*wrapped > 0)
    log(log_level::warn, "secrets.tenant_keys_wrapped",
        {{"count", static_cast<std::int64_t>(*wrapped)}});
  auto done = vault_.rotate(std::move(keys));
  if (!done) return done.error();
  if (done->sealed_anew + done->lost > 0 || are_new) record_rotation(audit_, *done);
  if (done->sealed_anew + done->lost > 0)
    log(done->lost > 0 ? log_level::error : log_level::warn, "secrets.rotated",
        {{"sealed_anew", static_cast<std::int64_t>(done->sealed_anew)},
         {"lost", static_cast<std::int64_t>(done->lost)}});
  return {};
}

void node_secrets::follow_key_file() {
  const auto seen = version_of(key_file_);
  if (seen.empty() || seen == key_file_seen_) return;
  auto keys = security::read_key_file(key_file_);
  auto done = keys ? rotate(std::move(*keys), true) : result<void>(keys.error());
  if (!done) log(log_level::error, "secrets.not_rotated", {{"reason", done.error().detail}});
  // A bad file is read again when it was changed; a store that takes no writes is tried again.
  if (done || done.error().code == codes::config_invalid) key_file_seen_ = seen;
}

}  // namespace soma
