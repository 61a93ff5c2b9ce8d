// soma cluster status, drain, undrain.
#include <cstdio>

#include "cli/commands.hpp"
#include "core/shown_text.hpp"
#include "node/cluster.hpp"

namespace soma {

int ask_cluster(const config_sources& from, const std::string& what) {
  auto settings = load_config(from);
  const auto refuse = [](const error& why) {
    std::fprintf(stderr, "soma: %s\n", terminal_text(why.detail).c_str());
    return 1;
  };
  if (!settings) return refuse(settings.error());
  const auto said = ask_cluster(settings->text("storage.data_dir"), what);
  if (!said) return refuse(said.error());
  std::fputs(said->c_str(), stdout);
  return 0;
}

}  // namespace soma
