#include "http/net/request_context.hpp"

#include <algorithm>

#include "core/codes.hpp"
#include "core/limits.hpp"
#include "core/utf8.hpp"
#include "core/uuid.hpp"
#include "http/net/ascii.hpp"

namespace soma::http {

std::string_view to_string(verb v) {
  switch (v) {
    case verb::get: return "GET";
    case verb::head: return "HEAD";
    case verb::post: return "POST";
    case verb::put: return "PUT";
    case verb::patch: return "PATCH";
    case verb::delete_: return "DELETE";
    case verb::options: return "OPTIONS";
    case verb::other: break;
  }
  return "OTHER";
}

std::string_view request_context::path_parameter(std::string_view name) const {
  for (std::size_t i = 0; i < path_parameter_count_; ++i)
    if (path_parameters_[i].first == name) return path_parameters_[i].second;
  return {};
}

std::string_view request_context::header(std::string_view name) const {
  for (const auto& field : headers)
    if (iequals(field.name, name)) return field.value;
  return {};
}

bool request_context::has_header(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const header_field& field) { return iequals(field.name, name); });
}

std::string_view request_context::trace_id() {
  if (!trace_id_.empty()) return trace_id_;
  // W3C trace context: version 00 is 55 characters, "00-<32 hex>-<16 hex>-<2 hex>".
  const auto parent = header("traceparent");
  const auto lower_hex = [](std::string_view s) {
    return s.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  };
  if (parent.size() == 55 && parent.starts_with("00-") && parent[35] == '-' && parent[52] == '-' &&
      lower_hex(parent.substr(3, 32)) && lower_hex(parent.substr(36, 16)) &&
      lower_hex(parent.substr(53, 2)) &&
      parent.substr(3, 32).find_first_not_of('0') != std::string_view::npos &&
      parent.substr(36, 16).find_first_not_of('0') != std::string_view::npos) {
    trace_id_ = parent.substr(3, 32);
    parent_span_id_ = parent.substr(36, 16);
  } else {
    // Has to be new, not secret.
    thread_local uuid_source ids(random_u64(), random_u64());
    trace_id_ = ids.next();
    trace_id_.erase(std::remove(trace_id_.begin(), trace_id_.end(), '-'), trace_id_.end());
  }
  return trace_id_;
}

std::optional<std::string_view> request_context::decode(std::string_view raw, bool plus_is_space) {
  if (raw.find_first_of(plus_is_space ? "%+" : "%") == std::string_view::npos) return raw;
  std::string text;
  text.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '+' && plus_is_space) {
      text.push_back(' ');
    } else if (raw[i] != '%') {
      text.push_back(raw[i]);
    } else {
      if (i + 2 >= raw.size()) return std::nullopt;
      const int high = hex_digit(raw[i + 1]), low = hex_digit(raw[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      text.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  if (!utf8_valid(text)) return std::nullopt;
  return decoded_.emplace_front(std::move(text));
}

void request_context::add_path_parameter(std::string_view name, std::string_view value) {
  if (path_parameter_count_ < path_parameters_.size())
    path_parameters_[path_parameter_count_++] = {name, value};
}

void request_context::clear() {
  verb = http::verb::other;
  path = query = body = {};
  headers.clear();
  request_id.clear();
  caller = {};
  admitted = nullptr;
  operation_id = "unmatched";
  if (!json.is_null()) json = nullptr;
  stream = nullptr;
  openai_errors = of_node = false;
  path_parameter_count_ = 0;
  decoded_.clear();
  trace_id_.clear();
  parent_span_id_.clear();
}

namespace {

// What stands before the first `mark`, and what stands behind it.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char mark) {
  const auto at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

query_reader::query_reader(request_context& ctx) {
  std::string_view rest = ctx.query;
  while (!rest.empty()) {
    const auto [pair, more] = cut(rest, '&');
    rest = more;
    if (pair.empty()) continue;
    const auto [raw_name, raw_value] = cut(pair, '=');
    const auto name = ctx.decode(raw_name, true);
    const auto value = ctx.decode(raw_value, true);
    if (!name || !value || parameters_.size() == limits::http_query_parameters_max) {
      malformed_ = true;
      malformed_name_ = name.value_or("");
      return;
    }
    parameters_.push_back({*name, *value});
  }
}

std::optional<std::string_view> query_reader::take(std::string_view name) {
  for (auto& p : parameters_) {
    if (p.name != name || p.taken) continue;
    p.taken = true;
    return p.value;
  }
  return std::nullopt;
}

std::optional<error> query_reader::rest() {
  if (malformed_)
    return error(codes::request_invalid_parameter, "The query cannot be decoded")
        .about(malformed_name_);
  for (const auto& p : parameters_) {
    if (p.taken) continue;
    const bool repeated = std::any_of(parameters_.begin(), parameters_.end(),
                                      [&](const auto& q) { return q.taken && q.name == p.name; });
    return error(codes::request_invalid_parameter,
                 "The query parameter '" + std::string(p.name) +
                     (repeated ? "' is repeated" : "' is not known here"))
        .about(p.name);
  }
  return std::nullopt;
}

}  // namespace soma::http
