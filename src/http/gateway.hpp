// What the routes stand on: one gateway a process, shared by all io threads. Route files add their
// routes to a router and keep a reference to it.
//
// Threads: the members are thread-safe or belong to one io thread each (bridges, hubs: indexed by
// request_context::io_thread). Lifetime: outlives the server that runs the routes.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/node.hpp"
#include "core/config.hpp"
#include "core/session_feed.hpp"
#include "http/actor_bridge.hpp"
#include "http/idempotency.hpp"
#include "http/reader_pool.hpp"
#include "http/router.hpp"
#include "http/stream_hub.hpp"
#include "http/tenant_places.hpp"

namespace soma::security {
class authenticator;
class browser_sessions;
class key_store;
class sign_in_token;
class ticket_office;
}  // namespace soma::security

namespace soma::http {

class llm_gateway;
class node_vitals;
struct tool_gateway;
struct file_services;

// An io thread's own client of model providers.
struct io_llm_client {
  boost::asio::io_context& io;
  std::unique_ptr<llm::llm_client> calls;
};

// Tenants' actors as each io thread last saw them, so that not every request asks the registry. An
// io thread touches only its own.
class tenant_handles {
 public:
  static constexpr std::size_t max = 1024;  // a thread

  actors::tenant_actor find(std::size_t io_thread, const tenant_id& id) const {
    const auto& mine = threads_[io_thread];
    const auto at = mine.find(id);
    return at == mine.end() ? actors::tenant_actor() : at->second;
  }
  void keep(std::size_t io_thread, const tenant_id& id, const actors::tenant_actor& tenant) {
    auto& mine = threads_[io_thread];
    if (mine.size() >= max) mine.clear();
    mine.insert_or_assign(id, tenant);
  }
  void forget(std::size_t io_thread, const tenant_id& id) { threads_[io_thread].erase(id); }

 private:
  std::array<std::map<tenant_id, actors::tenant_actor>, feed_threads_max> threads_;
};

struct gateway_parts {
  const config& settings;
  actors::node_services& node;
  actors::tenant_registry_actor tenants;
  store_lanes& lanes;
  security::authenticator& identities;
  security::key_store& keys;
  security::browser_sessions& browsers;
  security::sign_in_token& sign_in;
  const security::ticket_office& tickets;
  llm_gateway& llm;
  tool_gateway& tools;
  const node_vitals& vitals;
  std::size_t connections_max;  // that the server takes
};

// sse.streams_per_tenant_max, or what it stands for where it is 0: a share of the connections that
// the server takes.
std::size_t streams_per_tenant_max(const config& settings, std::size_t connections_max);

class gateway {
 public:
  explicit gateway(const gateway_parts& parts)
      : settings(parts.settings),
        node(parts.node),
        tenants(parts.tenants),
        lanes(parts.lanes),
        pool(parts.lanes.quick),
        identities(parts.identities),
        keys(parts.keys),
        browsers(parts.browsers),
        sign_in(parts.sign_in),
        tickets(parts.tickets),
        llm(parts.llm),
        tools(parts.tools),
        vitals(parts.vitals),
        idempotency(parts.node.log, parts.lanes.quick, parts.node.limits.idempotency_ttl_ms),
        places(streams_per_tenant_max(parts.settings, parts.connections_max)) {}

  const config& settings;
  actors::node_services& node;
  actors::tenant_registry_actor tenants;
  store_lanes& lanes;
  reader_pool& pool;  // the quick lane
  security::authenticator& identities;
  security::key_store& keys;
  security::browser_sessions& browsers;
  security::sign_in_token& sign_in;
  const security::ticket_office& tickets;
  llm_gateway& llm;
  tool_gateway& tools;
  const node_vitals& vitals;
  idempotency_gate idempotency;
  std::vector<std::unique_ptr<actor_bridge>> bridges;  // one an io thread
  tenant_handles known_tenants;
  std::vector<std::unique_ptr<stream_hub>> hubs;            // one an io thread
  std::vector<std::unique_ptr<io_llm_client>> llm_clients;  // one an io thread
  file_services* files = nullptr;                           // set before the routes are added
  std::function<std::string()> render_metrics;              // Prometheus text
  // Whole histories that are being made, each can be large, and pages of raw events likewise. What
  // is made and waits for its reader counts among the bodies of the server (body_budget.hpp).
  tenant_places histories{4, 8}, event_pages{16, 32};
  tenant_places places;  // of streams
  std::atomic<bool> ready{false};
  std::atomic<bool> stopping{false};  // still serving, but balancers should look elsewhere
  std::chrono::steady_clock::time_point started_at = std::chrono::steady_clock::now();

  // Ends the streams of an identity that is gone, within a turn of each io thread. Any thread.
  void end_streams(const security::gone_identity& gone);

  // Asks the tenant's actor. Errors: those of the answer, or server.busy.
  template <class Answer, class Request>
  boost::asio::awaitable<result<Answer>> ask_tenant(request_context& ctx, Request request) {
    auto& bridge = *bridges[ctx.io_thread];
    const auto id = ctx.identity.tenant;
    auto tenant = known_tenants.find(ctx.io_thread, id);
    if (!tenant) {
      actors::tenant_request who;
      who.tenant = id;
      auto found = co_await bridge.ask<actors::tenant_found>(tenants, who);
      if (!found) co_return found.error();
      tenant = found->tenant;
      known_tenants.keep(ctx.io_thread, id, tenant);
    }
    auto answer = co_await bridge.ask<Answer>(tenant, std::move(request));
    // Perhaps the tenant's actor is gone: the next request asks for it again.
    if (!answer) known_tenants.forget(ctx.io_thread, id);
    co_return answer;
  }

  // Sends a command to a session. `gate` carries the idempotency record to be kept with it; where
  // another was quicker with the key, its answer is taken, and `gate` has the replay.
  boost::asio::awaitable<result<command_reply>> command(request_context& ctx,
                                                        const session_id& session,
                                                        input::command what,
                                                        idempotency_gate::entry* gate = {});

  // The head, read on the pool. Errors: session.not_found, also for what cannot be an id.
  boost::asio::awaitable<result<storage::session_head>> head(const session_key& key);

  session_key key_of(const request_context& ctx) const {
    return {ctx.identity.tenant, session_id(std::string(ctx.path_parameter("id")))};
  }
};

origin origin_of(request_context& ctx);

// The idempotency key of a request: its header, else the one given (from the body).
std::string idempotency_key_of(const request_context& ctx, std::string_view from_body = {});

// A session as every route and the tenant's stream show it.
std::string session_json(const session_id& id, const storage::session_info& info,
                         event_id last_event_id);

// A UUID that follows from its parts: the same parts, the same id.
std::string derived_uuid(std::initializer_list<std::string_view> parts);

void mark_replayed(response& answer, const idempotency_gate::entry& gate);

void add_session_routes(router& routes, gateway& g);
void add_message_routes(router& routes, gateway& g);
void add_event_routes(router& routes, gateway& g);
void add_feedback_routes(router& routes, gateway& g);
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
