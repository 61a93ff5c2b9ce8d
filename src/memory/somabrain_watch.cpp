#include "memory/somabrain_watch.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

#include "core/json_text.hpp"

namespace soma::memory {
namespace {

namespace json = boost::json;

constexpr std::size_t components_max = 5, name_max = 64;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= name_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

bool is_good_word(std::string_view word) {
  return word == "ok" || word == "up" || word == "healthy" || word == "ready" || word == "pass";
}

// A component is a flag, a word, or an object that has one. What says neither counts as well.
bool is_well(const json::value& of) {
  if (const auto* flag = of.if_bool()) return *flag;
  if (const auto* word = of.if_string()) return is_good_word(*word);
  const auto* object = of.if_object();
  if (!object) return true;
  for (const char* name : {"ok", "healthy", "ready", "available"})
    if (const auto* flag = object->if_contains(name); flag && flag->is_bool() && !flag->get_bool())
      return false;
  const auto word = text_of(*object, "status");
  return word.empty() || is_good_word(word);
}

}  // namespace

brain_health read_health(const outbox::http_answer& got) {
  brain_health out;
  out.known = true;
  boost::system::error_code ec;
  json::parse_options depth;
  depth.max_depth = 16;
  const auto value = json::parse(got.body, ec, {}, depth);
  if (got.status == 0 || got.status != 200 || ec || !value.is_object()) {
    out.why = got.status == 0     ? got.why
              : got.status != 200 ? "it answered " + std::to_string(got.status) + " for its health"
                                  : "it answered what SomaBrain does not for its health";
    return out;
  }
  const auto& o = value.get_object();
  const auto says_no = [&](std::string_view name) {
    const auto* flag = o.if_contains(name);
    return flag && flag->is_bool() && !flag->get_bool();
  };
  std::string ill;
  std::size_t told = 0;
  if (const auto* components = o.if_contains("components"); components && components->is_object())
    for (const auto& [name, of] : components->get_object())
      if (is_name(name) && !is_well(of) && told++ < components_max)
        ill += (ill.empty() ? "" : ", ") + std::string(name);
  const auto word = text_of(o, "status");
  out.ok = !says_no("ok") && !says_no("ready") && (word.empty() || is_good_word(word));
  if (out.ok) return out;
  out.why = "it says that it is not ready";
  if (!ill.empty()) out.why += ": " + ill;
  return out;
}

somabrain_watch::somabrain_watch(std::string base, secret_string token, std::int64_t every_ms)
    : http_(std::move(base), std::move(token)), every_ms_(every_ms), thread_([this] { run(); }) {}

somabrain_watch::~somabrain_watch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_all();
  }
  http_.stop();
  thread_.join();
}

brain_health somabrain_watch::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

void somabrain_watch::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    auto seen = read_health(http_.get("/health", deadline_ms, answer_bytes_max));
    lock.lock();
    if (stop_) return;
    now_ = std::move(seen);
    wake_.wait_for(lock, std::chrono::milliseconds(every_ms_), [&] { return stop_; });
  }
}

}  // namespace soma::memory
