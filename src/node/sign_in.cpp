#include "node/sign_in.hpp"

#include <cstdio>
#include <string>
#include <utility>

#include "core/loopback.hpp"
#include "core/time.hpp"
#include "core/version.hpp"
#include "node/settings_checks.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

std::string page_of(const config& settings, std::uint16_t port) {
  auto base = settings.text("server.web_ui_base_url");
  if (base.empty()) base = settings.text("server.base_url");
  if (base.empty())
    base = std::string(speaks_tls(settings) ? "https://" : "http://") + std::string(loopback_name) +
           ":" + std::to_string(port);
  return base + "/ui/index.html";
}

}  // namespace

std::unique_ptr<local_door> announce(const config& settings, std::uint16_t port,
                                     std::size_t recovering, node_identities& who) {
  log(log_level::info, "server.started",
      {{"version", version}, {"port", port}, {"recovering", recovering}});
  const auto page = page_of(settings, port);
  const auto make_link = [page, &sign_in = who.sign_in()] {
    return page + "#signin=" + sign_in.rotate(now_ms());
  };
  std::printf("SomaAgent01 %s\nThe page: %s\n", std::string(version).c_str(), page.c_str());
  if (!who.has_keys() || is_loopback(settings.text("server.host")))
    std::printf("Sign in (once, within 15 minutes): %s\n", make_link().c_str());
  std::fflush(stdout);
  auto opened = open_sign_in_door(settings.text("storage.data_dir"), make_link);
  if (opened) return std::move(*opened);
  log(log_level::warn, "sign_in.no_door", {{"reason", opened.error().detail}});
  return nullptr;
}

}  // namespace soma
