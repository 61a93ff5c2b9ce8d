// Calls of a server's tools, from their beginning to their end.
#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "tools/builtin/call.hpp"
#include "tools/mcp/connection.hpp"
#include "tools/mcp/limits.hpp"
#include "tools/mcp/tool_result.hpp"

namespace soma::tools::mcp {

namespace json = boost::json;

std::uint64_t connection::call(tool_call_request what) {
  if (state_ != connection_state::ready) {
    what.on_done(failed(codes::tool_unavailable,
                        "the tool's server is not connected: " + last_error_, true));
    return 0;
  }
  if (calls_.size() >= limits::calls_in_flight_max) {
    what.on_done(failed(codes::tool_busy, "too many calls of the tool's server are running", true));
    return 0;
  }
  const auto known = std::find_if(tools_.tools.begin(), tools_.tools.end(),
                                  [&](const auto& one) { return one.name == what.tool; });
  if (known == tools_.tools.end()) {
    what.on_done(failed(codes::tool_unavailable, "the tool's server has it no longer"));
    return 0;
  }
  const auto id = ++last_id_;
  auto message =
      writer_.request(id, "tools/call", {{"name", what.tool}, {"arguments", what.inputs}}, true);
  if (message.json.size() > limits::message_bytes_max) {
    what.on_done(failed(codes::tool_invalid_inputs, "the inputs are too long"));
    return 0;
  }
  message.headers = headers_of(known->headers, what.inputs);
  calls_.emplace(id, running_call{std::move(what), 0});
  transport_->send(std::move(message));
  return id;
}

void connection::cancel(std::uint64_t id) {
  if (calls_.erase(id) == 0 || !transport_) return;
  if (!transport_->over_http() || !writer_.modern())
    transport_->send(
        writer_.notification("notifications/cancelled",
                             {{"requestId", id}, {"reason", "nobody waits for it any more"}}));
  transport_->abandon(id);
  check_alive();
}

// A program whose call was given up may read nothing any more, or hang for good: no pipe tells.
void connection::check_alive() {
  if (ping_id_ != 0 || transport_->over_http() || state_ != connection_state::ready) return;
  ping_id_ = ++last_id_;
  ping_.set(limits::ping_timeout,
            [this] { lose("the server's program answers nothing any more"); });
  const auto alive = [this] {
    ping_id_ = 0;
    ping_.stop();
  };
  ask(writer_.request(ping_id_, writer_.modern() ? "server/discover" : "ping"),
      {[alive](incoming&) { alive(); }, [alive](const request_failure&) { alive(); }});
}

void connection::end_calls(std::string_view why) {
  auto calls = std::move(calls_);
  calls_.clear();
  for (auto& [id, one] : calls)
    one.what.on_done(failed(codes::tool_interrupted,
                            "the connection to the tool's server was lost during the call, and "
                            "nobody knows whether it took effect: " +
                                std::string(why)));
}

void connection::on_call_answer(incoming& answer) {
  auto one = calls_.extract(*answer.id);
  auto& call = one.mapped();
  if (answer.what == incoming::kind::failure)
    return call.what.on_done(failed(
        codes::tool_failed,
        "the server refused the call (" + std::to_string(answer.code) + "): " + answer.message));
  if (!answer.result_is_object && answer.body.empty())
    return call.what.on_done(failed(codes::tool_failed, "the server's result is no object"));
  call.what.on_done(outcome_of(answer.body, answer.structured_json));
}

void connection::on_progress(const json::object& params) {
  const auto* token = params.if_contains("progressToken");
  const auto id = token ? own_id(*token) : std::nullopt;
  const auto found = id ? calls_.find(*id) : calls_.end();
  if (found == calls_.end()) return stray("progress of nothing");
  if (++found->second.progress > limits::progress_max) return stray("progress");
  const auto number = [&](std::string_view name) {
    const auto* value = params.if_contains(name);
    return value && value->is_number() ? json::serialize(*value) : std::string();
  };
  auto line = number("progress");
  if (const auto total = number("total"); !total.empty()) line += "/" + total;
  if (const auto text = shown(text_of(params, "message"), limits::detail_bytes_max); !text.empty())
    line += (line.empty() ? "" : " ") + text;
  if (line.empty() || !found->second.what.on_progress) return;
  auto say = found->second.what.on_progress;
  say(line + "\n");
}

}  // namespace soma::tools::mcp
