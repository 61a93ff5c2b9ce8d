#include "tools/mcp/servers.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "core/codes.hpp"
#include "core/etag.hpp"
#include "core/fingerprint.hpp"
#include "core/json_text.hpp"
#include "tools/mcp/http_transport.hpp"
#include "tools/mcp/limits.hpp"
#include "tools/mcp/stdio_transport.hpp"

namespace soma::tools::mcp {
namespace {

namespace json = boost::json;

constexpr std::size_t token_bytes_max = 8192;

std::string etag_of(std::string_view text) {
  return '"' + fingerprint_text(fingerprint(text)) + '"';
}

// Without what may be a secret.
std::string shown_url(const std::string& url) {
  return url.substr(0, url.find('?'));
}

// What makes it another server: where it is, or what is run.
std::string origin_of(const server_settings& s) {
  if (!s.is_command) return s.http.url;
  auto out = s.command.program;
  for (const auto& argument : s.command.arguments) out += '\n' + argument;
  return out;
}

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= token_bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

struct servers::entry {
  tenant_id tenant;
  server_settings settings;
  std::shared_ptr<server_link> link;
  std::string prefix;                // of its ids in the catalog
  std::vector<std::string> offered;  // ids in the runner; of the loop's thread
  mutable quick_mutex mutex;         // of what follows
  server_view view;
};

servers::servers(servers_parts parts, servers_options options)
    : parts_(parts), options_(std::move(options)) {}

servers::~servers() {
  std::map<key, std::shared_ptr<entry>> entries;
  {
    std::lock_guard hold(mutex_);
    entries.swap(entries_);
  }
  for (auto& [name, one] : entries) {
    one->link->post([link = one->link] { link->detach(); });
    one->link->close();
  }
  loop_.stop();
}

result<void> servers::read_token(server_settings& of) const {
  std::string text;
  if (!of.token_env.empty()) {
    const auto* value = std::getenv(of.token_env.c_str());
    text = value ? value : "";
  } else if (!of.token_file.empty()) {
    std::ifstream file(of.token_file);
    std::getline(file, text);
    while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.pop_back();
  } else {
    return {};
  }
  if (!is_token(text))
    return error(codes::config_invalid,
                 "servers." + of.name + "." + (of.token_env.empty() ? "token_file" : "token_env") +
                     ": there is no token in it, in one line of visible ASCII");
  of.http.token = secret_string(std::move(text));
  return {};
}

result<void> servers::start(std::vector<server_settings> configured) {
  for (auto& one : configured) {
    if (auto read = read_token(one); !read) return read;
    one.http.allow_private = true;  // whoever runs the server may say where it goes
    add({}, std::move(one), {});
  }
  auto rows = parts_.store.load();
  if (!rows) return rows.error();
  for (const auto& row : *rows) {
    boost::system::error_code ec;
    const auto value = json::parse(row.json, ec);
    auto settings = ec || !value.is_object()
                        ? result<server_settings>(error(codes::mcp_server_invalid, "no object"))
                        : parse_server(row.name, value.get_object(), true);
    // What was allowed once and is no longer, or took a name of the configuration: fail closed.
    if (!settings || find({}, row.name)) continue;
    if (settings->is_command && (!options_.allow_commands || programs() >= limits::programs_max))
      continue;
    auto token = parts_.store.token(row.tenant, row.name);
    if (token) settings->http.token = std::move(*token);
    settings->http.allow_private = options_.allow_private;
    add(row.tenant, std::move(*settings), etag_of(row.json));
  }
  return {};
}

void servers::add(const tenant_id& tenant, server_settings settings, std::string etag) {
  auto one = std::make_shared<entry>();
  one->tenant = tenant;
  settings.http.ca_file = options_.ca_file;
  one->prefix = "mcp." + settings.name + ".";
  one->link = std::make_shared<server_link>(loop_);
  auto& view = one->view;
  view.name = settings.name;
  view.source = tenant.value.empty() ? "configuration" : "tenant";
  view.transport = settings.is_command ? "stdio" : "http";
  view.address = settings.is_command ? settings.command.program : shown_url(settings.http.url);
  view.state = to_string(connection_state::connecting);
  view.has_token = !settings.http.token.empty();
  view.etag = std::move(etag);
  one->settings = std::move(settings);
  {
    std::lock_guard hold(mutex_);
    entries_.insert_or_assign({tenant, one->settings.name}, one);
  }
  one->link->post([this, one] { connect(one); });
}

// On the loop's thread.
void servers::connect(const std::shared_ptr<entry>& one) {
  connection_rules rules{one->settings.revision, options_.client_version};
  auto make = [this, one = one.get()]() -> std::unique_ptr<transport> {
    const auto& s = one->settings;
    if (s.is_command) return make_stdio_transport(s.command, parts_.box, loop_);
    return make_http_transport(s.http, loop_);
  };
  connection_events events;
  events.on_change = [this, weak = std::weak_ptr(one)] {
    if (const auto one = weak.lock()) refresh(one);
  };
  one->link->attach(std::make_unique<connection>(std::move(rules), loop_, make, events));
  one->link->attached()->start();
}

// On the loop's thread, when the connection says that something is otherwise than before.
void servers::refresh(const std::shared_ptr<entry>& one) {
  auto* c = one->link->attached();
  if (!c) return;
  const bool ready = c->state() == connection_state::ready;
  if (ready) publish(*one, c->tools());
  one->link->set_unavailable(ready ? std::string()
                                   : "its MCP server " + one->settings.name +
                                         " is not connected: " + c->last_error());
  {
    std::lock_guard hold(one->mutex);
    one->view.state = to_string(c->state());
    one->view.last_error = c->last_error();
    one->view.last_words = c->last_words();
    if (ready) {
      one->view.revision = c->revision();
      one->view.server = c->server_name();
      one->view.left_out = c->tools().left_out;
      one->view.left_out_count = c->tools().left_out_count;
      one->view.tools.clear();
      for (const auto& tool : c->tools().tools) one->view.tools.push_back(tool.name);
    }
  }
  if (options_.on_change)
    options_.on_change(one->tenant.value.empty() ? std::nullopt : std::optional(one->tenant));
}

void servers::publish(entry& one, const tool_list& listed) {
  const auto& s = one.settings;
  std::vector<catalog_entry> entries;
  std::vector<std::string> offered;
  for (const auto& tool : listed.tools) {
    catalog_entry out;
    out.tool_id = one.prefix + tool.name;
    out.title = tool.title;
    out.description = tool.description;
    out.executor = "mcp";
    out.inputs_schema_json = tool.inputs_json;
    out.outputs_schema_json = tool.outputs_json;
    out.inputs = tool.inputs;
    out.offered_inputs_json = tool.offered_json;
    out.origin = origin_of(s);
    out.idempotent = s.idempotent.count(tool.name) > 0;
    out.enabled = s.enable.count(tool.name) > 0;
    out.limits.timeout_ms = s.timeout_ms;
    out.limits.concurrency = s.concurrency;
    out.limits.output_bytes = s.output_bytes;
    offered.push_back(out.tool_id);
    parts_.runner.add(out.tool_id, make_mcp_tool(one.link, tool.name, out.idempotent), one.tenant);
    entries.push_back(std::move(out));
  }
  for (const auto& id : one.offered)
    if (std::find(offered.begin(), offered.end(), id) == offered.end())
      parts_.runner.remove(id, one.tenant);
  one.offered = std::move(offered);
  parts_.tools.replace(one.prefix, std::move(entries), one.tenant);
}

// Its tools are gone when this is back from the loop; calls of it end at once, without an answer of
// it.
void servers::end(const std::shared_ptr<entry>& one, const std::string& why) {
  one->link->set_unavailable(why);
  one->link->post([this, one, why] {
    one->link->detach(why);
    publish(*one, {});
    if (options_.on_change) options_.on_change(one->tenant);
  });
}

std::shared_ptr<servers::entry> servers::find(const tenant_id& tenant,
                                              const std::string& name) const {
  std::lock_guard hold(mutex_);
  const auto at = entries_.find({tenant, name});
  return at == entries_.end() ? nullptr : at->second;
}

std::vector<server_view> servers::list(const tenant_id& tenant) const {
  std::vector<std::shared_ptr<entry>> found;
  {
    std::lock_guard hold(mutex_);
    for (const auto& [of, one] : entries_)
      if (of.first.value.empty() || of.first == tenant) found.push_back(one);
  }
  std::vector<server_view> out;
  for (const auto& one : found) {
    std::lock_guard hold(one->mutex);
    out.push_back(one->view);
    // What a program of all tenants writes may be about any of them.
    if (one->tenant.value.empty()) out.back().last_words.clear();
  }
  return out;
}

std::size_t servers::programs() const {
  std::lock_guard hold(mutex_);
  return static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(), [](auto& one) { return one.second->settings.is_command; }));
}

result<void> servers::may_change(const tenant_id& tenant, const std::string& name,
                                 std::string_view if_match) const {
  if (find({}, name))
    return error(codes::mcp_server_exists, name + " is a server of the configuration");
  const auto now = find(tenant, name);
  if (!if_match_permits(if_match, now ? std::string_view(now->view.etag) : std::string_view{}))
    return error(codes::mcp_server_changed, "the server is not the one that If-Match names");
  return {};
}

result<server_view> servers::put(const tenant_id& tenant, const std::string& name,
                                 const json::object& body, std::string_view if_match) {
  const std::lock_guard one_at_a_time(change_mutex_);
  json::object plain;
  for (const auto& member : body)
    if (member.key() != "token") plain.insert(member);
  const secret_string token(text_of(body, "token"));
  auto settings = parse_server(name, plain, true);
  if (!settings) return settings.error();
  if (settings->is_command && !options_.allow_commands)
    return error(codes::mcp_server_invalid,
                 "command: programs are named in the configuration alone (mcp.allow_commands)");
  if (body.contains("token") && (!is_token(token.reveal()) || settings->is_command))
    return error(codes::mcp_server_invalid,
                 "token: must be one line of visible ASCII, for a server with a url");
  if (auto may = may_change(tenant, name, if_match); !may) return may.error();
  const auto before = find(tenant, name);
  std::size_t own = 0;
  for (const auto& one : list(tenant)) own += one.source == "tenant";
  if (!before && own >= limits::tenant_servers_max)
    return error(
        codes::quota_exceeded,
        "a tenant may add " + std::to_string(limits::tenant_servers_max) + " servers at most");
  if (settings->is_command && programs() >= limits::programs_max)
    return error(codes::quota_exceeded, "as many programs run as may");
  settings->http.token = token;
  settings->http.allow_private = options_.allow_private;
  const auto text = json::serialize(plain);
  // First the token: a row without it would be asked without it.
  if (auto kept = parts_.store.keep_token(tenant, name, settings->http.token); !kept)
    return kept.error();
  if (auto kept = parts_.store.put({tenant, name, text}); !kept) return kept.error();
  if (before) end(before, "its MCP server was replaced by other settings of it");
  add(tenant, std::move(*settings), etag_of(text));
  const auto now = find(tenant, name);
  std::lock_guard hold(now->mutex);
  return now->view;
}

result<void> servers::remove(const tenant_id& tenant, const std::string& name,
                             std::string_view if_match) {
  const std::lock_guard one_at_a_time(change_mutex_);
  if (!find({}, name) && !find(tenant, name))
    return error(codes::mcp_server_not_found, "there is no such server");
  if (auto may = may_change(tenant, name, if_match); !may) return may;
  // First the token: whatever fails, what is still there can be removed by asking once more.
  if (auto gone = parts_.store.keep_token(tenant, name, {}); !gone) return gone;
  if (auto gone = parts_.store.remove(tenant, name); !gone) return gone;
  const auto one = find(tenant, name);
  {
    std::lock_guard hold(mutex_);
    entries_.erase({tenant, name});
  }
  end(one, "its MCP server was removed");
  return {};
}

}  // namespace soma::tools::mcp
