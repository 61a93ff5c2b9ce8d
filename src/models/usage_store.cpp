#include "models/usage_store.hpp"

#include <array>
#include <map>

#include "core/codes.hpp"
#include "storage/documents.hpp"

namespace soma::models {
namespace {

constexpr std::string_view collection = "usage";

// Names come from profiles and keys and hold no newline. Where several nodes share the rows, each
// adds to its own: behind the model stands which.
std::string row_key(const llm::usage_key& key, const std::string& node = {}) {
  return key.day + '\n' + key.tenant.value + '\n' + key.user + '\n' + key.session + '\n' +
         key.provider + '\n' + key.model + (node.empty() ? node : '\n' + node);
}

llm::usage_key parse_row_key(std::string_view text) {
  std::array<std::string_view, 6> parts;
  for (auto& part : parts) {
    const auto cut = text.find('\n');
    part = text.substr(0, cut);
    text.remove_prefix(cut == text.npos ? text.size() : cut + 1);
  }
  return {std::string(parts[0]), tenant_id(std::string(parts[1])),
          std::string(parts[2]), std::string(parts[3]),
          std::string(parts[4]), std::string(parts[5])};
}

}  // namespace

result<void> usage_store::restore(const storage::event_log& log, llm::usage_ledger& ledger,
                                  std::int64_t now_ms) {
  return storage::each_document(
      log, collection, llm::day_of(now_ms) + '\n',
      [&](const std::string& key, const std::string& document) -> result<void> {
        ledger.restore(parse_row_key(key), llm::parse_usage_count(document), now_ms);
        return {};
      });
}

void usage_store::save_soon() {
  {
    const std::lock_guard lock(mutex_);
    if (wanted_) return;
    wanted_ = true;
  }
  changed_.notify_one();
}

void usage_store::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return wanted_ || stopping_; });
    if (changed_.wait_for(lock, gathered_for, [this] { return stopping_; })) return;
    wanted_ = false;  // what settles from here on asks for another round
    lock.unlock();
    (void)save();  // what could not be saved goes with the next
    lock.lock();
  }
}

void usage_store::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

result<void> usage_store::close() {
  stop();
  return save();
}

result<void> usage_store::save() {
  auto rows = ledger_.take_unsaved();
  std::vector<std::pair<std::string, std::string>> documents;
  for (const auto& [key, count] : rows) {
    auto name = row_key(key, node_);
    auto before = log_.get_document(collection, name);
    if (!before) {
      ledger_.put_back(std::move(rows));
      return before.error();
    }
    auto total = *before ? llm::parse_usage_count(**before) : llm::usage_count();
    total += count;
    documents.emplace_back(std::move(name), llm::to_json(total));
  }
  if (documents.empty()) return {};
  auto saved = log_.put_documents(collection, documents);
  if (!saved) ledger_.put_back(std::move(rows));
  return saved;
}

result<std::vector<std::pair<llm::usage_key, llm::usage_count>>> usage_store::rows(
    const storage::event_log& log, const tenant_id& tenant, const std::string& day,
    std::size_t rows_max) {
  std::vector<std::pair<llm::usage_key, llm::usage_count>> rows;
  auto read = storage::each_document(
      log, collection, day + '\n' + tenant.value + '\n',
      [&](const std::string& key, const std::string& document) -> result<void> {
        if (rows.size() >= rows_max) return error(codes::quota_exceeded, "more than was asked for");
        rows.emplace_back(parse_row_key(key), llm::parse_usage_count(document));
        return {};
      });
  if (!read && rows.size() < rows_max) return read.error();
  return rows;
}

result<std::size_t> usage_store::fold(storage::event_log& log, std::int64_t now_ms,
                                      std::size_t rows_max) {
  constexpr std::int64_t day_ms = 24ll * 3600 * 1000;
  const auto folded_before = llm::day_of(now_ms - days_by_session * day_ms);
  const auto gone_before = llm::day_of(now_ms - days_kept * day_ms);
  std::vector<storage::document_change> changes;
  std::map<std::string, llm::usage_count> sums;
  const error enough(codes::quota_exceeded, "the rest is for the next round");
  // Rows of one sum stand together but for the order of sessions, so a sum that was begun may be
  // added to by the next round as well.
  const auto look = [&](const std::string& key, const std::string& document) -> result<void> {
    auto at = parse_row_key(key);
    if (at.day >= folded_before || changes.size() >= rows_max) return enough;
    if (at.day < gone_before) {
      changes.push_back({key, std::nullopt});
      return {};
    }
    if (at.session.empty()) return {};
    at.session.clear();
    sums[row_key(at)] += llm::parse_usage_count(document);
    changes.push_back({key, std::nullopt});
    return {};
  };
  const auto read = storage::each_document(log, collection, "", look);
  if (!read && read.error().code != enough.code) return read.error();
  const auto rows = changes.size();
  for (const auto& [key, count] : sums) {
    const auto before = log.get_document(collection, key);
    if (!before) return before.error();
    auto total = *before ? llm::parse_usage_count(**before) : llm::usage_count();
    total += count;
    changes.push_back({key, llm::to_json(total)});
  }
  if (changes.empty()) return rows;
  // One write for sums and what they are made of: neither is counted twice or lost by a crash.
  if (auto done = log.change_documents(collection, changes); !done) return done.error();
  return rows;
}

}  // namespace soma::models
