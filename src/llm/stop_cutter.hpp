// Ends a text where the first of some words begins, for providers that know no stop words. What
// could be the beginning of one is held back until it is told. Pure; bytes in whole code points in,
// the same out.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace soma::llm {

class stop_cutter {
 public:
  explicit stop_cutter(std::vector<std::string> words) : words_(std::move(words)) {
    std::erase(words_, std::string());
  }

  // What may be said by now. Not after a word was found.
  std::string take(std::string_view text) {
    held_ += text;
    auto end = std::string::npos;
    for (const auto& word : words_) end = std::min(end, held_.find(word));
    found_ = end != std::string::npos;
    auto said = held_.substr(0, found_ ? end : held_.size() - begun());
    held_ = found_ ? std::string() : held_.substr(said.size());
    return said;
  }
  bool found() const { return found_; }
  // What was held back, where the text ends without a word.
  std::string rest() { return std::exchange(held_, {}); }

 private:
  // Bytes at the end that may be the beginning of a word.
  std::size_t begun() const {
    std::size_t most = 0;
    for (const std::string_view word : words_)
      for (auto n = std::min(word.size() - 1, held_.size()); n > most; --n)
        if (held_.ends_with(word.substr(0, n))) most = n;
    return most;
  }

  std::vector<std::string> words_;
  std::string held_;
  bool found_ = false;
};

}  // namespace soma::llm
