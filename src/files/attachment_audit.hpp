// Whether a folder of attachments has what the store says of it: for copies, which must be as good
// as what they were made of. Blocks on the disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "storage/event_log.hpp"

namespace soma::files {

// A file that attachments have, as it lies on the disk: its name, hash and size, which are those of
// its bytes where they are not sealed. `named` is one of the attachments. No key is needed.
struct kept_bytes {
  std::string name, sha256, named;
  std::uint64_t size_bytes = 0;
};

// Those of all attachments that are there, each once. Errors: those of the store.
result<std::vector<kept_bytes>> bytes_of_attachments(const storage::event_log& log);

struct damaged_bytes {
  kept_bytes what;
  std::string path, why;
};
// Reads them all.
std::vector<damaged_bytes> find_damaged_bytes(const std::string& folder,
                                              const std::vector<kept_bytes>& all);

}  // namespace soma::files
