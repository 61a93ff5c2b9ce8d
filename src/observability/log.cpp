#include "observability/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "observability/line_writer.hpp"

namespace soma {
namespace {

log_format chosen_format = log_format::json;

std::string_view name_of(log_level level) {
  constexpr std::string_view names[] = {"trace", "debug", "info", "warn", "error"};
  return names[static_cast<std::size_t>(level)];
}

// What waits for a standard error that nobody reads.
constexpr std::size_t waiting_bytes_max = 1024 * 1024;
constexpr std::chrono::milliseconds at_exit_at_most{1000};
// How often one event is told; what is more is counted on its next line.
constexpr std::uint64_t lines_a_second_max = 10;

std::string dropped_line(std::uint64_t count) {
  return format_log_line(chosen_format, now_ms(), log_level::warn, "log.dropped",
                         {{"lines", count}}, {});
}

line_writer& writer() {
  // Never destroyed: threads may log while the program ends.
  static line_writer* const made = [] {
    line_writer::options how;
    how.sink = [](std::string_view line) {
      std::size_t written = 0;
      (void)write_all(STDERR_FILENO, line, written);
      return true;  // with nobody at the other end there is nobody to tell
    };
    how.dropped_line = dropped_line;
    how.bytes_max = waiting_bytes_max;
    auto* fresh = new line_writer(std::move(how));
    std::atexit([] { (void)flush_log(at_exit_at_most); });
    return fresh;
  }();
  return *made;
}

// Events are literals, so there are few; each has the second it was last told in.
class event_limits {
 public:
  // False: it was told often enough just now. `held_back`: how many were not told before this one.
  bool pass(std::string_view event, std::int64_t now_ms, std::uint64_t& held_back) {
    const std::lock_guard lock(mutex_);
    auto& one = all_[std::string(event)];
    if (now_ms / 1000 != one.second) {
      one.second = now_ms / 1000;
      one.told = 0;
    }
    if (one.told >= lines_a_second_max) {
      ++one.held_back;
      return false;
    }
    ++one.told;
    held_back = std::exchange(one.held_back, 0);
    return true;
  }

 private:
  struct standing {
    std::int64_t second = 0;
    std::uint64_t told = 0, held_back = 0;
  };
  std::mutex mutex_;
  std::map<std::string, standing> all_;
};

std::string json_of(const log_field::value_type& value) {
  struct writer {
    std::string operator()(std::string_view v) const {
      std::string out = "\"";
      append_json_escaped(out, v);
      return out + '"';
    }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(std::uint64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const {
      return std::isfinite(v) ? fmt::format("{}", v) : "null";
    }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(redacted v) const { return fmt::format("\"<{} bytes>\"", v.bytes); }
  };
  return std::visit(writer{}, value);
}

template <class Write>
void each_context(const log_context& c, Write write) {
  const std::pair<std::string_view, std::string_view> all[] = {{"request_id", c.request_id},
                                                               {"trace_id", c.trace_id},
                                                               {"session_id", c.session_id},
                                                               {"tenant_id", c.tenant_id},
                                                               {"user_id", c.user_id}};
  for (const auto& [name, value] : all)
    if (!value.empty()) write(name, value);
}

}  // namespace

void configure_log(log_level level, log_format format) {
  detail::least_level = level;
  chosen_format = format;
}

std::string format_log_line(log_format format, std::int64_t at_ms, log_level level,
                            std::string_view event, std::initializer_list<log_field> fields,
                            const log_context& context) {
  std::string line;
  if (format == log_format::json) {
    json_writer w(line);
    w.begin_object().field("at", format_rfc3339(at_ms)).field("level", name_of(level));
    w.field("event", event);
    each_context(context, [&](auto name, auto value) { w.field(name, value); });
    for (const auto& f : fields) w.key(f.name).raw(json_of(f.value));
    w.end_object();
    return line;
  }
  line = format_rfc3339(at_ms) + " " + std::string(name_of(level)) + " " + std::string(event);
  for (const auto& f : fields) line += " " + std::string(f.name) + "=" + json_of(f.value);
  each_context(context, [&](auto name, auto value) {
    line += " " + std::string(name) + "=" + json_of(value);
  });
  return line;
}

void log(log_level level, std::string_view event, std::initializer_list<log_field> fields,
         const log_context& context) {
  if (!log_enabled(level)) return;
  static event_limits* const limits = new event_limits;
  const auto now = now_ms();
  std::uint64_t held_back = 0;
  if (!limits->pass(event, now, held_back)) return;
  auto line = format_log_line(chosen_format, now, level, event, fields, context);
  if (held_back > 0 && chosen_format == log_format::json) {
    line.pop_back();
    line += fmt::format(",\"held_back\":{}}}", held_back);
  } else if (held_back > 0) {
    line += fmt::format(" held_back={}", held_back);
  }
  writer().write(std::move(line));
}

bool flush_log(std::chrono::milliseconds at_most) {
  return writer().flush(at_most);
}

std::uint64_t log_lines_dropped() {
  return writer().dropped();
}

bool log_limit::pass(std::chrono::steady_clock::time_point now, std::uint64_t& held_back) {
  const std::int64_t now_ns = now.time_since_epoch() / std::chrono::nanoseconds(1);
  auto next = next_ns_.load(std::memory_order_relaxed);
  if (now_ns < next || !next_ns_.compare_exchange_strong(next, now_ns + every_.count())) {
    held_back_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  held_back = held_back_.exchange(0, std::memory_order_relaxed);
  return true;
}

}  // namespace soma
