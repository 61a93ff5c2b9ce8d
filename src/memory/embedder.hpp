// Port: texts as vectors, by the model that a tenant has for it. The gateway to models stands
// behind it, with its caps, its audit and its count of usage.
//
// Thread-safe; `model_of` and `begin` do not block.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace soma::memory {

using embedding = std::vector<float>;

class embedding_call {
 public:
  virtual ~embedding_call() = default;  // cancels
  // None: it is not there by then. One vector a text, all of one dimension, none of it empty.
  // Errors: quota.exceeded, llm.* as of any call, among them llm.bad_request where a text is
  // refused.
  virtual std::optional<result<std::vector<embedding>>> wait(
      std::chrono::steady_clock::time_point until) = 0;
};

class embedder {
 public:
  virtual ~embedder() = default;
  // What vectors can be compared by: another model gives another. Empty: the tenant has none.
  virtual std::string model_of(const tenant_id& tenant) const = 0;
  // `user`: on whose behalf; empty: the tenant's. `ms`: for how long at most.
  virtual std::unique_ptr<embedding_call> begin(const tenant_id& tenant, const user_id& user,
                                                std::vector<std::string> texts, int ms) = 0;
};

}  // namespace soma::memory
