// Who asks, for the server: reads the proof a request brings and judges it without blocking the io
// thread. Thread-safe; outlived by the security objects it uses.
#pragma once

#include "core/secret.hpp"
#include "http/reader_pool.hpp"
#include "http/server.hpp"
#include "security/authenticator.hpp"

namespace soma::http {

class request_authenticator final : public authenticator {
 public:
  // An empty `internal_token` closes the internal routes.
  request_authenticator(security::authenticator& identities, reader_pool& pool,
                        secret_string internal_token = {})
      : identities_(identities), pool_(pool), internal_token_(std::move(internal_token)) {}

  boost::asio::awaitable<result<identity>> authenticate(const request_context& ctx,
                                                        auth_rule rule) override;

 private:
  security::authenticator& identities_;
  reader_pool& pool_;
  const secret_string internal_token_;
};

}  // namespace soma::http
