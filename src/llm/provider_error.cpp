#include "llm/provider_error.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <optional>
#include <vector>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/utf8.hpp"
#include "llm/overflow.hpp"
#include "llm/wire_form.hpp"

namespace soma::llm {

double cost_of(const soma::usage& used, const token_prices& prices) {
  const auto cached = std::min(used.cached_tokens, used.prompt_tokens);
  return (static_cast<double>(used.prompt_tokens - cached) * prices.input +
          static_cast<double>(cached) * prices.cached_input +
          static_cast<double>(used.completion_tokens) * prices.output) /
         1e6;
}

namespace {

namespace json = boost::json;

constexpr std::size_t shown_bytes_max = 200;
// Words of the caller's that come back in this length or more are taken for an echo.
constexpr std::size_t echo_bytes = 12;
constexpr std::size_t short_echo_bytes = 4;
constexpr std::size_t key_echo_bytes = 6;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

// Looks once through what was sent, however much that is and whatever is shown: it may be a
// conversation of megabytes, and all that its thread serves waits meanwhile.
class echo_finder {
 public:
  explicit echo_finder(std::string_view shown) : shown_(shown) {
    for (std::size_t i = 0; i + echo_bytes <= shown.size(); ++i) {
      parts_.push_back(shown.substr(i, echo_bytes));
      marked_[mark_of(parts_.back())] = true;
    }
    std::sort(parts_.begin(), parts_.end());
  }

  bool is_in(std::string_view sent) const {
    if (sent.size() < short_echo_bytes) return false;
    if (sent.size() <= echo_bytes) return contains(shown_, sent);
    for (std::size_t i = 0; i + echo_bytes <= sent.size(); ++i) {
      const auto part = sent.substr(i, echo_bytes);
      if (marked_[mark_of(part)] && std::binary_search(parts_.begin(), parts_.end(), part))
        return true;
    }
    return false;
  }

 private:
  // Most of a text is none of the parts by this alone.
  static std::size_t mark_of(std::string_view part) {
    std::uint64_t begin = 0;
    std::uint32_t end = 0;
    static_assert(sizeof begin + sizeof end == echo_bytes);
    std::memcpy(&begin, part.data(), sizeof begin);
    std::memcpy(&end, part.data() + sizeof begin, sizeof end);
    return (begin * 0x9E3779B97F4A7C15ull ^ end * 0xC2B2AE3D27D4EB4Full) >> (64 - mark_bits);
  }

  static constexpr int mark_bits = 14;
  const std::string_view shown_;
  std::vector<std::string_view> parts_;
  std::bitset<1u << mark_bits> marked_;
};

bool echoes_any(std::string_view shown, const call& asked) {
  const auto key = asked.target.api_key.reveal();
  // Providers show a key's first or last letters; those are enough to leave the message out.
  if (!key.empty() && contains(shown, key)) return true;
  for (std::size_t i = 0; i + key_echo_bytes <= shown.size(); ++i)
    if (contains(key, shown.substr(i, key_echo_bytes))) return true;
  const echo_finder echo(shown);
  if (echo.is_in(asked.prefix)) return true;
  return std::any_of(asked.messages.begin(), asked.messages.end(), [&](const chat_message& m) {
    return echo.is_in(m.text) ||
           std::any_of(m.tool_calls.begin(), m.tool_calls.end(),
                       [&](const tool_invocation& t) { return echo.is_in(t.inputs_json); });
  });
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool says_any(std::string_view lower, std::initializer_list<std::string_view> wordings) {
  return std::any_of(wordings.begin(), wordings.end(),
                     [&](std::string_view w) { return contains(lower, w); });
}

struct error_body {
  std::string message, type, code;
  std::string beneath;       // what the provider behind a gateway said
  std::uint64_t window = 0;  // llama.cpp's n_ctx
};

std::string text_member(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

// {"error":{…}}, {"error":"…"}, [{"error":{…}}] of Gemini, {"detail":…} of FastAPI,
// {"message":…} of Mistral and Bedrock, {"errors":[…]} and {"error_message":…} of others.
error_body read_body(std::string_view body) {
  error_body out;
  boost::system::error_code ec;
  const auto document = parse_foreign_json(body, ec);
  const auto* list = ec ? nullptr : document.if_array();
  const auto* object = ec                       ? nullptr
                       : list && !list->empty() ? list->front().if_object()
                                                : document.if_object();
  if (!object) return out;
  const auto* root = object;
  const auto* error = object->if_contains("error");
  if (error && error->is_object()) object = &error->get_object();
  out.message = text_member(*object, "message");
  out.type = text_member(*object, "type");
  out.code = text_member(*object, "code");
  if (out.type.empty()) out.type = text_member(*object, "status");  // INVALID_ARGUMENT
  if (out.type.empty()) out.type = text_member(*object, "__type");
  if (error && error->is_string()) out.message = error->get_string();
  for (const char* name : {"error_message", "detail", "msg", "title"})
    if (out.message.empty()) out.message = text_member(*object, name);
  for (const char* name : {"detail", "errors"}) {
    const auto* several = root->if_contains(name);
    const auto* all = several ? several->if_array() : nullptr;
    const auto* first = all && !all->empty() ? all->front().if_object() : nullptr;
    if (first && out.message.empty()) out.message = text_member(*first, "msg");
    if (first && out.message.empty()) out.message = text_member(*first, "message");
  }
  if (const auto* about = object->if_contains("metadata"); about && about->is_object())
    out.beneath = text_member(about->get_object(), "raw");
  if (const auto* n = object->if_contains("n_ctx"); n && n->is_int64() && n->get_int64() > 0)
    out.window = static_cast<std::uint64_t>(n->get_int64());
  return out;
}

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number out{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// "Sun, 06 Nov 1994 08:49:37 GMT", the one form that servers may send.
std::optional<std::int64_t> parse_http_date_ms(std::string_view text) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || !text.ends_with(" GMT") || text[3] != ',') return std::nullopt;
  const auto day = whole_number<unsigned>(text.substr(5, 2));
  const auto month = months.find(text.substr(8, 3));
  const auto year = whole_number<int>(text.substr(12, 4));
  const auto hour = whole_number<int>(text.substr(17, 2));
  const auto minute = whole_number<int>(text.substr(20, 2));
  const auto second = whole_number<int>(text.substr(23, 2));
  if (!day || month == months.npos || month % 3 != 0 || !year || !hour || !minute || !second)
    return std::nullopt;
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(*year),
                            std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                            std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  const auto at = sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second);
  return duration_cast<milliseconds>(at.time_since_epoch()).count();
}

std::string with_status(unsigned status, std::string_view shown) {
  std::string out = "the provider answered " + std::to_string(status);
  if (!shown.empty()) out += ": " + std::string(shown);
  return out;
}

struct meaning {
  std::string_view code;
  bool retryable = false;
  bool elsewhere = false;  // another profile may well do it
};

// A fault of the request that a server calls its own: llama.cpp and Ollama answer it with a 500.
bool blames_the_request(unsigned status, std::string_view lower) {
  return status == 501 ||
         says_any(lower, {"invalid_request", "invalid request", "not_supported_error",
                          "input is not supported", "not support image", "n't support image",
                          "not support vision", "multimodal", "mmproj", "image_url", "audio input",
                          "must alternate", "jinja", "chat template", "parse grammar",
                          "json.exception", "json schema", "failed to parse", "requires --"});
}

meaning meaning_of(unsigned status, std::string_view text) {
  const auto lower = lower_case(text);
  const bool context = speaks_of_context(lower);
  if (status == 401 || status == 403) return {codes::llm_auth, false, true};
  if (context && says_any(lower, {"request too large for", "tokens per min"}))
    return {codes::llm_context_exceeded, false, false};  // no wait would make it fit
  if (status == 429) {
    const bool paid_up =
        !says_any(lower, {"insufficient_quota", "insufficient balance", "billing"});
    return {codes::llm_rate_limited, paid_up, true};
  }
  if (status >= 400 && (context || status == 413)) return {codes::llm_context_exceeded};
  if (status >= 500 && blames_the_request(status, lower)) return {codes::llm_bad_request};
  if (status >= 500 || status == 408 || status == 409 || status == 425)
    return {codes::llm_provider_error, true, true};
  // No credit, no such model or address, or it is elsewhere.
  const bool elsewhere = status == 402 || status == 404 || status == 405 || status == 410 ||
                         status / 100 == 3 ||
                         says_any(lower, {"model_not_found", "does not exist", "not found",
                                          "decommissioned", "credit balance", "insufficient"});
  return {codes::llm_bad_request, false, elsewhere};
}

std::string shown_of(const refusal& what, std::string_view message, const call& asked) {
  if (what.status / 100 == 3)
    return "the address has moved, and redirects are not followed: check base_url";
  if (!message.empty()) return presentable(message, asked);
  const auto first = what.body.find_first_not_of(" \t\r\n");
  if (first != what.body.npos && what.body[first] == '<') return "a web page";
  return {};
}

}  // namespace

std::string presentable(std::string_view message, const call& asked) {
  std::string out;
  while (!message.empty() && out.size() < shown_bytes_max) {
    const auto length = utf8_sequence_length(message);
    const auto lead = static_cast<unsigned char>(message[0]);
    if (length == 0 || lead < 0x20 || lead == 0x7f) {
      out += ' ';
      message.remove_prefix(1);
    } else {
      if (out.size() + length > shown_bytes_max) break;
      out += message.substr(0, length);
      message.remove_prefix(length);
    }
  }
  return echoes_any(out, asked) ? std::string() : out;
}

stream_end refused(const refusal& what, const call& asked) {
  const auto body = read_body(what.body);
  const auto said = body.message + ' ' + body.type + ' ' + body.code + ' ' + body.beneath;
  const auto meant = meaning_of(what.status, said);
  // Refusals of a key like to repeat parts of it.
  const auto shown =
      meant.code == codes::llm_auth ? std::string() : shown_of(what, body.message, asked);
  stream_end end;
  end.refused_status = what.status;
  end.error = failure{std::string(meant.code), with_status(what.status, shown), meant.retryable};
  end.elsewhere = meant.elsewhere;
  if (meant.code == codes::llm_context_exceeded)
    end.context_window = body.window > 0 ? body.window : window_named_in(said);
  else
    end.form = form_after(what.status, what.body, asked);
  end.prefix_refused = !asked.prefix.empty() && meant.code == codes::llm_bad_request &&
                       what.status >= 400 && what.status != 404;
  const auto ms = whole_number<std::uint32_t>(what.retry_after_ms);
  end.retry_after_ms = ms ? *ms : parse_retry_after_ms(what.retry_after, what.now_ms);
  return end;
}

failure failure_in_stream(std::int64_t status, std::string_view message, std::string_view type,
                          std::string_view code, std::string shown) {
  failure out{std::string(codes::llm_provider_error), "the provider reported an error", true};
  if (!shown.empty()) out.detail += ": " + shown;
  const auto said = std::string(message) + ' ' + std::string(type) + ' ' + std::string(code);
  const auto lower = lower_case(said);
  if (speaks_of_context(said)) {
    out.code = codes::llm_context_exceeded;
    out.retryable = false;
  } else if (status == 401 || status == 403 || contains(code, "invalid_api_key") ||
             contains(type, "authentication") || contains(type, "permission")) {
    out = {std::string(codes::llm_auth), "the provider refuses the credentials", false};
  } else if (status == 429 || says_any(lower, {"rate_limit", "resource_exhausted"})) {
    out.code = codes::llm_rate_limited;
  } else if (contains(type, "invalid_request") || contains(type, "not_found") ||
             contains(type, "BadRequest") || (status >= 400 && status < 500 && status != 408) ||
             (status >= 500 && blames_the_request(static_cast<unsigned>(status), lower))) {
    out.code = codes::llm_bad_request;
    out.retryable = false;
  }
  return out;
}

std::uint32_t parse_retry_after_ms(std::string_view value, std::int64_t now_ms) {
  constexpr std::int64_t wait_ms_max = 24ll * 3600 * 1000;
  std::int64_t ms = 0;
  if (const auto seconds = whole_number<std::int64_t>(value)) {
    ms = std::min(*seconds, wait_ms_max / 1000) * 1000;
  } else if (const auto date = parse_http_date_ms(value)) {
    ms = *date - now_ms;
  }
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, wait_ms_max));
}

}  // namespace soma::llm
