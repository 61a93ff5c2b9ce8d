#include "memory/ranking.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "core/utf8.hpp"
#include "memory/words.hpp"

namespace soma::memory {
namespace {

constexpr std::string_view more = "…";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::size_t first_word_of(std::string_view text, std::string_view query) {
  std::string low(text.size(), ' ');
  std::transform(text.begin(), text.end(), low.begin(), lower);
  auto best = std::string::npos;
  std::size_t longest = 3;  // shorter ones stand everywhere
  for (const auto& term : terms_of(query).parts) {
    const auto word = std::string_view(term).substr(1, term.size() - 2);
    if (word.size() <= longest) continue;
    const auto at = low.find(word);
    if (at == std::string::npos) continue;
    best = at;
    longest = word.size();
  }
  return best == std::string::npos ? 0 : best;
}

std::size_t begin_of_character(std::string_view text, std::size_t at) {
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

}  // namespace

std::vector<fused> fuse(const std::vector<ranking>& rankings) {
  std::map<std::string, double> scores;
  for (const auto& one : rankings)
    for (std::size_t i = 0; i < one.ids.size(); ++i)
      scores[one.ids[i]] += one.weight / (rank_constant + static_cast<double>(i + 1));
  std::vector<fused> out;
  for (const auto& [id, score] : scores) out.push_back({id, score});
  std::stable_sort(out.begin(), out.end(),
                   [](const fused& a, const fused& b) { return a.score > b.score; });
  return out;
}

std::vector<std::size_t> diversified(const std::vector<std::string_view>& sessions) {
  std::vector<std::size_t> out, later;
  std::unordered_map<std::string_view, std::size_t> had;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    // What is of no session fills nothing.
    if (sessions[i].empty() || ++had[sessions[i]] <= of_one_session_max)
      out.push_back(i);
    else
      later.push_back(i);
  }
  out.insert(out.end(), later.begin(), later.end());
  return out;
}

std::string excerpt(std::string_view text, std::string_view query, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  if (bytes_max <= 2 * more.size()) return {};
  const auto room = bytes_max - 2 * more.size();
  auto from = first_word_of(text, query);
  from = from > room / 4 ? from - room / 4 : 0;
  from = begin_of_character(text, std::min(from, text.size() - room));
  auto piece = text.substr(from, room);
  piece = piece.substr(0, utf8_complete_prefix(piece));
  std::string out;
  if (from > 0) out += more;
  out += piece;
  if (from + piece.size() < text.size()) out += more;
  return out;
}

}  // namespace soma::memory
