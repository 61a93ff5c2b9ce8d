#include "node/file_janitor.hpp"

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "app/import_spool.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "models/usage_store.hpp"
#include "observability/log.hpp"
#include "storage/documents.hpp"

namespace soma {
namespace {

constexpr auto round_every = std::chrono::seconds(2);
constexpr std::uint64_t orphans_every = 3 * 3600 / 2;  // rounds: every three hours, and at start
constexpr std::uint64_t folders_every = 30;            // rounds, at a node that does not tidy rows
constexpr std::size_t rows_a_round = 200;
constexpr std::size_t usage_rows_a_round = 20'000, imports_missing_max = 10'000;

void report(const error& why) {
  log(log_level::error, "files.not_tidied", {{"code", why.code}, {"reason", why.detail}});
}

}  // namespace

file_janitor::file_janitor(storage::event_log& events, files::attachment_store& attachments,
                           files::work_folders& folders)
    : events_(events), attachments_(attachments), folders_(folders), thread_([this] { run(); }) {}

void file_janitor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void file_janitor::run() {
  for (std::uint64_t round = 0;; ++round) {
    one_round(round);
    std::unique_lock lock(mutex_);
    if (stopped_.wait_for(lock, round_every, [this] { return stopping_; })) return;
  }
}

void file_janitor::one_round(std::uint64_t round) {
  // Rows are one node's to tidy; folders and bytes are each one's own.
  if (!events_.keeps_documents()) {
    if (round % folders_every == 0) remove_folders();
    if (round % orphans_every == 0) remove_bytes();
    return;
  }
  auto sessions = attachments_.drop_uses_of_deleted(rows_a_round);
  if (!sessions) return report(sessions.error());
  for (const auto& session : *sessions) {
    auto removed = folders_.remove_all(session);
    if (removed) removed = attachments_.forget_session(session);
    if (!removed) report(removed.error());
  }
  if (auto tidied = attachments_.tidy(now_ms(), rows_a_round); !tidied) report(tidied.error());
  if (round % orphans_every == 0) remove_orphans();
}

// What a crash at the wrong moment leaves.
void file_janitor::remove_orphans() {
  remove_folders();
  if (auto folded = models::usage_store::fold(events_, now_ms(), usage_rows_a_round); !folded)
    report(folded.error());
  if (auto forgotten = forget_imports(); !forgotten) report(forgotten.error());
  remove_bytes();
}

// Of sessions that are gone; and what a tool wrote after its session was deleted.
void file_janitor::remove_folders() {
  for (const auto& session : folders_.sessions()) {
    const auto head = events_.head(session);
    if (head || head.error().code != codes::session_not_found) continue;
    if (auto removed = folders_.remove_all(session); !removed) report(removed.error());
  }
}

void file_janitor::remove_bytes() {
  if (const auto orphans = attachments_.remove_orphans(); orphans > 0)
    log(log_level::info, "attachments.orphans_removed", {{"count", orphans}});
}

// That a document was taken in is known while its session is there. One that is missing twice,
// hours apart, is not just being taken in.
result<void> file_janitor::forget_imports() {
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
