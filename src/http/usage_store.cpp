#include "http/usage_store.hpp"

#include <array>

namespace soma::http {
namespace {

constexpr std::string_view collection = "usage";
constexpr std::size_t rows_max = 100'000;

// Names come from profiles and keys and hold no newline.
std::string row_key(const llm::usage_key& key) {
  return key.day + '\n' + key.tenant.value + '\n' + key.user + '\n' + key.session + '\n' +
         key.provider + '\n' + key.model;
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
  auto found = log.list_documents(collection, llm::day_of(now_ms) + '\n', rows_max);
  if (!found) return found.error();
  for (const auto& [key, document] : *found)
    ledger.restore(parse_row_key(key), llm::parse_usage_count(document), now_ms);
  return {};
}

void usage_store::save_soon() {
  if (saving_.exchange(true)) return;
  run_([this](storage::event_log& log) { return save(log); });
}

result<void> usage_store::save(storage::event_log& log) {
  saving_ = false;  // what settles from here on asks for another round
  auto rows = ledger_.take_unsaved();
  std::vector<std::pair<std::string, std::string>> documents;
  for (const auto& [key, count] : rows) {
    auto name = row_key(key);
    auto before = log.get_document(collection, name);
    if (!before) {
      ledger_.put_back(std::move(rows));
      return before.error();
    }
    auto total = *before ? llm::parse_usage_count(**before) : llm::usage_count();
    total += count;
    documents.emplace_back(std::move(name), llm::to_json(total));
  }
  if (documents.empty()) return {};
  auto saved = log.put_documents(collection, documents);
  if (!saved) ledger_.put_back(std::move(rows));
  return saved;
}

result<std::vector<std::pair<llm::usage_key, llm::usage_count>>> usage_store::rows(
    const storage::event_log& log, const tenant_id& tenant, const std::string& day) {
  auto found = log.list_documents(collection, day + '\n' + tenant.value + '\n', rows_max);
  if (!found) return found.error();
  std::vector<std::pair<llm::usage_key, llm::usage_count>> rows;
  for (const auto& [key, document] : *found)
    rows.emplace_back(parse_row_key(key), llm::parse_usage_count(document));
  return rows;
}

}  // namespace soma::http
