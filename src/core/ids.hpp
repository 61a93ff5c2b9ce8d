// Strong ids, and the event id `<epoch>.<seq>`. Values only; thread-safe.
#pragma once

#include <charconv>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace soma {

template <class Tag>
struct strong_id {
  std::string value;

  strong_id() = default;
  explicit strong_id(std::string v) : value(std::move(v)) {}
  bool empty() const { return value.empty(); }
  auto operator<=>(const strong_id&) const = default;
};

using tenant_id = strong_id<struct tenant_tag>;
using user_id = strong_id<struct user_tag>;
using session_id = strong_id<struct session_tag>;

// What names one event log: a session inside its tenant.
struct session_key {
  tenant_id tenant;
  session_id session;
  auto operator<=>(const session_key&) const = default;
};

// `seq` grows by exactly one inside a session; `epoch` grows whenever the store is opened, so an id
// is never given to two different events. Ids compare by seq.
struct event_id {
  std::uint32_t epoch = 0;
  std::uint64_t seq = 0;
  bool operator==(const event_id&) const = default;
};

inline std::string to_string(event_id id) {
  return std::to_string(id.epoch) + "." + std::to_string(id.seq);
}

// Accepts exactly what to_string writes: two decimal numbers without signs or leading zeros.
inline std::optional<event_id> parse_event_id(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  event_id id;
  auto number = [](std::string_view digits, auto& out) {
    if (digits.empty() || (digits.size() > 1 && digits[0] == '0')) return false;
    auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return ec == std::errc{} && end == digits.data() + digits.size() && digits[0] != '-';
  };
  if (!number(text.substr(0, dot), id.epoch) || !number(text.substr(dot + 1), id.seq))
    return std::nullopt;
  return id;
}

}  // namespace soma

template <class Tag>
struct std::hash<soma::strong_id<Tag>> {
  std::size_t operator()(const soma::strong_id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.value);
  }
};

template <>
struct std::hash<soma::session_key> {
  std::size_t operator()(const soma::session_key& key) const noexcept {
    return std::hash<std::string>{}(key.tenant.value) * 31 +
           std::hash<std::string>{}(key.session.value);
  }
};
