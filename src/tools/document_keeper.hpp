// Port: where the text of documents is kept as knowledge. The memory stands behind it.
//
// Thread-safe; blocks on the disk. Errors: quota.exceeded, those of the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace soma::tools {

struct kept_document {
  std::string attachment_id, filename;
  std::size_t passages = 0;  // 0: there were no words in it, and nothing is kept
  bool cut = false;          // there was more of it than is kept
  bool again = false;        // it was kept before, and nothing is new
};

// The answer to a request with an Idempotency-Key, kept with the work; `key` empty: it has none.
struct answer_to_keep {
  std::string key, hash;
  std::int64_t created_at_ms = 0, ttl_ms = 0;
  std::function<std::pair<int, std::string>(const kept_document&)> made{};  // status and body
};

struct document_to_keep {
  tenant_id tenant;
  std::string user_id;     // whose knowledge it is
  std::string session_id;  // in which it is kept; empty: in none
  std::string attachment_id, filename, content_type;
  std::string text;  // with a form feed between pages, and # before headings
  bool cut = false;  // there was more of it
  answer_to_keep answer{};
};

class document_keeper {
 public:
  virtual ~document_keeper() = default;
  // None: it is not kept, or not all of it.
  virtual result<std::optional<kept_document>> find(const tenant_id& tenant,
                                                    std::string_view attachment_id) const = 0;
  // All of it is kept, or it is kept anew the next time. Errors: idempotency.exists, too.
  virtual result<kept_document> keep(const document_to_keep& what) = 0;
  // Of what is kept since before.
  virtual result<void> keep_answer(const answer_to_keep& answer, const kept_document& what) = 0;
  virtual result<void> forget(const tenant_id& tenant, std::string_view attachment_id) = 0;
};

}  // namespace soma::tools
