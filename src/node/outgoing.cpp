#include "node/outgoing.hpp"

#include "core/codes.hpp"
#include "core/time.hpp"
#include "node/egress_screen.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

outbox::plan_limits limits_of(const config& settings) {
  outbox::plan_limits limits;
  limits.attempts_max = static_cast<unsigned>(settings.number("outbox.attempts_max"));
  limits.backoff_ms_max = static_cast<std::int64_t>(settings.number("outbox.backoff_ms_max"));
  limits.backoff_ms_min = std::min(limits.backoff_ms_min, limits.backoff_ms_max);
  limits.breaker_ms = static_cast<std::int64_t>(settings.number("outbox.breaker_ms"));
  limits.in_flight_max = static_cast<std::size_t>(settings.number("outbox.in_flight_max"));
  return limits;
}

void say(const std::string& what) {
  log(log_level::warn, "outbox.sink", {{"what", what}});
}

void say_synced(const result<memory::sync_outcome>& found) {
  if (found)
    log(log_level::info, "memory.sync",
        {{"looked_at", found->looked_at}, {"queued", found->queued}});
  else
    log(log_level::warn, "memory.sync", {{"failed", found.error().detail}});
}

}  // namespace

result<std::string> somabrain_url(const config& settings) {
  auto url = settings.text("somabrain.base_url");
  while (url.ends_with('/')) url.pop_back();
  if (url.empty()) return url;
  const bool http = url.starts_with("http://") || url.starts_with("https://");
  // A name and a password in it would stand in logs; they belong into the token.
  if (!http || url.find_first_of(" \t\r\n@?#") != std::string::npos)
    return error(codes::config_invalid, "must be http:// or https:// with a host, and no more");
  return url;
}

node_outgoing::brain::brain(const config& settings, const std::string& url, node_store& store,
                            node_memory& memory, outbox::dead_letters& given_up,
                            security::pii::egress_guard& guard)
    : http(url, secret_string(std::string(settings.secret("somabrain.api_token").reveal()))),
      client(http, static_cast<std::int64_t>(settings.number("somabrain.timeout_ms")),
             screen_of_memory(guard)),
      ratings(store.events(), client, url,
              static_cast<std::int64_t>(settings.number("somabrain.timeout_ms")), now_ms),
      sink(store.events(), memory.memories(), client, ratings),
      relay({store.events(), sink, given_up, limits_of(settings), say}),
      sync(store.events(), static_cast<std::int64_t>(settings.number("memory.sync_s")) * 1000,
           say_synced),
      watch(url, secret_string(std::string(settings.secret("somabrain.api_token").reveal())),
            static_cast<std::int64_t>(settings.number("somabrain.health_s")) * 1000),
      recall(std::make_shared<memory::somabrain_recall>(
          url, secret_string(std::string(settings.secret("somabrain.api_token").reveal())),
          static_cast<std::int64_t>(settings.number("outbox.breaker_ms")),
          screen_of_memory(guard))) {}

node_outgoing::node_outgoing(node_store& store, node_memory& memory)
    : memory_(memory), dead_letters_(store.events()), services_{dead_letters_} {
  services_.wal = memory.wal();
  services_.replicator = &memory.replicator();
}

node_outgoing::~node_outgoing() {
  memory_.on_rows({});
  memory_.memories().ask_also({});
  if (brain_) brain_->recall->stop();
}

result<std::unique_ptr<node_outgoing>> node_outgoing::open(const config& settings,
                                                           node_store& store, node_memory& memory,
                                                           security::pii::egress_guard& guard) {
  const auto url = somabrain_url(settings);
  if (!url) return url.error();
  std::unique_ptr<node_outgoing> made(new node_outgoing(store, memory));
  if (auto counted = made->dead_letters_.open(); !counted) return counted.error();
  if (url->empty()) return made;
  auto& brain = made->brain_.emplace(settings, *url, store, memory, made->dead_letters_, guard);
  made->services_.somabrain = &brain.relay;
  made->services_.sync = &brain.sync;
  made->services_.ratings = &brain.ratings;
  made->services_.watch = &brain.watch;
  memory.on_rows([&brain] { brain.relay.wake(); });
  memory.memories().ask_also(brain.recall);
  return made;
}

}  // namespace soma
