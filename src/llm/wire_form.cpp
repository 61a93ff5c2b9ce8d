#include "llm/wire_form.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <initializer_list>

#include "llm/answer_parser.hpp"
#include "llm/provider_limits.hpp"
#include "llm/wire.hpp"

namespace soma::llm {
namespace {

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool says_any(std::string_view text, std::initializer_list<std::string_view> wordings) {
  return std::any_of(wordings.begin(), wordings.end(),
                     [&](std::string_view w) { return text.find(w) != text.npos; });
}

// OpenAI, Azure and their like; FastAPI's validation (vLLM, LiteLLM); Groq, Mistral, Gemini.
bool refuses_a_member(std::string_view text) {
  return says_any(
      text, {"unsupported",           "not support",       "n't support",   "unrecognized",
             "unknown name",          "unknown parameter", "unknown field", "unexpected",
             "not permitted",         "extra_forbidden",   "extra inputs",  "not allowed",
             "additional properties", "deprecated",        "cannot both",   "only the default",
             "not available",         "invalid parameter", "incompatible",  "must be 1",
             "cannot be set"});
}

bool refuses_tools(std::string_view text) {
  return says_any(
      text, {"not support tools", "not support tool", "n't support tool", "not support function",
             "tool use is not supported", "tools are not supported", "tool calling is not",
             "support tool use", "tool choice requires", "enable-auto-tool-choice",
             "tools param requires", "function calling is not"});
}

bool refuses_system(std::string_view text) {
  return says_any(
      text, {"system role not supported", "system role is not supported",
             "system messages are not supported", "system message is not supported",
             "not support system", "n't support system", "developer instruction is not enabled"});
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A whole number that stands for itself, with digits in groups or not: none of a name or a date.
std::optional<std::uint64_t> number_alone(std::string_view text, std::size_t at, std::size_t& end) {
  const auto of_a_name = [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '-'; };
  std::uint64_t number = 0;
  for (end = at; end < text.size() && number < limits::tokens_max; ++end) {
    const bool group = text[end] == ',' && end + 3 < text.size() && is_digit(text[end + 1]) &&
                       is_digit(text[end + 2]) && is_digit(text[end + 3]);
    if (!is_digit(text[end]) && !group) break;
    if (!group) number = number * 10 + static_cast<std::uint64_t>(text[end] - '0');
  }
  if (at > 0 && (of_a_name(text[at - 1]) || text[at - 1] == '.')) return std::nullopt;
  if (end < text.size() && of_a_name(text[end])) return std::nullopt;
  if (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1])) return std::nullopt;
  return number;
}

// 0: the call sent none of ours.
std::uint64_t tokens_asked_for(const call& asked) {
  boost::system::error_code ec;
  const auto text = make_request(asked).body;
  const auto body = boost::json::parse(text, ec);
  const auto* object = ec ? nullptr : body.if_object();
  if (!object) return 0;
  for (const auto* name : {"max_tokens", "max_completion_tokens", "max_output_tokens"})
    if (object->contains(name) && std::find(asked.raw_members.begin(), asked.raw_members.end(),
                                            name) == asked.raw_members.end())
      return count_member(*object, name);
  return 0;
}

// The longest answer that a refusal of a longer one names: "supports at most 16384 completion
// tokens", "less than or equal to `8192`", "8192 > 4096, which is the maximum", "range of
// max_tokens should be [1, 8192]", "is from 1 (inclusive) to 65537 (exclusive)". It is the largest
// number below the one that was asked for.
std::optional<std::uint64_t> named_answer_tokens(std::string_view text, const call& refused) {
  if (!says_any(text, {"max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens",
                       "maxoutputtokens", "maximum tokens", "max tokens", "output tokens",
                       "completion tokens"}) ||
      !says_any(text,
                {"too large", "too high", "too big", "exceed", "maximum", "greater", "above",
                 "at most", "range", "less than", "lower than", "between", "<=", "up to", "limit"}))
    return std::nullopt;
  if (refused.form.answer_tokens_max > 0) return std::nullopt;  // it was something else
  const auto asked = tokens_asked_for(refused);
  std::uint64_t most = 0;
  std::size_t end = 0;
  for (auto at = text.find_first_of("0123456789"); at != text.npos;
       at = text.find_first_of("0123456789", end)) {
    auto number = number_alone(text, at, end);
    if (number && *number > 0 && text.substr(end).starts_with(" (exclusive)")) --*number;
    if (number && *number < asked) most = std::max(most, *number);
  }
  // A smaller one is a status, a count or a version.
  return most >= limits::answer_tokens_told_min ? std::optional(most) : std::nullopt;
}

bool gives_reasoning_back(const call& c) {
  return std::any_of(c.messages.begin(), c.messages.end(), [](const chat_message& m) {
    return m.provider_state_json.find("\"chat_") != std::string::npos;
  });
}

}  // namespace

std::optional<std::uint64_t> answer_tokens_of(const call& asked) {
  // Anthropic's API wants a bound; models of every generation take this one.
  constexpr std::uint64_t anthropic_default = 4096;
  const auto& given = asked.target.max_tokens;
  if (!given && asked.target.wire != wire_kind::anthropic) return std::nullopt;
  const auto tokens = given ? std::uint64_t{*given} : anthropic_default;
  const auto most = asked.form.answer_tokens_max;
  return most > 0 ? std::min(tokens, most) : tokens;
}

std::optional<wire_form> form_after(unsigned status, std::string_view body, const call& asked) {
  // llama.cpp and LiteLLM answer some of these with a 500, OpenRouter with a 404.
  if (status != 400 && status != 404 && status != 422 && status != 500) return std::nullopt;
  if (asked.purpose != purpose::answer) return std::nullopt;
  const auto text = lower_case(body);
  const bool raw = !asked.raw_body.empty();
  const auto& p = asked.target;
  auto form = asked.form;
  if (const auto most = named_answer_tokens(text, asked)) {
    form.answer_tokens_max = *most;
  } else if (!raw && refuses_tools(text)) {
    form.no_tools = form.no_tools || !asked.tools.empty();
  } else if (!raw && refuses_system(text)) {
    form.no_system = true;
  } else if (refuses_a_member(text)) {
    if (says_any(text, {"stream_options"})) {
      form.no_stream_options = true;
    } else if (p.max_tokens && says_any(text, {"max_tokens"}) && p.wire == wire_kind::openai_chat) {
      form.completion_tokens = true;
    } else if (p.top_p && says_any(text, {"top_p"})) {
      form.no_top_p = true;
    } else if (p.temperature && says_any(text, {"temperature"})) {
      form.no_temperature = true;
    } else if (!raw && !asked.may_call_tools && says_any(text, {"tool_choice"})) {
      form.no_tool_choice = true;
    } else if (!raw && p.wire == wire_kind::openai_responses &&
               says_any(text, {"include", "encrypted"})) {
      form.no_include = true;
    } else if (!raw && gives_reasoning_back(asked) && says_any(text, {"reasoning"})) {
      form.no_reasoning = true;
    }
  }
  if (form == asked.form) return std::nullopt;
  return form;
}

wire_form wire_forms::of(std::string_view key, std::int64_t now_ms) const {
  std::lock_guard lock(mutex_);
  const auto found = forms_.find(key);
  if (found == forms_.end()) return {};
  if (found->second.until_ms >= now_ms) return found->second.form;
  wire_form form;
  form.begins_in_thought = found->second.form.begins_in_thought;
  return form;
}

void wire_forms::learn(std::string_view key, const wire_form& form, std::int64_t now_ms) {
  std::lock_guard lock(mutex_);
  auto& known = at(key);
  const bool in_thought = known.form.begins_in_thought;
  known = {form, now_ms + limits::form_kept_ms};
  known.form.begins_in_thought = in_thought;
}

void wire_forms::learn_beginning(std::string_view key, bool in_thought) {
  std::lock_guard lock(mutex_);
  if (in_thought || forms_.contains(key)) at(key).form.begins_in_thought = in_thought;
}

wire_forms::kept& wire_forms::at(std::string_view key) {
  if (forms_.size() >= limits::forms_kept_max && !forms_.contains(key)) drop_most();
  return forms_[std::string(key)];
}

// Those of one tenant are neighbours.
void wire_forms::drop_most() {
  const auto tenant_of = [](const std::string& key) {
    return std::string_view(key).substr(0, key.find('\n'));
  };
  auto from = forms_.begin(), to = from;
  std::ptrdiff_t most = 0;
  for (auto begin = forms_.begin(); begin != forms_.end();) {
    const auto end = std::find_if(begin, forms_.end(), [&](const auto& one) {
      return tenant_of(one.first) != tenant_of(begin->first);
    });
    if (const auto count = std::distance(begin, end); count > most) {
      most = count;
      from = begin;
      to = end;
    }
    begin = end;
  }
  forms_.erase(from, to);
}

}  // namespace soma::llm
