// The attachments in an export: behind the events, for each that a message names and that can still
// be read, one line of what it is and then its bytes in pieces.
//   {"attachment":{"id":"…","filename":"…","content_type":"…","size_bytes":5,"sha256":"…"}}
//   {"attachment_bytes":"aGVsbG8"}                              base64url without padding
//
// Values of one thread at a time. Only the restorer touches the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "files/attachment_store.hpp"
#include "security/digest.hpp"

namespace soma::app {

// Of bytes in one line; as base64 they fit document_line_bytes_max.
inline constexpr std::size_t attachment_piece_bytes = 192 * 1024;
// That the messages of a document name, and that it brings: what is named is kept in memory, and
// written in one commit.
inline constexpr std::size_t document_attachments_max = 100'000;

std::string attachment_line(const files::stored_attachment& a);
std::string attachment_bytes_line(std::string_view bytes);
bool is_attachment_line(std::string_view line);

struct attachment_head {
  std::string id, filename, content_type, sha256;
  std::uint64_t size_bytes = 0;
};
struct attachment_part {
  std::optional<attachment_head> head;
  std::string bytes;  // where there is no head
};
// Errors: import.invalid.
result<attachment_part> parse_attachment_line(std::string_view line);

// Whether lines follow each other as they must: each attachment has the bytes and the hash that its
// head says, and there are not too many. Errors: import.invalid.
class attachment_check {
 public:
  result<void> take(std::string_view line);
  result<void> finish();  // before the document's last line

 private:
  std::optional<attachment_head> open_;
  std::uint64_t bytes_ = 0;
  std::size_t count_ = 0;
  std::optional<security::sha256_stream> hash_;
};

// Makes the attachments of checked lines, under their own ids; one that its tenant has or had is
// left as it is. Blocks on the disk. Errors: upload.too_large, upload.type_refused, storage.*.
class attachment_restorer {
 public:
  attachment_restorer(files::attachment_store& store, tools::attachment_reader maker)
      : store_(store), maker_(std::move(maker)) {}

  result<void> take(std::string_view line);
  result<void> finish();  // the last one

  // Whether the copied session may name it: its bytes came along, or its maker may read it.
  result<bool> may_be_named(std::string_view id) const;

 private:
  files::attachment_store& store_;
  const tools::attachment_reader maker_;
  std::set<std::string, std::less<>> brought_;
  attachment_head head_;
  std::optional<files::attachment_store::incoming> file_;
};

}  // namespace soma::app
