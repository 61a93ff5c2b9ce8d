#include "scenarios/systems.hpp"

#include "clock.hpp"
#include "peers/soma.hpp"

namespace soma::bench {

std::vector<std::unique_ptr<stream_server>> start_stream_servers(
    const options& o, const std::filesystem::path& folder) {
  std::vector<std::unique_ptr<stream_server>> systems;
  if (o.with_soma) {
    const soma_launch launch{folder / "data", folder / "soma.log", {}};
    systems.push_back(std::make_unique<soma_server>(o, launch));
  }
  if (o.with_peers) {
    if (auto peer = start_nchan(folder)) systems.push_back(std::move(peer));
  }
  return systems;
}

std::int64_t to_ns(double seconds) {
  return static_cast<std::int64_t>(seconds * ns_per_s);
}

}  // namespace soma::bench
