// Who asks, for the server: reads the proof a request brings and judges it without blocking the io
// thread. Thread-safe; outlived by the security objects it uses.
#pragma once

#include "app/lanes.hpp"
#include "core/secret.hpp"
#include "http/net/server.hpp"
#include "security/identity/authenticator.hpp"

namespace soma::http {

class request_authenticator final : public authenticator {
 public:
  // An empty `internal_token` closes the internal routes.
  request_authenticator(security::authenticator& identities, app::lane& pool,
                        secret_string internal_token = {})
      : identities_(identities), pool_(pool), internal_token_(std::move(internal_token)) {}

  boost::asio::awaitable<result<app::caller>> authenticate(const request_context& ctx,
                                                           app::access rule) override;

 private:
  security::authenticator& identities_;
  app::lane& pool_;
  const secret_string internal_token_;
};

}  // namespace soma::http
