#include "node/sessions.hpp"

#include <algorithm>
#include <thread>

namespace soma {
namespace {

actors::actor_limits limits_of(const config& settings) {
  auto small = [&](std::string_view key) {
    return static_cast<std::uint32_t>(settings.number(key));
  };
  auto size = [&](std::string_view key) { return static_cast<std::size_t>(settings.number(key)); };
  actors::actor_limits limits;
  limits.session_idle_s = small("session.idle_s");
  limits.restart_max = small("session.restart_max");
  limits.recovery_concurrency = small("recovery.concurrency");
  limits.delta_flush_ms = small("llm.delta_flush_ms");
  limits.uncommitted_bytes = size("llm.uncommitted_bytes");
  limits.writer_queue_bytes = size("storage.writer_queue_bytes");
  limits.batch_bytes = size("storage.batch_bytes");
  limits.idempotency_ttl_ms = settings.number("idempotency.ttl_h") * 3'600'000;
  limits.stored_bytes_max = static_cast<std::uint64_t>(settings.number("quota.stored_bytes"));
  return limits;
}

actors::runtime_options threads_of_machine() {
  actors::runtime_options options;
  options.threads = std::max(2u, std::thread::hardware_concurrency());
  return options;
}

}  // namespace

node_sessions::node_sessions(const config& settings, const actors::node_ports& ports)
    : grace_(settings.number("shutdown.grace_s")),
      node_(ports, {limits_of(settings)}),
      runtime_(node_, threads_of_machine()) {}

}  // namespace soma
