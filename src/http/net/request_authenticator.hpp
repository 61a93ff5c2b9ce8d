// Who asks, for the server: reads the proof a request brings and judges it without blocking the io
// thread. Thread-safe; outlived by the security objects it uses.
#pragma once

#include "app/lanes.hpp"
#include "core/secret.hpp"
#include "http/net/server.hpp"
#include "security/audit/audit_log.hpp"
#include "security/identity/authenticator.hpp"

namespace soma::http {

class request_authenticator final : public authenticator {
 public:
  // An empty `internal_token` closes the internal routes. `audit` is told who was not let in.
  request_authenticator(security::authenticator& identities, app::lane& pool,
                        secret_string internal_token = {}, security::audit_log* audit = nullptr)
      : identities_(identities),
        pool_(pool),
        internal_token_(std::move(internal_token)),
        audit_(audit) {}

  boost::asio::awaitable<result<app::caller>> authenticate(const request_context& ctx,
                                                           app::access rule) override;
  void refused(const request_context& ctx, const error& why) override;
  bool is_of_node(const request_context& ctx) const override;
  result<app::caller> relayed(request_context& ctx) const override;
  // With what other nodes sign who asks (relayed_caller.hpp); without it, none is believed. Before
  // the server starts.
  void believe_nodes(std::string relay_key) { relay_key_ = std::move(relay_key); }

 private:
  security::authenticator& identities_;
  app::lane& pool_;
  const secret_string internal_token_;
  std::string relay_key_;
  security::audit_log* const audit_;  // null: nobody keeps it
};

}  // namespace soma::http
