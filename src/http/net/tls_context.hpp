// The server's certificate and key, and what TLS is spoken with (OpenSSL): versions 1.2 and 1.3,
// forward secrecy and authenticated ciphers alone, no renegotiation, no compression, HTTP/1.1 by
// ALPN. The files are read again when they change, without a restart: connections that are there
// keep what they began with.
//
// Thread-safe. `follow_files` blocks; `current` does not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "core/may_block.hpp"

struct ssl_ctx_st;  // SSL_CTX, of OpenSSL

namespace soma::http {

struct tls_files {
  std::string certificate;  // PEM: the server's, then those between it and the root
  std::string key;          // PEM
  // PEM: who signs the certificates of callers of internal routes; empty: these need none.
  std::string client_authority;
};

class tls_context {
 public:
  // Errors: config.invalid with the file and what is wrong with it, never its content.
  static result<std::unique_ptr<tls_context>> open(tls_files files);

  std::shared_ptr<ssl_ctx_st> current() const;
  bool wants_clients() const { return !files_.client_authority.empty(); }

  // Takes what changed. What cannot be taken is told once a change, and what was goes on: true
  // where there is something new. `now`: also where nothing seems changed.
  result<bool> follow_files(bool now = false);

  // Of the certificate, in seconds since 1970; for health.
  std::int64_t ends_at() const;

 private:
  struct stamp {
    std::int64_t size = 0, modified_ns = 0;
    std::uint64_t inode = 0;
    bool operator==(const stamp&) const = default;
  };
  struct stamps {
    stamp certificate, key, client_authority;
    bool operator==(const stamps&) const = default;
  };

  explicit tls_context(tls_files files) : files_(std::move(files)) {}
  stamps look() const;
  static stamp look_at(const std::string& path);

  const tls_files files_;
  stamps seen_;  // by whoever follows: one thread at a time
  mutable quick_mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_;
  std::int64_t ends_at_ = 0;
};

// What this node speaks with as the client of another, with the certificate and key of `files`: the
// other has to show one that their client_authority signed, of whatever name, since that authority
// signs nodes alone. Errors: config.invalid with the file.
result<std::shared_ptr<ssl_ctx_st>> make_node_client(const tls_files& files);

}  // namespace soma::http
