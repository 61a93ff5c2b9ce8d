#include "memory/stored_notes.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "core/codes.hpp"
#include "core/uuid.hpp"

namespace soma::memory {
namespace {

constexpr std::string_view collection = "memory";

std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  std::string word;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z')) {
      word += c;
    } else if (u >= 'A' && u <= 'Z') {
      word += static_cast<char>(c - 'A' + 'a');
    } else if (!word.empty()) {
      words.insert(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.insert(std::move(word));
  return words;
}

}  // namespace

double word_score(std::string_view query, std::string_view text) {
  const auto wanted = words_of(query), there = words_of(text);
  if (wanted.empty()) return 0;
  std::size_t found = 0;
  for (const auto& word : wanted) found += there.count(word);
  return static_cast<double>(found) / static_cast<double>(wanted.size());
}

result<std::string> stored_notes::save(const session_key& session, std::string_view text) {
  const auto prefix = session.tenant.value + '\n';
  const std::lock_guard one_at_a_time(saving_);
  auto there = documents_.list_documents(collection, prefix, notes_max);
  if (!there) return there.error();
  if (there->size() >= notes_max)
    return error(codes::quota_exceeded, "the tenant remembers as much as it may");
  auto id = new_uuid();
  if (auto kept = documents_.put_document(collection, prefix + id, text); !kept)
    return kept.error();
  return id;
}

result<std::vector<note>> stored_notes::recall(const tenant_id& tenant, std::string_view query,
                                               std::size_t limit) {
  const auto prefix = tenant.value + '\n';
  auto there = documents_.list_documents(collection, prefix, notes_max);
  if (!there) return there.error();
  std::vector<note> found;
  for (auto& [key, text] : *there)
    if (const auto score = word_score(query, text); score > 0)
      found.push_back({key.substr(prefix.size()), std::move(text), score});
  std::sort(found.begin(), found.end(), [](const note& a, const note& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace soma::memory
