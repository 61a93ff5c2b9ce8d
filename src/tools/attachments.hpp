// Port: the files that people attach and that tools leave, as tools see them. The store behind it
// is the gateway's.
//
// Thread-safe; blocks on the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace soma::tools {

struct attachment {
  std::string attachment_id, filename, content_type, sha256;
  std::uint64_t size_bytes = 0;
  std::string path;  // of its bytes, which do not change; for reading only
  // Where they are a copy in memory: it is there as long as this is. Else null.
  std::shared_ptr<const void> held{};
};

// Who asks for a file: he has those that he sent, and those of the sessions that he sees.
struct attachment_reader {
  tenant_id tenant;
  std::string user_id;
  bool sees_all = false;  // an admin, who asks for himself
};

class attachment_source {
 public:
  virtual ~attachment_source() = default;
  // Errors: attachment.not_found (also another tenant's, and what he may not see),
  // attachment.quarantined, attachment.expired, storage.unavailable, server.busy.
  virtual result<attachment> find(const attachment_reader& who, std::string_view attachment_id) = 0;
  // Keeps bytes that a tool made; the session refers to them from then on. What it gives may have
  // no path. Errors as above, storage.full.
  virtual result<attachment> keep(const session_key& session, std::string_view filename,
                                  std::string_view content_type, std::string_view bytes) = 0;
};

}  // namespace soma::tools
