// The gate before every POST that creates something: the same key and body gives the first answer
// again, the same key with another body is refused, and a twin in flight waits for the first.
//
// Thread-safe; each `enter` runs on its caller's io thread. A pass belongs to one request and lets
// the next twin in when it is destroyed. The record itself is written by whoever does the work, in
// the same atom as the work, and judged there: the log puts a key only if it is absent. The gate
// only makes twins wait; nothing depends on it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/caller.hpp"
#include "app/lanes.hpp"
#include "core/error.hpp"
#include "core/may_block.hpp"
#include "storage/event_log.hpp"

namespace soma::app {

// request.invalid_parameter: what a key must be.
error bad_idempotency_key();

class idempotency_gate {
 public:
  class pass {
   public:
    pass(idempotency_gate* gate, std::string key) : gate_(gate), key_(std::move(key)) {}
    pass(pass&& other) noexcept : gate_(other.gate_), key_(std::move(other.key_)) {
      other.gate_ = nullptr;
    }
    pass& operator=(pass&&) = delete;
    ~pass() {
      if (gate_) gate_->leave(key_);
    }

   private:
    idempotency_gate* gate_;
    std::string key_;
  };

  struct entry {
    std::string key;   // scope and key as the store keeps them; empty: the request has none
    std::string hash;  // of the request
    // How the version before named and hashed it: its records count for their day, too.
    std::string old_key{}, old_hash{};
    // A kept answer that is this request's, though its hash is another; null: none is.
    std::function<bool(const storage::idempotency_record&)> also_mine{};
    std::optional<storage::idempotency_record> replay;
    std::optional<pass> held;  // to be kept until the work is durable
  };

  idempotency_gate(const storage::event_log& log, lane& pool, std::int64_t ttl_ms)
      : log_(log), pool_(pool), ttl_ms_(ttl_ms) {}

  // What a request is known again by.
  struct asked {
    std::string key;        // the caller's; "" for none
    std::string operation;  // the same for all doors and routes that lead to it
    std::string subject;    // what else the key is kept apart by: the path's id; may be empty
    std::string hash;       // of all that another request with that key differs in
    std::string old_operation{}, old_subject{}, old_hash{};  // as the version before kept them
    std::function<bool(const storage::idempotency_record&)> also_mine{};  // as in entry
  };

  // Errors: request.invalid_parameter, idempotency.mismatch.
  boost::asio::awaitable<result<entry>> enter(const caller& who, asked what);

  // Looks for the answer that is kept by now, after idempotency.exists: true where `in.replay` is
  // it. Errors as above.
  boost::asio::awaitable<result<bool>> look(entry& in);

  // After a write that failed with `why`: where a twin was quicker, `in.replay` is its answer and
  // there is no error. Errors: `why`; server.busy where what the twin left has expired since.
  boost::asio::awaitable<result<void>> find_twin(entry& in, error why);

  // The record of an answer, to be kept with the work.
  storage::idempotency_record record_of(const entry& in, int status, std::string body) const;

 private:
  bool occupy(const std::string& scoped, std::function<void()>& resume);
  void leave(const std::string& scoped);

  const storage::event_log& log_;
  lane& pool_;
  const std::int64_t ttl_ms_;
  quick_mutex mutex_;
  std::map<std::string, std::vector<std::function<void()>>> in_flight_;
};

}  // namespace soma::app
