// What of this node works, as a tenant is told of it: for /v1/health, runtime-config, and as
// `health.changed` on the streams of tenants while it changes.
//
// Thread-safe, but for health_watch, which is of one thread. Does not block: the disk was looked at
// before (node_vitals).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/json_writer.hpp"
#include "http/gateway.hpp"

namespace soma::http {

struct health_component {
  std::string name;
  bool ok = true;
  std::string detail;  // a sentence, or a count; may be empty
  bool vital = true;   // without it the node is degraded
};

std::vector<health_component> health_of(gateway& g, const tenant_id& tenant);

// The members `status` and, where wanted, `components` of an object that is open.
void write_health(json_writer& w, const std::vector<health_component>& all, bool with_components);

class health_watch {
 public:
  explicit health_watch(gateway& g) : g_(g) {}
  // Tells each tenant that follows its stream what has changed since the last look. About once a
  // second.
  void look();

 private:
  gateway& g_;
  std::map<tenant_id, std::string> told_;  // of those that follow, the names of what is not up
};

}  // namespace soma::http
