// soma: one binary, one subcommand a job.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"

namespace {

// Flags that every command with a configuration takes; each overrides its key.
struct config_flags {
  std::string file, data_dir, host, port;
  std::vector<std::string> set;  // section.key=value

  void add_to(CLI::App& command) {
    command.add_option("--config", file, "a TOML file; config/soma.toml shows every key");
    command.add_option("--data-dir", data_dir, "where everything is kept");
    command.add_option("--host", host, "the address to listen on");
    command.add_option("--port", port, "the port to listen on; 0 takes any free one");
    command.add_option("--set", set, "section.key=value; may be repeated");
  }

  soma::config_sources sources() const {
    soma::config_sources from = soma::process_sources(file);
    auto flag = [&from](const char* key, const std::string& value) {
      if (!value.empty()) from.flags.emplace_back(key, value);
    };
    flag("storage.data_dir", data_dir);
    flag("server.host", host);
    flag("server.port", port);
    for (const auto& one : set) {
      const auto equals = one.find('=');
      from.flags.emplace_back(one.substr(0, equals),
                              equals == std::string::npos ? "" : one.substr(equals + 1));
    }
    return from;
  }
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"SomaAgent01: conversations with language-model agents that nothing interrupts"};
  app.require_subcommand(1);
  config_flags flags;
  soma::new_key_options key;
  soma::chat_options chat;

  auto* serve = app.add_subcommand("serve", "run the server");
  flags.add_to(*serve);
  auto* config = app.add_subcommand("config", "look at the configuration");
  config->require_subcommand(1);
  auto* check = config->add_subcommand("check", "say what is wrong with it");
  auto* print = config->add_subcommand("print", "every key, its value and where it came from");
  for (auto* command : {check, print}) flags.add_to(*command);
  auto* keys = app.add_subcommand("key", "API keys");
  keys->require_subcommand(1);
  auto* new_key = keys->add_subcommand("new", "make an API key; the server must not run meanwhile");
  flags.add_to(*new_key);
  new_key->add_option("--name", key.name, "what it is for")->required();
  new_key->add_option("--role", key.role, "admin or user")->check(CLI::IsMember({"admin", "user"}));
  new_key->add_option("--tenant", key.tenant, "whose it is");
  new_key->add_option("--user", key.user, "who uses it");
  auto* mend =
      app.add_subcommand("repair", "cut a damaged write-ahead log, so that the store opens");
  flags.add_to(*mend);
  std::string backup_folder;
  auto* copy = app.add_subcommand("backup", "copy the data; the server must not run meanwhile");
  flags.add_to(*copy);
  copy->add_option("folder", backup_folder, "where to; must not exist yet")->required();
  auto* secrets = app.add_subcommand("secrets", "keys of models that the server keeps");
  secrets->require_subcommand(1);
  auto* rotate = secrets->add_subcommand("rotate", "encrypt them under a new key from now on");
  flags.add_to(*rotate);
  auto* talk = app.add_subcommand("chat", "talk to an agent in the terminal");
  talk->add_option("--url", chat.url, "the server")->envname("GATEWAY_BASE_URL");
  talk->add_option("--key", chat.key, "an API key")->envname("SOMA_ADMIN_KEY");
  talk->add_option("--session", chat.session, "go on in this session");
  soma::tools_options tools;
  auto* tool = app.add_subcommand("tools", "what agents can do");
  tool->require_subcommand(1);
  auto* tools_ls = tool->add_subcommand("ls", "the tools you may use");
  auto* tools_run = tool->add_subcommand("run", "run one");
  for (auto* command : {tools_ls, tools_run}) {
    command->add_option("--url", tools.url, "the server")->envname("GATEWAY_BASE_URL");
    command->add_option("--key", tools.key, "an API key")->envname("SOMA_ADMIN_KEY");
  }
  tools_run->add_option("tool", tools.tool_id, "its id")->required();
  tools_run->add_option("inputs", tools.inputs, "a JSON object");
  tools_run->add_option("--session", tools.session, "keep the call in this session");
  app.add_subcommand("version", "print the version")->callback([] { soma::print_version(); });
  CLI11_PARSE(app, argc, argv);

  if (*serve) return soma::run_serve(flags.sources());
  if (*check) return soma::check_config(flags.sources());
  if (*print) return soma::print_config(flags.sources());
  if (*new_key) return soma::make_key(flags.sources(), key);
  if (*mend) return soma::repair(flags.sources());
  if (*copy) return soma::back_up(flags.sources(), backup_folder);
  if (*rotate) return soma::rotate_secrets(flags.sources());
  if (*talk) return soma::chat(chat);
  if (*tools_ls) return soma::list_tools(tools);
  if (*tools_run) return soma::run_tool(tools);
  return 0;
}
