// Takes words out of what leaves, and puts them back into what comes: each is a placeholder such as
// [[mail-1]] meanwhile, the same word the same one, so that a model can still speak of it.
//
// Whoever restores decides for whom: a placeholder gives a word of these words alone, which are one
// session's. What is restored must not leave again unseen. Not thread-safe; holds what it took, in
// memory, and nothing of it belongs into a log.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "security/pii/scanner.hpp"

namespace soma::security::pii {

class placeholders {
 public:
  // Words of one session; further ones are taken out all the same, and cannot be put back.
  static constexpr std::size_t words_max = 10'000;
  // Of a placeholder, the brackets included.
  static constexpr std::size_t bytes_max = 40;

  // `mark`: a part that each name has and nobody can guess, where what comes may be by somebody who
  // was not sent what goes: [[mail-1-kfab…]]. At most `mark_bytes_max` letters,
  // so that it is no part of a number; empty: none.
  static constexpr std::size_t mark_bytes_max = 12;
  explicit placeholders(std::string mark = {}) : mark_(std::move(mark)) {}

  // `found` as `find(text)` gives it.
  std::string redact(std::string_view text, const std::vector<match>& found);
  std::string restore(std::string_view text) const;

  std::size_t size() const { return words_.size(); }

 private:
  friend class restorer;
  // The word of a placeholder without its brackets; null: it is none.
  const std::string* word_of(std::string_view name) const;

  const std::string mark_;
  std::map<std::string, std::string, std::less<>> names_;  // by word
  std::map<std::string, std::string, std::less<>> words_;  // by name: mail-1
  std::array<std::size_t, kinds> next_{};
};

// Restores what comes in pieces, each of which may end within a placeholder.
class restorer {
 public:
  explicit restorer(const placeholders& words) : words_(words) {}

  // As much as is certain; at most `placeholders::bytes_max` bytes are held back.
  std::string feed(std::string_view piece);
  // The rest.
  std::string end();

  // How many bytes were looked at so far, some of them twice: what it cost.
  std::size_t looked_at() const { return looked_at_; }

 private:
  const placeholders& words_;
  std::string held_;
  std::size_t looked_at_ = 0;
};

}  // namespace soma::security::pii
