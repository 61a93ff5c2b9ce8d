#include "commands.hpp"

#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "core/time.hpp"
#include "core/version.hpp"
#include "observability/log.hpp"
#include "serve.hpp"
#include "store_documents.hpp"

namespace soma {
namespace {

int refuse(const error& why) {
  std::fprintf(stderr, "soma: %s\n", why.detail.c_str());
  return 1;
}

log_level level_of(std::string_view name) {
  if (name == "trace") return log_level::trace;
  if (name == "debug") return log_level::debug;
  if (name == "warn") return log_level::warn;
  if (name == "error") return log_level::error;
  return log_level::info;
}

}  // namespace

config_sources process_sources(const std::string& file) {
  config_sources from;
  from.file = file;
  for (char** one = environ; *one; ++one) {
    const std::string_view entry(*one);
    const auto equals = entry.find('=');
    if (equals != std::string_view::npos)
      from.env.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return from;
}

int run_serve(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  configure_log(level_of(settings->text("log.level")),
                settings->text("log.format") == "text" ? log_format::text : log_format::json);
  return serve(*settings);
}

int check_config(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  std::puts("the configuration is good");
  return 0;
}

int print_config(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  std::fputs(settings->to_toml().c_str(), stdout);
  return 0;
}

int make_key(const config_sources& from, const new_key_options& wanted) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto& data_dir = settings->text("storage.data_dir");
  auto server_key = security::load_server_key(data_dir);
  if (!server_key) return refuse(server_key.error());
  storage::store_options options;
  options.data_dir = data_dir;
  auto log = storage::open_rocksdb_event_log(options);
  if (!log) return refuse(log.error());
  store_documents documents(**log);
  security::key_store keys(documents, *server_key);
  security::new_api_key key;
  key.name = wanted.name;
  key.role = wanted.role == "admin" ? security::role::admin : security::role::user;
  key.tenant = tenant_id(wanted.tenant);
  key.user = user_id(wanted.user);
  auto made = keys.create(key, now_ms());
  if (!made) return refuse(made.error());
  std::printf("%s\n", std::string(made->text.reveal()).c_str());
  std::fprintf(stderr, "This key is shown once. Send it as: Authorization: Bearer <key>\n");
  return 0;
}

void print_version() {
  std::printf("soma %s\n", std::string(version).c_str());
}

}  // namespace soma
