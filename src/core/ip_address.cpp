#include "core/ip_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace soma {
namespace {

struct v4_range {
  std::uint32_t network;
  int bits;
};
constexpr std::uint32_t v4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}
constexpr v4_range not_public_v4[] = {
    {v4(0, 0, 0, 0), 8},      {v4(10, 0, 0, 0), 8},     {v4(100, 64, 0, 0), 10},
    {v4(127, 0, 0, 0), 8},    {v4(169, 254, 0, 0), 16}, {v4(172, 16, 0, 0), 12},
    {v4(192, 0, 0, 0), 24},   {v4(192, 0, 2, 0), 24},   {v4(192, 88, 99, 0), 24},
    {v4(192, 168, 0, 0), 16}, {v4(198, 18, 0, 0), 15},  {v4(198, 51, 100, 0), 24},
    {v4(203, 0, 113, 0), 24}, {v4(224, 0, 0, 0), 4},    {v4(240, 0, 0, 0), 4},
};

bool public_v4(std::uint32_t address) {
  return std::none_of(std::begin(not_public_v4), std::end(not_public_v4), [&](const v4_range& r) {
    return (address >> (32 - r.bits)) == (r.network >> (32 - r.bits));
  });
}

std::uint32_t v4_at(const ip_address& a, std::size_t at) {
  return v4(a[at], a[at + 1], a[at + 2], a[at + 3]);
}

bool begins(const ip_address& a, std::initializer_list<std::uint8_t> bytes) {
  return std::equal(bytes.begin(), bytes.end(), a.begin());
}

}  // namespace

std::optional<ip_address> parse_ip(std::string_view text) {
  const std::string ended(text);
  in_addr four{};
  if (inet_pton(AF_INET, ended.c_str(), &four) == 1) return from_v4(ntohl(four.s_addr));
  in6_addr six{};
  if (inet_pton(AF_INET6, ended.c_str(), &six) != 1) return std::nullopt;
  ip_address out;
  std::memcpy(out.data(), six.s6_addr, out.size());
  return out;
}

ip_address from_v4(std::uint32_t host_order) {
  ip_address out{};
  out[10] = out[11] = 0xff;
  for (int i = 0; i < 4; ++i)
    out[12 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return out;
}

bool is_public(const ip_address& a) {
  if (begins(a, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return public_v4(v4_at(a, 12));
  if (begins(a, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return public_v4(v4_at(a, 12));
  if (begins(a, {0x20, 0x02})) return public_v4(v4_at(a, 2));  // 6to4
  if (begins(a, {0x20, 0x01, 0x00, 0x00})) return false;       // Teredo
  if (begins(a, {0x20, 0x01, 0x0d, 0xb8})) return false;       // documentation
  return (a[0] & 0xe0) == 0x20;                                // global unicast, 2000::/3
}

}  // namespace soma
