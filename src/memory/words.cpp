#include "memory/words.hpp"

#include <algorithm>
#include <cstdint>
#include <map>

#include "core/utf8.hpp"

namespace soma::memory {
namespace {

std::uint32_t code_point(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  switch (sequence.size()) {
    case 1: return byte(0);
    case 2: return (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
    case 3: return (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    default:
      return (byte(0) & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 |
             (byte(3) & 0x3Fu);
  }
}

// Scripts without spaces, and Korean, whose words carry endings.
bool stands_apart(std::uint32_t c) {
  struct range {
    std::uint32_t from, to;
  };
  constexpr range ranges[] = {{0x0E00, 0x0EFF}, {0x1000, 0x109F},  {0x1780, 0x17FF},
                              {0x3040, 0x30FF}, {0x31F0, 0x31FF},  {0x3400, 0x4DBF},
                              {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3},  {0xF900, 0xFAFF},
                              {0xFF66, 0xFF9F}, {0x20000, 0x3FFFF}};
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [c](const range& r) { return c >= r.from && c <= r.to; });
}

bool is_ascii_word(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Between words, of punctuation beyond ASCII.
bool is_separator(std::uint32_t c) {
  return (c >= 0x80 && c <= 0xA9) || c == 0xAB || (c >= 0xAC && c <= 0xB1) || c == 0xB4 ||
         (c >= 0xB6 && c <= 0xB8) || c == 0xBB || c == 0xBF || (c >= 0x2000 && c <= 0x206F) ||
         (c >= 0x3000 && c <= 0x3004) || (c >= 0x3008 && c <= 0x3020) || c == 0x30FB ||
         (c >= 0xFF00 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF20) || c == 0xFEFF;
}

enum class kind { gap, letter, apart };

// Calls take(sequence, kind) for each character; what is no UTF-8 is a gap.
template <class Take>
void each_character(std::string_view text, Take take) {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) {
      take(text.substr(at, 1), is_ascii_word(first) ? kind::letter : kind::gap);
      ++at;
      continue;
    }
    const auto length = utf8_sequence_length(text.substr(at));
    if (length == 0) {
      take(text.substr(at, 1), kind::gap);
      ++at;
      continue;
    }
    const auto sequence = text.substr(at, length);
    const auto c = code_point(sequence);
    take(sequence, stands_apart(c) ? kind::apart : is_separator(c) ? kind::gap : kind::letter);
    at += length;
  }
}

// Runs of one kind, with where their characters begin.
struct run {
  std::string text;
  std::vector<std::size_t> begins;
  bool apart = false;
};
std::vector<run> runs_of(std::string_view text) {
  std::vector<run> out;
  bool open = false;
  each_character(text, [&](std::string_view sequence, kind what) {
    if (what == kind::gap) {
      open = false;
      return;
    }
    const bool apart = what == kind::apart;
    if (!open || out.back().apart != apart) out.push_back({{}, {}, apart});
    open = true;
    auto& now = out.back();
    now.begins.push_back(now.text.size());
    for (const char c : sequence)
      now.text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

std::string quoted(std::string_view text) {  // a run has no quotes
  return '"' + std::string(text) + '"';
}

class distinct {
 public:
  // Its place; no_word where there is no room.
  std::size_t add(std::string term) {
    if (const auto at = places_.find(term); at != places_.end()) return at->second;
    if (terms.size() == query_terms_max) return query_terms::no_word;
    places_.emplace(term, terms.size());
    terms.push_back(std::move(term));
    return terms.size() - 1;
  }
  std::vector<std::string> terms;

 private:
  std::map<std::string, std::size_t> places_;
};

std::string_view characters(const run& r, std::size_t from, std::size_t count) {
  const auto begin = r.begins[from];
  const auto end = from + count < r.begins.size() ? r.begins[from + count] : r.text.size();
  return std::string_view(r.text).substr(begin, end - begin);
}

// Two neighbours at a time: most words of these scripts are that long.
void add_apart(distinct& words, const run& r) {
  if (r.begins.size() == 1) words.add(quoted(r.text));
  for (std::size_t i = 0; i + 2 <= r.begins.size(); ++i)
    words.add('"' + std::string(characters(r, i, 1)) + ' ' + std::string(characters(r, i + 1, 1)) +
              '"');
}

bool has_digit(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A word inside others; a long one without its end, which is where words of most languages change.
std::size_t add_part(distinct& parts, const run& r) {
  constexpr std::size_t shortest = 4, end_counts_below = 6, end = 2;
  // A phrase costs its length times how often its trigrams stand in a text: of "xxxx…" that is all.
  constexpr std::size_t longest = 24;
  const auto size = r.begins.size();
  if (size < shortest) return query_terms::no_word;
  const auto looked_for = size < end_counts_below || has_digit(r.text) ? size : size - end;
  return parts.add(quoted(characters(r, 0, std::min(looked_for, longest))));
}

}  // namespace

std::string indexed_text(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  bool apart = false;
  each_character(text, [&](std::string_view sequence, kind what) {
    const bool bad = what == kind::gap && sequence.size() == 1 &&
                     (static_cast<unsigned char>(sequence[0]) >= 0x80 ||
                      static_cast<unsigned char>(sequence[0]) < ' ');
    if (what == kind::apart || (apart && what == kind::letter)) out += ' ';
    apart = what == kind::apart;
    if (bad)
      out += ' ';
    else
      out += sequence;
  });
  return out;
}

query_terms terms_of(std::string_view query) {
  distinct words, parts;
  std::vector<std::size_t> word_of_part;
  const auto belongs = [&](std::size_t part, std::size_t word) {
    if (part == word_of_part.size()) word_of_part.push_back(word);  // a new one
  };
  for (const auto& r : runs_of(query.substr(0, query_bytes_max))) {
    if (r.apart) {
      add_apart(words, r);
      for (std::size_t i = 0; i + 3 <= r.begins.size(); ++i)
        belongs(parts.add(quoted(characters(r, i, 3))), query_terms::no_word);
    } else {
      const auto word = words.add(quoted(r.text));
      belongs(add_part(parts, r), word);
    }
  }
  return {std::move(words.terms), std::move(parts.terms), std::move(word_of_part)};
}

std::string normalized(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const auto& r : runs_of(text)) {
    if (!out.empty()) out += ' ';
    out += r.text;
  }
  return out;
}

}  // namespace soma::memory
