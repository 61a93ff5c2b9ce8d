// Where secrets of the configuration may be kept in place of it: variables of the environment,
// files, Vault.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/config.hpp"

namespace soma {

// Reads references (core/config.hpp). Keeps its connection to Vault and the token from one to the
// next. Errors, in a sentence without a secret: config.invalid, dependency.unavailable.
secret_reader make_secret_reader(std::map<std::string, std::string> environment);

// Reads the references of a configuration again, from time to time, on a thread of its own, and
// says in the log what changed. What is read once and kept (keys and tokens of who may ask) is what
// it was until the next start, and the log says so.
//
// Lifetime: the configuration outlives it.
class secret_watch {
 public:
  explicit secret_watch(const config& settings);
  ~secret_watch();
  secret_watch(const secret_watch&) = delete;

 private:
  void run();

  const config& settings_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace soma
