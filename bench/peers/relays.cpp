#include "peers/relays.hpp"

#include <signal.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>

#include "clock.hpp"
#include "event_loop.hpp"
#include "peers/soma.hpp"
#include "report.hpp"
#include "socket.hpp"

namespace soma::bench {
namespace {

constexpr std::string_view completion =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,)"
    R"("message":{"role":"assistant","content":"One of many answers, of some length."},)"
    R"("finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17}})";

std::string post(const std::string& json, std::string authorization = {}) {
  http_request r;
  r.method = "POST";
  r.target = "/v1/chat/completions";
  r.authorization = std::move(authorization);
  r.body = json;
  return to_text(r);
}

void wait_for_port(child_process& process, std::uint16_t port, const char* path) {
  http_request probe;
  probe.target = path;
  probe.close = true;
  const auto deadline = now_ns() + 180 * ns_per_s;
  while (!exchange(port, to_text(probe), 500).starts_with("HTTP/1.1 ")) {
    throw_if_interrupted();
    if (!process.running() || now_ns() > deadline)
      throw std::runtime_error("a relay did not start: " + process.log_tail());
    ::usleep(20'000);
  }
}

std::string nginx_file(const std::string& folder, const std::string& inside) {
  const std::string user = ::geteuid() == 0 ? "user root;\n" : "";
  return user + "daemon off;\nworker_processes 1;\nworker_rlimit_nofile 20000;\npid " + folder +
         "/nginx.pid;\nerror_log " + folder +
         "/error.log;\nevents { worker_connections 16384; }\nhttp {\n  access_log off;\n"
         "  keepalive_requests 1000000000;\n  keepalive_timeout 600s;\n  client_body_temp_path " +
         folder + "/body;\n  proxy_temp_path " + folder + "/proxy;\n" + inside + "}\n";
}

class nginx_relay final : public chat_relay {
 public:
  nginx_relay(const std::filesystem::path& folder,
              const std::function<std::string(std::string)>& of)
      : port_(free_port()), process_(command(folder, of(std::to_string(port_)))) {
    wait_for_port(process_, port_, "/");
  }
  std::uint16_t port() const override { return port_; }
  child_process& process() override { return process_; }
  std::string request(const std::string& json) const override { return post(json); }

 private:
  static process_options command(const std::filesystem::path& folder, const std::string& inside) {
    std::filesystem::create_directories(folder);
    const auto file = folder / "nginx.conf";
    write_file(file, nginx_file(folder.string(), inside));
    process_options p;
    p.argv = {"/usr/sbin/nginx", "-c", file.string(), "-p", folder.string()};
    p.log = folder / "nginx.log";
    p.death_signal = SIGTERM;
    return p;
  }
  std::uint16_t port_;
  child_process process_;
};

class portkey_relay final : public chat_relay {
 public:
  portkey_relay(const options& o, const std::filesystem::path& folder, std::uint16_t upstream)
      : upstream_(upstream), port_(free_port()), process_(command(o, folder, port_)) {
    wait_for_port(process_, port_, "/");
  }
  std::uint16_t port() const override { return port_; }
  child_process& process() override { return process_; }
  std::string request(const std::string& json) const override {
    auto text = post(json, "Bearer none");
    const auto end = text.find("\r\n\r\n");
    text.insert(end, "\r\nx-portkey-provider: openai\r\nx-portkey-custom-host: http://127.0.0.1:" +
                         std::to_string(upstream_) + "/v1");
    return text;
  }

 private:
  static process_options command(const options& o, const std::filesystem::path& folder,
                                 std::uint16_t port) {
    process_options p;
    p.argv = {"/usr/bin/env", "node", o.portkey.string(), "--headless",
              "--port=" + std::to_string(port)};
    p.log = folder / "portkey.log";
    return p;
  }
  std::uint16_t upstream_, port_;
  child_process process_;
};

// Keys of servers on loopback that live as long as a run.
constexpr std::string_view litellm_key = "sk-bench-loopback-only-91c2e7a5d0f84b36a1";
constexpr std::string_view ferro_key = "fgw_0b1e9d7c3a5f48e2b6d4c8a091f7e35d";

class litellm_relay final : public chat_relay {
 public:
  litellm_relay(const std::filesystem::path& program, const std::filesystem::path& folder,
                std::uint16_t upstream)
      : port_(free_port()), process_(command(program, folder, port_, upstream)) {
    wait_for_port(process_, port_, "/health/liveliness");
  }
  std::uint16_t port() const override { return port_; }
  child_process& process() override { return process_; }
  std::string request(const std::string& json) const override {
    return post(json, "Bearer " + std::string(litellm_key));
  }

 private:
  static process_options command(const std::filesystem::path& program,
                                 const std::filesystem::path& folder, std::uint16_t port,
                                 std::uint16_t upstream) {
    const auto file = folder / "litellm.yaml";
    write_file(file,
               "model_list:\n  - model_name: default\n    litellm_params:\n"
               "      model: openai/m\n      api_key: none\n      api_base: http://127.0.0.1:" +
                   std::to_string(upstream) + "/v1\n");
    process_options p;
    p.argv = {program.string(), "--config",           file.string(), "--host", "127.0.0.1",
              "--port",         std::to_string(port), "--telemetry", "False"};
    p.environment = {{"LITELLM_LOCAL_MODEL_COST_MAP", "True"},
                     {"LITELLM_MASTER_KEY", std::string(litellm_key)},
                     {"LITELLM_LOG", "ERROR"}};
    p.log = folder / "litellm.log";
    return p;
  }
  std::uint16_t port_;
  child_process process_;
};

class ferro_relay final : public chat_relay {
 public:
  ferro_relay(const std::filesystem::path& program, const std::filesystem::path& folder,
              std::uint16_t upstream)
      : port_(free_port()), process_(command(program, folder, port_, upstream)) {
    wait_for_port(process_, port_, "/health");
  }
  std::uint16_t port() const override { return port_; }
  child_process& process() override { return process_; }
  std::string request(const std::string& json) const override {
    // It takes names of models from its own list.
    auto named = json;
    named.replace(named.find("\"default\""), 9, "\"gpt-4o-mini\"");
    return post(named, "Bearer " + std::string(ferro_key));
  }

 private:
  static process_options command(const std::filesystem::path& program,
                                 const std::filesystem::path& folder, std::uint16_t port,
                                 std::uint16_t upstream) {
    const auto file = folder / "ferro.yaml";
    write_file(file, "strategy:\n  mode: single\ntargets:\n  - virtual_key: openai\n");
    process_options p;
    p.argv = {program.string(), "serve"};
    p.environment = {{"GATEWAY_CONFIG", file.string()},
                     {"PORT", std::to_string(port)},
                     {"MASTER_KEY", std::string(ferro_key)},
                     {"OPENAI_API_KEY", "none"},
                     {"OPENAI_BASE_URL", "http://127.0.0.1:" + std::to_string(upstream)},
                     {"RATE_LIMIT_RPS", "0"},
                     {"LOG_LEVEL", "error"}};
    p.log = folder / "ferro.log";
    return p;
  }
  std::uint16_t port_;
  child_process process_;
};

class soma_relay final : public chat_relay {
 public:
  soma_relay(const options& o, const std::filesystem::path& folder, std::uint16_t upstream,
             const tls_files* tls = nullptr)
      : soma_(o, launch_of(folder, upstream, tls)) {}
  std::uint16_t port() const override { return soma_.port(); }
  child_process& process() override { return soma_.process(); }
  std::string request(const std::string& json) const override { return soma_.chat_request(json); }

 private:
  static soma_launch launch_of(const std::filesystem::path& folder, std::uint16_t upstream,
                               const tls_files* tls) {
    soma_launch launch{
        folder / "data",
        folder / "soma.log",
        {{"SOMA_LLM_BASE_URL", "http://127.0.0.1:" + std::to_string(upstream) + "/v1"},
         {"SOMA_LLM_API_KEY", "none"},
         {"SOMA_LLM_MODEL", "m"}}};
    if (!tls) return launch;
    launch.environment.emplace_back("GATEWAY_TLS_CERT_FILE", tls->certificate.string());
    launch.environment.emplace_back("GATEWAY_TLS_KEY_FILE", tls->key.string());
    launch.speaks_tls = true;
    return launch;
  }

  soma_server soma_;
};

std::unique_ptr<chat_relay> start_proxy_to(const std::filesystem::path& folder,
                                           std::uint16_t upstream, const std::string& scheme) {
  return std::make_unique<nginx_relay>(folder, [&](const std::string& port) {
    return "  upstream provider { server 127.0.0.1:" + std::to_string(upstream) +
           "; keepalive 1024; keepalive_requests 1000000000; }\n  server {\n    listen 127.0.0.1:" +
           port + " backlog=4096;\n    location / {\n      proxy_pass " + scheme +
           "://provider;\n      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n"
           "      proxy_set_header Host localhost;\n      proxy_buffering off;\n    }\n  }\n";
  });
}

}  // namespace

std::unique_ptr<chat_relay> start_fixed_provider(const std::filesystem::path& folder) {
  return std::make_unique<nginx_relay>(folder, [](const std::string& port) {
    return "  server {\n    listen 127.0.0.1:" + port +
           " backlog=4096;\n    location / { default_type application/json; return 200 '" +
           std::string(completion) + "'; }\n  }\n";
  });
}

std::unique_ptr<chat_relay> start_nginx_proxy(const std::filesystem::path& folder,
                                              std::uint16_t upstream) {
  return start_proxy_to(folder, upstream, "http");
}

std::unique_ptr<chat_relay> start_nginx_tls_client(const std::filesystem::path& folder,
                                                   std::uint16_t upstream) {
  return start_proxy_to(folder, upstream, "https");
}

tls_files make_tls_files(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const tls_files made{folder / "server.pem", folder / "server.key"};
  process_options p;
  p.argv = {"/usr/bin/env",
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            made.key.string(),
            "-out",
            made.certificate.string()};
  p.log = folder / "openssl.log";
  child_process openssl(p);
  const auto deadline = now_ns() + 20 * ns_per_s;
  while (openssl.running() && now_ns() < deadline) ::usleep(5000);
  if (!std::filesystem::exists(made.certificate))
    throw std::runtime_error("no certificate was made: " + openssl.log_tail());
  return made;
}

std::unique_ptr<chat_relay> start_soma_tls_relay(const options& o,
                                                 const std::filesystem::path& folder,
                                                 std::uint16_t upstream, const tls_files& by) {
  std::filesystem::create_directories(folder);
  return std::make_unique<soma_relay>(o, folder, upstream, &by);
}

std::unique_ptr<chat_relay> start_portkey(const options& o, const std::filesystem::path& folder,
                                          std::uint16_t upstream) {
  if (!std::filesystem::exists(o.portkey)) return nullptr;
  return std::make_unique<portkey_relay>(o, folder, upstream);
}

std::unique_ptr<chat_relay> start_litellm(const options& o, const std::filesystem::path& folder,
                                          std::uint16_t upstream) {
  const auto program = o.components / "relays/bin/litellm";
  if (!std::filesystem::exists(program)) return nullptr;
  return std::make_unique<litellm_relay>(program, folder, upstream);
}

std::unique_ptr<chat_relay> start_ferro(const options& o, const std::filesystem::path& folder,
                                        std::uint16_t upstream) {
  const auto program = o.components / "relays/bin/ferrogw";
  if (!std::filesystem::exists(program)) return nullptr;
  return std::make_unique<ferro_relay>(program, folder, upstream);
}

std::unique_ptr<chat_relay> start_soma_relay(const options& o, const std::filesystem::path& folder,
                                             std::uint16_t upstream) {
  std::filesystem::create_directories(folder);
  return std::make_unique<soma_relay>(o, folder, upstream);
}

}  // namespace soma::bench
