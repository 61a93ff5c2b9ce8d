// How the node's health is shown, and told to those who follow their tenant's stream.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/node_health.hpp"
#include "core/json_writer.hpp"
#include "core/session_feed.hpp"

namespace soma::http {

// The members `status` and, where wanted, `components` of an object that is open.
void write_health(json_writer& w, const std::vector<app::health_component>& all,
                  bool with_components);

class health_watch {
 public:
  // Both outlive it.
  health_watch(const app::services& s, feed_registry& feeds) : services_(s), feeds_(feeds) {}
  // Tells each tenant that follows its stream what has changed since the last look. About once a
  // second.
  void look();

 private:
  const app::services& services_;
  feed_registry& feeds_;
  std::map<tenant_id, std::string> told_;  // of those that follow, the names of what is not up
};

}  // namespace soma::http
