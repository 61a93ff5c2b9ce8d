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

#include "app/identity_watches.hpp"
#include "app/model_calls.hpp"
#include "app/once.hpp"
#include "core/config.hpp"
#include "core/session_feed.hpp"
#include "core/tenant_places.hpp"
#include "http/net/router.hpp"
#include "http/routes/relay.hpp"
#include "http/stream/stream_hub.hpp"
#include "http/stream/tenant_stream.hpp"

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

class gateway final : public app::identity_watch {
 public:
  // `connections_max`: that the server takes.
  gateway(app::services& all, const config& of, feed_registry& streamed, metrics_page& shown,
          std::size_t connections_max, std::unique_ptr<http::owner_relay> to_owners = nullptr)
      : services(all),
        settings(of),
        feeds(streamed),
        metrics(shown),
        relay(std::move(to_owners)),
        places(streams_per_tenant_max(of, connections_max)) {
    app::watches_of(all).add(*this);
  }
  ~gateway() override { app::watches_of(services).remove(*this); }

  app::services& services;
  const config& settings;
  feed_registry& feeds;
  metrics_page& metrics;
  std::vector<std::unique_ptr<stream_hub>> hubs;   // one an io thread
  const std::unique_ptr<http::owner_relay> relay;  // null: this node is alone
  tenant_places places;                            // of streams
  std::atomic<bool> ready{false};
  std::atomic<bool> stopping{false};  // still serving, but balancers should look elsewhere
  std::chrono::steady_clock::time_point started_at = std::chrono::steady_clock::now();

  // Ends the streams of an identity that was removed, within a turn of each io thread. Any thread.
  void gone(const security::gone_identity& who) override;
  // Likewise those of who does not see their session any more.
  void sight_changed(const session_key& key, const app::session_fact& now) override;
};

// The session that the path names.
session_key key_of(const request_context& ctx);

// What ends a model call when its caller is gone, or the identity that asked: what is not taken yet
// is then dropped, and the end says auth.invalid. For as long as the request's handler runs.
app::call_tie tie_to_caller(gateway& g, request_context& ctx);

// The warning of the model lock.
void warn_if(response& answer, bool warn);

// What the request is known again by, as it came: its key (the header's, else the one given, from
// the body), its operation, the path's id, its body in whatever spelling. Error:
// request.invalid_parameter.
result<app::once_key> once_key_of(const request_context& ctx, std::string_view from_body = {});

// The answer that hands its connection to the hub of its io thread, as a stream of the request's
// identity; quota.exceeded where its tenant has as many as it may.
response stream_response(gateway& g, const request_context& ctx, stream_request stream);

void mark_replayed(response& answer, bool replayed);

void add_session_routes(router& routes, gateway& g);
void add_message_routes(router& routes, gateway& g);
void add_event_routes(router& routes, gateway& g);
void add_transfer_routes(router& routes, gateway& g);    // fork, export, import
void add_identity_routes(router& routes, gateway& g);    // keys, auth
void add_provider_routes(router& routes, gateway& g);    // sign-in by an OpenID provider
void add_model_routes(router& routes, gateway& g);       // profiles, credentials, usage
void add_llm_routes(router& routes, gateway& g);         // invoke
void add_openai_routes(router& routes, gateway& g);      // chat completions, models, embeddings
void add_tool_routes(router& routes, gateway& g);        // catalog, running a tool by hand
void add_mcp_routes(router& routes, gateway& g);         // servers of tools
void add_memory_routes(router& routes, gateway& g);      // what is remembered
void add_backup_routes(router& routes, gateway& g);      // admin/backup
void add_cluster_routes(router& routes, gateway& g);     // admin/cluster
void add_outgoing_routes(router& routes, gateway& g);    // dead letters, memory/sync
void add_memory_log_routes(router& routes, gateway& g);  // between two sites
void add_audit_routes(router& routes, gateway& g);       // records, head, export
void add_settings_routes(router& routes, gateway& g);    // settings, runtime-config
void add_operation_routes(router& routes, gateway& g);   // health, metrics, openapi

}  // namespace soma::http
