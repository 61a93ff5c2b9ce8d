// Runs what the catalog has: looks the tool up, asks policy, checks the inputs, waits for a free
// place, runs it within its time, and trims what it says. Every refusal is an outcome that a model
// can read.
//
// Thread-safe; nothing blocks the caller. A thread of its own ends calls whose time is up and lets
// go of finished ones; large outputs are kept by others, which wait for the disk. Lifetime: the
// parts outlive it, and it outlives the actors; its destructor cancels what runs.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "core/may_block.hpp"
#include "tools/attachments.hpp"
#include "tools/catalog.hpp"
#include "tools/worker_pool.hpp"

namespace soma::tools {

struct verdict {
  bool allow = false;
  std::string rule, reason;
  bool unavailable = false;  // nobody could be asked
};

struct runner_options {
  std::size_t waiting_max = 512;           // calls that wait for a place, a tenant and tool
  std::uint32_t waiting_ms_max = 120'000;  // for a place; then it is told that the tool is busy
  std::size_t keeping_max = 64;            // large outputs on their way to the disk
  std::size_t progress_bytes_max = 256 * 1024;   // of one call's live output; the rest is dropped
  std::size_t progress_piece_bytes = 16 * 1024;  // of one tool.progress
};

// A view.
struct call_ended {
  const tool_caller& who;
  const body::tool_call& what;
  std::string_view status;  // of the outcome, or cancelled
  std::string_view code;    // of its error
  std::string_view rule;    // of policy, that denied it
  std::int64_t began_ms = 0;
  std::uint32_t noted = 0;        // what `on_begun` gave
  std::string_view found_json{};  // as of screened_call
};

// A call that reaches out, after what it would send was looked through.
struct screened_call {
  verdict said;
  std::optional<boost::json::object> inputs{};  // in place of its own; none: those
  // Puts what was taken out back into the JSON of its outcome; unset: nothing was.
  std::function<std::string(std::string json)> words_back{};
  // The same of what is told while it runs, a stream: what may go on in the next piece is held back
  // until then, or until the `last`. Never called by two threads at once.
  std::function<std::string(const std::string& stream, std::string_view piece, bool last)>
      piece_back{};
  std::string found_json{};  // for the audit; empty: nothing was found
};

struct runner_parts {
  catalog& tools;
  // May this caller run this tool with these inputs? Called on any thread, must not block; `then`
  // is called once, before it returns or later on any thread, but never after the runner's end.
  // Unset: nobody may.
  using judged = std::function<void(verdict)>;
  std::function<void(const tool_caller&, std::string_view tool_id,
                     const boost::json::object& inputs, judged then)>
      decide;
  attachment_source* attachments = nullptr;  // where large outputs are kept; may be null
  // Told of each call that begins, with when; what it gives comes back when that ended. On any
  // thread; must not block. May be unset.
  std::function<std::uint32_t(const tool_caller&, const body::tool_call&, std::int64_t)> on_begun =
      {};
  // Told how each call ended, once, on any thread; must not block. May be unset.
  std::function<void(const call_ended&)> on_ended = {};
  // Looks through what a call that may run would send, where its tool reaches out or may reach
  // hosts. As `decide` otherwise. Unset: it goes as it is.
  std::function<void(const tool_caller&, const tool_request&, std::function<void(screened_call)>)>
      screen = {};
};

class catalog_runner final : public tool_runner {
 public:
  explicit catalog_runner(runner_parts parts, runner_options options = {});
  ~catalog_runner() override;

  // What stands behind an entry of the catalog, for all or for one tenant alone. Replaces the one
  // before, whose calls go on.
  void add(std::string tool_id, std::shared_ptr<tool> what, const tenant_id& tenant = {});
  void remove(std::string_view tool_id, const tenant_id& tenant = {});

  std::unique_ptr<running_tool> start(const tool_caller& who, const body::tool_call& call,
                                      tool_sink sink) override;
  std::shared_ptr<const std::vector<offered_tool>> offered(const tenant_id& tenant) override;
  bool idempotent(std::string_view tool_id, std::string_view inputs_json) const override;

  // Why a tool cannot run on this machine; empty where it can.
  std::string unavailable(const tenant_id& tenant, std::string_view tool_id) const;
  std::size_t running() const;

 private:
  struct call;
  struct lane {  // one tool of one tenant
    std::uint32_t running = 0;
    std::deque<std::weak_ptr<call>> waiting;
  };
  class handle;
  using clock = std::chrono::steady_clock;

  std::shared_ptr<tool> find(const tenant_id& tenant, std::string_view tool_id) const;
  std::optional<tool_outcome> refuse(call& c);
  void judged(const std::shared_ptr<call>& c, verdict said);
  void screened(const std::shared_ptr<call>& c, screened_call said);
  void turn_down(const std::shared_ptr<call>& c, const verdict& said);
  void enqueue(const std::shared_ptr<call>& c);
  void begin(const std::shared_ptr<call>& c);
  using output = std::function<void(std::string stream, std::string text)>;
  void say(call& c, std::string stream, std::string text);
  void fit(call& c, std::string& text) const;
  void tell(const output& to, std::string stream, std::string text) const;
  void finish(const std::shared_ptr<call>& c, tool_outcome outcome);
  void tell_end(const call& c, std::string_view status, const std::optional<failure>& why);
  void cancel(const std::shared_ptr<call>& c);
  void leave_lane(const std::string& name);
  void until(clock::time_point when, const std::shared_ptr<call>& c, bool waits);
  void out_of_time(const std::shared_ptr<call>& c, bool waited);
  void deliver(tool_sink& sink, const call& c, tool_outcome outcome);
  void tell_large(const std::shared_ptr<call>& c, tool_sink sink, tool_outcome outcome);
  tool_outcome trimmed(const call& c, tool_outcome outcome, bool keeping);
  void post(std::function<void()> job);
  void run();

  const runner_parts parts_;
  const runner_options options_;
  mutable quick_mutex tools_mutex_;
  std::map<std::pair<tenant_id, std::string>, std::shared_ptr<tool>> tools_;  // no tenant: of all
  static constexpr std::size_t offered_kept_max = 256;                        // tenants
  quick_mutex offered_mutex_;
  std::map<tenant_id, std::shared_ptr<const std::vector<offered_tool>>> offered_;  // as last told
  mutable quick_mutex lanes_mutex_;
  std::map<std::string, lane> lanes_;
  std::mutex work_mutex_;
  std::condition_variable work_;
  std::deque<std::function<void()>> jobs_;
  struct deadline {
    std::weak_ptr<call> of;
    bool waits = false;  // for a place, when it was set
  };
  std::multimap<clock::time_point, deadline> deadlines_;
  bool stopping_ = false;
  worker_pool keepers_;
  std::thread thread_;
};

}  // namespace soma::tools
