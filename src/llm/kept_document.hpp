// A provider's document while it comes and until its reader has it: pieces, whose bytes count among
// those of all such documents. Used by one thread at a time.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/byte_budget.hpp"

namespace soma::llm {

class kept_document {
 public:
  static constexpr std::size_t piece_bytes = 256 * 1024;
  static constexpr std::size_t uncounted_bytes = 16 * 1024;

  kept_document(std::shared_ptr<byte_budget> of, std::string tenant)
      : of_(std::move(of)), tenant_(std::move(tenant)) {}

  // What one of `size` takes of the budget.
  static constexpr std::size_t counted_bytes(std::size_t size) {
    return size > uncounted_bytes ? (size / piece_bytes + 1) * piece_bytes : 0;
  }
  static bool can_fit(const byte_budget& budget, std::size_t size) {
    return counted_bytes(size) <= budget.tenant_bytes_max();
  }

  // False, and nothing is kept of it, where others have taken the room.
  bool add(std::string_view bytes);
  std::size_t size() const { return size_; }

  // The first piece of what is left; empty at the end. It counts until the next is taken.
  std::string take();
  // All that is left, in one; it counts as long as this lives.
  std::string take_whole();

 private:
  const std::shared_ptr<byte_budget> of_;
  const std::string tenant_;
  byte_budget::share share_;
  std::deque<std::string> pieces_;
  std::size_t size_ = 0;
};

}  // namespace soma::llm
