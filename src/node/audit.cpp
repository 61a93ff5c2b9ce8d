#include "node/audit.hpp"

#include <chrono>
#include <cstdint>
#include <string>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

// A disk that is full does not keep the process.
constexpr std::chrono::milliseconds waits_at_most{5000};

std::string path_of(const config& settings) {
  const auto& file = settings.text("audit.file");
  return file.empty() ? settings.text("storage.data_dir") + "/audit.ndjson" : file;
}

security::audit_bounds bounds_of(const config& settings) {
  const auto size = [&](const char* key) {
    return static_cast<std::uint64_t>(settings.number(key));
  };
  return {size("audit.bytes_max"), size("audit.files_max"), size("storage.min_free_bytes")};
}

}  // namespace

result<std::unique_ptr<security::audit_log>> open_node_audit(const config& settings) {
  const auto path = path_of(settings);
  if (const auto kind = kind_if_no_file(path); settings.text("audit.file").empty() && !kind.empty())
    return error(codes::storage_unavailable,
                 path + " is " + std::string(kind) + ", and no file: audit.file names another");
  return security::open_audit_file(path, bounds_of(settings));
}

void flush_at_end(security::audit_log& audit) {
  if (!audit.flush(waits_at_most))
    log(log_level::error, "audit.not_flushed", {{"records", audit.waiting()}});
}

}  // namespace soma
