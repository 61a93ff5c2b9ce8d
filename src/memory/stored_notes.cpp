#include "memory/stored_notes.hpp"

#include <algorithm>
#include <bitset>
#include <map>
#include <utility>

#include "core/codes.hpp"
#include "core/uuid.hpp"

namespace soma::memory {
namespace {

constexpr std::string_view collection = "memory";

// Each word of a text, in lower case; valid during the call.
template <class Take>
void each_word(std::string_view text, Take take) {
  std::string word;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z')) {
      word += c;
    } else if (u >= 'A' && u <= 'Z') {
      word += static_cast<char>(c - 'A' + 'a');
    } else if (!word.empty()) {
      take(word);
      word.clear();
    }
  }
  if (!word.empty()) take(word);
}

// All of a tenant's notes are looked through for each query: nothing is made of their words.
class word_finder {
 public:
  explicit word_finder(std::string_view query) {
    each_word(query, [&](const std::string& word) { wanted_.emplace(word, 0); });
    for (const auto& [word, note] : wanted_)
      sizes_[std::min(word.size(), sizes_.size() - 1)] = true;
  }

  double score(std::string_view text) {
    if (wanted_.empty()) return 0;
    ++note_;
    std::size_t found = 0;
    each_word(text, [&](const std::string& word) {
      if (!sizes_[std::min(word.size(), sizes_.size() - 1)]) return;
      const auto at = wanted_.find(word);
      if (at != wanted_.end()) found += std::exchange(at->second, note_) != note_;
    });
    return static_cast<double>(found) / static_cast<double>(wanted_.size());
  }

 private:
  std::map<std::string, std::size_t> wanted_;  // and the note it was last found in
  std::bitset<64> sizes_;                      // that they have
  std::size_t note_ = 0;
};

}  // namespace

double word_score(std::string_view query, std::string_view text) {
  return word_finder(query).score(text);
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
  word_finder finder(query);
  for (auto& [key, text] : *there)
    if (const auto score = finder.score(text); score > 0)
      found.push_back({key.substr(prefix.size()), std::move(text), score});
  std::sort(found.begin(), found.end(), [](const note& a, const note& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace soma::memory
