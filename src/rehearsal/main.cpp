// soma-rehearsal: a stand-in for a model provider. docs/rehearsal.md says what it answers.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <thread>

#include "rehearsal/server.hpp"

namespace {

// Signals are taken by a thread of their own: a handler may call next to nothing.
void stop_on_signal(soma::rehearsal::server& server) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([&server, signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    server.stop();
  }).detach();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A small OpenAI-compatible server that is not a model"};
  soma::rehearsal::server_options options;
  options.port = 21020;
  app.add_option("--host", options.host, "address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "0 takes any free port")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::signal(SIGPIPE, SIG_IGN);
  auto server = soma::rehearsal::server::open(options);
  if (!server) {
    std::fprintf(stderr, "soma-rehearsal: %s\n", server.error().detail.c_str());
    return 1;
  }
  stop_on_signal(**server);
  const bool v6 = options.host.find(':') != std::string::npos;
  std::printf("listening on http://%s%s%s:%u\n", v6 ? "[" : "", options.host.c_str(), v6 ? "]" : "",
              static_cast<unsigned>((*server)->port()));
  std::fflush(stdout);
  (*server)->run();
  return 0;
}
