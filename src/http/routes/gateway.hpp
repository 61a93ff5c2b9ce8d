// What the routes stand on: one gateway a process, shared by all io threads. Route files add their
// routes to a router and keep a reference to it.
//
// Threads: the members are thread-safe or belong to one io thread each (bridges, hubs: indexed by
// request_context::io_thread). Lifetime: outlives the server that runs the routes.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/model_calls.hpp"
#include "app/once.hpp"
#include "app/services.hpp"
#include "core/config.hpp"
#include "core/session_feed.hpp"
#include "core/tenant_places.hpp"
#include "http/net/router.hpp"
#include "http/stream/stream_hub.hpp"
#include "http/stream/tenant_stream.hpp"
#include "security/identity/authenticator.hpp"

namespace soma::http {

// sse.streams_per_tenant_max, or what it stands for where it is 0: a share of the connections that
// the server takes.
std::size_t streams_per_tenant_max(const config& settings, std::size_t connections_max);

class gateway;

// What GET /metrics answers with. Called on io threads: must not block.
class metrics_page {
 public:
  virtual ~metrics_page() = default;
  virtual std::string render(const gateway& g) = 0;  // Prometheus text
};

class gateway {
 public:
  // `connections_max`: that the server takes.
  gateway(app::services& all, metrics_page& shown, std::size_t connections_max)
      : services(all),
        feeds(all.node.feeds),
        metrics(shown),
        places(streams_per_tenant_max(all.settings, connections_max)) {}

  app::services& services;
  feed_registry& feeds;
  metrics_page& metrics;
  std::vector<std::unique_ptr<stream_hub>> hubs;  // one an io thread
  tenant_places places;                           // of streams
  std::atomic<bool> ready{false};
  std::atomic<bool> stopping{false};  // still serving, but balancers should look elsewhere
  std::chrono::steady_clock::time_point started_at = std::chrono::steady_clock::now();

  // Ends the streams of an identity that was removed, within a turn of each io thread; what the
  // removal came to is returned. Any thread.
  result<void> end(security::removal removed);
};

// The session that the path names.
session_key key_of(const request_context& ctx);

// The idempotency key of a request: its header, else the one given (from the body).
std::string idempotency_key_of(const request_context& ctx, std::string_view from_body = {});

// What ends a model call when its caller is gone, or the identity that asked: what is not taken yet
// is then dropped, and the end says auth.invalid. For as long as the request's handler runs.
app::call_tie tie_to_caller(gateway& g, request_context& ctx);

// The warning of the model lock.
void warn_if(response& answer, bool warn);

// What the request is known again by, as it came: its key (the header's, else the one given, from
// the body), its operation, the path's id, its body in whatever spelling. Error:
// request.invalid_parameter.
result<app::once_key> once_key_of(const request_context& ctx, std::string_view from_body = {});

// Enters the idempotency gate with what the request says. `request_hash`: what another request with
// that key differs in; empty is that of the body, in whatever spelling. `operation`: of one that
// has several routes, whose hash then covers the path; empty is the route's own. Errors:
// request.invalid_parameter, idempotency.mismatch.
asio::awaitable<result<app::idempotency_gate::entry>> enter_once(
    gateway& g, request_context& ctx, std::string key, std::string request_hash = {},
    std::string operation = {},
    std::function<bool(const storage::idempotency_record&)> also_mine = {});

// The answer that hands its connection to the hub of its io thread, as a stream of the request's
// identity; quota.exceeded where its tenant has as many as it may.
response stream_response(gateway& g, const request_context& ctx, stream_request stream);

void mark_replayed(response& answer, const app::idempotency_gate::entry& gate);
void mark_replayed(response& answer, bool replayed);

void add_session_routes(router& routes, gateway& g);
void add_message_routes(router& routes, gateway& g);
void add_event_routes(router& routes, gateway& g);
void add_transfer_routes(router& routes, gateway& g);   // fork, export, import
void add_identity_routes(router& routes, gateway& g);   // keys, auth
void add_model_routes(router& routes, gateway& g);      // profiles, credentials, usage
void add_llm_routes(router& routes, gateway& g);        // invoke
void add_openai_routes(router& routes, gateway& g);     // chat completions, models, embeddings
void add_tool_routes(router& routes, gateway& g);       // catalog, running a tool by hand
void add_mcp_routes(router& routes, gateway& g);        // servers of tools
void add_settings_routes(router& routes, gateway& g);   // settings, runtime-config
void add_operation_routes(router& routes, gateway& g);  // health, metrics, openapi

}  // namespace soma::http
