// A tool of a server, as the runner meets it; and the server as its tools share it.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "tools/mcp/connection.hpp"
#include "tools/mcp/loop.hpp"
#include "tools/tool.hpp"

namespace soma::tools::mcp {

// Why a server's tools cannot be called now; empty: they can. Thread-safe.
class server_link {
 public:
  explicit server_link(loop& on) : loop_(&on) {}

  // Runs with the connection on the loop's thread. `without` is called where there is none any
  // more: on that thread, or on the caller's.
  void with(std::function<void(connection&)> what, const std::shared_ptr<server_link>& self,
            std::function<void()> without = {});
  void set_unavailable(std::string why);
  std::string unavailable() const;

  // On the loop's thread alone.
  void attach(std::unique_ptr<connection> to) { connection_ = std::move(to); }
  void detach() { connection_.reset(); }
  // As when the connection is lost: its calls end, with `why`.
  void detach(std::string_view why);
  connection* attached() { return connection_.get(); }

  // From now on nothing is posted any more.
  void close();
  bool post(std::function<void()> job);

 private:
  mutable std::mutex mutex_;  // of what follows
  loop* loop_;
  std::string unavailable_ = "its server is not connected yet";

  std::unique_ptr<connection> connection_;
};

std::shared_ptr<tool> make_mcp_tool(std::shared_ptr<server_link> server, std::string name,
                                    bool idempotent);

}  // namespace soma::tools::mcp
