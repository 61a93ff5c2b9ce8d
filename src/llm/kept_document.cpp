#include "llm/kept_document.hpp"

#include <algorithm>

namespace soma::llm {

bool kept_document::add(std::string_view bytes) {
  const auto size = size_ + bytes.size();
  if (!of_->grow(share_, tenant_, counted_bytes(size))) return false;
  size_ = size;
  while (!bytes.empty()) {
    if (pieces_.empty() || pieces_.back().size() == piece_bytes) {
      pieces_.emplace_back();
      // A string that grows keeps up to half of it for nothing.
      if (pieces_.size() > 1) pieces_.back().reserve(piece_bytes);
    }
    auto& last = pieces_.back();
    const auto part = bytes.substr(0, piece_bytes - last.size());
    last += part;
    bytes.remove_prefix(part.size());
  }
  return true;
}

std::string kept_document::take() {
  share_.shrink(size_);
  if (pieces_.empty()) return {};
  auto piece = std::move(pieces_.front());
  pieces_.pop_front();
  size_ -= piece.size();
  return piece;
}

std::string kept_document::take_whole() {
  if (pieces_.size() == 1) {
    size_ = 0;
    auto whole = std::move(pieces_.front());
    pieces_.clear();
    return whole;
  }
  std::string whole;
  whole.reserve(std::exchange(size_, 0));
  for (; !pieces_.empty(); pieces_.pop_front()) whole += pieces_.front();
  return whole;
}

}  // namespace soma::llm
