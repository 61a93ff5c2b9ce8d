// A tenant's changes to the catalog of tools as documents of the store. Thread-safe; blocks on the
// disk. Lifetime: the log outlives it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/event_log.hpp"
#include "tools/catalog.hpp"

namespace soma {

class stored_catalog final : public tools::catalog_store {
 public:
  explicit stored_catalog(storage::event_log& log) : log_(log) {}

  result<std::vector<row>> load() override;
  result<void> put(const row& changed) override;
  std::string digest(std::string_view text) const override;

 private:
  storage::event_log& log_;
};

}  // namespace soma
