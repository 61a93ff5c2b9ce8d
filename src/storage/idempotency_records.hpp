// The answers that are kept for their Idempotency-Keys. Threads, blocking and errors: as
// event_log.hpp says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::storage {

inline constexpr std::int64_t idempotency_ttl_ms = 24ll * 3600 * 1000;  // unless configured

// The first answer to a request with an Idempotency-Key. `key` is the caller's scope and key
// (tenant, caller, route, key) as one string.
struct idempotency_record {
  std::string key;
  std::string request_hash;
  int status = 0;
  std::string response_json;
  std::int64_t created_at_ms = 0;
  // How old one of the same key must be for this one to take its place; not kept with it.
  std::int64_t ttl_ms = idempotency_ttl_ms;
};

// A document that becomes true with what names it.
struct document_row {
  std::string collection, key, value;
};

class idempotency_records {
 public:
  virtual ~idempotency_records() = default;

  virtual result<std::optional<idempotency_record>> find_idempotency(
      std::string_view key) const = 0;
  // Deletes records created before the given time, the oldest first and at most rows_max; returns
  // how many rows were looked at, which is rows_max as long as there are more. Not synced by
  // itself.
  virtual result<std::size_t> expire_idempotency(std::int64_t before_ms, std::size_t rows_max) = 0;
  // A record of an answer that appends nothing to a session (settings, keys), in one atom with the
  // documents that it made. Fails with idempotency.exists as an op does, and then writes nothing.
  virtual result<void> put_idempotency(const idempotency_record& record,
                                       std::span<const document_row> made = {}) = 0;
};

}  // namespace soma::storage
