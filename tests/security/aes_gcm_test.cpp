#include "security/secrets/aes_gcm.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "security/digest.hpp"

using namespace soma;
using namespace soma::security;

namespace {

std::string of_hex(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at + 1 < text.size(); at += 2)
    out += static_cast<char>(std::stoi(std::string(text.substr(at, 2)), nullptr, 16));
  return out;
}

// Ciphertext and tag.
std::string sealed_by(const gcm_key& key, const std::string& nonce, const std::string& bound_to,
                      const std::string& plain) {
  std::string out(plain.size() + gcm_tag_bytes, '\0');
  key.seal(nonce.data(), bound_to, plain, out.data(), out.data() + plain.size());
  return out;
}

// In place, as values are.
bool opens(const gcm_key& key, const std::string& nonce, const std::string& bound_to,
           std::string sealed, const std::string& plain) {
  const auto size = sealed.size() - gcm_tag_bytes;
  const bool opened =
      key.open(nonce.data(), bound_to, {sealed.data(), size}, sealed.data() + size, sealed.data());
  return opened && sealed.substr(0, size) == plain;
}

std::vector<gcm_engine> engines() {
  std::vector<gcm_engine> all{gcm_engine::openssl};
  if (best_gcm_engine() != gcm_engine::openssl) all.push_back(best_gcm_engine());
  return all;
}

}  // namespace

// Cases 13 to 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega).
TEST_CASE("AES-GCM: the vectors of those who made it") {
  struct vector {
    std::string key, nonce, bound_to, plain, sealed;
  };
  const std::string zeros(64, '0'), k = "feffe9928665731c6d6a8f9467308308",
                                    iv = "cafebabefacedbaddecaf888",
                                    p = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a"
                                        "318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba63"
                                        "7b39",
                                    c = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd25"
                                        "55d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9"
                                        "f662";
  const std::vector<vector> all = {
      {zeros, zeros.substr(0, 24), "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
      {zeros, zeros.substr(0, 24), "", zeros.substr(0, 32),
       "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
      {k + k, iv, "", p + "1aafd255", c + "898015adb094dac5d93471bdec1a502270e3cc6c"},
      {k + k, iv, "feedfacedeadbeeffeedfacedeadbeefabaddad2", p,
       c + "76fc6ece0f4e1768cddf8853bb2d551b"},
  };
  for (const auto by : engines())
    for (const auto& v : all) {
      const gcm_key key(secret_string(of_hex(v.key)), by);
      const auto sealed = sealed_by(key, of_hex(v.nonce), of_hex(v.bound_to), of_hex(v.plain));
      CHECK(hex(sealed) == v.sealed);
      CHECK(opens(key, of_hex(v.nonce), of_hex(v.bound_to), sealed, of_hex(v.plain)));
    }
}

TEST_CASE("AES-GCM: both libraries make the same bytes and open each other's") {
  std::mt19937_64 random(1);
  const auto text = [&](std::size_t size) {
    std::string out(size, '\0');
    for (auto& c : out) c = static_cast<char>(random());
    return out;
  };
  for (std::size_t n = 0; n < 3000; ++n) {
    const auto word = text(gcm_key_bytes), nonce = text(gcm_nonce_bytes);
    const gcm_key one(secret_string(std::string(word)), gcm_engine::openssl);
    const gcm_key other{secret_string(std::string(word))};
    const auto plain = text(n < 1100 ? n : random() % 70'000), bound_to = text(random() % 200);
    const auto sealed = sealed_by(one, nonce, bound_to, plain);
    REQUIRE(sealed == sealed_by(other, nonce, bound_to, plain));
    REQUIRE(opens(one, nonce, bound_to, sealed, plain));
    REQUIRE(opens(other, nonce, bound_to, sealed, plain));
    auto changed = sealed;
    changed[random() % changed.size()] ^= static_cast<char>(1 << random() % 8);
    REQUIRE_FALSE(opens(one, nonce, bound_to, changed, plain));
    REQUIRE_FALSE(opens(other, nonce, bound_to, changed, plain));
    REQUIRE_FALSE(opens(other, nonce, bound_to + "x", sealed, plain));
  }
}

TEST_CASE("AES-GCM: one key is used by many threads at once, and several by one") {
  for (const auto by : engines()) {
    const gcm_key a(secret_string(std::string(gcm_key_bytes, 'a')), by);
    const gcm_key b(secret_string(std::string(gcm_key_bytes, 'b')), by);
    const std::string nonce(gcm_nonce_bytes, 'n'), plain(300, 'p');
    const auto by_a = sealed_by(a, nonce, "place", plain),
               by_b = sealed_by(b, nonce, "place", plain);
    std::vector<int> wrong(4);
    std::vector<std::thread> threads;
    for (auto& mine : wrong)
      threads.emplace_back([&] {
        for (int n = 0; n < 2000; ++n) {
          mine += sealed_by(a, nonce, "place", plain) != by_a;
          mine += !opens(b, nonce, "place", by_b, plain);
          mine += opens(a, nonce, "place", by_b, plain);
        }
      });
    for (auto& t : threads) t.join();
    for (const auto mine : wrong) CHECK(mine == 0);
  }
}
