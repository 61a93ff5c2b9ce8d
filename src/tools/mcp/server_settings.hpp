// How one server is reached and what of it is switched on: an entry of config/mcp.toml, or a body
// of the API. Pure, but for reading the file.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/secret.hpp"
#include "tools/sandbox/sandbox.hpp"

namespace soma::tools::mcp {

struct command_settings {
  std::string program;  // a path inside the sandbox
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<sandbox_bind> folders;
  std::uint64_t memory_bytes = 1ull << 30;
  std::uint32_t processes = 64;
};

struct http_settings {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  secret_string token;         // sent as a bearer token
  bool allow_private = false;  // addresses of this machine and of private networks
  std::string ca_file;
};

struct server_settings {
  std::string name;
  bool is_command = false;
  command_settings command;
  http_settings http;
  std::string token_env, token_file;  // where the token is; read when the server is added
  std::string revision = "auto";
  std::set<std::string> enable, idempotent;  // names of tools
  std::uint32_t timeout_ms = 60'000, concurrency = 8;
  std::uint64_t output_bytes = 64ull << 10;
};

// Error: mcp_server.invalid, naming the member. `of_api`: without what an API key must not give
// (secrets in the open, files and variables of the machine, what may be done twice).
result<server_settings> parse_server(std::string_view name, const boost::json::object& from,
                                     bool of_api);

// The file's servers. Errors: config.invalid, naming the server and the key.
result<std::vector<server_settings>> parse_servers(std::string_view toml);

}  // namespace soma::tools::mcp
