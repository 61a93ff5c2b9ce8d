#include "tools/mcp/mcp_tool.hpp"

#include "core/codes.hpp"
#include "tools/builtin/call.hpp"

namespace soma::tools::mcp {
namespace {

// What a call's handle and the loop share.
struct started_call {
  explicit started_call(tool_sink sink) : state(std::make_shared<call_state>(std::move(sink))) {}
  std::shared_ptr<call_state> state;
  std::uint64_t id = 0;  // of the loop's thread
};

class handle final : public running_tool {
 public:
  handle(std::shared_ptr<server_link> server, std::shared_ptr<started_call> call)
      : server_(std::move(server)), call_(std::move(call)) {}
  ~handle() override {
    if (call_->state->over()) return;
    call_->state->cancel();
    server_->with([call = call_](connection& c) { c.cancel(call->id); }, server_);
  }

 private:
  std::shared_ptr<server_link> server_;
  std::shared_ptr<started_call> call_;
};

class mcp_tool final : public tool {
 public:
  mcp_tool(std::shared_ptr<server_link> server, std::string name, bool twice)
      : server_(std::move(server)), name_(std::move(name)), idempotent_(twice) {}

  std::string unavailable() const override { return server_->unavailable(); }
  bool reaches_out() const override { return true; }
  bool idempotent(const boost::json::object&) const override { return idempotent_; }

  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    auto call = std::make_shared<started_call>(std::move(sink));
    tool_call_request what;
    what.tool = name_;
    what.inputs = std::move(request.inputs);
    what.on_progress = [state = call->state](std::string text) {
      state->output("stdout", std::move(text));
    };
    what.on_done = [state = call->state](tool_outcome outcome) { state->done(std::move(outcome)); };
    server_->with(
        [call, what = std::move(what)](connection& c) {
          if (!call->state->over()) call->id = c.call(what);
        },
        server_,
        // Removed since the call was let through: it never reached the server.
        [call, server = server_] {
          call->state->done(failed(codes::tool_unavailable, server->unavailable()));
        });
    return std::make_unique<handle>(server_, std::move(call));
  }

 private:
  const std::shared_ptr<server_link> server_;
  const std::string name_;
  const bool idempotent_;
};

}  // namespace

bool server_link::post(std::function<void()> job) {
  std::lock_guard hold(mutex_);
  if (loop_) loop_->post(std::move(job));
  return loop_ != nullptr;
}

void server_link::with(std::function<void(connection&)> what,
                       const std::shared_ptr<server_link>& self, std::function<void()> without) {
  const bool posted = post([self, what = std::move(what), without] {
    if (self->connection_)
      what(*self->connection_);
    else if (without)
      without();
  });
  if (!posted && without) without();
}

void server_link::detach(std::string_view why) {
  if (connection_) connection_->end_calls(why);
  connection_.reset();
}

void server_link::set_unavailable(std::string why) {
  std::lock_guard hold(mutex_);
  unavailable_ = std::move(why);
}

std::string server_link::unavailable() const {
  std::lock_guard hold(mutex_);
  return unavailable_;
}

void server_link::close() {
  std::lock_guard hold(mutex_);
  loop_ = nullptr;
}

std::shared_ptr<tool> make_mcp_tool(std::shared_ptr<server_link> server, std::string name,
                                    bool idempotent) {
  return std::make_shared<mcp_tool>(std::move(server), std::move(name), idempotent);
}

}  // namespace soma::tools::mcp
