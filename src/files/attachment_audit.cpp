#include "files/attachment_audit.hpp"

#include <map>

#include "core/codes.hpp"
#include "files/attachment_row.hpp"
#include "files/checked_files.hpp"
#include "files/content_files.hpp"
#include "storage/attachment_rows.hpp"
#include "storage/documents.hpp"

namespace soma::files {

result<std::vector<kept_bytes>> bytes_of_attachments(const storage::event_log& log) {
  std::map<std::string, kept_bytes> found;
  const auto take = [&](const std::string& key, const std::string& text) -> result<void> {
    const auto a = decode_row(text);
    if (!a) return error(codes::storage_corrupt, "the row of an attachment cannot be read: " + key);
    if (!a->gone())
      found.try_emplace(a->content,
                        kept_bytes{a->content, a->stored_sha256, key.substr(key.rfind('\n') + 1),
                                   a->sealed() ? sealed_file_bytes(a->size_bytes) : a->size_bytes});
    return {};
  };
  if (auto read = storage::each_document(log, storage::attachment_collection, "row\n", take); !read)
    return read.error();
  std::vector<kept_bytes> all;
  for (auto& [name, one] : found) all.push_back(std::move(one));
  return all;
}

std::vector<damaged_bytes> find_damaged_bytes(const std::string& folder,
                                              const std::vector<kept_bytes>& all) {
  std::vector<damaged_bytes> found;
  checked_files files;
  for (const auto& one : all) {
    auto path = content_path(folder, one.name);
    if (const auto opened = files.open(path, one.sha256, one.size_bytes); !opened)
      found.push_back({one, std::move(path), opened.error().detail});
  }
  return found;
}

}  // namespace soma::files
