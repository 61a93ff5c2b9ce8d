// The subcommands of soma. Each blocks and returns the process's exit status; what went wrong is a
// sentence on standard error.
#pragma once

#include <string>

#include "core/config.hpp"

namespace soma {

struct new_key_options {
  std::string name, role = "user", tenant = "default", user = "admin";
};
struct backup_options {
  std::string folder;              // of backups
  std::size_t keep = 0;            // of the newest; 0: all
  bool leave_out_damaged = false;  // attachments that are not whole, instead of refusing
};
struct restore_command {
  std::string folder;     // of backups
  std::string data_dir;   // to be made
  std::string backup_id;  // empty: the newest
  bool check_only = false, list = false;
};
struct tenant_options {
  std::string tenant;
  bool yes = false;             // without being asked again
  bool with_admin_key = false;  // also the tenant of SOMA_ADMIN_KEY, which is refused for ever then
};
struct chat_options {
  std::string url;      // empty: the default of the configuration
  std::string key;      // an API key
  std::string session;  // empty: a new one
};

struct tools_options {
  std::string url, key;         // as of chat
  std::string session;          // where the call is kept; empty: a new one
  std::string tool_id, inputs;  // inputs: a JSON object
};

struct memory_options {
  std::string url, key;            // as of chat
  std::string text;                // what is noted or looked for, or the id of what is forgotten
  std::string kind, tag, session;  // only these; empty: all
  std::string from_key;            // of the server that is followed
  bool anew = false, once = false, end = false;
};

struct audit_options {
  std::string file;         // lines of records, or a proof; empty: the data folder's chain
  std::string since, head;  // files of heads
  std::string key;          // a file with the public key, PEM
  std::string request;      // whose records are proved
  bool may_lack_past = false, is_closed = false;  // as audit_check has them
};

// The environment, with a configuration file.
config_sources process_sources(const std::string& file);

int run_serve(const config_sources& from);
int check_config(const config_sources& from);
int print_config(const config_sources& from);
int make_key(const config_sources& from, const new_key_options& wanted);
// Deletes all API keys and sign-ins: the way on where the server's key is lost.
int void_keys(const config_sources& from);
int repair(const config_sources& from);
// Of a data folder that a running server has, that server makes it.
int back_up(const config_sources& from, const backup_options& wanted);
int restore(const restore_command& wanted);
// Of the running server: "status", "drain" or "undrain".
int ask_cluster(const config_sources& from, const std::string& what);
// Puts a fresh key before those of auth.enc_key_file; a running server takes it up within seconds.
int rotate_secrets(const config_sources& from);
// Destroys a tenant's key and all that it has. No server runs on the data folder.
int erase_tenant(const config_sources& from, const tenant_options& wanted);
// A fresh sign-in link of the server that runs with this data folder.
int sign_in(const config_sources& from);
int chat(const chat_options& options);
int list_tools(const tools_options& options);
int run_tool(const tools_options& options);
int list_memories(const memory_options& options);
int search_memories(const memory_options& options);
int add_memory(const memory_options& options);
int forget_memory(const memory_options& options);
int list_documents(const memory_options& options);
int forget_document(const memory_options& options);  // its passages; the attachment stays
int memory_status(const memory_options& options);
int sync_memories(const memory_options& options);
int export_memories(const memory_options& options);  // NDJSON
// Until it is ended, or what is followed is no log, another one, or refused.
int follow_memories(const memory_options& options);
// The audit of the data folder; a server may run on it.
int verify_audit(const config_sources& from, const audit_options& wanted);
int prove_audit(const config_sources& from, const audit_options& wanted);
int verify_audit_proof(const config_sources& from, const audit_options& wanted);
int export_audit(const config_sources& from);      // the records, as they are kept
int print_audit_head(const config_sources& from);  // the newest, JSON
int print_audit_key(const config_sources& from);   // the public one, PEM
// The table of operations as NDJSON: for those who write policy, and for tests.
void print_operations();
void print_version();

}  // namespace soma
