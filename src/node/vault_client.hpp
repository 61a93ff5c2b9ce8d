// Reads secrets of a KV store (version 2) of Vault or OpenBao, with a token or as an AppRole.
//
// Thread-safe; blocks, for `deadline_ms` a call at most. Errors: dependency.unavailable, in a
// sentence without a secret.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/secret.hpp"
#include "outbox/http_client.hpp"

namespace soma {

struct vault_options {
  std::string addr, role_id, name_space, ca_file;
  secret_string token, secret_id;
};

class vault_client {
 public:
  static constexpr std::int64_t deadline_ms = 3000;
  static constexpr std::chrono::seconds renew_between{1};
  static constexpr std::size_t answer_bytes_max = 1 << 20;

  explicit vault_client(vault_options options);

  // "mount/path#field".
  result<secret_string> read(std::string_view place);
  // Keeps the token from running out: renews it, or takes a new one as the AppRole. Does nothing
  // where it was called within `renew_between`.
  result<void> renew();

 private:
  using clock = std::chrono::steady_clock;
  using header_list = std::vector<std::pair<std::string, std::string>>;
  result<void> sign_in();
  header_list headers() const;
  outbox::http_answer get(const std::string& path);

  const vault_options options_;
  outbox::http_client http_;
  std::mutex mutex_;
  secret_string token_;
  clock::time_point renew_at_{};
};

}  // namespace soma
