// Feeds any bytes to the reader of a partition's records, as they are and with the sum they ought
// to have, so that what is behind the sum is reached: what it takes, it writes and reads again to
// the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cluster/packed_bytes.hpp"
#include "cluster/partition_core.hpp"
#include "cluster/record_codec.hpp"
#include "core/checksum.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void read(std::string_view bytes) {
  const auto first = soma::cluster::decode(bytes);
  if (!first) return;
  const auto text = soma::cluster::encode(first->one);
  const auto second = soma::cluster::decode(text);
  require(second.has_value());
  require(second->one == first->one);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  std::string summed;
  soma::cluster::packed_writer(summed).word(soma::checksum(bytes));
  summed += bytes;
  read(summed);
  const auto state = soma::cluster::decode_partition_state(summed);
  if (state) require(*soma::cluster::decode_partition_state(encode(*state)) == *state);
  return 0;
}
