#include "llm/provider_error.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <limits>
#include <optional>

#include "core/codes.hpp"
#include "core/utf8.hpp"

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

bool echoes(std::string_view shown, std::string_view sent) {
  if (sent.size() < short_echo_bytes) return false;
  if (sent.size() <= echo_bytes) return contains(shown, sent);
  for (std::size_t i = 0; i + echo_bytes <= shown.size(); ++i)
    if (contains(sent, shown.substr(i, echo_bytes))) return true;
  return false;
}

bool echoes_any(std::string_view shown, const call& asked) {
  const auto key = asked.target.api_key.reveal();
  // Providers show a key's first or last letters; those are enough to leave the message out.
  if (!key.empty() && contains(shown, key)) return true;
  for (std::size_t i = 0; i + key_echo_bytes <= shown.size(); ++i)
    if (contains(key, shown.substr(i, key_echo_bytes))) return true;
  if (echoes(shown, asked.prefix)) return true;
  return std::any_of(asked.messages.begin(), asked.messages.end(), [&](const chat_message& m) {
    return echoes(shown, m.text) ||
           std::any_of(m.tool_calls.begin(), m.tool_calls.end(),
                       [&](const tool_invocation& t) { return echoes(shown, t.inputs_json); });
  });
}

bool speaks_of_context(std::string_view message, std::string_view code) {
  std::string lower = std::string(message) + " " + std::string(code);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  constexpr std::array<std::string_view, 8> wordings{
      "context_length_exceeded", "context length",     "context window",
      "maximum context",         "context size",       "too many tokens",
      "prompt is too long",      "exceed_context_size"};
  return std::any_of(wordings.begin(), wordings.end(),
                     [&](std::string_view w) { return contains(lower, w); });
}

struct error_body {
  std::string message, code;
};

error_body read_body(std::string_view body) {
  error_body out;
  boost::system::error_code ec;
  const auto document = json::parse(json::string_view(body.data(), body.size()), ec);
  const auto* object = ec ? nullptr : document.if_object();
  if (!object) return out;
  const auto* error = object->if_contains("error");
  if (error && error->is_object()) object = &error->get_object();
  auto text = [&](const char* name) {
    const auto* value = object->if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  out = {text("message"), text("code")};
  if (error && error->is_string()) out.message = error->get_string();
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
};

meaning meaning_of(unsigned status, bool context) {
  if (status == 401 || status == 403) return {codes::llm_auth};
  if (status == 429) return {codes::llm_rate_limited, true};
  if (status >= 500) return {codes::llm_provider_error, true};
  const bool may_be_length = status == 400 || status == 413 || status == 422;
  if (may_be_length && context) return {codes::llm_context_exceeded};
  return {codes::llm_bad_request};
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
  const auto meant = meaning_of(what.status, speaks_of_context(body.message, body.code));
  // Refusals of a key like to repeat parts of it.
  const auto shown =
      meant.code == codes::llm_auth ? std::string() : presentable(body.message, asked);
  stream_end end;
  end.refused_status = what.status;
  end.error = failure{std::string(meant.code), with_status(what.status, shown), meant.retryable};
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
  if (status == 429 || contains(type, "rate_limit") || contains(code, "rate_limit"))
    out.code = codes::llm_rate_limited;
  if (contains(type, "invalid_request") || contains(type, "not_found")) {
    out.code = codes::llm_bad_request;
    out.retryable = false;
  }
  if (speaks_of_context(message, code)) {
    out.code = codes::llm_context_exceeded;
    out.retryable = false;
  } else if (status == 401 || status == 403 || contains(code, "invalid_api_key") ||
             contains(type, "authentication")) {
    out = {std::string(codes::llm_auth), "the provider refuses the credentials", false};
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
