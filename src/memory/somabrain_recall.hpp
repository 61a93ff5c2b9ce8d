// Asks SomaBrain which memories fit. After some failures in a row it is not asked for a while, so
// that one that hangs does not make each recall wait.
//
// Thread-safe; blocks, with a deadline. Has connections of its own.
#pragma once

#include <mutex>

#include "memory/remote_recall.hpp"
#include "memory/somabrain.hpp"
#include "outbox/http_client.hpp"

namespace soma::memory {

class somabrain_recall final : public remote_recall {
 public:
  // `base`, `token`: as http_client has them. `left_alone_ms`: after failures_max in a row.
  // `screen`: as somabrain has it.
  somabrain_recall(std::string base, secret_string token, std::int64_t left_alone_ms,
                   outgoing_screen screen = {})
      : http_(std::move(base), std::move(token)),
        client_(http_, 0, std::move(screen)),
        left_alone_ms_(left_alone_ms) {}

  remote_answer ask(const tenant_id& tenant, std::string_view query, std::size_t items_max,
                    std::int64_t ms) override;
  void stop() { http_.stop(); }

 private:
  static constexpr unsigned failures_max = 3;
  static constexpr std::int64_t judged_ms_min = 100;  // with less a failure says nothing

  outbox::http_client http_;
  somabrain client_;
  const std::int64_t left_alone_ms_;
  std::mutex mutex_;
  unsigned failures_ = 0;
  std::int64_t not_before_ms_ = 0;  // on the steady clock
};

}  // namespace soma::memory
