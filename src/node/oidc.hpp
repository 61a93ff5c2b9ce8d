// A node's OpenID provider, where one is configured: how it is asked, who signs in by it, and the
// thread that keeps an eye on it: whether it is there, and whether those it let in are still whom
// it let in.
//
// Lifetime: the store outlives it; what serves sign-ins ends after `stop`, and before it goes.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "app/provider_sign_in.hpp"
#include "core/config.hpp"
#include "node/store.hpp"
#include "security/oidc/relying_party.hpp"

namespace soma {

// None: it is off. Errors: config.invalid with the key's name.
result<std::optional<security::oidc::relying_options>> oidc_options_of(const config& settings);

class node_oidc {
 public:
  // Errors: config.invalid. Asks nobody yet.
  static result<std::unique_ptr<node_oidc>> open(const config& settings, node_store& store);
  ~node_oidc();

  app::provider_sign_in* services();  // null: it is off

  // Begins to look after it. `s` outlives `stop`.
  void start(app::services& s);
  // Calls under way end within a second, later ones at once.
  void stop();

 private:
  class asker;
  struct kept {
    kept(const config& settings, security::oidc::relying_options options, node_store& store,
         std::vector<secret_string> keys);
    std::unique_ptr<asker> http;
    security::oidc::relying_party party;
    app::provider_sign_in services;
  };
  explicit node_oidc(const config& settings);
  void run(app::services& s);

  const config& settings_;
  std::optional<kept> kept_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace soma
