// A runner of one tool, `probe`, whose calls end when the test says so.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <boost/json.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/codes.hpp"
#include "support/result_text.hpp"
#include "tools/catalog_runner.hpp"

namespace soma::tools::testing {

inline constexpr std::string_view entry_json = R"({"id":"probe","title":"Probe","description":"d",
  "executor":"builtin","idempotent":true,
  "inputs":{"type":"object","additionalProperties":false,"properties":{"n":{"type":"integer"}}},
  "limits":{"timeout_ms":60000,"output_bytes":256,"concurrency":2}})";

class memory_store final : public catalog_store {
 public:
  result<std::vector<row>> load() override {
    if (broken) return error(codes::storage_unavailable, "broken");
    return rows;
  }
  result<void> put(const row& changed) override {
    rows.push_back(changed);
    return {};
  }
  std::string digest(std::string_view text) const override { return "of " + std::string(text); }
  bool broken = false;
  std::vector<row> rows;
};

// A tool whose calls end when the test says so.
class probe final : public tool {
 public:
  struct one {
    tool_sink sink;
    tool_request request{};
    bool cancelled = false;
  };
  bool idempotent(const boost::json::object& inputs) const override {
    return !inputs.contains("n");
  }
  bool reaches_out() const override { return reaches; }
  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    struct handle final : running_tool {
      explicit handle(probe& p, std::shared_ptr<one> c) : p_(p), c_(std::move(c)) {}
      ~handle() override {
        std::lock_guard lock(p_.mutex_);
        c_->cancelled = true;
        p_.changed_.notify_all();
      }
      probe& p_;
      std::shared_ptr<one> c_;
    };
    auto c = std::make_shared<one>();
    c->sink = std::move(sink);
    c->request = std::move(request);
    std::lock_guard lock(mutex_);
    calls_.push_back(c);
    changed_.notify_all();
    return std::make_unique<handle>(*this, c);
  }
  std::shared_ptr<one> wait_for(std::size_t index) {
    std::unique_lock lock(mutex_);
    REQUIRE(
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return calls_.size() > index; }));
    return calls_[index];
  }
  std::size_t begun() {
    std::lock_guard lock(mutex_);
    return calls_.size();
  }
  bool wait_cancelled(one& c) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return c.cancelled; });
  }
  const tool_request& request(std::size_t index) { return wait_for(index)->request; }
  std::string why;
  bool reaches = false;
  std::string unavailable() const override { return why; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<one>> calls_;
};

struct heard {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> said;
  std::vector<tool_outcome> ends;

  tool_sink sink() {
    return {[this](std::string, std::string text) {
              std::lock_guard lock(mutex);
              said.push_back(std::move(text));
            },
            [this](tool_outcome end) {
              std::lock_guard lock(mutex);
              ends.push_back(std::move(end));
              changed.notify_all();
            }};
  }
  tool_outcome end() {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return !ends.empty(); }));
    CHECK(ends.size() == 1);
    return ends.front();
  }
};

class kept_files final : public attachment_source {
 public:
  result<attachment> find(const attachment_reader&, std::string_view) override {
    return error(codes::attachment_not_found, "none");
  }
  result<attachment> keep(const session_key&, std::string_view, std::string_view,
                          std::string_view bytes) override {
    std::lock_guard wait(disk);
    whole = bytes;
    attachment a;
    a.attachment_id = "kept";
    return a;
  }
  std::string whole;
  std::mutex disk;  // held: it is slow
};

struct runner_world {
  memory_store store;
  std::atomic<bool> allowed = true, waits = false;
  runner_parts::judged later;  // where it waits
  kept_files files;
  catalog tools{[] {
                  std::vector<catalog_entry> entries;
                  entries.push_back(*parse_entry(entry_json));
                  return entries;
                }(),
                store};
  std::shared_ptr<probe> impl = std::make_shared<probe>();
  std::optional<catalog_runner> runner;

  explicit runner_world(runner_options options = {}) {
    REQUIRE(tools.load());
    runner.emplace(runner_parts{tools,
                                [this](const tool_caller&, std::string_view,
                                       const boost::json::object&, runner_parts::judged then) {
                                  if (!waits) return then({allowed, "r", "not you"});
                                  later = std::move(then);
                                },
                                &files},
                   options);
    runner->add("probe", impl);
  }
  std::unique_ptr<running_tool> start(heard& h, std::string inputs = "{}",
                                      std::string id = "probe") {
    body::tool_call call;
    call.tool_call_id = "c";
    call.tool_id = std::move(id);
    call.inputs_json = std::move(inputs);
    return runner->start({{tenant_id("t"), session_id("s")}, "ann"}, call, h.sink());
  }
  void change(std::string json) { REQUIRE(tools.change(tenant_id("t"), "probe", json, "")); }
};

inline tool_outcome success(std::string json) {
  return {"success", std::move(json), {}};
}

}  // namespace soma::tools::testing
