// Use cases of the keys by which a tenant's model providers know it. What is stored is told by its
// fingerprint; the secret itself only to who brings the internal token. Each runs on its caller's
// io thread.
//
// Errors: credential.not_found, request.invalid for what names no provider, secret.key_missing,
// secret.key_wrong, server.busy, those of the store.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/pipeline.hpp"
#include "core/secret.hpp"
#include "security/secrets/credential_vault.hpp"

namespace soma::app {

class services;
using security::credential_view;

struct found_credential {
  credential_view view;
  std::optional<secret_string> secret;  // where `internal_token` was the server's
};

// These two do not block.
std::vector<credential_view> list_credentials(services& s, const caller& who);
result<found_credential> find_credential(services& s, const caller& who, std::string_view provider,
                                         std::string_view internal_token);

boost::asio::awaitable<result<credential_view>> put_credential(services& s, const admitted& in,
                                                               std::string provider,
                                                               secret_string secret);
boost::asio::awaitable<result<void>> delete_credential(services& s, const admitted& in,
                                                       std::string provider);

}  // namespace soma::app
