// What the actors of one node stand on: the ports, the limits, and the handles of the few actors
// that everyone may ask, which `runtime` fills. Outlives the actor system. Thread-safe to read.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "actors/interfaces.hpp"
#include "actors/running_effects.hpp"
#include "core/session_feed.hpp"
#include "llm/llm_client.hpp"
#include "memory/item.hpp"
#include "memory/recall.hpp"
#include "storage/event_log.hpp"
#include "tools/tool_runner.hpp"

namespace soma::actors {

// The model in use and the rules of turns; replaced as a whole when settings change.
struct model_settings {
  llm::profile profile;  // without its key
  std::vector<llm::profile> fallbacks;
  llm::timeouts waits;
  session_rules rules;
};

// Who a model call is made for.
struct llm_caller {
  tenant_id tenant;
  std::string user, session, request_id, trace_id;
  std::string actor_json{};  // as in soma::origin
};

struct actor_limits {
  std::uint32_t session_idle_s = 300;
  std::uint32_t restart_max = 3;         // failures a minute before quarantine
  std::uint32_t back_off_ms_max = 5000;  // between two incarnations of a session that fails
  std::uint32_t recovery_concurrency = 16;
  std::uint32_t held_commands_max = 64;  // a session between two incarnations
  std::uint32_t delta_flush_ms = 15;
  std::uint32_t delta_flush_ms_max = 150;      // where the node is busy
  std::size_t uncommitted_bytes = 256 * 1024;  // of one model stream, waiting for the writer
  std::size_t piece_bytes_max = 64 * 1024;     // of one llm.delta
  std::size_t writer_queue_bytes = 64u << 20;  // of all sessions; past it commands are refused
  std::size_t batch_bytes = 4u << 20;          // of one commit
  std::int64_t idempotency_ttl_ms = 24ll * 3600 * 1000;
  std::uint64_t stored_bytes_max =
      0;  // of a tenant's events; past it nothing is begun; 0: no bound
};

// Where counts, durations and what an operator should hear of go. Called on the actors' hot paths:
// must not block.
class runtime_probe {
 public:
  virtual ~runtime_probe() = default;
  // What became durable of one commit, and how long it took; what was refused is not counted.
  virtual void committed(std::size_t /*ops*/, std::size_t /*events*/, std::size_t /*bytes*/,
                         double /*seconds*/) {}
  virtual void session_started() {}
  virtual void session_ended(bool /*failed*/) {}
  virtual void session_quarantined(const session_key&, std::string_view /*code*/) {}
  virtual void turn_ended(std::string_view /*finish_reason*/) {}
  virtual void llm_started() {}
  virtual void llm_failed(std::string_view /*code*/) {}
  virtual void first_token(double /*seconds*/) {}
  // Before a turn's first model call; degraded: failed, late or in part.
  virtual void recalled(std::size_t /*items*/, bool /*degraded*/, double /*seconds*/) {}
};

// Where models come from. Called by actors, for every input and every call, so neither waits for
// the disk or for a lock that is held over it: threads of actors are marked for that, and
// core/may_block.hpp ends a debug build that does.
class model_source {
 public:
  virtual ~model_source() = default;
  // The model of a tenant's conversations.
  virtual std::shared_ptr<const model_settings> of(const tenant_id& tenant) const = 0;
  // A call of it, with all that is added to one (keys, caps, counts).
  virtual result<std::unique_ptr<llm::stream_handle>> start(const llm_caller& who, llm::call c,
                                                            llm::stream_sink sink) = 0;
};

// Reads pictures for a model that is given them on a caller's behalf, those it may have.
class picture_source {
 public:
  using done = std::function<void(std::vector<loaded_picture>)>;
  virtual ~picture_source() = default;
  // Does not block; `then` is called once, on any thread.
  virtual void load(const llm_caller& who, std::vector<attachment_ref> files, done then) = 0;
};

// Follows the list of sessions.
class session_list_watch {
 public:
  virtual ~session_list_watch() = default;
  // A session's entry changed, or went (null). On the writer's thread: must not block.
  virtual void session_changed(const session_key& key, const storage::session_info* info,
                               event_id last) = 0;
};

struct node_ports {
  storage::event_log& log;
  feed_registry& feeds;
  model_source& models;
  picture_source& pictures;
  tools::tool_runner& tools;
  session_list_watch& sessions;
  runtime_probe& probe;
  memory::recaller* recaller = nullptr;  // null: nothing is remembered here
  memory::remembering remembering{};     // how what is said is kept
};

struct node_options {
  actor_limits limits;
  // Tests only: called with every input a session takes; may throw.
  std::function<void(const session_key&, const session_input&)> before_step{};
  // Called when an actor that all others stand on ended by an error: nothing is answered any more.
  // Default: a line of the log, and the process ends as after a failed store.
  std::function<void(std::string_view name)> on_root_died{};
};

struct node_services : node_ports {
  node_services(const node_ports& ports, node_options how)
      : node_ports(ports), options(std::move(how)) {}

  const node_options options;
  const actor_limits& limits = options.limits;

  // Why nothing new is begun for a tenant: quota.storage.
  std::optional<error> refuses_more(const tenant_id& tenant) const;

  std::atomic<bool> root_alive{true};
  void root_died(std::string_view name);

  // Of the runtime, while there is one.
  event_writer_actor writer;
  log_reader_actor reader;
  std::atomic<std::size_t> queued_bytes{0};  // handed to the writer, not yet committed
  running_effects effects;
};

}  // namespace soma::actors
