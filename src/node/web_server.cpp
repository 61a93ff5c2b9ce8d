#include "node/web_server.hpp"

#include <algorithm>
#include <filesystem>

#include "core/loopback.hpp"
#include "core/time.hpp"
#include "embedded/soma_embedded_schemas.hpp"
#include "http/routes/file_routes.hpp"
#include "llm/provider_client.hpp"
#include "models/model_stream.hpp"
#include "node/settings_checks.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

http::net_limits net_limits_of(const config& settings) {
  auto size = [&](std::string_view key) { return static_cast<std::size_t>(settings.number(key)); };
  auto ms = [&](std::string_view key) { return static_cast<int>(settings.number(key)); };
  http::net_limits limits;
  limits.header_bytes_max = size("http.header_bytes_max");
  limits.body_bytes_max = size("http.body_bytes_max");
  limits.connections_max = size("http.connections_max");
  limits.connections_per_address_max = size("http.connections_per_address_max");
  limits.bodies_bytes_max = size("http.bodies_bytes_max");
  limits.strangers_per_s = static_cast<unsigned>(settings.number("http.strangers_per_s"));
  limits.caller_per_s = static_cast<unsigned>(settings.number("http.caller_per_s"));
  limits.address_per_s = static_cast<unsigned>(settings.number("http.address_per_s"));
  limits.header_timeout_ms = ms("http.header_timeout_ms");
  limits.body_timeout_ms = ms("http.body_timeout_ms");
  limits.idle_timeout_ms = ms("http.keepalive_timeout_ms");
  limits.stop_timeout_ms = ms("shutdown.grace_s") * 1000;
  return limits;
}

http::sse_options sse_options_of(const config& settings) {
  http::sse_options options;
  options.heartbeat_ms = static_cast<std::uint32_t>(settings.number("sse.heartbeat_s")) * 1000;
  options.stall_ms = static_cast<std::uint32_t>(settings.number("sse.stall_s")) * 1000;
  return options;
}

std::string ui_folder(const config& settings) {
  if (const auto& folder = settings.text("server.ui_dir"); !folder.empty()) return folder;
  // Beside the binary where it is installed, in the source tree where it was built.
  std::error_code ec;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ec).parent_path();
  for (const auto& candidate :
       {program / "ui", program / "../share/soma/ui", program / "../../../webui/dist"})
    if (std::filesystem::exists(candidate / "index.html", ec)) return candidate.string();
  return (program / "ui").string();
}

http::tls_files tls_files_of(const config& settings) {
  return {settings.text("server.tls_cert_file"), settings.text("server.tls_key_file"),
          settings.text("server.tls_client_ca_file")};
}

result<http::body_schemas> request_schemas(const config& settings) {
  constexpr std::string_view folder = "requests/", ending = ".schema.json";
  std::vector<http::body_schemas::source> sources;
  for (const auto& file : embedded::soma_embedded_schemas_files()) {
    if (!file.name.starts_with(folder)) continue;
    auto name = file.name.substr(folder.size());
    name.remove_suffix(ending.size());
    sources.push_back({name, file.text});
  }
  return http::body_schemas::compile(
      sources, static_cast<std::size_t>(settings.number("http.json_depth_max")));
}

http::router routes_of(http::gateway& g, const http::static_files& page) {
  http::router routes;
  http::add_session_routes(routes, g);
  http::add_message_routes(routes, g);
  http::add_event_routes(routes, g);
  http::add_transfer_routes(routes, g);
  http::add_identity_routes(routes, g);
  http::add_provider_routes(routes, g);
  http::add_model_routes(routes, g);
  http::add_llm_routes(routes, g);
  http::add_openai_routes(routes, g);
  http::add_tool_routes(routes, g);
  http::add_mcp_routes(routes, g);
  http::add_memory_routes(routes, g);
  http::add_outgoing_routes(routes, g);
  http::add_memory_log_routes(routes, g);
  http::add_audit_routes(routes, g);
  http::add_cluster_routes(routes, g);
  http::add_backup_routes(routes, g);
  http::add_settings_routes(routes, g);
  http::add_operation_routes(routes, g);
  http::add_upload_routes(routes, g);
  http::add_workdir_routes(routes, g);
  http::add_static_routes(routes, page);
  return routes;
}

// The names under which this server is known: a page served from there is its own.
http::host_guard guard_of(const config& settings) {
  auto hosts = settings.list("server.allowed_hosts");
  for (const auto* key : {"server.base_url", "server.web_ui_base_url"})
    if (const auto host = http::host_of_url(settings.text(key)); !host.empty())
      hosts.emplace_back(host);
  return http::host_guard(std::move(hosts), settings.list("server.cors_origins"));
}

// Where nobody could sign in, nobody but this machine may come.
std::string address_of(const config& settings, bool has_keys) {
  const auto& wanted = settings.text("server.host");
  if (has_keys || is_loopback(wanted)) return wanted;
  log(log_level::warn, "server.loopback_only",
      {{"reason", "no key is configured"}, {"host", wanted}});
  return std::string(loopback_address);
}

http::server_options server_options_of(const web_server::needs& from, http::gateway& g,
                                       http::authenticator& authenticator,
                                       const http::body_schemas& schemas,
                                       const http::tls_context* tls) {
  http::server_options options;
  options.tls = tls;
  options.redirects_plain = from.settings.text("server.plain_http") == "redirect";
  options.address = address_of(from.settings, from.identities.has_keys());
  options.port = static_cast<std::uint16_t>(from.settings.number("server.port"));
  options.io_threads = from.feeds.io_threads();
  options.limits = net_limits_of(from.settings);
  options.limits.connections_max = from.store.descriptors().connections_max;
  options.limits.refused_lingering_max = from.store.descriptors().refused_lingering_max;
  options.guard = guard_of(from.settings);
  options.proxies = *trusted_proxies_of(from.settings);
  options.authenticator = &authenticator;
  options.probe = &from.metrics.probe();
  if (from.cluster) options.nodes = from.cluster->door();
  options.schemas = &schemas;
  options.on_fault = [](std::string_view request_id, std::string_view what) {
    log_context about;
    about.request_id = request_id;
    log(log_level::error, "http.fault", {{"what", what}}, about);
  };
  options.on_stopping = [&g](std::size_t thread) { g.hubs[thread]->drain([] {}); };
  return options;
}

app::services_needs services_needs_of(const web_server::needs& from) {
  return {from.settings,
          from.sessions.node(),
          from.sessions.runtime().tenants(),
          from.store.lanes(),
          from.identities.authenticator(),
          from.identities.keys(),
          from.identities.browsers(),
          from.identities.sign_in(),
          from.identities.tickets(),
          from.models.gateway(),
          from.tools.gateway(),
          from.files.services(),
          from.store.vitals(),
          from.feeds,
          from.memory.memories(),
          from.memory.knowledge(),
          from.outgoing.services(),
          from.feeds.facts(),
          from.identities.users(),
          from.backups,
          from.oidc.services(),
          from.cluster ? &from.cluster->seen() : nullptr,
          &from.store.tenant_keys(),
          from.doors};
}

}  // namespace

result<http::trusted_proxies> trusted_proxies_of(const config& settings) {
  return http::trusted_proxies::make(settings.list("server.trusted_proxies"),
                                     settings.text("server.forwarded_header"));
}

web_server::web_server(const needs& from, http::body_schemas schemas,
                       std::unique_ptr<http::tls_context> tls)
    : lanes_(from.store.lanes()),
      files_(from.files),
      tls_(std::move(tls)),
      schemas_(std::move(schemas)),
      page_(ui_folder(from.settings)),
      services_(services_needs_of(from)),
      gateway_(services_, from.settings, from.feeds.registry(), from.metrics,
               from.store.descriptors().connections_max,
               from.cluster ? from.cluster->make_relay() : nullptr),
      authenticator_(from.identities.authenticator(), lanes_.quick,
                     from.settings.secret("auth.internal_token"), &from.store.audit()),
      server_(server_options_of(from, gateway_, authenticator_, schemas_, tls_.get()),
              routes_of(gateway_, page_)) {
  if (from.cluster) authenticator_.believe_nodes(from.cluster->relay_key());
  make_threads(from);
}

// What each io thread has of its own, which stands on its context.
void web_server::make_threads(const needs& from) {
  const auto threads = from.feeds.io_threads();
  const auto asks_max =
      static_cast<std::size_t>(from.settings.number("http.asks_inflight_max")) / threads;
  const auto calls = from.models.calls(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    auto& io = server_.context(i);
    services_.bridges.push_back(std::make_unique<app::actor_bridge>(
        from.sessions.runtime().system(), io, std::max<std::size_t>(1, asks_max)));
    gateway_.hubs.push_back(std::make_unique<http::stream_hub>(
        io, static_cast<unsigned>(i), from.feeds.registry(), from.store.events(), lanes_.pages,
        sse_options_of(from.settings)));
    if (gateway_.relay) gateway_.relay->add_thread(io, from.cluster->client_options());
    services_.llm_clients.push_back(std::make_unique<models::io_llm_client>(
        models::io_llm_client{io, llm::make_provider_client_on(io, calls)}));
  }
}

result<std::unique_ptr<web_server>> web_server::open(const needs& from) {
  auto schemas = request_schemas(from.settings);
  if (!schemas) return schemas.error();
  std::unique_ptr<http::tls_context> tls;
  if (speaks_tls(from.settings)) {
    auto opened = http::tls_context::open(tls_files_of(from.settings));
    if (!opened) return opened.error();
    tls = std::move(*opened);
  }
  return std::unique_ptr<web_server>(new web_server(from, std::move(*schemas), std::move(tls)));
}

void web_server::follow_certificates(bool now) {
  if (!tls_) return;
  const auto taken = tls_->follow_files(now);
  if (!taken)
    log(log_level::error, "tls.not_reloaded", {{"reason", taken.error().detail}});
  else if (*taken)
    log(log_level::info, "tls.reloaded", {{"ends_at", format_rfc3339(tls_->ends_at() * 1000)}});
}

std::vector<boost::asio::io_context*> web_server::io_contexts() {
  std::vector<boost::asio::io_context*> all;
  for (std::size_t i = 0; i < server_.io_threads(); ++i) all.push_back(&server_.context(i));
  return all;
}

result<void> web_server::start() {
  if (auto started = server_.start(); !started) return started;
  gateway_.ready = true;
  return {};
}

void web_server::stop() {
  gateway_.ready = false;
  if (services_.out.sync) services_.out.sync->stop();  // a request may wait for its look
  server_.stop();
}

web_server::~web_server() {
  stop();
  services_.tools.policy.stop();  // a request may wait for its answer
  files_.stop();
  if (services_.provider) services_.provider->waits.stop();
  lanes_.stop();
  if (gateway_.relay) gateway_.relay->stop();
  services_.bridges.clear();
  gateway_.hubs.clear();
  services_.llm_clients.clear();
}

}  // namespace soma
