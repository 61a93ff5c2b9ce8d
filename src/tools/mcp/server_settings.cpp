#define TOML_EXCEPTIONS 0
#include "tools/mcp/server_settings.hpp"

#include <curl/curl.h>
#include <toml++/toml.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <sstream>

#include "core/codes.hpp"
#include "tools/mcp/limits.hpp"
#include "tools/mcp/message.hpp"

namespace soma::tools::mcp {
namespace {

namespace json = boost::json;

constexpr std::size_t text_bytes_max = 4096, list_max = 256, folders_max = 32;

error invalid(std::string_view member, std::string_view why) {
  return {codes::mcp_server_invalid, std::string(member) + ": " + std::string(why)};
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::server_name_bytes_max &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == name.npos;
}

bool is_clean(std::string_view text) {
  return text.size() <= text_bytes_max && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
         });
}

// Reads the members of one object, and says what is wrong first.
class reader {
 public:
  reader(const json::object& from, std::string prefix) : from_(from), prefix_(std::move(prefix)) {}

  void text(std::string_view name, std::string& to) {
    const auto* value = take(name);
    if (!value) return;
    if (!value->is_string() || !is_clean(value->get_string())) return fail(name, "must be text");
    to = value->get_string();
  }
  void flag(std::string_view name, bool& to) {
    const auto* value = take(name);
    if (!value) return;
    if (!value->is_bool()) return fail(name, "must be true or false");
    to = value->get_bool();
  }
  template <class Number>
  void number(std::string_view name, Number& to, std::uint64_t least, std::uint64_t most) {
    const auto* value = take(name);
    if (!value) return;
    boost::system::error_code ec;
    const auto read = value->is_number() ? value->to_number<std::uint64_t>(ec) : most + 1;
    if (ec || read < least || read > most)
      return fail(name, "must be " + std::to_string(least) + " to " + std::to_string(most));
    to = static_cast<Number>(read);
  }
  void texts(std::string_view name, const std::function<void(std::string)>& each) {
    const auto* value = take(name);
    if (!value) return;
    if (!value->is_array() || value->get_array().size() > list_max)
      return fail(name, "must be a list of texts");
    for (const auto& one : value->get_array()) {
      if (!one.is_string() || !is_clean(one.get_string()))
        return fail(name, "must be a list of texts");
      each(std::string(one.get_string()));
    }
  }
  void pairs(std::string_view name, std::vector<std::pair<std::string, std::string>>& to) {
    const auto* value = take(name);
    if (!value) return;
    if (!value->is_object() || value->get_object().size() > list_max)
      return fail(name, "must be texts by name");
    for (const auto& [key, one] : value->get_object()) {
      if (key.empty() || !is_clean(key) || !one.is_string() || !is_clean(one.get_string()))
        return fail(name, "must be texts by name");
      to.emplace_back(key, one.get_string());
    }
  }
  const json::value* take(std::string_view name) {
    known_.insert(std::string(name));
    return from_.if_contains(name);
  }
  void fail(std::string_view name, std::string_view why) {
    if (!fault_) fault_ = invalid(prefix_ + std::string(name), why);
  }
  std::optional<error> rest() {
    for (const auto& member : from_)
      if (!fault_ && !known_.count(std::string(member.key())))
        fault_ = invalid(prefix_ + std::string(member.key()), "is not known here");
    return fault_;
  }

 private:
  const json::object& from_;
  const std::string prefix_;
  std::set<std::string> known_;
  std::optional<error> fault_;
};

bool is_path(const std::string& path) {
  return path.starts_with('/') && path.find("/../") == path.npos && !path.ends_with("/..");
}

void read_folders(reader& r, std::vector<sandbox_bind>& to) {
  const auto* value = r.take("folders");
  if (!value) return;
  if (!value->is_array() || value->get_array().size() > folders_max)
    return r.fail("folders", "must be a list of {from, to, writable}");
  for (const auto& one : value->get_array()) {
    if (!one.is_object()) return r.fail("folders", "must be a list of {from, to, writable}");
    sandbox_bind bind;
    reader in(one.get_object(), "folders.");
    in.text("from", bind.from);
    in.text("to", bind.to);
    in.flag("writable", bind.writable);
    if (bind.to.empty()) bind.to = bind.from;
    if (auto bad = in.rest()) return r.fail("folders", bad->detail);
    if (!is_path(bind.from) || !is_path(bind.to) || bind.to == "/")
      return r.fail("folders", "from and to must be absolute paths");
    to.push_back(std::move(bind));
  }
}

bool is_header(std::string_view name) {
  static constexpr std::string_view ours[] = {"accept",       "content-type", "content-length",
                                              "host",         "connection",   "transfer-encoding",
                                              "authorization"};
  std::string lower(name);
  for (auto& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == lower.npos &&
         !lower.starts_with("mcp-") &&
         std::find(std::begin(ours), std::end(ours), lower) == std::end(ours);
}

void read_command(reader& r, server_settings& to) {
  r.text("command", to.command.program);
  r.texts("args", [&](std::string one) { to.command.arguments.push_back(std::move(one)); });
  r.pairs("env", to.command.environment);
  read_folders(r, to.command.folders);
  r.number("memory_bytes", to.command.memory_bytes, 64ull << 20, 64ull << 30);
  r.number("processes", to.command.processes, 1, 4096);
  if (!is_path(to.command.program)) r.fail("command", "must be the absolute path of a program");
}

// Whether it can be connected to: one with a host that is a name or an address, and a port that
// there is.
bool is_address(const std::string& text) {
  const auto host = text.find("://") + 3;
  if (host >= text.size() || text[host] == '/') return false;  // libcurl forgives a third slash
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
  return url && curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
}

void read_http(reader& r, server_settings& to, bool of_api) {
  r.text("url", to.http.url);
  const auto& url = to.http.url;
  if (!url.starts_with("https://") && !url.starts_with("http://"))
    r.fail("url", "must begin with https:// or http://");
  else if (!is_address(url))
    r.fail("url", "is no address: its host or its port is none");
  const auto host_end = std::min(url.find('/', 8), url.size());
  if (url.substr(0, host_end).find('@') != url.npos || url.find('#') != url.npos)
    r.fail("url", "must be without a user and without a fragment");
  if (of_api) return;
  r.pairs("headers", to.http.headers);
  for (const auto& [name, value] : to.http.headers)
    if (!is_header(name)) r.fail("headers", name + " cannot be set; a token has its own keys");
  r.text("token_env", to.token_env);
  r.text("token_file", to.token_file);
  if (!to.token_env.empty() && !to.token_file.empty())
    r.fail("token_env", "cannot be set together with token_file");
}

}  // namespace

result<server_settings> parse_server(std::string_view name, const json::object& from, bool of_api) {
  if (!is_name(name))
    return invalid("name", "must be 1 to 32 small letters, digits, dashes and underscores");
  server_settings out;
  out.name = name;
  reader r(from, "");
  out.is_command = from.contains("command");
  if (out.is_command == from.contains("url"))
    return invalid("command", "a server has either a command or a url");
  if (out.is_command)
    read_command(r, out);
  else
    read_http(r, out, of_api);
  r.text("protocol", out.revision);
  if (out.revision != "auto" && out.revision != modern_revision && !is_legacy(out.revision))
    r.fail("protocol",
           "must be auto, 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26 or 2024-11-05");
  r.texts("enable", [&](std::string tool) { out.enable.insert(std::move(tool)); });
  if (!of_api)
    r.texts("idempotent", [&](std::string tool) { out.idempotent.insert(std::move(tool)); });
  r.number("timeout_ms", out.timeout_ms, 100, 600'000);
  r.number("concurrency", out.concurrency, 1, 1024);
  r.number("output_bytes", out.output_bytes, 256, 400 * 1024);
  if (auto bad = r.rest()) return *bad;
  return out;
}

result<std::vector<server_settings>> parse_servers(std::string_view text) {
  const auto parsed = toml::parse(text);
  if (!parsed)
    return error(codes::config_invalid, "line " +
                                            std::to_string(parsed.error().source().begin.line) +
                                            ": " + std::string(parsed.error().description()));
  std::ostringstream as_json;
  as_json << toml::json_formatter(parsed.table());
  boost::system::error_code ec;
  const auto value = json::parse(as_json.str(), ec);
  if (ec || !value.is_object()) return error(codes::config_invalid, "it cannot be read");
  std::vector<server_settings> out;
  for (const auto& [section, servers] : value.get_object()) {
    if (section != "servers" || !servers.is_object())
      return error(codes::config_invalid, std::string(section) + ": is not known here");
    for (const auto& [name, one] : servers.get_object()) {
      if (!one.is_object())
        return error(codes::config_invalid, "servers." + std::string(name) + ": must be a table");
      auto server = parse_server(name, one.get_object(), false);
      if (!server)
        return error(codes::config_invalid,
                     "servers." + std::string(name) + "." + server.error().detail);
      out.push_back(std::move(*server));
    }
  }
  const auto programs =
      std::count_if(out.begin(), out.end(), [](const auto& one) { return one.is_command; });
  if (out.size() > limits::servers_max || static_cast<std::size_t>(programs) > limits::programs_max)
    return error(codes::config_invalid, "servers: at most " + std::to_string(limits::servers_max) +
                                            " may be set, " + std::to_string(limits::programs_max) +
                                            " of them programs");
  return out;
}

}  // namespace soma::tools::mcp
