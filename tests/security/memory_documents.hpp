// The in-memory twin of document_store; can be told to fail. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>

#include "core/codes.hpp"
#include "security/document_store.hpp"

namespace soma::security {

class memory_documents final : public document_store {
 public:
  result<std::optional<std::string>> get(std::string_view c, std::string_view k) override {
    ++reads;
    const std::lock_guard lock(mutex_);
    if (failing) return broken();
    const auto it = all_.find({std::string(c), std::string(k)});
    return it == all_.end() ? std::optional<std::string>() : std::optional(it->second);
  }
  result<void> put(std::string_view c, std::string_view k, std::string_view d) override {
    ++writes;
    const std::lock_guard lock(mutex_);
    if (failing) return broken();
    all_[{std::string(c), std::string(k)}] = d;
    return {};
  }
  result<bool> replace(std::string_view c, std::string_view k, std::string_view read,
                       std::string_view d) override {
    ++writes;
    if (const auto faster = before_replace) faster();  // which may put another in its place
    const std::lock_guard lock(mutex_);
    if (failing) return broken();
    const auto it = all_.find({std::string(c), std::string(k)});
    if (it == all_.end() || it->second != read) return false;
    it->second = d;
    return true;
  }
  result<void> remove(std::string_view c, std::string_view k) override {
    const std::lock_guard lock(mutex_);
    if (failing) return broken();
    all_.erase({std::string(c), std::string(k)});
    return {};
  }
  result<std::vector<std::pair<std::string, std::string>>> list(std::string_view c) override {
    const std::lock_guard lock(mutex_);
    if (failing) return broken();
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& [key, document] : all_)
      if (key.first == c) found.emplace_back(key.second, document);
    return found;
  }

  std::atomic<bool> failing = false;
  std::atomic<int> reads = 0, writes = 0;
  std::function<void()> before_replace;  // another process is faster

 private:
  static error broken() { return {codes::storage_unavailable, "told to fail"}; }
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::string> all_;
};

}  // namespace soma::security
