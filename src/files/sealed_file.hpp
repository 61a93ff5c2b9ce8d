// Files whose bytes are sealed under a tenant's key (storage.encrypt_events): in frames, so that
// any part of one can be read, and so that one that was cut short, put together anew or changed
// does not open.
//
//   "SOMAFILE" | u8 version 1 | 7 zero bytes | salt (16)
//   frames: 65,536 bytes of the file, the last 0 to 65,536, each AES-256-GCM with a tag of 16 bytes
//
// The key is derived of the tenant's and the salt, so it is the file's alone; a frame's nonce is
// its number (u64, big-endian), three zero bytes, and 1 for the last frame, 0 for others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "security/secrets/aes_gcm.hpp"
#include "security/secrets/value_seal.hpp"

namespace soma::files {

inline constexpr std::size_t sealed_frame_bytes = 64 * 1024;

// What a sealed file of so many bytes takes.
std::uint64_t sealed_file_bytes(std::uint64_t plain_bytes);

// The name of a sealed file, in the place of its SHA-256: the same for the same bytes of the same
// tenant, and tells nobody without the key which bytes these are. 64 hexadecimal digits.
std::string sealed_file_name(const security::value_key& key, std::string_view sha256);

// Gives the bytes of a sealed file, as those of the file come. Of one thread at a time.
class file_sealer {
 public:
  explicit file_sealer(const security::value_key& key);
  std::string add(std::string_view plain);  // what can be written now; may be empty
  std::string finish();                     // the last frame

 private:
  file_sealer(const security::value_key& key, std::string_view salt);
  std::string frame(std::string_view plain, bool last);

  security::gcm_key key_;
  std::string waiting_;  // of a frame
  std::string header_;   // until it was given out
  std::uint64_t number_ = 0;
};

// Reads one. Thread-safe; blocks on the disk.
class file_unsealer {
 public:
  // Errors: storage.corrupt (it is none), storage.unavailable.
  static result<std::shared_ptr<const file_unsealer>> open(const security::value_key& key, int file,
                                                           std::uint64_t plain_bytes);

  // Of the file from `at` on; fewer at its end. Errors: as open.
  result<std::string> read(int file, std::uint64_t at, std::size_t bytes) const;

 private:
  file_unsealer(secret_string key, std::uint64_t plain_bytes)
      : key_(std::move(key)), plain_bytes_(plain_bytes) {}

  const security::gcm_key key_;
  const std::uint64_t plain_bytes_;
};

// A plain copy in memory, for programs that read files; gone with its holder. Nothing of it touches
// the disk (it may be swapped out, as all memory).
struct copy_in_memory {
  std::shared_ptr<const void> held;
  std::string path;  // that can be opened while it is held
};
inline constexpr std::uint64_t copy_in_memory_bytes_max = 64ull << 20;
inline constexpr std::uint64_t copies_in_memory_bytes_max = 256ull << 20;  // of all at once
// Errors: as read; upload.too_large; server.busy: all there are take too much already.
result<copy_in_memory> copy_to_memory(const file_unsealer& from, int file,
                                      std::uint64_t plain_bytes);

}  // namespace soma::files
