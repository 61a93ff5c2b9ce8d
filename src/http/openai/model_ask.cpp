#include "http/openai/model_ask.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;
using llm::wire_kind;

const json::value* given(const json::object& o, std::string_view name) {
  const auto* value = o.if_contains(name);
  return value && !value->is_null() ? value : nullptr;
}

result<void> take_number(const json::object& o, std::string_view name,
                         std::optional<double>& into) {
  const auto* value = given(o, name);
  if (!value) return {};
  if (!value->is_number()) return ask_invalid(name, "must be a number");
  into = value->to_number<double>();
  return {};
}

result<void> take_stop(const json::object& o, model_ask& ask) {
  const auto* value = given(o, "stop");
  if (!value) return {};
  const auto too_long = [](const json::value& word) {
    return word.is_string() && word.get_string().size() > ask_stop_bytes_max;
  };
  const auto* given_words = value->if_array();
  if (too_long(*value) ||
      (given_words && std::any_of(given_words->begin(), given_words->end(), too_long)))
    return ask_invalid("stop", "must be of words of at most 1024 bytes");
  std::vector<std::string> words;
  if (value->is_string()) {
    words.emplace_back(value->get_string());
  } else if (const auto* list = value->if_array(); list && list->size() <= ask_stop_max) {
    for (const auto& word : *list) {
      if (!word.is_string()) return ask_invalid("stop", "must be a string or an array of strings");
      words.emplace_back(word.get_string());
    }
  } else {
    return ask_invalid("stop", "must be a string or an array of at most 16 strings");
  }
  ask.stop = std::move(words);
  return {};
}

// ---- writing ----

std::string anthropic_choice(const tool_choice& choice, std::optional<bool> parallel) {
  using kind = tool_choice::kind;
  if (choice.is == kind::unset && !parallel) return {};
  std::string out;
  json_writer w(out);
  w.begin_object();
  switch (choice.is) {
    case kind::unset:
    case kind::automatic: w.field("type", "auto"); break;
    case kind::none: w.field("type", "none"); break;
    case kind::required: w.field("type", "any"); break;
    case kind::named: w.field("type", "tool").field("name", choice.name); break;
  }
  if (parallel && choice.is != kind::none) w.field_bool("disable_parallel_tool_use", !*parallel);
  w.end_object();
  return out;
}

std::string openai_choice(const tool_choice& choice, wire_kind wire) {
  using kind = tool_choice::kind;
  switch (choice.is) {
    case kind::unset: return {};
    case kind::automatic: return R"("auto")";
    case kind::none: return R"("none")";
    case kind::required: return R"("required")";
    case kind::named: break;
  }
  std::string out;
  json_writer w(out);
  w.begin_object().field("type", "function");
  if (wire == wire_kind::openai_responses)
    w.field("name", choice.name);
  else
    w.key("function").begin_object().field("name", choice.name).end_object();
  w.end_object();
  return out;
}

void write_schema_members(json_writer& w, const answer_format& format) {
  w.field("name", format.name.empty() ? "answer" : format.name);
  w.field_if("description", format.description);
  w.key("schema").raw(format.schema_json.empty() ? "{}" : format.schema_json);
  if (format.strict) w.field_bool("strict", *format.strict);
}

void write_format(json_writer& w, const answer_format& format, wire_kind wire) {
  const bool schema = format.is == answer_format::kind::json_schema;
  w.begin_object().field("type", schema ? "json_schema" : "json_object");
  if (schema && wire == wire_kind::openai_responses) {
    write_schema_members(w, format);
  } else if (schema) {
    w.key("json_schema").begin_object();
    write_schema_members(w, format);
    w.end_object();
  }
  w.end_object();
}

// An answer in a format: by a tool that must be called. Beside the caller's own tools the model
// may choose, but must call one.
void put_format_tool(model_ask& ask) {
  using kind = tool_choice::kind;
  const bool schema = ask.format.is == answer_format::kind::json_schema;
  if (ask.choice.is == kind::none) ask.tools.clear();
  if (ask.choice.is == kind::named || ask.choice.is == kind::required) return;
  const bool alone = ask.tools.empty();
  ask.tools.push_back({std::string(format_tool),
                       ask.format.description.empty() ? "Gives the answer: call it once, last."
                                                      : ask.format.description,
                       schema ? ask.format.schema_json : std::string(R"({"type":"object"})")});
  ask.choice = {alone ? kind::named : kind::required, alone ? std::string(format_tool) : ""};
}

result<std::string> members_of(const model_ask& ask, wire_kind wire) {
  auto others = write_others(ask, wire);
  if (!others) return others.error();
  std::string out = "{" + *others;
  const auto key = [&](std::string_view name) {
    if (out.size() > 1) out += ',';
    json_writer(out).string(name);
    out += ':';
  };
  const bool formatted = ask.format.is != answer_format::kind::text;
  const bool chat = wire == wire_kind::openai_chat;
  if (chat || wire == wire_kind::openai_responses) {
    if (ask.parallel_calls && !ask.tools.empty()) {
      key("parallel_tool_calls");
      json_writer(out).boolean(*ask.parallel_calls);
    }
    if (chat && formatted) {
      key("response_format");
      json_writer w(out);
      write_format(w, ask.format, wire);
    }
    if (chat && !ask.verbosity.empty()) {
      key("verbosity");
      json_writer(out).string(ask.verbosity);
    }
    if (!chat && (formatted || !ask.verbosity.empty())) {
      key("text");
      json_writer w(out);
      w.begin_object();
      if (formatted) write_format(w.key("format"), ask.format, wire);
      w.field_if("verbosity", ask.verbosity).end_object();
    }
  }
  return out + "}";
}

result<void> put_messages(model_ask& ask, llm::call& c) {
  std::size_t media = 0;
  for (auto& asked : ask.messages) {
    for (const auto& part : asked.parts)
      media += part.is == ask_part::kind::picture || part.is == ask_part::kind::file;
    if (media > ask_media_max) return ask_invalid("messages", "too many pictures and files");
    auto written = write_parts(asked.parts, asked.role, c.target.wire);
    if (!written) return written.error();
    llm::chat_message m;
    m.role = std::move(asked.role);
    m.text = std::move(written->text);
    m.content_json = std::move(written->json);
    m.tool_calls = std::move(asked.calls);
    m.provider_call_id = std::move(asked.call_id);
    if (!asked.state.empty()) m.provider_state_json = '[' + asked.state + ']';
    c.messages.push_back(std::move(m));
  }
  return {};
}

void put_parameters(const model_ask& ask, llm::profile& p) {
  if (ask.temperature) p.temperature = ask.temperature;
  if (ask.top_p) p.top_p = ask.top_p;
  if (ask.max_tokens) p.max_tokens = ask.max_tokens;
  if (ask.stop) p.stop = *ask.stop;
  if (!ask.reasoning_effort.empty()) p.reasoning_effort = ask.reasoning_effort;
}

// What Anthropic's API has of efforts, and that a model which must call a tool cannot think first.
result<void> fit_anthropic(const model_ask& ask, llm::call& c) {
  const std::string_view effort = ask.reasoning_effort;
  if (!effort.empty() && effort != "none" && effort != "minimal" && effort != "low" &&
      effort != "medium" && effort != "high")
    return ask_unsupported("reasoning_effort",
                           "must be none, minimal, low, medium or high for this model");
  if (!ask.verbosity.empty())
    return ask_unsupported("verbosity", "cannot be said to the provider of this model");
  const bool must_call =
      ask.choice.is == tool_choice::kind::named || ask.choice.is == tool_choice::kind::required;
  if (must_call) c.target.reasoning_effort.clear();
  if (must_call)
    for (auto& p : c.fallbacks) p.reasoning_effort.clear();
  return {};
}

}  // namespace

result<std::string> text_member(const json::object& o, std::string_view name,
                                std::string_view parameter) {
  const auto* value = given(o, name);
  if (!value) return std::string();
  if (!value->is_string()) return ask_invalid(parameter, "must be a string");
  return std::string(value->get_string());
}

result<std::optional<bool>> bool_member(const json::object& o, std::string_view name,
                                        std::string_view parameter) {
  const auto* value = given(o, name);
  if (!value) return std::optional<bool>();
  if (!value->is_bool()) return ask_invalid(parameter, "must be true or false");
  return std::optional<bool>(value->get_bool());
}

result<void> take_common(const json::object& body, model_ask& ask) {
  if (auto taken = take_number(body, "temperature", ask.temperature); !taken) return taken;
  if (auto taken = take_number(body, "top_p", ask.top_p); !taken) return taken;
  for (const char* name : {"max_tokens", "max_completion_tokens", "max_output_tokens"})
    if (const auto* value = given(body, name)) {
      boost::system::error_code ec;
      const auto number = value->is_number() ? value->to_number<std::uint32_t>(ec) : 0;
      if (ec || number == 0) return ask_invalid(name, "must be a whole number from 1");
      ask.max_tokens = number;
    }
  if (auto taken = take_stop(body, ask); !taken) return taken;
  auto parallel = bool_member(body, "parallel_tool_calls", "parallel_tool_calls");
  if (!parallel) return parallel.error();
  ask.parallel_calls = *parallel;
  return {};
}

result<answer_format> read_format(const json::value& value, std::string_view parameter) {
  answer_format format;
  if (value.is_null()) return format;
  const auto* o = value.if_object();
  const auto type = o ? text_of(*o, "type") : std::string();
  if (type == "text") return format;
  format.is = answer_format::kind::json_object;
  if (type == "json_object") return format;
  if (type != "json_schema")
    return ask_invalid(parameter, "type must be text, json_object or json_schema");
  format.is = answer_format::kind::json_schema;
  // Chat completions have it one object deeper.
  const auto* inner = o->if_contains("json_schema");
  const auto& named = inner && inner->is_object() ? inner->get_object() : *o;
  format.name = text_of(named, "name");
  format.description = text_of(named, "description");
  const auto* schema = named.if_contains("schema");
  if (!schema || !schema->is_object())
    return ask_invalid(std::string(parameter) + ".schema", "must be an object");
  format.schema_json = json::serialize(*schema);
  auto strict = bool_member(named, "strict", std::string(parameter) + ".strict");
  if (!strict) return strict.error();
  format.strict = *strict;
  return format;
}

result<void> put_ask(model_ask ask, llm::call& c) {
  const auto wire = c.target.wire;
  std::erase_if(c.fallbacks, [&](const llm::profile& p) { return p.wire != wire; });
  if (wire == wire_kind::anthropic && ask.format.is != answer_format::kind::text)
    put_format_tool(ask);
  auto members = members_of(ask, wire);
  if (!members) return members.error();
  if (*members != "{}") c.members_json = std::move(*members);
  if (auto put = put_messages(ask, c); !put) return put;
  put_parameters(ask, c.target);
  for (auto& p : c.fallbacks) put_parameters(ask, p);
  if (wire == wire_kind::anthropic) {
    if (auto fits = fit_anthropic(ask, c); !fits) return fits;
    if (!ask.tools.empty()) c.tool_choice_json = anthropic_choice(ask.choice, ask.parallel_calls);
  } else if (!ask.tools.empty()) {
    c.tool_choice_json = openai_choice(ask.choice, wire);
  }
  c.tools = std::move(ask.tools);
  return {};
}

std::string format_as_text(llm::stream_end& how) {
  std::string said;
  for (const auto& call : how.tool_calls)
    if (call.tool_id == format_tool && said.empty()) said = call.inputs_json;
  const auto taken =
      std::erase_if(how.tool_calls, [](const auto& call) { return call.tool_id == format_tool; });
  if (taken == 0) return {};
  // Cut off, it is no JSON: then it came wrapped, and is given as it was written.
  boost::system::error_code ec;
  const auto value = json::parse(said, ec);
  if (const auto* o = ec ? nullptr : value.if_object(); o && o->size() == 1)
    if (auto raw = text_of(*o, "_invalid_arguments"); !raw.empty()) said = std::move(raw);
  if (how.tool_calls.empty() && how.finish_reason == "tool_calls") how.finish_reason = "stop";
  return said;
}

}  // namespace soma::http
