#include <doctest/doctest.h>

#include <atomic>
#include <boost/json.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "core/codes.hpp"
#include "files/file_tools.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::files;
namespace json = boost::json;

namespace {

class waiting {
 public:
  tools::tool_sink sink() {
    return {{}, [this](tools::tool_outcome outcome) {
              const std::lock_guard lock(mutex_);
              outcome_ = std::move(outcome);
              there_.notify_all();
            }};
  }
  tools::tool_outcome wait() {
    std::unique_lock lock(mutex_);
    REQUIRE(there_.wait_for(lock, std::chrono::seconds(20), [this] { return !!outcome_; }));
    return *outcome_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable there_;
  std::optional<tools::tool_outcome> outcome_;
};

struct world {
  testing::temp_folder folder;
  std::unique_ptr<work_folders> folders = std::move(*work_folders::open(folder / "work", {}));
  tools::work_pool pool{2, 8};
  const session_key mine{tenant_id("t"), session_id("s")};
  std::uint64_t output_bytes = 64 * 1024;

  tools::tool_outcome call(std::unique_ptr<tools::tool> what, const char* inputs) {
    tools::tool_request request;
    request.session = mine;
    request.inputs = json::parse(inputs).as_object();
    request.limits.output_bytes = output_bytes;
    waiting w;
    const auto running = what->start(std::move(request), w.sink());
    return w.wait();
  }
  json::value good(std::unique_ptr<tools::tool> what, const char* inputs) {
    const auto outcome = call(std::move(what), inputs);
    CAPTURE((outcome.error ? outcome.error->detail : ""));
    REQUIRE(outcome.status == "success");
    return json::parse(outcome.output_json);
  }
  auto read() { return make_file_read(*folders, pool); }
  auto write() { return make_file_write(*folders, pool); }
  auto list() { return make_file_list(*folders, pool); }
};

}  // namespace

TEST_CASE("file tools: a model writes, appends, lists and reads") {
  world w;
  CHECK(w.good(w.write(), R"({"path":"d/a.txt","text":"hello"})").at("size_bytes") == 5);
  CHECK(w.good(w.write(), R"({"path":"d/a.txt","text":" you","append":true})").at("size_bytes") ==
        9);
  const auto read = w.good(w.read(), R"({"path":"d/a.txt","offset":6})");
  CHECK(read.at("text") == "you");
  CHECK(read.at("more") == false);
  const auto listed = w.good(w.list(), R"({"path":"d"})");
  CHECK(listed.at("entries").at(0).at("name") == "a.txt");
  CHECK(w.good(w.list(), "{}").at("entries").at(0).at("kind") == "folder");
}

TEST_CASE("file tools: what is wrong is told by its code, whatever the inputs are") {
  world w;
  CHECK(w.call(w.read(), R"({"path":"../../secret"})").error->code == codes::workdir_path_invalid);
  CHECK(w.call(w.read(), R"({"path":"none"})").error->code == codes::workdir_not_found);
  CHECK(w.call(w.read(), "{}").error->code == codes::workdir_path_invalid);
  CHECK(w.call(w.write(), R"({"path":7,"text":[]})").error->code == codes::workdir_path_invalid);
  CHECK(w.call(w.list(), R"({"path":"none"})").error->code == codes::workdir_not_found);
}

TEST_CASE("file tools: a piece fits the output and is cut between characters") {
  world w;
  w.output_bytes = 12;
  REQUIRE(w.folders->write(w.mine, "f", "abcde\xc3\xa9z"));
  const auto first = w.good(w.read(), R"({"path":"f"})");
  CHECK(first.at("text") == "abcde");
  CHECK(first.at("more") == true);
  CHECK(w.good(w.read(), R"({"path":"f","offset":5})").at("text") == "\xc3\xa9z");
  REQUIRE(w.folders->write(w.mine, "bytes", "\xff\xfe"));
  CHECK(w.good(w.read(), R"({"path":"bytes"})").at("text") == "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("file tools: only an append is not to be run twice") {
  world w;
  CHECK(w.read()->idempotent({}));
  CHECK(w.list()->idempotent({}));
  CHECK(w.write()->idempotent(json::parse(R"({"append":false})").as_object()));
  CHECK_FALSE(w.write()->idempotent(json::parse(R"({"append":true})").as_object()));
}

TEST_CASE("work pool: a full queue is told at once, and a handle that is gone hears nothing") {
  tools::work_pool pool(1, 1);
  std::mutex gate;
  std::unique_lock closed(gate);
  std::atomic<bool> begun{false}, told{false};
  auto busy = pool.start(
      [&] {
        begun = true;
        const std::lock_guard lock(gate);
        return tools::tool_outcome{"success", "1", {}};
      },
      {{}, [&](tools::tool_outcome) { told = true; }});
  while (!begun) std::this_thread::yield();
  waiting second, third;
  auto waits = pool.start([] { return tools::tool_outcome{"success", "2", {}}; }, second.sink());
  auto refused = pool.start([] { return tools::tool_outcome{"success", "3", {}}; }, third.sink());
  CHECK(third.wait().error->code == codes::tool_busy);
  CHECK(third.wait().error->retryable);
  busy.reset();
  closed.unlock();
  CHECK(second.wait().output_json == "2");
  CHECK_FALSE(told);
}
