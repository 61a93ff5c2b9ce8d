#include "models/llm_gateway.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/time.hpp"
#include "security/memory_documents.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::models;

namespace {

const tenant_id ours{"ours"};

// Keeps what it was given when its handles have gone, as a client does whose thread has not come to
// it yet.
class late_client final : public llm::llm_client {
 public:
  std::unique_ptr<llm::stream_handle> start(llm::call, llm::stream_sink sink) override {
    sinks.push_back(std::move(sink));
    return std::make_unique<no_handle>();
  }
  counters stats() const override { return {}; }

  std::vector<llm::stream_sink> sinks;

 private:
  struct no_handle final : llm::stream_handle {
    void pause() override {}
    void resume() override {}
  };
};

class kept_audit final : public security::audit_log {
 public:
  void write(std::string_view json) override { lines.emplace_back(json); }
  bool flush(std::chrono::milliseconds) override { return true; }
  void reopen() override {}
  bool failing() const override { return false; }
  std::uint64_t lost() const override { return 0; }
  std::size_t waiting() const override { return 0; }

  std::vector<std::string> lines;
};

struct world {
  config settings = load_config({}).value();
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  model_registry models{settings, *log};
  security::memory_documents documents;
  security::credential_vault vault{documents, {}};
  llm::usage_ledger ledger{{}};
  kept_audit audit;
  metrics_registry metrics;
  usage_store usage{ledger, *log};
  std::unique_ptr<llm_gateway> gateway = std::make_unique<llm_gateway>(
      llm_gateway_needs{settings, models, vault, ledger, audit, metrics, usage,
                        std::make_shared<llm::call_places>(), std::make_shared<byte_budget>(1000)});
  late_client client;

  world() {
    llm::model_profile p;
    p.name = "default";
    p.model = "one";
    p.base_url = "http://models.test/v1";
    p.provider = "test";
    REQUIRE(models.load());
    REQUIRE(models.put(ours, p, {}));
    // Asked once for each model, and no call of anyone's.
    REQUIRE(models.ask_for_window("http://models.test/v1", "one"));
  }

  std::unique_ptr<llm::stream_handle> call() {
    auto asked = gateway->prepare(ours, {});
    REQUIRE(asked);
    auto started = gateway->start(client, {ours, "anna", "s", "", ""}, std::move(*asked), {});
    REQUIRE(started);
    return std::move(*started);
  }
};

}  // namespace

TEST_CASE_FIXTURE(world, "gateway: what a client keeps of calls may go after the gateway") {
  std::vector<std::unique_ptr<llm::stream_handle>> handles;
  for (int i = 0; i < 200; ++i) handles.push_back(call());
  handles.clear();
  CHECK(audit.lines.size() == 200);
  gateway.reset();
  client.sinks.clear();
  CHECK(audit.lines.size() == 200);
}

TEST_CASE_FIXTURE(world, "gateway: what is open at its end counts as let go, and once") {
  const auto open = call();
  gateway.reset();
  REQUIRE(audit.lines.size() == 1);
  CHECK(audit.lines[0].find(R"("outcome":"cancelled")") != std::string::npos);
  llm::stream_end late;
  late.finish_reason = "stop";
  client.sinks[0].on_end(late);
  CHECK(audit.lines.size() == 1);
}
