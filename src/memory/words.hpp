// What the index keeps of a text, and what it is asked for a question. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace soma::memory {

inline constexpr std::size_t query_bytes_max = 4096;  // of a question that is looked at
inline constexpr std::size_t query_terms_max = 32;

// The text with characters of scripts that put no spaces between words (Chinese, Japanese, Thai …)
// each apart: two that stand together are then found as two words that do. Control characters and
// what is no UTF-8 become spaces.
std::string indexed_text(std::string_view text);

// What is looked for, each as a phrase in FTS5's quotes: whatever the question holds, it is never
// read as syntax. In the order of the question, without repeats, at most query_terms_max.
struct query_terms {
  static constexpr std::size_t no_word = static_cast<std::size_t>(-1);

  std::vector<std::string> words;  // for the table of words
  std::vector<std::string> parts;  // for the table of trigrams
  std::vector<std::size_t>
      word_of_part;  // a part's place among the words; no_word: of none of them
};
query_terms terms_of(std::string_view query);

// Texts that say the same for a reader: letters of either case (of ASCII), white space and
// punctuation between words do not count.
std::string normalized(std::string_view text);

}  // namespace soma::memory
