#include "node/files.hpp"

#include "files/scan_guard.hpp"
#include "memory/knowledge.hpp"

namespace soma {
namespace {

// They wait for the disk to sync; at most half of them for a scanner, see scan_guard.
constexpr unsigned file_threads = 6;
constexpr unsigned read_threads = 2;
// What is read whole for its hash: two at once, and past so many that wait server.busy.
constexpr unsigned hash_threads = 2;
constexpr std::size_t hashes_waiting_max = 256;

std::uint64_t size_of(const config& settings, std::string_view key) {
  return static_cast<std::uint64_t>(settings.number(key));
}

files::store_options store_options_of(const config& settings, storage::event_log& events,
                                      app::fact_table& facts, security::tenant_keys& keys) {
  files::store_options options;
  options.folder = settings.text("storage.data_dir") + "/attachments";
  options.min_free_bytes = size_of(settings, "storage.min_free_bytes");
  options.file_bytes_max = size_of(settings, "uploads.file_bytes_max");
  options.unclaimed_ms = settings.number("uploads.unclaimed_h") * 3'600'000;
  options.gone_kept_ms = settings.number("uploads.gone_days") * 24 * 3'600'000;
  options.keys = &keys;
  options.types = settings.list("uploads.types");
  options.types_refused = settings.list("uploads.types_refused");
  const bool replicated = !settings.text("somabrain.base_url").empty();
  options.on_gone = [&events, replicated](const tenant_id& tenant, std::string_view id) {
    auto gone = memory::forget_document(events, tenant, id, replicated);
    return gone ? result<void>() : result<void>(gone.error());
  };
  options.sees = [sight = std::make_shared<const app::session_sight>(facts, events)](
                     const tenant_id& tenant, std::string_view user, std::string_view session) {
    return sight->sees(tenant, user, session).value_or(false);
  };
  return options;
}

files::work_limits work_limits_of(const config& settings) {
  files::work_limits limits;
  limits.bytes_max = size_of(settings, "workdir.bytes_max");
  limits.entries_max = size_of(settings, "workdir.entries_max");
  limits.file_bytes_max = size_of(settings, "workdir.file_bytes_max");
  limits.tenant_bytes_max = size_of(settings, "workdir.tenant_bytes_max");
  limits.min_free_bytes = size_of(settings, "storage.min_free_bytes");
  return limits;
}

}  // namespace

node_files::node_files(storage::event_log& events, std::unique_ptr<files::scanner> scanner,
                       std::unique_ptr<files::attachment_store> attachments,
                       std::unique_ptr<files::work_folders> folders, std::size_t uploads_max)
    : scanner_(std::move(scanner)),
      attachments_(std::move(attachments)),
      folders_(std::move(folders)),
      pool_(file_threads),
      reads_(read_threads),
      hashes_(hash_threads, hashes_waiting_max),
      services_{*attachments_, *folders_, pool_, reads_, hashes_, app::upload_places(uploads_max)},
      janitor_(events, *attachments_, *folders_) {}

result<std::unique_ptr<node_files>> node_files::open(const config& settings,
                                                     storage::event_log& events,
                                                     app::fact_table& facts,
                                                     security::tenant_keys& keys) {
  std::unique_ptr<files::scanner> scanner;
  if (const auto& socket = settings.text("uploads.clamd_socket"); !socket.empty()) {
    files::clamd_options options;
    options.socket = socket;
    options.timeout_ms = static_cast<int>(settings.number("uploads.scan_timeout_ms"));
    scanner = files::make_scan_guard(files::make_clamd_scanner(std::move(options)));
  }
  auto attachments = files::attachment_store::open(
      events, store_options_of(settings, events, facts, keys), scanner.get());
  if (!attachments) return attachments.error();
  auto folders = files::work_folders::open(settings.text("storage.data_dir") + "/work",
                                           work_limits_of(settings));
  if (!folders) return folders.error();
  return std::unique_ptr<node_files>(new node_files(events, std::move(scanner),
                                                    std::move(*attachments), std::move(*folders),
                                                    size_of(settings, "uploads.concurrency")));
}

void node_files::stop() {
  janitor_.stop();
  pool_.stop();
  reads_.stop();
  hashes_.stop();
}

}  // namespace soma
