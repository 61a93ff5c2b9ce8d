// The one way to a model, for sessions and for callers over HTTP: caps are checked, keys added, the
// call made, and whatever became of it counted and audited.
//
// Thread-safe; never blocks. Lifetime: what it needs outlives it. It outlives all use of the calls
// that it started; what a client's thread still keeps of one may go later.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "actors/node.hpp"
#include "core/byte_budget.hpp"
#include "core/config.hpp"
#include "core/may_block.hpp"
#include "llm/call_places.hpp"
#include "llm/usage_ledger.hpp"
#include "models/model_registry.hpp"
#include "models/usage_store.hpp"
#include "observability/metrics.hpp"
#include "security/audit/audit_log.hpp"
#include "security/pii/egress_guard.hpp"
#include "security/secrets/credential_vault.hpp"

namespace soma::models {

enum class model_lock : std::uint8_t { off, warn, enforce };

struct llm_gateway_needs {
  const config& settings;
  model_registry& models;
  security::credential_vault& vault;
  llm::usage_ledger& ledger;
  security::audit_log& audit;
  metrics_registry& metrics;
  usage_store& usage;                              // told when the ledger has something to save
  std::shared_ptr<const llm::call_places> places;  // where calls wait for their turn
  std::shared_ptr<byte_budget> documents;          // what whole answers may take
  // Of personal data; null: nothing is looked through.
  security::pii::egress_guard* guard = nullptr;
  // Runs work of a tenant that takes long on another thread; false: too much waits. May be empty.
  std::function<bool(const tenant_id&, std::function<void()>)> aside{};
};

// Runs work on the thread on which a client starts its calls.
using client_thread = std::function<void(std::function<void()>)>;

class metered_call;
struct open_calls;

class llm_gateway {
 public:
  explicit llm_gateway(const llm_gateway_needs& needs);
  ~llm_gateway();
  llm_gateway(const llm_gateway&) = delete;

  model_registry& models() { return p_.models; }
  security::credential_vault& vault() { return p_.vault; }
  llm::usage_ledger& ledger() { return p_.ledger; }
  security::audit_log& audit() { return p_.audit; }
  const llm::call_places& places() const { return *p_.places; }
  byte_budget& documents() { return *p_.documents; }
  model_lock lock() const { return lock_; }
  security::pii::egress_guard* guard() { return p_.guard; }
  // Whether placeholders go out in place of personal data: then an answer has to be understood,
  // to put the words back, and is not handed on as it came.
  bool redacts(const tenant_id& tenant) const;

  // The call to a model without its messages: target, fallbacks, waits and retries.
  // Errors: those of model_registry::resolve.
  result<llm::call> prepare(const tenant_id& tenant, const wanted_model& wanted) const;

  // Errors: quota.exceeded, secret.key_missing, secret.key_wrong, and where something in it may not
  // leave, those of start_screened (models/screened_call.hpp); the sink then is never called.
  // `home`: for a client that starts calls on one thread alone, which is this one.
  result<std::unique_ptr<llm::stream_handle>> start(llm::llm_client& client,
                                                    const actors::llm_caller& who, llm::call c,
                                                    llm::stream_sink sink,
                                                    const client_thread& home = {});

  // Where a profile's key comes from, in this order: what the tenant stored, the environment (for
  // the provider's own addresses alone), the configured model's key (for its own address alone).
  // Empty when there is none.
  result<secret_string> key_for(const tenant_id& tenant, const llm::profile& target) const;

  // At the end, when no thread begins calls any more: what is still open counts as let go, and what
  // becomes of it later is not counted.
  void settle_open_calls();

 private:
  friend class metered_call;

  result<std::unique_ptr<llm::stream_handle>> start_looked_through(
      security::pii::mode mode, llm::llm_client& client, const actors::llm_caller& who, llm::call c,
      llm::stream_sink sink, const std::shared_ptr<metered_call>& meter, const client_thread& home);
  // Asks the provider, once, how large the model's context is.
  void ask_for_window(llm::llm_client& client, const llm::call& c);

  const llm_gateway_needs p_;
  const model_lock lock_;
  const std::uint32_t retries_;
  const llm::timeouts waits_;
  const std::shared_ptr<open_calls> open_;
  quick_mutex questions_mutex_;  // of what follows
  std::uint64_t last_question_ = 0;
  std::map<std::uint64_t, std::unique_ptr<llm::stream_handle>> questions_;  // of windows
};

}  // namespace soma::models
