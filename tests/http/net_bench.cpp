// Serves GET /ping on one io thread until standard input ends: what wrk is pointed at.
#include <cstdio>
#include <cstdlib>

#include "http/net/server.hpp"

int main(int argc, char** argv) {
  using namespace soma::http;
  router routes;
  routes.add({verb::get, "/ping", "ping",
              [](request_context&) -> asio::awaitable<response> {
                co_return response(200, "{\"status\":\"ok\"}");
              },
              soma::app::access::anyone});
  server_options options;
  options.io_threads = argc > 1 ? static_cast<std::size_t>(std::atoi(argv[1])) : 1;
  server s(std::move(options), std::move(routes));
  if (!s.start()) return 1;
  std::printf("%u\n", s.port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  s.stop();
}
