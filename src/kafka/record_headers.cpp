#include "kafka/record_headers.hpp"

#include <algorithm>
#include <charconv>

#include "core/codes.hpp"

namespace soma::kafka {
namespace {

constexpr std::string_view traceparent_name = "traceparent", request_id_name = "request_id",
                           key_name = "idempotency_key", epoch_name = "epoch";

constexpr std::size_t key_bytes_max = 255, request_id_bytes_max = 128;  // as of HTTP's headers

bool lower_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool all_zero(std::string_view text) {
  return text.find_first_not_of('0') == text.npos;
}

// "00-<32 hex>-<16 hex>-<2 hex>"; neither id is all zeros.
bool is_traceparent(std::string_view text) {
  return text.size() == 55 && text.starts_with("00-") && text[35] == '-' && text[52] == '-' &&
         lower_hex(text.substr(3, 32)) && lower_hex(text.substr(36, 16)) &&
         lower_hex(text.substr(53)) && !all_zero(text.substr(3, 32)) &&
         !all_zero(text.substr(36, 16));
}

bool is_request_id(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= request_id_bytes_max &&
         std::all_of(text.begin(), text.end(), fits);
}

bool is_key(std::string_view text) {
  const auto printable = [](char c) { return c >= 0x20 && c <= 0x7E; };
  return !text.empty() && text.size() <= key_bytes_max &&
         std::all_of(text.begin(), text.end(), printable);
}

std::optional<std::uint32_t> epoch_of(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint32_t value = 0;
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || at != text.data() + text.size()) return std::nullopt;
  return value;
}

error refused(std::string_view name, const char* why) {
  return error(codes::request_invalid_parameter, why).about(name);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> written(const record_headers& headers) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto put = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) out.emplace_back(name, value);
  };
  put(traceparent_name, headers.traceparent);
  put(request_id_name, headers.request_id);
  put(key_name, headers.idempotency_key);
  if (headers.epoch) put(epoch_name, std::to_string(*headers.epoch));
  return out;
}

result<record_headers> read_headers(std::span<const header_view> all) {
  std::size_t bytes = 0;
  for (const auto& one : all) bytes += one.name.size() + one.value.value_or("").size();
  if (all.size() > headers_max || bytes > headers_bytes_max)
    return error(codes::request_header_too_large, "the record has more headers than are read");
  record_headers read;
  bool traced = false, requested = false, keyed = false, dated = false;
  for (const auto& [name, given] : all) {
    bool* seen = name == traceparent_name  ? &traced
                 : name == request_id_name ? &requested
                 : name == key_name        ? &keyed
                 : name == epoch_name      ? &dated
                                           : nullptr;
    if (!seen) continue;
    if (std::exchange(*seen, true)) return refused(name, "the header comes twice");
    const auto value = given.value_or("");
    if (seen == &traced) {
      if (is_traceparent(value)) read.traceparent = value;
    } else if (seen == &requested) {
      if (is_request_id(value)) read.request_id = value;
    } else if (seen == &keyed) {
      if (!is_key(value))
        return refused(name, "an idempotency key is 1 to 255 printable ASCII characters");
      read.idempotency_key = value;
    } else {
      read.epoch = epoch_of(value);
      if (!read.epoch) return refused(name, "an epoch is a decimal number of 32 bits");
    }
  }
  return read;
}

std::string key_of(const record_headers& headers, std::string_view topic, std::int32_t partition,
                   std::int64_t offset) {
  if (!headers.idempotency_key.empty()) return headers.idempotency_key;
  return std::string(topic) + "/" + std::to_string(partition) + "/" + std::to_string(offset);
}

}  // namespace soma::kafka
