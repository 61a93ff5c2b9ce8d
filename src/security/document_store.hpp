// Where keys and browser sessions are kept: the little of a document store that this folder needs.
// Implementations are thread-safe, may block, and have synced a write when it returns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace soma::security {

struct document_row {
  std::string collection, key, document;
};

class document_store {
 public:
  virtual ~document_store() = default;
  virtual result<std::optional<std::string>> get(std::string_view collection,
                                                 std::string_view key) = 0;
  virtual result<void> put(std::string_view collection, std::string_view key,
                           std::string_view document) = 0;
  // For who made his of what he read: false, and nothing is written, where it is another by now, or
  // gone. Other processes may have the same documents.
  virtual result<bool> replace(std::string_view collection, std::string_view key,
                               std::string_view read, std::string_view document) = 0;
  // Of what is not there: no error.
  virtual result<void> remove(std::string_view collection, std::string_view key) = 0;
  virtual result<std::vector<std::pair<std::string, std::string>>> list(
      std::string_view collection) = 0;
};

}  // namespace soma::security
