// The server's own log: one line an event on standard error, JSON or text.
//
//   log(log_level::info, "server.started", {{"port", port}, {"tls", false}});
//
// Thread-safe; a line below the level costs one relaxed load when the fields are cheap to name.
// Never waits for who reads standard error: lines are written by a thread of their own, a bounded
// number waits for it, and the rest is dropped and counted (`log.dropped`). An event is told at
// most ten times a second; the next line of it says in `held_back` how many were not. A
// secret_string is no field, by type; message text is given as `redacted{text.size()}`.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "core/secret.hpp"

namespace soma {

enum class log_level : std::uint8_t { trace, debug, info, warn, error };
enum class log_format : std::uint8_t { json, text };

struct redacted {  // text that must not be seen: only its size is
  std::size_t bytes = 0;
};

struct log_field {
  using value_type =
      std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool, redacted>;

  log_field(std::string_view n, std::string_view v) : name(n), value(v) {}
  log_field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  log_field(std::string_view n, std::same_as<bool> auto v) : name(n), value(v) {}
  log_field(std::string_view n, double v) : name(n), value(v) {}
  log_field(std::string_view n, redacted v) : name(n), value(v) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) log_field(std::string_view n, T v) : name(n) {
    if constexpr (std::is_signed_v<T>)
      value = static_cast<std::int64_t>(v);
    else
      value = static_cast<std::uint64_t>(v);
  }
  // Milliseconds; name the field so.
  template <class Rep, class Period>
  log_field(std::string_view n, std::chrono::duration<Rep, Period> v)
      : name(n), value(std::chrono::duration<double, std::milli>(v).count()) {}
  log_field(std::string_view, const secret_string&) = delete;

  std::string_view name;
  value_type value;
};

// What a line is about; empty members are left out. Lives through the call.
struct log_context {
  std::string_view request_id, trace_id, session_id, tenant_id, user_id;
};

// Once, before threads are started.
void configure_log(log_level level, log_format format);

namespace detail {
inline std::atomic<log_level> least_level{log_level::info};
}
inline bool log_enabled(log_level level) {
  return level >= detail::least_level.load(std::memory_order_relaxed);
}

void log(log_level level, std::string_view event, std::initializer_list<log_field> fields = {},
         const log_context& context = {});

// Waits until what was logged is written, at most so long; exit() does, a second. False: it is not.
bool flush_log(std::chrono::milliseconds at_most);
// For want of a reader, since the start.
std::uint64_t log_lines_dropped();

// For a warning that may repeat quickly: `pass` is true at most once in `every`, and tells how many
// were held back since. Thread-safe; static at the place it is used.
class log_limit {
 public:
  explicit log_limit(std::chrono::milliseconds every) : every_(every) {}
  bool pass(std::chrono::steady_clock::time_point now, std::uint64_t& held_back);

 private:
  std::chrono::nanoseconds every_;
  std::atomic<std::int64_t> next_ns_{INT64_MIN};
  std::atomic<std::uint64_t> held_back_{0};
};

// The line without its end, as `log` writes it; for tests.
std::string format_log_line(log_format format, std::int64_t at_ms, log_level level,
                            std::string_view event, std::initializer_list<log_field> fields,
                            const log_context& context);

}  // namespace soma
