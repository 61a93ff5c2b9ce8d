// Who asks, for the server: reads the proof a request brings and judges it without blocking the io
// thread. Thread-safe; outlived by the security objects it uses.
#pragma once

#include "http/reader_pool.hpp"
#include "http/server.hpp"
#include "security/authenticator.hpp"

namespace soma::http {

class request_authenticator final : public authenticator {
 public:
  request_authenticator(security::authenticator& identities, reader_pool& pool)
      : identities_(identities), pool_(pool) {}

  boost::asio::awaitable<result<identity>> authenticate(const request_context& ctx,
                                                        auth_rule rule) override;

 private:
  security::authenticator& identities_;
  reader_pool& pool_;
};

}  // namespace soma::http
