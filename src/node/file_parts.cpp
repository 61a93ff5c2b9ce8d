#include "node/file_parts.hpp"

#include <chrono>

#include "app/import_spool.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "files/file_tools.hpp"
#include "files/scan_guard.hpp"
#include "models/usage_store.hpp"
#include "observability/log.hpp"
#include "storage/documents.hpp"

namespace soma {
namespace {

// They wait for the disk to sync; at most half of them for a scanner, see scan_guard.
constexpr unsigned file_threads = 6;
constexpr unsigned read_threads = 2;
// What is read whole for its hash: two at once, and past so many that wait server.busy.
constexpr unsigned hash_threads = 2;
constexpr std::size_t hashes_waiting_max = 256;
constexpr auto round_every = std::chrono::seconds(2);
constexpr std::uint64_t orphans_every = 3 * 3600 / 2;  // rounds: every three hours, and at start
constexpr std::size_t rows_a_round = 200;
constexpr std::size_t usage_rows_a_round = 20'000, imports_missing_max = 10'000;

std::uint64_t size_of(const config& settings, std::string_view key) {
  return static_cast<std::uint64_t>(settings.number(key));
}

files::store_options store_options_of(const config& settings) {
  files::store_options options;
  options.folder = settings.text("storage.data_dir") + "/attachments";
  options.min_free_bytes = size_of(settings, "storage.min_free_bytes");
  options.file_bytes_max = size_of(settings, "uploads.file_bytes_max");
  options.unclaimed_ms = settings.number("uploads.unclaimed_h") * 3'600'000;
  options.gone_kept_ms = settings.number("uploads.gone_days") * 24 * 3'600'000;
  options.types = settings.list("uploads.types");
  options.types_refused = settings.list("uploads.types_refused");
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

void report(const error& why) {
  log(log_level::error, "files.not_tidied", {{"code", why.code}, {"reason", why.detail}});
}

}  // namespace

file_parts::file_parts(storage::event_log& events, std::unique_ptr<files::scanner> scanner,
                       std::unique_ptr<files::attachment_store> attachments,
                       std::unique_ptr<files::work_folders> folders, std::size_t uploads_max)
    : events_(events),
      scanner_(std::move(scanner)),
      attachments_(std::move(attachments)),
      folders_(std::move(folders)),
      pool_(file_threads),
      reads_(read_threads),
      hashes_(hash_threads, hashes_waiting_max),
      services_{*attachments_, *folders_, pool_, reads_, hashes_, app::upload_places(uploads_max)},
      janitor_([this] { clean_up(); }) {}

file_parts::~file_parts() {
  stop();
}

result<std::unique_ptr<file_parts>> file_parts::make(const config& settings,
                                                     storage::event_log& events) {
  std::unique_ptr<files::scanner> scanner;
  if (const auto& socket = settings.text("uploads.clamd_socket"); !socket.empty()) {
    files::clamd_options options;
    options.socket = socket;
    options.timeout_ms = static_cast<int>(settings.number("uploads.scan_timeout_ms"));
    scanner = files::make_scan_guard(files::make_clamd_scanner(std::move(options)));
  }
  auto attachments =
      files::attachment_store::open(events, store_options_of(settings), scanner.get());
  if (!attachments) return attachments.error();
  auto folders = files::work_folders::open(settings.text("storage.data_dir") + "/work",
                                           work_limits_of(settings));
  if (!folders) return folders.error();
  return std::unique_ptr<file_parts>(new file_parts(events, std::move(scanner),
                                                    std::move(*attachments), std::move(*folders),
                                                    size_of(settings, "uploads.concurrency")));
}

void file_parts::add_tools(tools::catalog_runner& runner) {
  runner.add("file_read", files::make_file_read(*folders_, tool_threads_));
  runner.add("file_write", files::make_file_write(*folders_, tool_threads_));
  runner.add("file_list", files::make_file_list(*folders_, tool_threads_));
}

void file_parts::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (janitor_.joinable()) janitor_.join();
  pool_.stop();
  reads_.stop();
  hashes_.stop();
}

void file_parts::clean_up() {
  for (std::uint64_t round = 0;; ++round) {
    one_round(round);
    std::unique_lock lock(mutex_);
    if (stopped_.wait_for(lock, round_every, [this] { return stopping_; })) return;
  }
}

void file_parts::one_round(std::uint64_t round) {
  auto sessions = attachments_->drop_uses_of_deleted(rows_a_round);
  if (!sessions) return report(sessions.error());
  for (const auto& session : *sessions) {
    auto removed = folders_->remove_all(session);
    if (removed) removed = attachments_->forget_session(session);
    if (!removed) report(removed.error());
  }
  if (auto tidied = attachments_->tidy(now_ms(), rows_a_round); !tidied) report(tidied.error());
  if (round % orphans_every == 0) remove_orphans();
}

// What a crash at the wrong moment leaves, and what a tool wrote after its session was deleted.
void file_parts::remove_orphans() {
  for (const auto& session : folders_->sessions()) {
    const auto head = events_.head(session);
    if (head || head.error().code != codes::session_not_found) continue;
    if (auto removed = folders_->remove_all(session); !removed) report(removed.error());
  }
  if (auto folded = models::usage_store::fold(events_, now_ms(), usage_rows_a_round); !folded)
    report(folded.error());
  if (auto forgotten = forget_imports(); !forgotten) report(forgotten.error());
  if (const auto orphans = attachments_->remove_orphans(); orphans > 0)
    log(log_level::info, "attachments.orphans_removed", {{"count", orphans}});
}

// That a document was taken in is known while its session is there. One that is missing twice,
// hours apart, is not just being taken in.
result<void> file_parts::forget_imports() {
  std::set<std::string> missing;
  std::vector<storage::document_change> gone;
  const auto look = [&](std::string& key, const std::string& session) -> result<void> {
    const auto tenant = key.substr(0, key.find('\n'));
    const auto head = events_.head({tenant_id(tenant), session_id(session)});
    if (head || head.error().code != codes::session_not_found) return {};
    if (imports_missing_.contains(key))
      gone.push_back({std::move(key), std::nullopt});
    else if (missing.size() < imports_missing_max)
      missing.insert(std::move(key));
    return {};
  };
  auto read = storage::each_document(events_, app::imports_collection, "", look);
  if (!read) return read;
  imports_missing_ = std::move(missing);
  return events_.change_documents(app::imports_collection, gone);
}

}  // namespace soma
