// Tells those who follow their tenant's stream that something was changed, whichever door it was
// changed by. Implemented where streams are. Any thread; does not block.
#pragma once

#include "core/ids.hpp"

namespace soma::app {

class tenant_notices {
 public:
  virtual ~tenant_notices() = default;
  virtual void settings_changed(const tenant_id& tenant) = 0;  // of models, keys, the settings
  virtual void catalog_changed(const tenant_id& tenant) = 0;   // of tools
  virtual void memory_changed(const tenant_id& tenant) = 0;    // that can be found by now
};

}  // namespace soma::app
