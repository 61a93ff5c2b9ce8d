#include "node/stored_catalog.hpp"

#include <utility>

#include "security/digest.hpp"
#include "storage/documents.hpp"

namespace soma {
namespace {

constexpr std::string_view collection = "catalog";

}  // namespace

result<std::vector<tools::catalog_store::row>> stored_catalog::load() {
  std::vector<row> rows;
  const auto take = [&](const std::string& key, std::string& document) -> result<void> {
    if (const auto cut = key.find('\n'); cut != key.npos)
      rows.push_back({tenant_id(key.substr(0, cut)), key.substr(cut + 1), std::move(document)});
    return {};
  };
  if (auto read = storage::each_document(log_, collection, "", take); !read) return read.error();
  return rows;
}

result<void> stored_catalog::put(const row& changed) {
  return log_.put_document(collection, changed.tenant.value + '\n' + changed.tool_id,
                           changed.change_json);
}

std::string stored_catalog::digest(std::string_view text) const {
  return security::hex(security::bytes_of(security::sha256(text)));
}

}  // namespace soma
