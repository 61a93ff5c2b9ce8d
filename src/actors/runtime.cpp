#include "actors/runtime.hpp"

#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/thread_hook.hpp>

#include "actors/event_writer.hpp"
#include "actors/log_reader.hpp"
#include "actors/tenant_registry.hpp"
#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "observability/log.hpp"

namespace soma::actors {
namespace {

// Every thread of the system: sessions and tenants wait for nothing. The two actors that stand
// before the disk have threads of their own, and say so when they begin.
struct no_waiting final : caf::thread_hook {
  void init(caf::actor_system&) override {}
  void thread_started() override { this_thread_must_not_block(); }
  void thread_terminates() override {}
};

struct system_config : caf::actor_system_config {
  explicit system_config(unsigned threads) {
    // Sharing has the lower latency here and no idle polling (see docs/decisions).
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", static_cast<std::size_t>(threads));
    add_thread_hook<no_waiting>();
  }
};

// Goes through `left`, keeping a bounded number of activations on their way.
struct recovery_state {
  std::vector<session_key> left;
};

void activate_next(caf::stateful_actor<recovery_state>* self, tenant_registry_actor tenants) {
  auto& left = self->state.left;
  if (left.empty()) return;
  auto key = std::move(left.back());
  left.pop_back();
  auto next = [self, tenants] { activate_next(self, tenants); };
  self->request(tenants, caf::infinite, tenant_request{key.tenant})
      .then(
          [self, key, next](const tenant_found& found) {
            self->request(found.tenant, caf::infinite, activate_request{key})
                .then([next](const activated&) { next(); }, [next](caf::error&) { next(); });
          },
          [next](caf::error&) { next(); });
}

caf::behavior recovery(caf::stateful_actor<recovery_state>* self, tenant_registry_actor tenants,
                       std::vector<session_key> sessions, std::uint32_t concurrency) {
  self->state.left = std::move(sessions);
  for (std::uint32_t i = 0; i < concurrency; ++i) activate_next(self, tenants);
  return {};
}

// Watches those whose end leaves everyone without an answer. A hidden actor: it lives as long as
// the system, which does not wait for it.
struct watch_state {
  std::vector<std::pair<caf::actor_addr, std::string_view>> watched;
};

caf::behavior watch(caf::stateful_actor<watch_state>* self, node_services* node,
                    tenant_registry_actor tenants) {
  const auto add = [&](const auto& actor, std::string_view name) {
    self->monitor(actor);
    self->state.watched.emplace_back(actor.address(), name);
  };
  add(node->writer, "event_writer");
  add(node->reader, "log_reader");
  add(tenants, "tenant_registry");
  self->set_down_handler([self, node](caf::scheduled_actor*, caf::down_msg& down) {
    if (down.reason == caf::exit_reason::user_shutdown) return;  // by `stop`
    for (const auto& [address, name] : self->state.watched)
      if (address == down.source) node->root_died(name);
  });
  return {[](const flush_batch&) {}};  // an actor without a behaviour ends
}

}  // namespace

std::optional<error> node_services::refuses_more(const tenant_id& tenant) const {
  const auto most = limits.stored_bytes_max;
  if (most == 0 || log.stored_bytes(tenant) < most) return std::nullopt;
  return error(codes::quota_storage,
               "the tenant's sessions take as much of the disk as they may: delete or reset some");
}

void node_services::root_died(std::string_view name) {
  root_alive = false;
  if (options.on_root_died) return options.on_root_died(name);
  soma::log(log_level::error, "actor.died", {{"actor", name}});
  flush_log(std::chrono::seconds(1));
  _exit(storage::exit_code_fatal);
}

struct runtime::impl {
  impl(node_services& n, const runtime_options& options)
      : node(n), config(options.threads), system(config) {}
  node_services& node;
  system_config config;
  caf::actor_system system;
  caf::actor watcher;
};

runtime::runtime(node_services& node, const runtime_options& options)
    : impl_(std::make_unique<impl>(node, options)) {
  auto& system = impl_->system;
  node.writer = system.spawn<caf::detached>(event_writer, &node);
  node.reader = system.spawn<caf::detached>(log_reader, &node);
  tenants_ = system.spawn(tenant_registry, &node);
  impl_->watcher = system.spawn<caf::hidden>(watch, &node, tenants_);
}

runtime::~runtime() {
  if (tenants_) stop(std::chrono::seconds(5));
}

caf::actor_system& runtime::system() {
  return impl_->system;
}

result<std::size_t> runtime::recover() {
  auto busy = impl_->node.log.busy_sessions();
  if (!busy) return busy.error();
  const auto count = busy->size();
  if (count > 0)
    impl_->system.spawn(recovery, tenants_, std::move(*busy),
                        impl_->node.limits.recovery_concurrency);
  return count;
}

void runtime::ownership_changed() {
  caf::anon_send(tenants_, actors::ownership_changed{});
}

bool runtime::at_rest(const std::function<bool(const session_key&)>& which) const {
  return impl_->node.effects.none_of(which);
}

bool runtime::stop(std::chrono::milliseconds grace) {
  if (!tenants_) return false;  // it was stopped
  bool in_time = false;
  {
    caf::scoped_actor self(impl_->system);
    self->request(tenants_, grace, shut_down{})
        .receive([&](const all_ended&) { in_time = true; }, [](const caf::error&) {});
    // Whatever the sessions still handed over is committed before the writer ends.
    storage_job last;
    last.run = [](storage::event_log&) -> result<void> { return {}; };
    self->request(impl_->node.writer, grace, std::move(last))
        .receive([](const storage_outcome&) {}, [&](const caf::error&) { in_time = false; });
  }
  impl_->node.log.on_applied({});
  caf::anon_send_exit(impl_->watcher, caf::exit_reason::user_shutdown);
  impl_->watcher = nullptr;
  caf::anon_send_exit(tenants_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(impl_->node.writer, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(impl_->node.reader, caf::exit_reason::user_shutdown);
  tenants_ = nullptr;
  impl_->node.writer = nullptr;
  impl_->node.reader = nullptr;
  return in_time;
}

}  // namespace soma::actors
