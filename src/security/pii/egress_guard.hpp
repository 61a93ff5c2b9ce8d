// What becomes of personal data that is about to leave: the mode of each tenant, over that of the
// node; policy, which is asked `egress.pii` with how many of each kind there are; and the counts.
// Whatever sends something away looks through it itself (screen.hpp), and then asks here.
//
// Thread-safe; but for `load` and `set` nothing blocks. Fails closed: where nobody is there to be
// asked, the answer is that nobody could be. Lifetime: what it needs outlives it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"
#include "core/may_block.hpp"
#include "observability/metrics.hpp"
#include "security/document_store.hpp"
#include "security/pii/screen.hpp"
#include "security/policy/policy.hpp"

namespace soma::security::pii {

struct leaving {
  std::string tenant, user, session, request_id;
  std::string actor_json;       // as in soma::origin; empty: nobody at a door
  std::vector<std::string> to;  // llm:PROVIDER, tool:ID, memory:somabrain
  counts found{};
};

class egress_guard {
 public:
  using told = std::function<void(std::vector<decision>)>;  // one each of `to`
  using asker = std::function<void(leaving, told)>;         // calls it once, on any thread

  // The rule that denials of mode `deny` name.
  static constexpr std::string_view deny_rule = "egress.pii";

  egress_guard(mode of_node, document_store& rows, metrics_registry& metrics)
      : of_node_(of_node), rows_(rows), metrics_(metrics) {}

  // The tenants' modes. Blocks on the store, whose errors it has.
  result<void> load();

  mode mode_of(const tenant_id& tenant) const;
  // What the tenant set itself.
  std::optional<mode> own_mode(const tenant_id& tenant) const;
  // None: the node's counts again. Blocks on the store, whose errors it has.
  result<void> set(const tenant_id& tenant, std::optional<mode> own);

  // Who asks policy. An empty one: nobody any more, from the moment this returns; it waits for the
  // calls of the one before, so it is not for a thread that is inside of one.
  void ask_by(asker whom);
  // May it leave, where something was found? Mode `deny` denies, else policy is asked. Counts.
  void judge(mode m, leaving what, told then);
  // The same for a thread that may wait, of one place to go to. Where whoever is asked ends before
  // he answered, or takes longer than this, nobody could be asked.
  static constexpr std::chrono::seconds judge_wait_max{70};  // more than policy.timeout_ms may be
  decision judge_waiting(mode m, leaving what);

 private:
  void count(const leaving& what, std::string_view outcome);

  const mode of_node_;
  document_store& rows_;
  metrics_registry& metrics_;
  disk_mutex change_mutex_;  // of `set` as a whole: store and memory in one order
  mutable quick_mutex mutex_;
  std::map<tenant_id, mode> own_;
  // Not held while somebody is asked, since his answer may lead to the next question.
  std::mutex asking_mutex_;
  std::condition_variable asked_;  // the last call has returned
  std::shared_ptr<const asker> ask_;
  std::size_t asking_ = 0;                  // calls of it under way
  std::atomic<std::uint64_t> asker_no_{0};  // grows with each
};

}  // namespace soma::security::pii
