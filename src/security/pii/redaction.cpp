#include "security/pii/redaction.hpp"

#include <algorithm>
#include <utility>

namespace soma::security::pii {
namespace {

constexpr std::string_view begins = "[[", ends = "]]";

std::string between(std::string_view name) {
  return std::string(begins).append(name).append(ends);
}

}  // namespace

std::string placeholders::redact(std::string_view text, const std::vector<match>& found) {
  std::string out;
  std::size_t at = 0;
  for (const auto& one : found) {
    const auto word = text.substr(one.begin, one.bytes);
    out.append(text.substr(at, one.begin - at));
    at = one.begin + one.bytes;
    auto known = names_.find(word);
    if (known == names_.end()) {
      const std::string kind(to_string(one.kind));
      if (words_.size() >= words_max) {
        out.append(between(kind));
        continue;
      }
      auto& last = next_[static_cast<std::size_t>(one.kind)];
      auto name = kind + "-" + std::to_string(++last);
      if (!mark_.empty()) name.append("-").append(mark_);
      known = names_.emplace(word, name).first;
      words_.emplace(name, word);
    }
    out.append(between(known->second));
  }
  return out.append(text.substr(at));
}

const std::string* placeholders::word_of(std::string_view name) const {
  const auto at = words_.find(name);
  return at == words_.end() ? nullptr : &at->second;
}

std::string placeholders::restore(std::string_view text) const {
  restorer whole(*this);
  auto out = whole.feed(text);
  return out.append(whole.end());
}

std::string restorer::feed(std::string_view piece) {
  held_.append(piece);
  std::string out;
  std::string_view rest = held_;
  while (!rest.empty()) {
    const auto open = rest.find(begins.front());
    out.append(rest.substr(0, open));
    looked_at_ += std::min(open, rest.size());
    if (open == rest.npos) {
      rest = {};
      break;
    }
    rest.remove_prefix(open);
    if (rest.size() < begins.size()) break;
    const auto near = rest.substr(0, placeholders::bytes_max);
    const auto close = rest.starts_with(begins) ? near.find(ends) : near.npos;
    looked_at_ += near.size();
    if (rest.starts_with(begins) && close == rest.npos && rest.size() < placeholders::bytes_max)
      break;
    const auto* word = close == rest.npos
                           ? nullptr
                           : words_.word_of(rest.substr(begins.size(), close - begins.size()));
    if (word) {
      out.append(*word);
      rest.remove_prefix(close + ends.size());
    } else {
      out.push_back(rest.front());
      rest.remove_prefix(1);
    }
  }
  held_ = std::string(rest);
  return out;
}

std::string restorer::end() {
  return std::exchange(held_, {});
}

}  // namespace soma::security::pii
