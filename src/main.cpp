// soma: one binary, one subcommand a job.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.hpp"
#include "core/version.hpp"
#include "node/process_start.hpp"

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

// Where the server is and who asks, of the commands that are its clients. Each has its own, which
// its flags fill; the environment says only what they left open.
struct server_flags {
  std::string url, key;

  void add_to(CLI::App& command) {
    command.add_option("--url", url, "the server (or GATEWAY_BASE_URL)");
    command.add_option("--key", key, "an API key (or SOMA_ADMIN_KEY)");
  }
  template <class Options>
  Options over(Options options) const {
    const auto otherwise = [](const std::string& given, const char* variable) {
      const char* value = given.empty() ? std::getenv(variable) : nullptr;
      return value ? std::string(value) : given;
    };
    options.url = otherwise(url, "GATEWAY_BASE_URL");
    options.key = otherwise(key, "SOMA_ADMIN_KEY");
    return options;
  }
};

// The innermost command that was named; what needs one more prints its help.
const CLI::App& named(const CLI::App& app) {
  const auto inner = app.get_subcommands();
  return inner.empty() ? app : named(*inner.front());
}

// Of what could not be read from the command line, as of most programs.
constexpr int bad_usage = 2;

int bad_follow() {
  std::fputs("soma memory follow: name the server to follow, or --end\n", stderr);
  return bad_usage;
}

int bad_restore() {
  std::fputs("soma restore: name the folder to make with --data-dir, or --check, or --list\n",
             stderr);
  return bad_usage;
}

int run(int argc, char** argv) {
  CLI::App app{"SomaAgent01: conversations with language-model agents that nothing interrupts"};
  app.set_version_flag("--version", "soma " + std::string(soma::version));
  config_flags flags;
  soma::new_key_options key;
  soma::chat_options chat;

  auto* serve = app.add_subcommand("serve", "run the server");
  flags.add_to(*serve);
  auto* config = app.add_subcommand("config", "look at the configuration");
  auto* check = config->add_subcommand("check", "say what is wrong with it");
  auto* print = config->add_subcommand("print", "every key, its value and where it came from");
  for (auto* command : {check, print}) flags.add_to(*command);
  auto* keys = app.add_subcommand("key", "API keys");
  auto* new_key = keys->add_subcommand("new", "make an API key; the server must not run meanwhile");
  flags.add_to(*new_key);
  new_key->add_option("--name", key.name, "what it is for")->required();
  new_key->add_option("--role", key.role, "admin or user")->check(CLI::IsMember({"admin", "user"}));
  new_key->add_option("--tenant", key.tenant, "whose it is");
  new_key->add_option("--user", key.user, "who uses it");
  auto* void_all =
      keys->add_subcommand("void", "delete all keys and sign-ins, where the server's key is lost");
  flags.add_to(*void_all);
  auto* mend = app.add_subcommand("repair", "mend a damaged store, keeping all that can be read");
  flags.add_to(*mend);
  soma::backup_options backup;
  auto* copy = app.add_subcommand("backup", "back the data up, while the server runs or not");
  flags.add_to(*copy);
  copy->add_option("folder", backup.folder, "of backups; the next one adds what is new")
      ->required();
  copy->add_option("--keep", backup.keep, "leave so many of the newest; without it all");
  copy->add_flag("--leave-out-damaged", backup.leave_out_damaged,
                 "copy all else where attachments are damaged or missing");
  soma::restore_command restore;
  auto* bring_back = app.add_subcommand("restore", "make a data folder of a backup");
  bring_back->add_option("folder", restore.folder, "of backups")->required();
  bring_back->add_option("--data-dir", restore.data_dir, "the folder to make");
  bring_back->add_option("--backup", restore.backup_id, "which; without it the newest");
  bring_back->add_flag("--check", restore.check_only, "only read all of it");
  bring_back->add_flag("--list", restore.list, "only say which there are");
  auto* cluster = app.add_subcommand("cluster", "the running server's cluster");
  auto* cluster_status = cluster->add_subcommand("status", "its nodes, and who owns how much");
  auto* cluster_drain = cluster->add_subcommand("drain", "give all to the other nodes");
  auto* cluster_undrain = cluster->add_subcommand("undrain", "take a share again");
  for (auto* command : {cluster_status, cluster_drain, cluster_undrain}) flags.add_to(*command);
  auto* secrets = app.add_subcommand("secrets", "keys of models that the server keeps");
  auto* rotate = secrets->add_subcommand("rotate", "encrypt them under a new key from now on");
  flags.add_to(*rotate);
  soma::tenant_options tenant;
  auto* tenants = app.add_subcommand("tenant", "all that is one tenant's");
  auto* erase = tenants->add_subcommand(
      "erase", "destroy its key and delete all it has; the server must not run meanwhile");
  flags.add_to(*erase);
  erase->add_option("tenant", tenant.tenant, "its id")->required();
  erase->add_flag("--yes", tenant.yes, "without being asked again");
  erase->add_flag("--with-admin-key", tenant.with_admin_key,
                  "also `default`, by which SOMA_ADMIN_KEY is refused for ever");
  auto* link = app.add_subcommand("signin", "print a fresh sign-in link of the running server");
  flags.add_to(*link);
  auto* talk = app.add_subcommand("chat", "talk to an agent in the terminal");
  server_flags chat_server, ls_server, run_server;
  chat_server.add_to(*talk);
  talk->add_option("--session", chat.session, "go on in this session");
  soma::tools_options tools;
  auto* tool = app.add_subcommand("tools", "what agents can do");
  auto* tools_ls = tool->add_subcommand("ls", "the tools you may use");
  auto* tools_run = tool->add_subcommand("run", "run one");
  ls_server.add_to(*tools_ls);
  run_server.add_to(*tools_run);
  tools_run->add_option("tool", tools.tool_id, "its id")->required();
  tools_run->add_option("inputs", tools.inputs, "a JSON object");
  tools_run->add_option("--session", tools.session, "keep the call in this session");
  soma::memory_options memory;
  server_flags memory_server;
  auto* remembered = app.add_subcommand("memory", "what is remembered");
  const auto memory_command = [&](const char* name, const char* what) {
    auto* made = remembered->add_subcommand(name, what);
    memory_server.add_to(*made);
    return made;
  };
  auto* memory_ls = memory_command("ls", "all of it, newest first");
  auto* memory_search = memory_command("search", "what fits these words, the best first");
  auto* memory_add = memory_command("add", "keep a note");
  auto* memory_forget = memory_command("forget", "delete one");
  auto* memory_documents = remembered->add_subcommand("documents", "what is kept of documents");
  auto* documents_ls = memory_documents->add_subcommand("ls", "the documents");
  auto* documents_rm = memory_documents->add_subcommand("rm", "forget the passages of one");
  for (auto* command : {documents_ls, documents_rm}) memory_server.add_to(*command);
  auto* memory_shown = memory_command("status", "how much there is, and how far it can be found");
  auto* memory_sync = memory_command("sync", "send SomaBrain again what it never acknowledged");
  auto* memory_export = memory_command("export", "all of it as NDJSON");
  auto* memory_follow = memory_command(
      "follow", "copy all of another server's memories to this one, and what comes there");
  memory_follow->add_option("from", memory.text, "the address of the other server");
  memory_follow->add_option("--from-key", memory.from_key,
                            "an admin's API key there (or FOLLOWED_KEY)");
  memory_follow->add_flag("--once", memory.once, "end once all of it is here");
  memory_follow->add_flag("--anew", memory.anew,
                          "from the beginning; what is there no more goes here, too");
  memory_follow->add_flag("--end", memory.end, "follow nothing any more; what came stays");
  for (auto* command : {memory_ls, memory_search, memory_export}) {
    command->add_option("--kind", memory.kind, "message, note, knowledge or summary");
    command->add_option("--tag", memory.tag, "with this tag");
    command->add_option("--session", memory.session, "of this session");
  }
  memory_search->add_option("words", memory.text, "what to look for")->required();
  memory_add->add_option("text", memory.text, "what to keep")->required();
  memory_add->add_option("--tag", memory.tag, "a tag of it");
  memory_forget->add_option("id", memory.text, "which")->required();
  documents_rm->add_option("attachment", memory.text, "the id of its attachment")->required();
  soma::audit_options audit;
  auto* audits = app.add_subcommand("audit", "what was done, and proof of it");
  const auto audit_command = [&](const char* name, const char* what) {
    auto* made = audits->add_subcommand(name, what);
    flags.add_to(*made);
    return made;
  };
  auto* audit_verify = audit_command("verify", "look for a record that is not right");
  auto* audit_prove = audit_command("prove", "prove what was recorded of a request");
  auto* audit_proof = audit_command("verify-proof", "check such a proof");
  auto* audit_export = audit_command("export", "all records, as they are kept");
  auto* audit_head = audit_command("head", "the newest signed head, to be kept elsewhere");
  auto* audit_key = audit_command("key", "the public key that heads are signed by");
  audit_verify->add_option("file", audit.file,
                           "an export, or a folder of copies; else the data folder's");
  audit_verify->add_option("--since", audit.since, "a head that was kept: only what came later");
  audit_verify->add_option("--head", audit.head, "a head that was kept, which has to be its past");
  audit_verify->add_flag("--past-away", audit.may_lack_past,
                         "older records may be missing, also those that a kept head is of");
  audit_verify->add_flag("--closed", audit.is_closed, "nothing may stand behind the newest head");
  audit_prove->add_option("--request", audit.request, "its id")->required();
  audit_proof->add_option("file", audit.file, "the proof")->required();
  for (auto* command : {audit_verify, audit_proof})
    command->add_option("--key", audit.key, "the public key, PEM; else that of the data folder");
  auto* table =
      app.add_subcommand("operations", "what the API can do and which action of policy each is");
  auto* about = app.add_subcommand("version", "print the version");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : bad_usage;
  }

  if (*serve) return soma::run_serve(flags.sources());
  if (*check) return soma::check_config(flags.sources());
  if (*print) return soma::print_config(flags.sources());
  if (*new_key) return soma::make_key(flags.sources(), key);
  if (*void_all) return soma::void_keys(flags.sources());
  if (*mend) return soma::repair(flags.sources());
  if (*copy) return soma::back_up(flags.sources(), backup);
  if (*bring_back) {
    if (restore.data_dir.empty() && !restore.check_only && !restore.list) return bad_restore();
    return soma::restore(restore);
  }
  if (*cluster_status) return soma::ask_cluster(flags.sources(), "status");
  if (*cluster_drain) return soma::ask_cluster(flags.sources(), "drain");
  if (*cluster_undrain) return soma::ask_cluster(flags.sources(), "undrain");
  if (*rotate) return soma::rotate_secrets(flags.sources());
  if (*erase) return soma::erase_tenant(flags.sources(), tenant);
  if (*link) return soma::sign_in(flags.sources());
  if (*talk) return soma::chat(chat_server.over(chat));
  if (*tools_ls) return soma::list_tools(ls_server.over(tools));
  if (*tools_run) return soma::run_tool(run_server.over(tools));
  if (*audit_verify) return soma::verify_audit(flags.sources(), audit);
  if (*audit_prove) return soma::prove_audit(flags.sources(), audit);
  if (*audit_proof) return soma::verify_audit_proof(flags.sources(), audit);
  if (*audit_export) return soma::export_audit(flags.sources());
  if (*audit_head) return soma::print_audit_head(flags.sources());
  if (*audit_key) return soma::print_audit_key(flags.sources());
  if (*memory_ls) return soma::list_memories(memory_server.over(memory));
  if (*memory_search) return soma::search_memories(memory_server.over(memory));
  if (*memory_add) return soma::add_memory(memory_server.over(memory));
  if (*memory_forget) return soma::forget_memory(memory_server.over(memory));
  if (*documents_ls) return soma::list_documents(memory_server.over(memory));
  if (*documents_rm) return soma::forget_document(memory_server.over(memory));
  if (*memory_shown) return soma::memory_status(memory_server.over(memory));
  if (*memory_sync) return soma::sync_memories(memory_server.over(memory));
  if (*memory_export) return soma::export_memories(memory_server.over(memory));
  if (*memory_follow) {
    if (memory.text.empty() == !memory.end) return bad_follow();
    if (const char* key = std::getenv("FOLLOWED_KEY"); key && memory.from_key.empty())
      memory.from_key = key;
    return soma::follow_memories(memory_server.over(memory));
  }
  if (*table) return soma::print_operations(), 0;
  if (*about) return soma::print_version(), 0;
  const auto& group = named(app);
  std::fputs(group.help(group.get_parent() ? group.get_parent()->get_name() : "").c_str(), stdout);
  return &group == &app ? 0 : bad_usage;
}

}  // namespace

int main(int argc, char** argv) {
  soma::open_standard_files();
  std::set_terminate(soma::end_with_a_sentence);
  try {
    return run(argc, argv);
  } catch (...) {
    soma::end_with_a_sentence();
  }
}
