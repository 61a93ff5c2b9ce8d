// SomaBrain's HTTP API, of both generations, as servers really answer it: what is sent, and what an
// answer is worth. The first answers tell which generation it is.
//
// The newer one is written to by /memory/remember/batch alone, also for one item: its single route
// says that an item was persisted when it was not. Only what the item's own result says counts. It
// has no way to delete; an item that is gone is overwritten by a stone that says so. The older one
// is written to by /remember, each item at a coordinate that follows from its key, so that the same
// key overwrites there, too, and /delete finds it.
//
// Thread-safe; blocks, with deadlines. Lifetime: the client of HTTP outlives it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "memory/item.hpp"
#include "outbox/http_client.hpp"
#include "outbox/sink.hpp"

namespace soma::memory {

// One item as it is sent; a stone has no value.
struct brain_item {
  std::string key, value_json;
  double importance = 0.5;
  std::vector<std::string> tags;
  bool gone = false;
};
brain_item to_brain(const item& it);
brain_item stone(std::string_view key);

// Bodies and answers; pure.
std::string batch_body(const tenant_id& tenant, const std::vector<brain_item>& items);
std::string single_body(const brain_item& it);
std::string deletion_body(std::string_view key);
outbox::attempt read_batch(const outbox::http_answer& got, const std::vector<brain_item>& items);
// What a refusal means whatever was asked: 400, 413, 422 refused, 429 busy, all else away.
outbox::attempt not_taken(const outbox::http_answer& got);

struct brain_answer {
  std::vector<std::string> ids;  // memory_id of what was found, the best first, each once
  bool degraded = false;
  std::string why;
};
result<brain_answer> read_recalled(const outbox::http_answer& got);

// What becomes of a body that would be sent: it may be written anew. Blocks; thread-safe.
enum class outgoing_fate { goes, refused, away };
using outgoing_screen = std::function<outgoing_fate(const tenant_id&, std::string& body)>;

class somabrain {
 public:
  static constexpr std::size_t answer_bytes_max = 4u << 20;

  // `screen`: asked before anything is sent; empty: it goes as it is.
  somabrain(outbox::http_client& http, std::int64_t deadline_ms, outgoing_screen screen = {})
      : http_(http), deadline_ms_(deadline_ms), screen_(std::move(screen)) {}

  // `rows` of the attempt are as many as the items.
  outbox::attempt remember(const tenant_id& tenant, const std::vector<brain_item>& items);

  // Where its route is not known the other generation's is asked. Errors: dependency.unavailable.
  result<brain_answer> recall(const tenant_id& tenant, std::string_view query,
                              std::size_t items_max, std::int64_t deadline_ms);

  // As the others do: the tenant in its header, and an id. What may not go is answered as a server
  // would that does not take it (400), or is not there.
  outbox::http_answer post(const char* path, const tenant_id& tenant, const std::string& body,
                           std::int64_t deadline_ms);

  void stop() { http_.stop(); }

 private:
  outbox::attempt remember_one_by_one(const tenant_id& tenant,
                                      const std::vector<brain_item>& items);
  outbox::http_answer ask(bool older, const tenant_id& tenant, std::string_view query,
                          std::size_t items_max, std::int64_t deadline_ms);

  outbox::http_client& http_;
  const std::int64_t deadline_ms_;
  const outgoing_screen screen_;
  std::atomic<bool> older_{false};
};

}  // namespace soma::memory
