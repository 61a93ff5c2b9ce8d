// Servers as config/mcp.toml and the API name them.
#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "tools/mcp/server_settings.hpp"

using namespace soma::tools::mcp;
namespace json = boost::json;

TEST_CASE("mcp settings: a program and an address are read with all they have") {
  const auto read = parse_servers(R"(
    [servers.files]
    command = "/usr/bin/node"
    args = ["/srv/x.js"]
    env = { A = "1" }
    folders = [{ from = "/srv" }, { from = "/home/me", to = "/documents", writable = true }]
    enable = ["read"]
    idempotent = ["read"]
    [servers.web]
    url = "https://a.example/mcp"
    token_env = "TOKEN"
    headers = { X-Team = "t" }
    protocol = "2026-07-28"
    timeout_ms = 1000
  )");
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().detail));
  REQUIRE(read->size() == 2);
  const auto& files = (*read)[0];
  CHECK(files.is_command);
  CHECK(files.command.folders.at(0).to == "/srv");
  CHECK_FALSE(files.command.folders.at(0).writable);
  CHECK(files.command.folders.at(1).writable);
  CHECK(files.idempotent.count("read") == 1);
  CHECK((*read)[1].http.url == "https://a.example/mcp");
  CHECK((*read)[1].timeout_ms == 1000);
}

TEST_CASE("mcp settings: a fault is named with its server and key") {
  const auto fault = [](std::string_view text) {
    const auto read = parse_servers(text);
    REQUIRE_FALSE(read.has_value());
    return read.error().detail;
  };
  CHECK(fault("[servers.a]\nurl = \"https://x\"\ntokn = \"t\"") ==
        "servers.a.tokn: is not known here");
  CHECK(fault("[server.a]\n") == "server: is not known here");
  CHECK(fault("[servers.A]\nurl = \"https://x\"").starts_with("servers.A.name: "));
  CHECK(fault("[servers.a]\n").starts_with("servers.a.command: "));
  CHECK(fault("[servers.a]\ncommand = \"node\"").starts_with("servers.a.command: "));
  for (const std::string url : {"http://u:p@x/", "http://[::1", "http://a:70000/mcp", "http://a:b/",
                                "https://", "https:///mcp", "http://a b/", "http://[::g]/"}) {
    CAPTURE(url);
    CHECK(fault("[servers.a]\nurl = \"" + url + "\"").starts_with("servers.a.url: "));
  }
  for (const std::string url :
       {"http://[::1]:8080/mcp", "http://127.0.0.1", "https://a.example:65535"})
    CHECK(parse_servers("[servers.a]\nurl = \"" + url + "\"").has_value());
  CHECK(fault("[servers.a]\nurl = \"https://x\"\nprotocol = \"1\"")
            .starts_with("servers.a.protocol"));
  CHECK(fault("[servers.a]\nurl = \"https://x\"\nheaders = { Authorization = \"x\" }")
            .starts_with("servers.a.headers"));
  CHECK(fault("[servers.a]\ncommand = \"/x\"\nfolders = [{ from = \"/a/../b\" }]")
            .starts_with("servers.a.folders"));
  CHECK(fault("[servers.a").starts_with("line 1: "));
}

TEST_CASE(
    "mcp settings: the API takes no header, no file and no promise that calls may be repeated") {
  for (const auto* member : {"headers", "token_env", "token_file", "idempotent"}) {
    CAPTURE(member);
    json::object from{{"url", "https://x.example/"}};
    from[member] = json::array();
    const auto read = parse_server("a", from, true);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().detail == std::string(member) + ": is not known here");
  }
}
