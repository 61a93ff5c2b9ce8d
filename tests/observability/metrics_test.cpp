#include "observability/metrics.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace soma;

TEST_CASE("metrics: what is counted is rendered, with labels in one order") {
  metrics_registry registry;
  server_metrics metrics(registry);
  metrics.http_requests("sessions_list", "GET", 200).add(3);
  metrics.streams_open.add(2);
  metrics.streams_open.add(-1);
  metrics.fsync.observe_us(100);
  metrics.fsync.observe_us(99'000'000);
  const auto text = registry.render();
  const auto has = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  CHECK(has("# TYPE soma_http_requests_total counter"));
  CHECK(has("{method=\"GET\",route=\"sessions_list\",status=\"200\"} 3"));
  CHECK(has("soma_streams_open 1"));
  CHECK(has("soma_append_sync_seconds_count 2"));
  CHECK(has("soma_append_sync_seconds_bucket{le=\"+Inf\"} 2"));
  CHECK(&registry.get_counter("x", "x", {{"a", "1"}, {"b", "2"}}) ==
        &registry.get_counter("x", "x", {{"b", "2"}, {"a", "1"}}));
}

TEST_CASE("metrics: threads lose no count") {
  metrics_registry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        registry.get_counter("c", "c").add();
        registry.get_histogram("h", "h").observe_us(1);
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(registry.get_counter("c", "c").value() == 40'000);
  CHECK(registry.get_histogram("h", "h").bucket(0) == 40'000);
}
