// Carries what HTTP and the actors tell about themselves into the metrics, and of it what is no
// operation and has to be provable into the audit. Thread-safe.
#pragma once

#include "actors/node.hpp"
#include "http/net/http_probe.hpp"
#include "http/routes/gateway.hpp"
#include "observability/metrics.hpp"
#include "security/audit/audit_log.hpp"

namespace soma {

class metrics_probe final : public http::http_probe, public actors::runtime_probe {
 public:
  metrics_probe(server_metrics& metrics, security::audit_log& audit)
      : metrics_(metrics), audit_(audit) {}

  void on_request(std::string_view route, http::verb method, int status,
                  std::chrono::nanoseconds latency) noexcept override;
  void on_connection_opened() noexcept override { metrics_.connections_open.add(); }
  void on_connection_closed() noexcept override { metrics_.connections_open.add(-1); }
  void on_connection_refused() noexcept override { metrics_.connections_refused.add(); }

  void committed(std::size_t ops, std::size_t events, std::size_t bytes, double seconds) override;
  void session_started() override { metrics_.sessions_active.add(); }
  void session_ended(bool) override { metrics_.sessions_active.add(-1); }
  void session_quarantined(const session_key& session, std::string_view code) override;
  void turn_ended(std::string_view finish_reason) override { metrics_.turns(finish_reason).add(); }
  void llm_started() override { metrics_.llm_calls.add(); }
  void llm_failed(std::string_view code) override { metrics_.llm_failures(code).add(); }
  void first_token(double seconds) override;
  void recalled(std::size_t items, bool degraded, double seconds) override;

 private:
  server_metrics& metrics_;
  security::audit_log& audit_;
};

// The metrics of a node, and its probe. What is counted or measured where it happens is taken over
// when they are shown. Thread-safe.
class node_metrics final : public http::metrics_page {
 public:
  explicit node_metrics(security::audit_log& audit) : probe_(metrics_, audit) {}

  metrics_registry& registry() { return registry_; }
  metrics_probe& probe() { return probe_; }
  std::string render(const http::gateway& g) override;

 private:
  metrics_registry registry_;
  server_metrics metrics_{registry_};
  metrics_probe probe_;
};

}  // namespace soma
