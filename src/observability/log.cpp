#include "observability/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cmath>

#include "core/json_writer.hpp"
#include "core/time.hpp"

namespace soma {
namespace {

log_format chosen_format = log_format::json;

std::string_view name_of(log_level level) {
  constexpr std::string_view names[] = {"trace", "debug", "info", "warn", "error"};
  return names[static_cast<std::size_t>(level)];
}

spdlog::logger& logger() {
  // Never destroyed: threads may log while the program ends.
  static spdlog::logger* const made = [] {
    auto* l = new spdlog::logger("soma", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    l->set_pattern("%v");
    l->set_level(spdlog::level::trace);
    l->flush_on(spdlog::level::trace);
    return l;
  }();
  return *made;
}

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
  const auto line = format_log_line(chosen_format, now_ms(), level, event, fields, context);
  logger().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
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
