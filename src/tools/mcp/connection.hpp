// One server: connects, agrees on a revision, lists its tools, calls them, and connects again when
// it was lost, after a growing wait.
//
// Threads: of the connections' one thread, as its transport and its scheduler. Lifetime: destroying
// it ends its calls without a word.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/mcp/scheduler.hpp"
#include "tools/mcp/tool_list.hpp"
#include "tools/mcp/transport.hpp"
#include "tools/tool_runner.hpp"

namespace soma::tools::mcp {

struct connection_rules {
  std::string revision = "auto";  // or one of those that are spoken
  std::string client_version;
};

enum class connection_state { connecting, ready, waiting };
std::string_view to_string(connection_state state);

struct connection_events {
  // It is ready, was lost, or has other tools. Called at most once for what is asked of it.
  std::function<void()> on_change;
};

struct tool_call_request {
  std::string tool;
  boost::json::object inputs;
  std::function<void(std::string text)> on_progress;
  std::function<void(tool_outcome)> on_done;  // once, unless it was cancelled
};

class connection {
 public:
  using transport_maker = std::function<std::unique_ptr<transport>()>;
  connection(connection_rules rules, scheduler& time, transport_maker make,
             connection_events events);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  void start();
  // The id to cancel by; 0 where it was refused, which `on_done` has told by then.
  std::uint64_t call(tool_call_request what);
  void cancel(std::uint64_t id);
  // All that run, as when the connection is lost.
  void end_calls(std::string_view why);

  connection_state state() const { return state_; }
  const tool_list& tools() const { return tools_; }
  const std::string& revision() const { return agreed_; }
  const std::string& server_name() const { return server_name_; }
  // Why it is not ready, or what was wrong last; empty: nothing.
  const std::string& last_error() const { return last_error_; }
  // What its program wrote to standard error before it ended: for an admin alone.
  const std::string& last_words() const { return last_words_; }
  std::size_t calls() const { return calls_.size(); }

 private:
  struct pending {  // a request of our own
    std::function<void(incoming&)> on_answer;
    std::function<void(const request_failure&)> on_failure;
  };
  struct running_call {
    tool_call_request what;
    int progress = 0;
  };

  void connect();
  void lose(std::string why, std::string last_words = {});
  void probe();
  void initialize(std::string_view revision);
  void on_probe_failure(const request_failure& why);
  void on_discovered(incoming& answer);
  void on_probe_refused(int code, boost::json::object& data, const std::string& message);
  void on_initialized(incoming& answer);
  void agree(std::string_view revision, const boost::json::object& capabilities);
  void list(std::string cursor);
  void on_page(incoming& answer);
  void on_no_list(const std::string& why);
  void list_soon();
  void listen();
  void become_ready();
  void ask(outgoing message, pending how);
  void on_message(std::string_view json);
  void on_unreadable(std::uint64_t id, const std::string& why);
  void on_one(incoming& message);
  void on_answer(incoming& answer);
  void on_call_answer(incoming& answer);
  void on_failed(const request_failure& why);
  void on_notification(incoming& message);
  void on_progress(const boost::json::object& params);
  void stray(std::string_view what);
  void check_alive();
  void tell();

  const connection_rules rules_;
  scheduler& time_;
  const transport_maker make_;
  const connection_events events_;
  message_writer writer_;
  std::unique_ptr<transport> transport_;
  connection_state state_ = connection_state::waiting;
  std::uint64_t last_id_ = 0, generation_ = 0;
  std::map<std::uint64_t, pending> pending_;
  std::map<std::uint64_t, running_call> calls_;
  std::uint64_t probe_id_ = 0, listen_id_ = 0, ping_id_ = 0;
  bool retried_revision_ = false, announces_ = false, listing_ = false, list_again_ = false;
  bool was_legacy_ = false;
  tool_list tools_, coming_;
  std::set<std::string> cursors_;
  std::size_t message_bytes_ = 0;  // of the message that is looked at
  std::size_t listed_bytes_ = 0;   // of the list that is coming
  std::string theirs_;             // the revision of a server that is not spoken here
  std::string agreed_, server_name_, last_error_, last_words_;
  std::size_t strays_ = 0, message_weight_ = 1;
  int attempts_ = 0;
  scheduler::clock::time_point ready_at_, strays_since_;
  timer handshake_, retry_, relist_, relisten_, ping_;
};

}  // namespace soma::tools::mcp
