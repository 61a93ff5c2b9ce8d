#include "http/openai/responses_answer.hpp"

#include <boost/json.hpp>

#include "core/uuid.hpp"
#include "http/net/problem.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;

std::string new_id(std::string_view kind) {
  auto id = new_uuid();
  std::erase(id, '-');
  return std::string(kind) + "_" + id;
}

// What the answer repeats of its request, with what stands there without being asked for.
constexpr std::pair<std::string_view, std::string_view> repeated[] = {
    {"background", "false"},
    {"instructions", "null"},
    {"max_output_tokens", "null"},
    {"max_tool_calls", "null"},
    {"metadata", "{}"},
    {"parallel_tool_calls", "true"},
    {"previous_response_id", "null"},
    {"prompt_cache_key", "null"},
    {"reasoning", R"({"effort":null,"summary":null})"},
    {"safety_identifier", "null"},
    {"service_tier", R"("default")"},
    {"temperature", "null"},
    {"text", R"({"format":{"type":"text"}})"},
    {"tool_choice", R"("auto")"},
    {"tools", "[]"},
    {"top_logprobs", "0"},
    {"top_p", "null"},
    {"truncation", R"("disabled")"},
    {"user", "null"},
};

std::string echo_of(const json::object& body) {
  std::string out;
  for (const auto& [name, otherwise] : repeated) {
    out.append(",\"").append(name).append("\":");
    const auto* given = body.if_contains(name);
    if (given && !given->is_null())
      out += json::serialize(*given);
    else
      out += otherwise;
  }
  return out + R"(,"store":false)";
}

void write_text_part(json_writer& w, std::string_view text) {
  w.begin_object().field("type", "output_text").field("text", text);
  w.key("annotations").begin_array().end_array().key("logprobs").begin_array().end_array();
  w.end_object();
}

void write_summary_part(json_writer& w, std::string_view text) {
  w.begin_object().field("type", "summary_text").field("text", text).end_object();
}

void write_usage(json_writer& w, const soma::usage& used) {
  w.key("usage").begin_object().field("input_tokens", used.prompt_tokens);
  w.key("input_tokens_details").begin_object().field("cached_tokens", used.cached_tokens);
  w.end_object().field("output_tokens", used.completion_tokens);
  w.key("output_tokens_details").begin_object();
  w.field("reasoning_tokens", used.reasoning_tokens).end_object();
  w.field("total_tokens", used.prompt_tokens + used.completion_tokens).end_object();
}

std::string call_item(const std::string& id, const tool_invocation& call, bool done) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("id", id).field("type", "function_call");
  w.field("status", done ? "completed" : "in_progress");
  w.field("arguments", done ? std::string_view(call.inputs_json) : std::string_view());
  w.field("call_id", call.provider_call_id).field("name", call.tool_id).end_object();
  return out;
}

}  // namespace

responses_answer::responses_answer(std::string id, std::string model, std::uint64_t created_s,
                                   const json::object& body)
    : id_(std::move(id)), model_(std::move(model)), created_s_(created_s), echo_(echo_of(body)) {}

template <class Members>
void responses_answer::event(std::string& out, std::string_view type, Members members) {
  std::string data;
  json_writer w(data);
  w.begin_object().field("type", type).field("sequence_number", sequence_++);
  members(w);
  w.end_object();
  out.append("event: ").append(type).append("\ndata: ").append(data).append("\n\n");
}

void responses_answer::item_event(std::string& out, std::string_view type, std::string_view item) {
  event(out, type, [&](json_writer& w) {
    w.field("output_index", std::uint64_t{items_.size()}).key("item").raw(item);
  });
}

std::string responses_answer::begin() {
  std::string out;
  const auto response_now = response("in_progress", nullptr);
  for (const char* type : {"response.created", "response.in_progress"})
    event(out, type, [&](json_writer& w) { w.key("response").raw(response_now); });
  return out;
}

std::string responses_answer::piece(std::string_view text, bool thinking) {
  std::string out;
  open_item(out, thinking ? open::reasoning : open::message);
  text_ += text;
  event(out, thinking ? "response.reasoning_summary_text.delta" : "response.output_text.delta",
        [&](json_writer& w) {
          w.field("item_id", item_id_).field("output_index", std::uint64_t{items_.size()});
          w.field(thinking ? "summary_index" : "content_index", std::uint64_t{0});
          w.field("delta", text);
          if (!thinking) w.key("logprobs").begin_array().end_array();
        });
  return out;
}

void responses_answer::open_item(std::string& out, open kind) {
  if (open_ == kind) return;
  close_item(out, false);
  open_ = kind;
  text_.clear();
  const bool message = kind == open::message;
  item_id_ = new_id(message ? "msg" : "rs");
  item_event(out, "response.output_item.added",
             message ? message_item("in_progress", false) : reasoning_item(false));
  event(out, message ? "response.content_part.added" : "response.reasoning_summary_part.added",
        [&](json_writer& w) {
          w.field("item_id", item_id_).field("output_index", std::uint64_t{items_.size()});
          w.field(message ? "content_index" : "summary_index", std::uint64_t{0}).key("part");
          if (message)
            write_text_part(w, {});
          else
            write_summary_part(w, {});
        });
}

void responses_answer::close_item(std::string& out, bool cut) {
  if (open_ == open::none) return;
  const bool message = open_ == open::message;
  const auto place = [&](json_writer& w) {
    w.field("item_id", item_id_).field("output_index", std::uint64_t{items_.size()});
    w.field(message ? "content_index" : "summary_index", std::uint64_t{0});
  };
  event(out, message ? "response.output_text.done" : "response.reasoning_summary_text.done",
        [&](json_writer& w) {
          place(w);
          w.field("text", text_);
          if (message) w.key("logprobs").begin_array().end_array();
        });
  event(out, message ? "response.content_part.done" : "response.reasoning_summary_part.done",
        [&](json_writer& w) {
          place(w);
          w.key("part");
          if (message)
            write_text_part(w, text_);
          else
            write_summary_part(w, text_);
        });
  auto item = message ? message_item(cut ? "incomplete" : "completed", true) : reasoning_item(true);
  item_event(out, "response.output_item.done", item);
  items_.push_back(std::move(item));
  open_ = open::none;
}

void responses_answer::add_item(std::string& out, const std::string& begun,
                                const std::string& done) {
  item_event(out, "response.output_item.added", begun);
  item_event(out, "response.output_item.done", done);
  items_.push_back(done);
}

void responses_answer::add_call(std::string& out, const tool_invocation& call) {
  const auto id = new_id("fc");
  const auto arguments = [&](std::string_view type, std::string_view member) {
    event(out, type, [&](json_writer& w) {
      w.field("item_id", id).field("output_index", std::uint64_t{items_.size()});
      if (member == "arguments") w.field("name", call.tool_id);
      w.field(member, call.inputs_json);
    });
  };
  item_event(out, "response.output_item.added", call_item(id, call, false));
  arguments("response.function_call_arguments.delta", "delta");
  arguments("response.function_call_arguments.done", "arguments");
  auto done = call_item(id, call, true);
  item_event(out, "response.output_item.done", done);
  items_.push_back(std::move(done));
}

// What the provider wants back with the results of its calls: callers send such items on as they
// are, and ask_responses reads them.
void responses_answer::add_state(std::string& out, std::string_view state_json) {
  item_id_ = new_id("rs");
  text_.clear();
  add_item(out, reasoning_item(false), reasoning_item(false, state_json));
}

std::string responses_answer::end(const llm::stream_end& how) {
  std::string out;
  const bool cut = how.error || how.finish_reason == "length";
  if (!how.error && open_ == open::none && items_.empty() && how.tool_calls.empty())
    open_item(out, open::message);
  close_item(out, cut);
  if (how.error) {
    event(out, "error", [&](json_writer& w) {
      w.field("code", openai_code_of(how.error->code)).field("message", how.error->detail);
      w.key("param").null();
    });
    event(out, "response.failed",
          [&](json_writer& w) { w.key("response").raw(response("failed", &how)); });
    return out;
  }
  if (!how.tool_calls.empty() && !how.provider_state_json.empty())
    add_state(out, how.provider_state_json);
  for (const auto& call : how.tool_calls) add_call(out, call);
  event(out, cut ? "response.incomplete" : "response.completed", [&](json_writer& w) {
    w.key("response").raw(response(cut ? "incomplete" : "completed", &how));
  });
  return out;
}

std::string responses_answer::whole(std::string_view text, std::string_view thinking,
                                    const llm::stream_end& how) {
  if (!thinking.empty()) piece(thinking, true);
  if (!text.empty()) piece(text, false);
  end(how);
  return response(how.finish_reason == "length" ? "incomplete" : "completed", &how);
}

std::string responses_answer::message_item(std::string_view status, bool with_text) const {
  std::string out;
  json_writer w(out);
  w.begin_object().field("id", item_id_).field("type", "message").field("status", status);
  w.field("role", "assistant").key("content").begin_array();
  if (with_text) write_text_part(w, text_);
  w.end_array().end_object();
  return out;
}

std::string responses_answer::reasoning_item(bool with_text, std::string_view state_json) const {
  std::string out;
  json_writer w(out);
  w.begin_object().field("id", item_id_).field("type", "reasoning").key("summary").begin_array();
  if (with_text) write_summary_part(w, text_);
  w.end_array().field_if("encrypted_content", state_json).end_object();
  return out;
}

std::string responses_answer::response(std::string_view status, const llm::stream_end* how) const {
  std::string out;
  json_writer w(out);
  w.begin_object().field("id", id_).field("object", "response").field("created_at", created_s_);
  w.field("status", status).field("model", model_).key("error");
  if (how && how->error) {
    w.begin_object().field("code", openai_code_of(how->error->code));
    w.field("message", how->error->detail).end_object();
  } else {
    w.null();
  }
  w.key("incomplete_details");
  if (status == "incomplete")
    w.begin_object().field("reason", "max_output_tokens").end_object();
  else
    w.null();
  w.key("output").begin_array();
  for (const auto& item : items_) w.raw(item);
  w.end_array();
  if (how && !how->error)
    write_usage(w, how->usage);
  else
    w.key("usage").null();
  out += echo_;
  w.end_object();
  return out;
}

}  // namespace soma::http
