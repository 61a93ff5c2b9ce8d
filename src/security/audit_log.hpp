// What happened, for those who must be able to prove it: one JSON object a line. A port; the file
// behind it is the first of its kind.
//
// Thread-safe. A record is handed to the kernel before `write` returns, without an fsync; no secret
// and no text of a conversation belongs in one.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::security {

class audit_log {
 public:
  virtual ~audit_log() = default;
  // `json` is one object without a newline.
  virtual void write(std::string_view json) = 0;
};

// Appends to a file that is made with mode 0600. Errors: storage.unavailable.
result<std::unique_ptr<audit_log>> open_audit_file(const std::string& path);

}  // namespace soma::security
