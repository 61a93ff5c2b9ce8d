// What the audit of a node is made of; bench/no_audit.cpp stands here in the server that the bench
// holds this one against.
#include <chrono>

#include "core/codes.hpp"
#include "node/audit.hpp"
#include "security/audit/audit_chain_log.hpp"
#include "security/audit/audit_folder.hpp"
#include "security/audit/audit_key.hpp"

namespace soma {
namespace {

std::uint64_t size_of(const config& settings, const char* key) {
  return static_cast<std::uint64_t>(settings.number(key));
}

security::audit_chain_options chain_of(const config& settings) {
  security::audit_chain_options how;
  how.folder = audit_folder(settings);
  how.segment_bytes = size_of(settings, "audit.segment_bytes");
  how.keep_days = settings.number("audit.keep_days");
  how.keep_bytes = size_of(settings, "audit.keep_bytes");
  how.min_free_bytes = size_of(settings, "storage.min_free_bytes");
  return how;
}

result<security::audit_key> key_of(const config& settings) {
  const auto& data_dir = settings.text("storage.data_dir");
  if (security::audit_key::is_in(data_dir)) return security::audit_key::load(data_dir);
  // Another key would say of the past that it is not ours.
  if (!security::audit_segments(audit_folder(settings)).empty())
    return error(codes::config_invalid,
                 security::audit_key::file_in(data_dir) + " is missing, and " +
                     audit_folder(settings) +
                     " was signed by it: bring it back, or move that folder away");
  return security::audit_key::make(data_dir);
}

}  // namespace

result<std::unique_ptr<security::audit_log>> open_node_audit(const config& settings) {
  auto key = key_of(settings);
  if (!key) return key.error();
  security::audit_log_options how;
  how.chain = chain_of(settings);
  how.sign_after = std::chrono::seconds(settings.number("audit.sign_s"));
  if (const auto& file = settings.text("audit.file"); !file.empty()) {
    security::audit_bounds bounds;
    bounds.bytes_max = size_of(settings, "audit.bytes_max");
    bounds.files_max = size_of(settings, "audit.files_max");
    bounds.min_free_bytes = how.chain.min_free_bytes;
    auto copy = security::open_audit_file(file, bounds);
    if (!copy) return copy.error();
    how.copy = std::move(*copy);
  }
  how.copies_folder = settings.text("audit.copies_dir");
  return security::open_audit_chain(std::move(how), std::move(*key));
}

}  // namespace soma
