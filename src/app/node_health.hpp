// What of this node works, as a tenant is told of it: for /v1/health, runtime-config, and as
// `health.changed` on the streams of tenants while it changes.
//
// Thread-safe, but for health_watch, which is of one thread. Does not block: the disk was looked at
// before (node_vitals).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.hpp"

namespace soma::app {

class services;

struct health_component {
  std::string name;
  bool ok = true;
  std::string detail;  // a sentence, or a count; may be empty
  bool vital = true;   // without it the node is degraded
  std::vector<std::pair<std::string_view, double>> figures = {};
};

// Whether the sessions' actors run; where not, the process is about to be started again.
bool is_alive(const services& s);

std::vector<health_component> health_of(const services& s, const tenant_id& tenant);

}  // namespace soma::app
