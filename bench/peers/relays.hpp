// Gateways in front of a model provider, as peers of the relay scenario: nginx as a plain reverse
// proxy, Portkey's gateway from npm, LiteLLM and the Ferro gateway from PyPI.
#pragma once

#include <memory>
#include <string>

#include "http_text.hpp"
#include "options.hpp"
#include "process.hpp"

namespace soma::bench {

// A relay that speaks chat completions on `port`; `request` is the whole text of a call.
class chat_relay {
 public:
  virtual ~chat_relay() = default;
  virtual std::uint16_t port() const = 0;
  virtual child_process& process() = 0;
  virtual std::string request(const std::string& json) const = 0;
};

// nginx that answers every POST with a completion at once: the fastest provider there is.
std::unique_ptr<chat_relay> start_fixed_provider(const std::filesystem::path& folder);
std::unique_ptr<chat_relay> start_nginx_proxy(const std::filesystem::path& folder,
                                              std::uint16_t upstream);
// Nothing where node or the package is not installed.
std::unique_ptr<chat_relay> start_portkey(const options& o, const std::filesystem::path& folder,
                                          std::uint16_t upstream);
std::unique_ptr<chat_relay> start_litellm(const options& o, const std::filesystem::path& folder,
                                          std::uint16_t upstream);
// It listens on every address: start it inside a network_namespace alone.
std::unique_ptr<chat_relay> start_ferro(const options& o, const std::filesystem::path& folder,
                                        std::uint16_t upstream);
std::unique_ptr<chat_relay> start_soma_relay(const options& o, const std::filesystem::path& folder,
                                             std::uint16_t upstream);

// A certificate of loopback's own, made by openssl.
struct tls_files {
  std::filesystem::path certificate, key;
};
tls_files make_tls_files(const std::filesystem::path& folder);
// The same over TLS, and nginx that speaks it to `upstream` for a harness that does not.
std::unique_ptr<chat_relay> start_soma_tls_relay(const options& o,
                                                 const std::filesystem::path& folder,
                                                 std::uint16_t upstream, const tls_files& by);
std::unique_ptr<chat_relay> start_nginx_tls_client(const std::filesystem::path& folder,
                                                   std::uint16_t upstream);

}  // namespace soma::bench
