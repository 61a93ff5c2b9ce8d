#include "core/config.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/codes.hpp"

using namespace soma;

namespace {

struct toml_file {
  explicit toml_file(const std::string& text)
      : path(std::filesystem::temp_directory_path() /
             ("config_test_" + std::to_string(getpid()) + ".toml")) {
    std::ofstream(path) << text;
  }
  ~toml_file() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

std::string refusal(const std::string& toml) {
  toml_file file(toml);
  const auto loaded = load_config({file.path.string(), {}, {}});
  REQUIRE(loaded.has_error());
  CHECK(loaded.error().code == codes::config_invalid);
  const auto& detail = loaded.error().detail;
  REQUIRE(detail.rfind(file.path.string(), 0) == 0);
  return detail.substr(file.path.string().size());
}

std::string refusal(std::map<std::string, std::string> env,
                    std::vector<std::pair<std::string, std::string>> flags) {
  const auto loaded = load_config({"", std::move(env), std::move(flags)});
  REQUIRE(loaded.has_error());
  return loaded.error().detail;
}

}  // namespace

TEST_CASE("config: gives every type its default from the schema") {
  const auto loaded = load_config({});
  REQUIRE(loaded.has_value());
  CHECK(loaded->number("turn.max_steps") == 16);
  CHECK(loaded->real("llm.temperature") == -1);
  CHECK(loaded->flag("llm.verify_tls"));
  CHECK(loaded->text("llm.resume") == "restart");
  CHECK(loaded->list("node.roles").size() == 5);
  CHECK(loaded->secret("auth.admin_key").empty());
  for (const auto& [key, source] : loaded->sources()) CHECK(source == "default");
}

TEST_CASE("config: a flag wins over the environment, which wins over the file") {
  toml_file file("[server]\nport = 1001\nhost = \"file\"\nbase_url = \"file\"\n");
  const auto loaded = load_config({file.path.string(),
                                   {{"GATEWAY_PORT", "1002"}, {"GATEWAY_HOST", "env"}},
                                   {{"server.port", "1003"}, {"server.port", "1004"}}});
  REQUIRE(loaded.has_value());
  CHECK(loaded->number("server.port") == 1004);
  CHECK(loaded->text("server.host") == "env");
  CHECK(loaded->text("server.base_url") == "file");
  std::map<std::string, std::string> from;
  for (const auto& [key, source] : loaded->sources()) from[key] = source;
  CHECK(from["server.port"] == "flag");
  CHECK(from["server.host"] == "env GATEWAY_HOST");
  CHECK(from["server.base_url"] == file.path.string() + ":4");
}

TEST_CASE("config: a secret that is kept elsewhere is read, and read again") {
  std::vector<std::string> asked;
  std::string value = "one";
  config_sources from;
  from.env = {{"SOMA_ADMIN_KEY", "env:KEY"}, {"VAULT_TOKEN", "file:/token"}};
  from.flags = {{"llm.api_key", "vault:secret/soma#llm"}};
  from.read_secret = [&](std::string_view reference, const config& settings) {
    asked.emplace_back(reference);
    if (reference.starts_with("vault:"))
      return result<secret_string>(
          secret_string(value + " by " + std::string(settings.secret("vault.token").reveal())));
    return result<secret_string>(secret_string("<" + std::string(reference) + ">"));
  };
  const auto loaded = load_config(from);
  REQUIRE(loaded.has_value());
  CHECK(asked.front() == "file:/token");
  CHECK(loaded->secret("auth.admin_key").reveal() == "<env:KEY>");
  const auto& before = loaded->secret("llm.api_key");
  CHECK(before.reveal() == "one by <file:/token>");
  CHECK(loaded->has_secret_references());
  CHECK(loaded->read_secrets_again().changed.empty());
  value = "two";
  CHECK(loaded->read_secrets_again().changed == std::vector<std::string>{"llm.api_key"});
  CHECK(loaded->secret("llm.api_key").reveal() == "two by <file:/token>");
  CHECK(before.reveal() == "one by <file:/token>");
  CHECK(loaded->to_toml().find("one by") == std::string::npos);
}

TEST_CASE("config: a secret that cannot be read is an error that names its key") {
  config_sources from;
  from.env = {{"SOMA_ADMIN_KEY", "vault:a/b#c"}};
  auto loaded = load_config(from);
  REQUIRE(loaded.has_error());
  CHECK(loaded.error().detail.find("auth.admin_key") != std::string::npos);
  from.read_secret = [](std::string_view, const config&) {
    return result<secret_string>(error(codes::dependency_unavailable, "it is away"));
  };
  loaded = load_config(from);
  REQUIRE(loaded.has_error());
  CHECK(loaded.error().detail == "env SOMA_ADMIN_KEY: auth.admin_key: it is away");
}

TEST_CASE("config: an empty variable counts as unset") {
  const auto loaded = load_config({"", {{"SOMA_DATA_DIR", ""}}, {}});
  REQUIRE(loaded.has_value());
  CHECK(loaded->text("storage.data_dir") == "./data");
}

TEST_CASE("config: refuses a bad file by line and key") {
  CHECK(refusal("[turn]\nmax_stepz = 3\n") ==
        ":2: unknown key turn.max_stepz; did you mean turn.max_steps?");
  CHECK(refusal("[nothing_like_it]\na = 1\n") == ":1: unknown key nothing_like_it");
  CHECK(refusal("turn = 3\n").rfind(":1: unknown key turn", 0) == 0);
  CHECK(refusal("\n[turn]\nmax_steps = \"3\"\n") == ":3: turn.max_steps must be a whole number");
  CHECK(refusal("[turn]\nmax_steps = 3.5\n") == ":2: turn.max_steps must be a whole number");
  CHECK(refusal("[turn]\nmax_steps = 0\n") == ":2: turn.max_steps must be from 1 to 256");
  CHECK(refusal("[llm]\nverify_tls = 1\n") == ":2: llm.verify_tls must be true or false");
  CHECK(refusal("[llm]\ntemperature = nan\n") == ":2: llm.temperature must be from -1 to 2");
  CHECK(refusal("[log]\nlevel = \"loud\"\n") ==
        ":2: log.level must be one of trace, debug, info, warn, error");
  CHECK(refusal("[node]\nroles = [\"gateway\", \"gateway\"]\n") ==
        ":2: node.roles names an item twice");
  CHECK(refusal("[node]\nroles = [1]\n") == ":2: node.roles must be an array of strings");
  CHECK(refusal("[server]\nport = 1\nport = 2\n").rfind(":3: ", 0) == 0);
}

TEST_CASE("config: refuses a bad variable and a bad flag by name") {
  CHECK(refusal({{"GATEWAY_PORT", "80x"}}, {}) ==
        "env GATEWAY_PORT: server.port must be a whole number");
  CHECK(refusal({{"GATEWAY_PORT", "65536"}}, {}) ==
        "env GATEWAY_PORT: server.port must be from 0 to 65535");
  CHECK(refusal({}, {{"server.prt", "1"}}) ==
        "flag --server.prt: unknown key server.prt; did you mean server.port?");
  CHECK(refusal({}, {{"turn.max_steps", "99999999999999999999"}}) ==
        "flag --turn.max_steps: turn.max_steps must be a whole number");
}

TEST_CASE("config: a file that is not there stops the start") {
  const auto loaded = load_config({"/nonexistent/soma.toml", {}, {}});
  REQUIRE(loaded.has_error());
  CHECK(loaded.error().detail ==
        "/nonexistent/soma.toml: cannot be read: No such file or directory");
}

TEST_CASE("config: a file without an end stops the start, too") {
  const auto loaded = load_config({"/dev/zero", {}, {}});
  REQUIRE(loaded.has_error());
  CHECK(loaded.error().detail == "/dev/zero: is longer than any configuration");
}

TEST_CASE("config: prints TOML that reads back, without a secret") {
  const auto first = load_config(
      {"",
       {{"SOMA_ADMIN_KEY", "hunter2"}},
       {{"llm.system_prompt", "say \"hi\"\n\\o/ \x7f"}, {"node.roles", "gateway, memory"}}});
  REQUIRE(first.has_value());
  const auto printed = first->to_toml();
  CHECK(printed.find("hunter2") == std::string::npos);
  CHECK(printed.find("admin_key = \"***\"") != std::string::npos);
  CHECK(first->secret("auth.admin_key").reveal() == "hunter2");
  toml_file file(printed);
  const auto second = load_config({file.path.string(), {}, {}});
  REQUIRE(second.has_value());
  CHECK(second->text("llm.system_prompt") == first->text("llm.system_prompt"));
  CHECK(second->list("node.roles") == std::vector<std::string>{"gateway", "memory"});
}

TEST_CASE("config: a variable that begins as ours do and is none of them is told of") {
  config_sources from;
  from.env = {{"SOMA_DATADIR", "/x"},
              {"GATEWAY_PROT", "1"},
              {"SOMA_DATA_DIR", "/y"},
              {"SOMA_QUITE_ANOTHER_ONE", ""},
              {"HOME", "/root"}};
  const auto settings = load_config(from);
  REQUIRE(settings.has_value());
  const auto& said = settings->warnings();
  REQUIRE(said.size() == 3);
  CHECK(said[0].find("GATEWAY_PROT") != std::string::npos);
  CHECK(said[0].find("did you mean GATEWAY_PORT?") != std::string::npos);
  CHECK(said[1].find("did you mean SOMA_DATA_DIR?") != std::string::npos);
  CHECK(said[2].find("SOMA_QUITE_ANOTHER_ONE") != std::string::npos);
  CHECK(said[2].find("did you mean") == std::string::npos);
}
