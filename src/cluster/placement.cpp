#include "cluster/placement.hpp"

#include <algorithm>
#include <utility>

#include "core/fingerprint.hpp"

namespace soma::cluster {
namespace {

// FNV's low bits follow the last letters alone.
constexpr std::uint64_t spread(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

constexpr std::string_view zero("\0", 1);

}  // namespace

std::uint32_t partition_of(const session_key& session, std::uint32_t partitions) {
  const auto tenant = fingerprint(zero, fingerprint(session.tenant.value));
  return static_cast<std::uint32_t>(spread(fingerprint(session.session.value, tenant)) %
                                    partitions);
}

std::uint32_t partition_of(const tenant_id& tenant, std::uint32_t partitions) {
  return static_cast<std::uint32_t>(spread(fingerprint(tenant.value)) % partitions);
}

std::vector<std::string> holders(std::uint32_t partition, std::span<const std::string> nodes,
                                 std::size_t copies) {
  std::vector<std::pair<std::uint64_t, std::string>> weighed;
  weighed.reserve(nodes.size());
  for (const auto& node : nodes)
    weighed.emplace_back(spread(fingerprint(node) ^ spread(partition + 1ull)), node);
  std::sort(weighed.begin(), weighed.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::vector<std::string> chosen;
  for (auto& [weight, node] : weighed) {
    if (chosen.size() == copies) break;
    chosen.push_back(std::move(node));
  }
  return chosen;
}

std::optional<std::string> gives_up_to(std::uint32_t partition, const std::string& owner,
                                       std::span<const member> alive, std::size_t copies,
                                       log_offset lag_max) {
  std::vector<std::string> nodes;
  const member* self = nullptr;
  for (const auto& one : alive) {
    if (one.node == owner) self = &one;
    if (!one.draining) nodes.push_back(one.node);
  }
  if (!self) return std::nullopt;
  for (const auto& node : holders(partition, nodes, copies)) {
    if (node == owner) return std::nullopt;
    const auto near = std::any_of(alive.begin(), alive.end(), [&](const member& one) {
      return one.node == node && self->next - one.next <= lag_max;
    });
    if (near) return node;
    if (!self->draining) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace soma::cluster
