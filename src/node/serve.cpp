#include "node/serve.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "actors/runtime.hpp"
#include "app/node_vitals.hpp"
#include "cli/terminal.hpp"
#include "core/loopback.hpp"
#include "core/time.hpp"
#include "core/version.hpp"
#include "embedded/soma_embedded_schemas.hpp"
#include "http/net/request_authenticator.hpp"
#include "http/net/server.hpp"
#include "http/net/static_files.hpp"
#include "http/routes/file_routes.hpp"
#include "http/routes/gateway.hpp"
#include "http/stream/health_watch.hpp"
#include "http/stream/tenant_stream.hpp"
#include "llm/base_url.hpp"
#include "llm/provider_client.hpp"
#include "models/model_stream.hpp"
#include "node/descriptors.hpp"
#include "node/file_parts.hpp"
#include "node/mcp_parts.hpp"
#include "node/memory_keeper.hpp"
#include "node/model_parts.hpp"
#include "node/probes.hpp"
#include "node/process_start.hpp"
#include "node/sign_in_door.hpp"
#include "node/store_documents.hpp"
#include "node/tool_parts.hpp"
#include "observability/log.hpp"
#include "security/identity/sign_in_token.hpp"

namespace soma {
namespace {

constexpr std::size_t roles_count = 5;
// How long settled usage waits for more: one synced write for all of it, between those of sessions.
constexpr std::chrono::milliseconds usage_gathered_for{50};
// At the end: a disk that is full does not keep the process.
constexpr std::chrono::milliseconds audit_waits_at_most{5000};

int refuse(const error& why) {
  complain(why.detail);
  return 1;
}

std::size_t io_threads_of(const config& settings) {
  const auto wanted = static_cast<std::size_t>(settings.number("server.io_threads"));
  const auto cores = std::max(1u, std::thread::hardware_concurrency());
  return std::min<std::size_t>(wanted > 0 ? wanted : cores, feed_threads_max);
}

feed_limits feed_limits_of(const config& settings) {
  feed_limits limits;
  limits.frames_max = static_cast<std::size_t>(settings.number("sse.ring_frames"));
  limits.bytes_max = static_cast<std::size_t>(settings.number("sse.ring_bytes"));
  return limits;
}

actors::actor_limits actor_limits_of(const config& settings) {
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
  return limits;
}

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

storage::store_options store_options_of(const config& settings, const descriptor_plan& files) {
  storage::store_options options;
  options.data_dir = settings.text("storage.data_dir");
  options.open_files_max = files.store_files_max;
  options.release = version;
  options.min_free_bytes = static_cast<std::uint64_t>(settings.number("storage.min_free_bytes"));
  options.block_cache_bytes =
      static_cast<std::uint64_t>(settings.number("storage.block_cache_bytes"));
  options.on_notice = [](const std::string& what) {
    log(log_level::warn, "storage.notice", {{"what", what}});
  };
  // A session's is told by who asked for its rows (node_vitals).
  options.on_damage = [](const error& what, const session_key* session) {
    if (!session) log(log_level::error, "storage.damaged", {{"what", what.detail}});
  };
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

void add_routes(http::router& routes, http::gateway& g, const http::static_files& page) {
  http::add_session_routes(routes, g);
  http::add_message_routes(routes, g);
  http::add_event_routes(routes, g);
  http::add_transfer_routes(routes, g);
  http::add_identity_routes(routes, g);
  http::add_model_routes(routes, g);
  http::add_llm_routes(routes, g);
  http::add_openai_routes(routes, g);
  http::add_tool_routes(routes, g);
  http::add_mcp_routes(routes, g);
  http::add_settings_routes(routes, g);
  http::add_operation_routes(routes, g);
  http::add_upload_routes(routes, g);
  http::add_workdir_routes(routes, g);
  http::add_static_routes(routes, page);
}

// The names under which this server is known: a page served from there is its own.
http::host_guard guard_of(const config& settings) {
  auto hosts = settings.list("server.allowed_hosts");
  for (const auto* key : {"server.base_url", "server.web_ui_base_url"})
    if (const auto host = http::host_of_url(settings.text(key)); !host.empty())
      hosts.emplace_back(host);
  return http::host_guard(std::move(hosts));
}

result<http::trusted_proxies> proxies_of(const config& settings) {
  return http::trusted_proxies::make(settings.list("server.trusted_proxies"),
                                     settings.text("server.forwarded_header"));
}

// Signals are taken by the main thread alone, so that no thread is interrupted at its work.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGQUIT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of a file's size is then an error of the write
  return signals;
}

// A store that refused a write and is asked for none would stay refusing for all that is known.
void try_store(http::gateway& g) {
  g.services.lanes.writes.post([log = &g.services.node.log] {
    (void)log->put_document("node", "tried", std::to_string(now_ms()));
  });
}

// What can be taken up again without a restart: files that were rotated or replaced.
void take_up_files(model_parts& models) {
  log(log_level::info, "server.reloading");
  models.gateway().audit().reopen();
  models.follow_key_file();
}

// Small chores about once a second, until one of the signals that end it comes, or until then.
void do_chores(const sigset_t& signals, const input_terminal& terminal, http::gateway& g,
               app::node_vitals& vitals, security::browser_sessions& browsers, model_parts& models,
               std::optional<std::chrono::steady_clock::time_point> until = std::nullopt) {
  http::health_watch health(g.services);
  memory_keeper memory;
  const timespec second{1, 0};
  for (std::uint64_t tick = 1; !until || std::chrono::steady_clock::now() < *until; ++tick) {
    const auto signal = sigtimedwait(&signals, nullptr, &second);
    // Of a closed terminal it is the end; else whoever rotates files sends it.
    if (signal == SIGHUP && !terminal.hung_up())
      take_up_files(models);
    else if (signal > 0)
      return;
    g.services.node.feeds.sweep(now_ms());
    vitals.sample();
    if (vitals.refusing() && tick % 5 == 0) try_store(g);
    health.look();
    models.follow_key_file();
    memory.look();
    if (tick % 3600 == 0)
      g.services.lanes.writes.post([&browsers] { (void)browsers.sweep(now_ms()); });
  }
}

std::string page_base(const config& settings, std::uint16_t port) {
  auto base = settings.text("server.web_ui_base_url");
  if (base.empty()) base = settings.text("server.base_url");
  if (base.empty()) base = "http://" + std::string(loopback_name) + ":" + std::to_string(port);
  return base + "/ui/index.html";
}

void announce(const config& settings, std::uint16_t port, security::sign_in_token& sign_in,
              bool has_keys) {
  const auto page = page_base(settings, port);
  std::printf("SomaAgent01 %s\nThe page: %s\n", std::string(version).c_str(), page.c_str());
  if (!has_keys || is_loopback(settings.text("server.host")))
    std::printf("Sign in (once, within 15 minutes): %s#signin=%s\n", page.c_str(),
                sign_in.rotate(now_ms()).c_str());
  std::fflush(stdout);
}

// Without it the server runs all the same: `soma signin` says that there is none.
std::unique_ptr<sign_in_door> open_door(const config& settings, std::uint16_t port,
                                        security::sign_in_token& sign_in) {
  auto opened = sign_in_door::open(settings.text("storage.data_dir"),
                                   [page = page_base(settings, port), &sign_in] {
                                     return page + "#signin=" + sign_in.rotate(now_ms());
                                   });
  if (opened) return std::move(*opened);
  log(log_level::warn, "sign_in.no_door", {{"reason", opened.error().detail}});
  return nullptr;
}

}  // namespace

result<void> check_settings(const config& settings) {
  const auto wrong = [](const char* key, const std::string& why) {
    return error(codes::config_invalid, std::string(key) + ": " + why);
  };
  if (settings.list("node.roles").size() != roles_count)
    return wrong("node.roles", "a node runs all roles; they cannot be divided yet");
  in6_addr room;
  const auto& host = settings.text("server.host");
  if (inet_pton(AF_INET, host.c_str(), &room) != 1 && inet_pton(AF_INET6, host.c_str(), &room) != 1)
    return wrong("server.host", "must be an address, not a name");
  const auto& certificates = settings.text("llm.ca_file");
  if (!certificates.empty() && ::access(certificates.c_str(), R_OK) != 0)
    return wrong("llm.ca_file", certificates + " cannot be read");
  if (auto proxies = proxies_of(settings); !proxies)
    return wrong("server.trusted_proxies", proxies.error().detail);
  for (const auto* largest : {"http.body_bytes_max", "llm.request_bytes_max"})
    if (settings.number("http.bodies_bytes_max") < 2 * settings.number(largest))
      return wrong("http.bodies_bytes_max", "must be at least twice " + std::string(largest) +
                                                ": one tenant gets half of it");
  if (auto rules = policy_of(settings); !rules) return rules.error();
  if (auto servers = mcp_servers_of(settings); !servers) return servers.error();
  if (auto keys = encryption_keys(settings); !keys) return keys.error();
  if (const auto& url = settings.text("llm.base_url"); !url.empty())
    if (auto normal = llm::normalize_base_url(url); !normal)
      return wrong("llm.base_url", normal.error().detail);
  return {};
}

std::size_t connections_wanted(const config& settings) {
  return static_cast<std::size_t>(settings.number("http.connections_max"));
}

int serve(const config& settings) {
  keep_large_blocks_apart();
  if (auto good = check_settings(settings); !good) return refuse(good.error());
  const auto signals = block_signals();
  const input_terminal terminal;
  const auto files = plan_descriptors(raise_descriptor_limit(), connections_wanted(settings));
  if (!files) return refuse(files.error());
  if (!files->said.empty()) log(log_level::warn, "server.few_descriptors", {{"what", files->said}});
  auto log_store = storage::open_rocksdb_event_log(store_options_of(settings, *files));
  if (!log_store) return refuse(log_store.error());
  app::node_vitals vitals(settings.text("storage.data_dir"));
  vitals.sample();
  storage::observed_event_log events(**log_store, vitals);
  auto server_key = server_key_of(settings.text("storage.data_dir"), events);
  if (!server_key) return refuse(server_key.error());

  metrics_registry registry;
  server_metrics metrics(registry);
  metrics_probe probe(metrics);
  const auto threads = io_threads_of(settings);
  feed_registry feeds(static_cast<unsigned>(threads), feed_limits_of(settings));
  const auto client_options = client_options_of(settings, registry);
  const auto models = llm::make_provider_client(client_options);
  store_documents documents(events);
  auto model_parts = soma::model_parts::make(settings, events, documents, registry);
  if (!model_parts) return refuse(model_parts.error());
  (*model_parts)->gateway().places = client_options.places;
  auto file_parts = soma::file_parts::make(settings, events);
  if (!file_parts) return refuse(file_parts.error());
  auto tools = tool_parts::make({settings, events, (*model_parts)->gateway().audit(), **file_parts,
                                 (*model_parts)->gateway().vault()});
  if (!tools) return refuse(tools.error());
  (*file_parts)->add_tools((*tools)->runner());
  auto connected = (*tools)->connect(settings, [&feeds](const std::optional<tenant_id>& tenant) {
    for (const auto& one : tenant ? std::vector{*tenant} : feeds.tenants_followed())
      http::publish_tenant_event(feeds, one, "catalog.changed", "{}");
  });
  if (!connected) return refuse(connected.error());

  actors::node_services node(events, feeds, *models, (*tools)->runner(), probe);
  node.limits = actor_limits_of(settings);
  node.on_session_changed = [&feeds](const session_key& key, const storage::session_info* info,
                                     event_id last) {
    http::publish_session_change(feeds, key, info, last);
  };
  (*model_parts)->serve(node);
  (*tools)->serve(node);

  security::key_store keys(documents, *server_key);
  security::browser_sessions browsers(documents, *server_key,
                                      settings.number("auth.cookie_ttl_h") * 3'600'000);
  const security::ticket_office tickets(*server_key);
  security::sign_in_token sign_in;
  security::authenticator identities(keys, browsers, tickets, settings.secret("auth.admin_key"),
                                     now_ms);

  auto schemas = request_schemas(settings);
  if (!schemas) return refuse(schemas.error());
  auto stored_keys = events.list_documents("keys", "", 1);
  if (!stored_keys) return refuse(stored_keys.error());
  const bool has_keys = !settings.secret("auth.admin_key").empty() || !stored_keys->empty();

  actors::runtime_options runtime_options;
  runtime_options.threads = std::max(2u, std::thread::hardware_concurrency());
  actors::runtime actors(node, runtime_options);
  (*model_parts)->save_by([&actors](auto job) {
    actors.run_on_writer(std::move(job), usage_gathered_for);
  });
  app::store_lanes lanes;
  identities.run_later([&lanes](auto job) { lanes.writes.post(std::move(job)); });
  const http::static_files page(ui_folder(settings));
  const app::services_parts parts{settings,
                                  node,
                                  actors.tenants(),
                                  lanes,
                                  identities,
                                  keys,
                                  browsers,
                                  sign_in,
                                  tickets,
                                  (*model_parts)->gateway(),
                                  (*tools)->gateway(),
                                  (*file_parts)->services(),
                                  vitals};
  app::services services(parts);
  http::gateway g(services, files->connections_max);
  identities.when_gone([&g](const security::gone_identity& gone) { g.end_streams(gone); });
  g.render_metrics = [&] {
    refresh_metrics(metrics, g);
    return registry.render();
  };
  http::router routes;
  add_routes(routes, g, page);
  http::request_authenticator authenticator(identities, lanes.quick,
                                            settings.secret("auth.internal_token"));

  http::server_options options;
  options.address = settings.text("server.host");
  if (!has_keys && !is_loopback(options.address)) {
    log(log_level::warn, "server.loopback_only",
        {{"reason", "no key is configured"}, {"host", options.address}});
    options.address = loopback_address;
  }
  options.port = static_cast<std::uint16_t>(settings.number("server.port"));
  options.io_threads = threads;
  options.limits = net_limits_of(settings);
  options.limits.connections_max = files->connections_max;
  options.guard = guard_of(settings);
  options.proxies = *proxies_of(settings);
  options.authenticator = &authenticator;
  options.probe = &probe;
  options.schemas = &*schemas;
  options.on_fault = [](std::string_view request_id, std::string_view what) {
    log_context about;
    about.request_id = request_id;
    log(log_level::error, "http.fault", {{"what", what}}, about);
  };
  options.on_stopping = [&g](std::size_t thread) { g.hubs[thread]->drain([] {}); };
  http::server server(std::move(options), std::move(routes));
  const auto asks_max = static_cast<std::size_t>(settings.number("http.asks_inflight_max"));
  for (std::size_t i = 0; i < threads; ++i) {
    g.services.bridges.push_back(std::make_unique<app::actor_bridge>(
        actors.system(), server.context(i), std::max<std::size_t>(1, asks_max / threads)));
    g.hubs.push_back(std::make_unique<http::stream_hub>(server.context(i), static_cast<unsigned>(i),
                                                        feeds, events, lanes.pages,
                                                        sse_options_of(settings)));
    g.services.llm_clients.push_back(std::make_unique<models::io_llm_client>(models::io_llm_client{
        server.context(i), llm::make_provider_client_on(server.context(i), client_options)}));
  }
  auto unfinished = actors.recover();
  if (!unfinished) return refuse(unfinished.error());
  if (auto started = server.start(); !started) return refuse(started.error());
  g.ready = true;
  note_started();
  log(log_level::info, "server.started",
      {{"version", version}, {"port", server.port()}, {"recovering", *unfinished}});
  announce(settings, server.port(), sign_in, has_keys);
  auto door = open_door(settings, server.port(), sign_in);

  do_chores(signals, terminal, g, vitals, browsers, **model_parts);
  log(log_level::info, "server.stopping");
  // Balancers learn of it from /readyz before the port is closed; a second signal ends the wait.
  g.stopping = true;
  do_chores(
      signals, terminal, g, vitals, browsers, **model_parts,
      std::chrono::steady_clock::now() + std::chrono::seconds(settings.number("shutdown.drain_s")));
  door.reset();
  g.ready = false;
  server.stop();
  const bool in_time = actors.stop(std::chrono::seconds(settings.number("shutdown.grace_s")));
  (*file_parts)->stop();
  lanes.stop();  // their answers go to the io threads' contexts, which end with the server
  g.services.bridges.clear();
  g.hubs.clear();
  g.services.llm_clients.clear();
  if (auto saved = (*model_parts)->last_save(events); !saved) return refuse(saved.error());
  if (!(*model_parts)->gateway().audit().flush(audit_waits_at_most))
    log(log_level::error, "audit.not_flushed",
        {{"records", (*model_parts)->gateway().audit().waiting()}});
  log(log_level::info, "server.stopped", {{"in_time", in_time}});
  return in_time ? 0 : 1;
}

}  // namespace soma
