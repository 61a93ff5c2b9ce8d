// Files named by the SHA-256 of their bytes: <folder>/<first two digits>/<sha256>; where they are
// sealed (sealed_file.hpp) by a name that only the key's holder can make of it. A file is there
// whole or not at all: it is written in <folder>/incoming, synced, then renamed. What a crash left
// in `incoming` is removed by the next open; the store's own lock keeps others away.
//
// Thread-safe; a writer belongs to one thread at a time. All calls block on the disk. Errors:
// storage.full (below min_free_bytes, or the disk says so), storage.unavailable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "files/sealed_file.hpp"
#include "security/digest.hpp"
#include "security/secrets/value_seal.hpp"

namespace soma::files {

class content_writer {
 public:
  content_writer() = default;
  content_writer(content_writer&& other) noexcept;
  ~content_writer();  // removes what was not published

  result<void> append(std::string_view bytes);
  // Syncs the bytes. Nothing is appended after.
  result<void> finish();

  std::uint64_t size_bytes() const { return size_bytes_; }
  // Hexadecimal, after `finish`. Of the bytes that were appended:
  const std::string& sha256() const { return sha256_; }
  // of those that were written; the same where nothing is sealed:
  const std::string& stored_sha256() const { return stored_sha256_; }
  // and the name that they get.
  const std::string& name() const { return name_; }
  // Null: they are not sealed.
  const std::shared_ptr<const security::value_key>& key() const { return key_; }
  const std::string& path() const { return path_; }

 private:
  friend class content_files;
  int file_ = -1;
  result<void> write(std::string_view bytes);

  std::string path_, sha256_, stored_sha256_, name_;
  std::uint64_t size_bytes_ = 0, min_free_bytes_ = 0;
  security::sha256_stream hash_;
  // Of one that seals:
  std::shared_ptr<const security::value_key> key_;
  std::optional<file_sealer> sealer_;
  std::optional<security::sha256_stream> stored_hash_;
};

class content_files {
 public:
  // Makes the folder where it is not, and empties `incoming`.
  static result<content_files> open(const std::string& folder, std::uint64_t min_free_bytes);

  // `key`: what it seals by; null: it does not.
  result<content_writer> begin(std::shared_ptr<const security::value_key> key = nullptr) const;
  // Gives a finished writer's bytes their name. The same bytes may be there already.
  result<void> publish(content_writer& written) const;
  result<void> remove(std::string_view name) const;  // none there: no error
  std::string path_of(std::string_view name) const;
  void each(const std::function<void(const std::string& name)>& visit) const;

 private:
  std::string folder_;
  std::uint64_t min_free_bytes_ = 0;
};

// Where bytes of that name lie in such a folder.
std::string content_path(const std::string& folder, std::string_view name);

bool is_sha256(std::string_view text);  // 64 lower-case hexadecimal digits

}  // namespace soma::files
